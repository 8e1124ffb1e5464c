package ws

import (
	"context"
	"slices"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// queryResumption reads where an ENTITY_DATA command wants to go on: nil where it does not, or
// cannot for the reason returned.
func (s *session) queryResumption(c *thingsboard.WSCommand) (from *position, resync string, err error) {
	if c.Resume == "" {
		return nil, "", nil
	}
	r, err := s.hub().Reader()
	if err != nil {
		return nil, "", err
	}
	p, err := parsePosition(c.Resume)
	switch {
	case err != nil:
		return nil, "", err
	case !p.query:
		return nil, "", model.Invalidf("resume is a position of no query: %.64q", c.Resume)
	case p.epoch != r.Epoch():
		return nil, resyncRestored, nil
	}
	return &p, "", nil
}

// resume tells what was missed since a position, then the page as it is now, and follows it. Where
// that is not possible it returns why, and has begun nothing. The caller holds work.
func (q *query) resume(ctx context.Context, who model.Principal, from *position) (resync string, err error) {
	a, err := q.answering(who)
	if err != nil {
		return "", err
	}
	g, o := a.generation, a.generation.order
	frame, resync, err := o.resume(ctx, a, from)
	if err != nil || resync != "" {
		q.follows.Store(nil)
		g.end()
		return resync, err
	}
	g.begin(appendText(nil, frame))
	if q.ctx.Err() != nil {
		q.follow(nil)
	}
	return "", nil
}

// resume tells what was missed and returns the frame that follows it.
func (o *order) resume(ctx context.Context, a *answering, from *position) (frame []byte, resync string, err error) {
	q := a.query
	list, err := o.recall(ctx, a, from.at)
	if err != nil {
		return nil, "", err
	}
	if o.plan != from.plan {
		return nil, resyncChanged, nil
	}
	q.follows.Store(o.generation) // rights are asked again while what was missed is told
	members := make([]subscriptions.Member, len(o.sources))
	for i, s := range o.sources {
		members[i] = subscriptions.Member{Spec: o.spec(i), Sink: s}
	}
	var at subscriptions.Place
	subs, err := q.session.hub().ResumeUnion(ctx, members, subscriptions.Resumption{
		From: from.at,
		Pace: q.session.pace,
		Tell: o.tellMissed,
		Done: func(p subscriptions.Place, _ int) []byte {
			at = p
			return nil
		},
	})
	for i, x := range subs {
		o.sources[i].hub = x
	}
	switch resync = resyncOf(err); {
	case resync != "":
		return nil, resync, nil
	case err != nil:
		return nil, "", err
	case o.unknown:
		return nil, resyncChanged, nil
	}
	for _, s := range o.sources {
		for _, p := range s.parts {
			if p.last != nil {
				p.last.settle()
			}
		}
	}
	note := &thingsboard.WSNote{Resumed: true, Missed: o.told, Position: o.position(at)}
	return thingsboard.AppendWSPage(nil, o.ID(), q.find, list, q.page.Total, note), "", nil
}

// recall finds out what is followed, and returns what the page shows beside that.
func (o *order) recall(ctx context.Context, a *answering, at subscriptions.Place) ([]thingsboard.WSEntity, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	r, err := a.query.session.hub().Reader()
	if err != nil {
		return nil, err
	}
	list, err := a.page(ctx, true)
	if err != nil {
		return nil, err
	}
	o.prepare(a)
	for _, s := range o.sources {
		for _, p := range s.parts {
			if p.last == nil {
				continue
			}
			var shown thingsboard.WSEntity
			positions := make(map[model.Scope]model.Position)
			read := func(scope model.Scope, p model.Position) { positions[scope] = p }
			if err := readLatest(ctx, throughView(r, p.window), p.found, p.kind, p.keys, &p.last.base, &shown, read); err != nil {
				return nil, err
			}
			p.last.recall(at, positions)
		}
	}
	for i := range list { // what is followed is told by what was missed
		list[i].Latest = slices.DeleteFunc(list[i].Latest, func(x thingsboard.WSShown) bool {
			return x.Key.Kind <= model.AttributeKey && slices.Contains(a.kinds[x.Key.Kind], x.Key.Key)
		})
	}
	return list, nil
}

// tellMissed sends what an update is that a source missed. It is not merged with anything: the
// client is waited for.
func (o *order) tellMissed(x subscriptions.Sink, u *subscriptions.Update) {
	news := x.(*source).news(u, true)
	if len(news.Points) == 0 || o.unknown {
		return
	}
	o.told++
	o.generation.query.session.conn.send(o.frame(news))
}
