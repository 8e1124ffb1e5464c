package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"
)

const partLive = "Live"

func bareFigure(l *line) figure { return l.bare }

func centrifugeFigure(l *line) figure { return l.centrifuge }

// What the peers reached where the goals were set, by how many subscribe to one device: 0.95
// of bare frames, 1.6 times what centrifuge delivers.
var (
	bareDeliveries = map[int]float64{1000: 458e3, 5000: 313e3}
	tail           = goal{36, 34, bareFigure}
)

func deliveryGoals(n int) (goal, goal) {
	return goal{bareDeliveries[n] * 0.95, bareDeliveries[n], bareFigure}, goal{1.6, 1, centrifugeFigure}
}

// live measures WebSocket delivery to many, beside a server that writes prepared frames and
// beside a node of centrifuge.
func (b *bench) live(ctx context.Context) error {
	b.title(partLive + fmt.Sprintf(": every update to every subscriber; %d on their way, one being written and one that waits, so that each is a write of its own", window))
	many := b.scaled(5000)
	peers, stop, err := b.livePeers(ctx, many, false)
	if err != nil {
		return err
	}
	err = b.fanout(ctx, peers, many)
	stop()
	if err == nil {
		err = b.storm(ctx, many)
	}
	if err == nil {
		err = b.idle(ctx)
	}
	return err
}

// fanout measures the deliveries.
func (b *bench) fanout(ctx context.Context, peers []*livePeer, many int) error {
	own := make([]int, many) // each its own
	for i := range own {
		own[i] = i
	}
	few := b.scaled(1000)
	for _, c := range []struct {
		name   string
		topics []int
		stuck  int
		points int
		rate   int // updates a second, to time single ones
	}{
		{name: fmt.Sprintf("%d subscribers of one device", few), topics: make([]int, few), points: 1, rate: 20},
		{name: fmt.Sprintf("%d subscribers of one device, five updates a frame", few), topics: make([]int, few), points: 5},
		{name: fmt.Sprintf("%d subscribers of one device", many), topics: make([]int, many), points: 1, rate: 20},
		{name: fmt.Sprintf("%d of one device, a tenth of them stuck", many), topics: make([]int, many), stuck: many / 10, points: 1, rate: 20},
		{name: fmt.Sprintf("%d subscribers of %d devices", many, many), topics: own, points: 1, rate: 1000},
	} {
		speed := line{part: partLive, name: c.name, unit: deliveries, durable: "yes / – / –"}
		p50 := line{part: partLive, name: fmt.Sprintf("%s, %d updates/s, p50", c.name, c.rate), unit: milliseconds, durable: speed.durable}
		p99 := p50
		p99.name = fmt.Sprintf("%s, %d updates/s, p99", c.name, c.rate)
		for _, p := range peers {
			a, err := p.gather(ctx, c.topics, c.stuck)
			if err != nil {
				return err
			}
			m := measurement{audience: a, topics: c.topics, readers: len(c.topics) - c.stuck, points: c.points}
			err = m.warm(ctx, c.stuck > 0)
			var f figure
			if err == nil {
				f, err = m.flood(ctx)
			}
			if err == nil && c.rate > 0 {
				*p50.of(p), *p99.of(p), err = m.pace(ctx, c.rate)
			}
			a.leave()
			if err != nil {
				return fmt.Errorf("%s, %s: %w", c.name, p.name, err)
			}
			f.value *= float64(c.points)
			*speed.of(p) = f
		}
		switch {
		case c.points > 1:
			speed.unit = updatesPerSecond
			speed.goal = goal{1.9e6, 2.02e6, bareFigure}
		case c.stuck == 0 && c.topics[len(c.topics)-1] == 0:
			speed.goal, speed.also = deliveryGoals(len(c.topics))
		}
		if len(c.topics) == 5000 && c.topics[1] == 0 && c.stuck == 0 {
			p99.goal = tail
		}
		b.add(speed)
		if c.rate > 0 {
			b.add(p50)
			b.add(p99)
		}
	}
	return nil
}

// of returns the place of a peer's figure.
func (l *line) of(p *livePeer) *figure {
	switch p.name {
	case "bare":
		return &l.bare
	case "centrifuge":
		return &l.centrifuge
	}
	return &l.ours
}

// window is how many updates of one topic may be on their way: while one is delivered the next
// is stored and waits. With more, servers that put what waits into one write would be compared
// by how much they find waiting. publishers is how many publish to many topics.
const (
	window     = 2
	publishers = 16
)

