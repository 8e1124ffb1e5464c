package mail

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A Sender delivers one message.
type Sender interface {
	Send(context.Context, *model.Mail) error
}

// A Job makes the message to be sent; nil, when there is nothing to say.
type Job func(context.Context) (*model.Mail, error)

// Options tunes a Queue. Each field says what its zero means.
type Options struct {
	// Waiting bounds the jobs that wait. Zero means 256.
	Waiting int
	// Retries is how long to wait before each further attempt. Nil means 5 s, 30 s, 2 min.
	Retries []time.Duration
	Log     *slog.Logger // nil means none
}

// A Queue carries out jobs one after the other. It owns one goroutine, from New until Close
// returns.
type Queue struct {
	sender  Sender
	options Options
	jobs    chan Job
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// New starts a queue in front of s.
func New(s Sender, o Options) *Queue {
	if o.Waiting == 0 {
		o.Waiting = 256
	}
	if o.Retries == nil {
		o.Retries = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	q := &Queue{sender: s, options: o, jobs: make(chan Job, o.Waiting), stop: stop}
	q.done.Go(func() { q.loop(ctx) })
	return q
}

// Post hands a job over and never waits. Its error is of kind Overload.
func (q *Queue) Post(job func(context.Context) (*model.Mail, error)) error {
	select {
	case q.jobs <- job:
		return nil
	default:
		return model.Errorf(model.Overload, "Too many mails wait to be sent, please try again later!")
	}
}

// Close interrupts the message being sent, forgets those that wait, and waits.
func (q *Queue) Close() error {
	q.stop()
	q.done.Wait()
	return nil
}

func (q *Queue) loop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-q.jobs:
			q.carryOut(ctx, job)
		}
	}
}

// carryOut makes one message and sends it, again and again if need be. Failures end in the
// log: whoever asked is gone.
func (q *Queue) carryOut(ctx context.Context, job Job) {
	m, err := job(ctx)
	if err != nil {
		q.options.Log.Warn("a mail could not be written", "error", err)
		return
	}
	if m == nil {
		return
	}
	for attempt := 0; ; attempt++ {
		err := q.sender.Send(ctx, m)
		if err == nil || ctx.Err() != nil {
			return
		}
		q.options.Log.Warn("a mail was not sent", "to", m.To, "subject", m.Subject, "attempt", attempt+1, "error", err)
		if attempt == len(q.options.Retries) {
			return
		}
		again := time.NewTimer(q.options.Retries[attempt])
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return
		}
	}
}

// Log is the Sender of a server without a mail server: what should be sent stands in the log,
// for the administrator to hand over.
type Log struct{ Log *slog.Logger }

// Send implements Sender.
func (l Log) Send(_ context.Context, m *model.Mail) error {
	l.Log.Warn("no mail server is set up: hand this over", "to", m.To, "subject", m.Subject, "link", m.Link)
	return nil
}
