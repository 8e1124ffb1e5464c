package ws

import "time"

// The rhythm of the sweeper (contract 11.1, 11.2). Rights are asked again often enough that a
// change is felt within five seconds.
const (
	sweepEvery   = time.Second
	recheckEvery = 4 // sweeps
	authTimeout  = 10 * time.Second
	pingAfter    = 10 * time.Second
	pongTimeout  = 30 * time.Second
	// messageTimeout is how long a message of at most 32 KiB may take to arrive, once it began.
	messageTimeout = 30 * time.Second
)

// sweep is the server's own goroutine: one for all sockets instead of timers for each.
func (s *Server) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-s.ctx.Done():
			return
		case <-s.again:
			s.recheckAll()
			continue
		case <-tick.C:
		}
		now := s.now().UnixMilli()
		for _, x := range s.all() {
			x.sweep(now)
		}
		if n%recheckEvery == 0 {
			s.recheckAll()
		}
	}
}

// sweep looks after one socket.
func (s *session) sweep(now int64) {
	s.mu.Lock()
	authenticated := s.mu.authenticated
	s.mu.Unlock()
	if !authenticated && now-s.begun >= authTimeout.Milliseconds() {
		s.close(codePolicy, "Auth timeout")
		return
	}
	if since := s.sinceAt.Load(); since != 0 && now-since >= messageTimeout.Milliseconds() {
		s.close(codePolicy, "Message took too long")
		return
	}
	s.conn.release()
	if s.busy.Load() {
		return
	}
	silent := now - s.heardAt.Load()
	switch {
	case s.conn.events != nil: // a client that is gone takes no heartbeats
		if now-max(s.begun, s.pingedAt) >= pingAfter.Milliseconds() {
			s.pingedAt = now
			s.conn.ping()
		}
	case silent >= pongTimeout.Milliseconds():
		s.close(codeTimeout, "No pong")
	case silent >= pingAfter.Milliseconds() && now-s.pingedAt >= pingAfter.Milliseconds():
		s.pingedAt = now
		s.conn.ping()
	}
}

// Recheck asks again, at once, whether every open subscription is still allowed. Without it
// that happens every four seconds.
func (s *Server) Recheck() {
	select {
	case s.again <- struct{}{}:
	default:
	}
}

func (s *Server) recheckAll() {
	for _, x := range s.all() {
		x.recheck()
	}
}