// A measurement publishes to an audience.
type measurement struct {
	*audience
	topics  []int // of the sockets
	readers int   // sockets that read
	points  int   // of an update
}

// clock makes the timestamps of all publications: none is older than one before.
var clock atomic.Int64

func (m *measurement) publication(topic int, value string) []byte {
	clock.CompareAndSwap(0, time.Now().UnixMilli())
	ts := clock.Add(int64(m.points)) - int64(m.points)
	return m.peer.publish(publication{topic: topic, ts: ts, points: m.points, value: value})
}

// each returns how many receive an update of one topic.
func (m *measurement) each() int64 {
	if m.spread() {
		return 1
	}
	return int64(m.readers)
}

// spread reports whether everyone follows something else.
func (m *measurement) spread() bool { return m.topics[len(m.topics)-1] != 0 }

// warm publishes a little, fills the sockets of those who do not read, and checks that what
// everyone receives is what was published.
func (m *measurement) warm(ctx context.Context, stuck bool) error {
	w, err := dial(m.peer.server.addr)
	if err != nil {
		return err
	}
	defer w.conn.Close()
	var answer []byte
	send := func(topic int, value string) error {
		before := m.received.Load()
		answer, err = w.do(m.publication(topic, value), answer[:0])
		if err != nil {
			return err
		}
		return m.await(ctx, before+m.each())
	}
	if stuck {
		text := make([]byte, 8<<10)
		for i := range text {
			text[i] = 'x'
		}
		for range 2 * unsent / len(text) {
			if err := send(0, string(text)); err != nil {
				return err
			}
		}
	}
	for i := range 5 {
		value := fmt.Sprintf("%d.25", i)
		m.want.Store(&value)
		if err := send(m.topics[i*(len(m.topics)-1)/4], value); err != nil {
			return err
		}
	}
	m.want.Store(nil)
	if n := m.wrong.Load(); n > 0 {
		return fmt.Errorf("%d frames hold something else than what was published", n)
	}
	return nil
}

// flood counts deliveries a second for about three seconds.
func (m *measurement) flood(ctx context.Context) (figure, error) {
	before, merged := m.received.Load(), m.merged.Load()
	cpu, begin := m.peer.server.cpu(), time.Now()
	span := 3 * time.Second
	var sent int64
	var err error
	if m.spread() {
		sent, err = m.floodAll(begin, span)
	} else {
		sent, err = m.floodOne(ctx, begin, span, before)
	}
	if err != nil {
		return figure{}, err
	}
	if err := m.await(ctx, before+sent*m.each()); err != nil {
		return figure{}, err
	}
	took := time.Since(begin).Seconds()
	merged = m.merged.Load() - merged
	total := float64(m.received.Load() - before - merged)
	note := fmt.Sprintf("%.2f CPU s per million", (m.peer.server.cpu()-cpu)/total*1e6)
	if merged > 0 {
		note += fmt.Sprintf(", %d superseded", merged)
	}
	return figure{total / took, note}, nil
}

// floodOne publishes to one topic, window updates on their way at once.
func (m *measurement) floodOne(ctx context.Context, begin time.Time, span time.Duration, base int64) (sent int64, err error) {
	w, err := dial(m.peer.server.addr)
	if err != nil {
		return 0, err
	}
	defer w.conn.Close()
	var answer []byte
	for time.Since(begin) < span {
		if answer, err = w.do(m.publication(0, strconv.FormatInt(sent, 10)+".5"), answer[:0]); err != nil {
			return sent, err
		}
		if sent++; sent >= window {
			if err := m.await(ctx, base+(sent-window+1)*m.each()); err != nil {
				return sent, err
			}
		}
	}
	return sent, nil
}

// floodAll publishes to all topics in turn, from many connections.
func (m *measurement) floodAll(begin time.Time, span time.Duration) (int64, error) {
	var sent atomic.Int64
	_, err := drive(m.peer.server.addr, publishers, func(int) []byte {
		if time.Since(begin) >= span {
			return nil
		}
		n := sent.Add(1) - 1
		return m.publication(m.topics[n%int64(len(m.topics))], strconv.FormatInt(n, 10)+".5")
	})
	return sent.Load(), err
}

// pace publishes at a rate for about three seconds and says how long updates took from before
// they were sent to after they were received.
func (m *measurement) pace(ctx context.Context, rate int) (p50, p99 figure, err error) {
	const conns = 4 // one that waits for its answer does not delay the next update
	before := m.received.Load()
	count := 3 * rate
	topics := 1
	if m.spread() {
		topics = len(m.topics)
	}
	t := newTiming(topics, count/topics+1)
	m.timing.Store(t)
	var sent atomic.Int64
	lines := conns
	if !m.spread() {
		lines = 1 // they arrive in the order they were sent
	}
	_, err = drive(m.peer.server.addr, lines, func(int) []byte {
		n := int(sent.Add(1) - 1)
		if n >= count {
			return nil
		}
		due := t.begin.Add(time.Duration(n) * time.Second / time.Duration(rate))
		if pause(ctx, time.Until(due)) != nil {
			return nil
		}
		topic := n % topics
		body := m.publication(topic, strconv.Itoa(n)+".5")
		t.published(topic, n/topics)
		return body
	})
	if err == nil {
		err = m.await(ctx, before+int64(count)*m.each())
	}
	m.timing.Store(nil)
	return spent(t.quantile(0.5)), spent(t.quantile(0.99)), err
}

// storm measures a crowd that comes back: how long it takes, from the first that connects
// until all are subscribed and were shown the newest value, which was written while they were away.
func (b *bench) storm(ctx context.Context, n int) error {
	peers, stop, err := b.livePeers(ctx, n, true)
	if err != nil {
		return err
	}
	defer stop()
	topics := make([]int, n)
	for i := range topics {
		topics[i] = i
	}
	l := line{part: partLive, name: fmt.Sprintf("%d reconnect, each to a device of its own, until all are current", n), unit: milliseconds, durable: "yes / – / –"}
	for _, p := range peers {
		a, err := p.gather(ctx, topics, 0)
		if err != nil {
			return err
		}
		a.leave()
		m := measurement{audience: a, topics: topics, points: 1}
		var next atomic.Int64
		const value = "4711.5"
		if _, err := drive(p.server.addr, publishers, func(int) []byte {
			i := int(next.Add(1) - 1)
			if i >= n {
				return nil
			}
			return m.publication(i, value)
		}); err != nil {
			return err
		}
		p.current = value
		cpu, begin := p.server.cpu(), time.Now()
		a, err = p.gather(ctx, topics, 0)
		if err != nil {
			return err
		}
		f := spent(time.Since(begin))
		f.note = fmt.Sprintf("%.2f CPU s", p.server.cpu()-cpu)
		if turned := a.turned.Load(); turned > 0 {
			f.note += fmt.Sprintf(", turned away and back %d times", turned)
		}
		*l.of(p) = f
		a.leave()
	}
	b.add(l)
	return nil
}

// idle measures what a connection with one subscription costs when nothing happens: the
// growth of the process from 2,000 sockets to 7,000. The first 2,000 take the room that
// starting and logging in left free.
func (b *bench) idle(ctx context.Context) error {
	peers, stop, err := b.livePeers(ctx, 1, false, "GOGC=20") // so that garbage hardly counts
	if err != nil {
		return err
	}
	defer stop()
	l := line{part: partLive, name: "memory of an idle socket with a subscription", unit: kibibytes, goal: goal{value: 7}}
	first, more := b.scaled(2000), b.scaled(5000)
	for _, p := range peers {
		var sizes []float64
		var all []*audience
		for _, n := range []int{first, more} {
			a, err := p.gather(ctx, make([]int, n), 0)
			if err != nil {
				return err
			}
			all = append(all, a)
			settled, err := p.server.settledMemory(ctx)
			if err != nil {
				return err
			}
			sizes = append(sizes, settled)
		}
		*l.of(p) = figure{(sizes[1] - sizes[0]) / float64(more) / 1024, "resident"}
		for _, a := range all {
			a.leave()
		}
		if err := errors.Join(p.server.kill()); err != nil {
			return err
		}
	}
	b.add(l)
	return nil
}

// settledMemory waits until the size of the process has not changed by a hundredth for a
// second.
func (s *server) settledMemory(ctx context.Context) (float64, error) {
	for last := s.memory(); ; {
		if err := pause(ctx, time.Second); err != nil {
			return 0, err
		}
		now := s.memory()
		if math.Abs(now-last) < last/100 {
			return now, nil
		}
		last = now
	}
}
