package ws

import (
	"cmp"
	"context"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/tidewire/tidewire/dialect/thingsboard"
	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/subscriptions"
)

// An order is what a generation follows whose client asked for positions: one subscription to each
// entity, whose changes come in the order of the log, and of each change one frame, whatever it did
// to how many entities of the page. So one place says how far the client has heard of them all.
//
// A write that repeats the newest point is told, too: what is told depends on the log alone as far as it
// can, since who goes on does not know what came before.
type order struct {
	generation *generation
	epoch      uint64
	tenant     model.TenantID
	refs       []model.EntityRef // of the page
	sources    []*source
	plan       uint64

	base  model.Position      // visible before anything was read
	reads int                 // of a scope
	upto  subscriptions.Place // behind everything that was read

	settled subscriptions.Place // behind it, places are exact

	// Of who resumes:
	told    int  // updates that were missed
	unknown bool // something was missed of which nobody can say whether it is news
}

// A source is an entity that is subscribed to: one of the page, or one that a view on it shows.
type source struct {
	order   *order
	id      model.EntityID
	scopes  subscriptions.Scopes
	keys    []string // sorted
	parts   []*part
	targets map[string][]target
	hub     *subscriptions.Subscription
	backlog // guarded by the generation's lock
}

// A part is what one permit lets of a source be seen.
type part struct {
	*permit
	found  *model.Entity
	index  int // of its entity on the page
	keys   []string
	scopes subscriptions.Scopes
	after  [model.State + 1]model.Position // what was read
	last   *memory                         // nil where the log says what is news
}

// A target is how a key of a part is called in the updates of an order: its entity and kind before
// it, so that they are sorted, and merged, by all three.
type target struct {
	part *part
	name string
}

// seriesPart is the kind in names of targets whose series are followed: behind the latest values.
const seriesPart = 0xff

func newOrder(g *generation, r subscriptions.Reader) *order {
	return &order{generation: g, epoch: r.Epoch(), base: r.Position()}
}

// prepare finds out what is followed of the entities of the page.
func (o *order) prepare(a *answering) {
	sources := make(map[model.EntityID]*source)
	for i := range a.query.page.Data {
		found := a.query.page.Data[i].Entity
		o.tenant, o.refs = found.Tenant, append(o.refs, found.Ref())
		for kind := model.SeriesKey; kind <= model.AttributeKey; kind++ {
			o.add(a, sources, i, kind, a.kinds[kind])
		}
		o.add(a, sources, i, 0, a.live)
	}
	for _, s := range o.sources {
		for _, p := range s.parts {
			s.scopes |= p.scopes
			s.keys = append(s.keys, p.keys...)
		}
		slices.Sort(s.keys)
		s.keys = slices.Compact(s.keys)
	}
	o.plan = o.fingerprint(a)
}

// add follows keys of a kind of the entity at index, where that is allowed.
func (o *order) add(a *answering, sources map[model.EntityID]*source, index int, kind model.KeyKind, keys []string) {
	found := a.query.page.Data[index].Entity
	if len(keys) == 0 {
		return
	}
	permit := a.allowed(found, kind)
	if permit == nil {
		return
	}
	p := &part{permit: permit, found: found, index: index, keys: keys, scopes: subscriptions.ScopesOf(model.Timeseries)}
	if kind != 0 {
		p.scopes = subscriptions.ScopesOf(scopesOf(kind)...)
	}
	id := found.ID
	if permit.window != nil {
		id = permit.window.Source.ID
	}
	if permit.window != nil && kind != 0 || kind == model.AttributeKey {
		p.last = new(memory)
	}
	s := sources[id]
	if s == nil {
		s = &source{order: o, id: id, targets: make(map[string][]target)}
		sources[id] = s
		o.sources = append(o.sources, s)
	}
	s.parts = append(s.parts, p)
	prefix := string(append(binary.BigEndian.AppendUint16(nil, uint16(index)), cmp.Or(byte(kind), seriesPart))) //nolint:gosec // a page has at most 10,000
	for _, key := range keys {
		s.targets[key] = append(s.targets[key], target{p, prefix + key})
	}
	a.generation.permit(permit)
}

// fingerprint tells apart what orders follow: entities, whatever their order, what may be seen of
// them, and keys.
func (o *order) fingerprint(a *answering) uint64 {
	h := fnv.New64a()
	number := func(n uint64) { _, _ = h.Write(binary.LittleEndian.AppendUint64(nil, n)) }
	texts := func(list []string) {
		number(uint64(len(list)))
		for _, s := range list {
			number(uint64(len(s)))
			_, _ = h.Write([]byte(s))
		}
	}
	ids := make([]model.EntityID, len(o.refs))
	for i := range o.refs {
		ids[i] = o.refs[i].ID
	}
	byID := func(a, b model.EntityID) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(ids, byID)
	for i := range ids {
		_, _ = h.Write(ids[i][:])
	}
	for _, keys := range a.kinds {
		texts(keys)
	}
	texts(a.live)
	permits := slices.Clone(a.generation.permits)
	slices.SortFunc(permits, func(a, b *permit) int { return cmp.Or(byID(a.ref.ID, b.ref.ID), cmp.Compare(a.kind, b.kind)) })
	for _, p := range permits {
		_, _ = h.Write(p.ref.ID[:])
		number(uint64(p.kind))
		if w := p.window; w != nil {
			_, _ = h.Write(w.Source.ID[:])
			number(uint64(w.From)) //nolint:gosec // as bits
			number(uint64(w.To))   //nolint:gosec // as bits
			texts(w.Keys)
		}
	}
	return h.Sum64()
}

// spec is the subscription to a source. The first one hears for all that nothing has changed.
func (o *order) spec(i int) subscriptions.Spec {
	s := o.sources[i]
	return subscriptions.Spec{
		Tenant: o.tenant, Entity: s.id, Scopes: s.scopes, Keys: s.keys, ID: o.ID(), Ordered: true, Positions: i == 0,
	}
}

// answer reads what the parts of a query ask of its page into list, and follows it.
func (o *order) answer(ctx context.Context, a *answering, list []thingsboard.WSEntity) error {
	o.prepare(a)
	hub := a.query.session.hub()
	for i, s := range o.sources {
		budget := a.points
		h, err := hub.Subscribe(ctx, o.spec(i), s, func(ctx context.Context, r subscriptions.Snapshots, opening *subscriptions.Opening) error {
			a.points = budget
			return s.read(ctx, a, r, opening, list)
		})
		if err != nil {
			return err
		}
		s.hub = h
	}
	for i := range a.query.page.Data { // what is asked of series and not followed
		var err error
		if len(a.live) == 0 {
			err = a.series(ctx, a.query.page.Data[i].Entity, &list[i])
		} else if list[i].Series == nil {
			a.empty(&list[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read reads what is followed of a source.
func (s *source) read(ctx context.Context, a *answering, r subscriptions.Snapshots, opening *subscriptions.Opening, list []thingsboard.WSEntity) error {
	after := make(map[model.Scope]model.Position)
	for _, p := range s.parts {
		read := func(scope model.Scope, from, to model.Position) {
			p.after[scope] = from
			if x, read := after[scope]; !read || from < x {
				after[scope] = from
			}
			s.order.reads++
			if at := (subscriptions.Place{Position: to, Scope: scope}); s.order.upto.Before(to, scope) {
				s.order.upto = at
			}
		}
		from, e, last := throughView(r, p.window), &list[p.index], new(joined)
		var err error
		if p.kind == 0 {
			var first, behind model.Position
			first, behind, err = a.ranges(ctx, from, p.found, e)
			read(model.Timeseries, first, behind)
		} else {
			if p.last != nil {
				last = &p.last.joined
			}
			err = readLatest(ctx, from, p.found, p.kind, p.keys, last, e, func(scope model.Scope, at model.Position) { read(scope, at, at) })
			if p.last != nil {
				p.last.settle()
			}
		}
		if err != nil {
			return err
		}
	}
	for scope, p := range after {
		opening.Read(scope, p)
	}
	return nil
}

// first is the position of an answer that was read: none where something changed meanwhile. It
// says from where on places are exact.
func (o *order) first() []byte {
	switch at := o.upto; {
	case at.Position <= o.base:
		o.settled = subscriptions.Place{Position: o.base, Scope: model.State}
	case o.reads == 1:
		o.settled = subscriptions.Place{Position: at.Position, Scope: model.State}
	default:
		o.settled = at
		return nil
	}
	return o.position(o.settled)
}

// ID implements origin.
func (o *order) ID() int64 { return o.generation.query.command.ID }

// Encoder implements origin.
func (o *order) Encoder() subscriptions.Encoder { return o }

// position is how a place stands in a frame; nothing where there is none.
func (o *order) position(at subscriptions.Place) []byte {
	if at == (subscriptions.Place{}) {
		return nil
	}
	return (&position{query: true, epoch: o.epoch, plan: o.plan, at: at}).append(nil)
}

// Open implements subscriptions.Sink.
func (s *source) Open(*subscriptions.Subscription, []byte) {}

// Lost implements subscriptions.Sink. Nothing more is told of the others either: its place would be
// behind what was lost.
func (s *source) Lost(x *subscriptions.Subscription) {
	g := s.order.generation
	g.mu.Lock()
	g.mu.ended = true
	g.mu.Unlock()
	g.query.session.Lost(x)
}

// Update implements subscriptions.Sink.
func (s *source) Update(_ *subscriptions.Subscription, _ []byte, updates []subscriptions.Update) {
	g := s.order.generation
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.mu.ended:
	case g.mu.open:
		for i := range updates {
			s.order.tell(s, &updates[i])
		}
	default:
		s.hold(slices.DeleteFunc(slices.Clone(updates), func(u subscriptions.Update) bool { return len(u.Points) == 0 }))
	}
}

// tell sends what an update of a source is for the client.
func (o *order) tell(s *source, u *subscriptions.Update) {
	news := s.news(u, false)
	if len(news.Points) == 0 && (len(u.Points) > 0 || news.Unsettled) {
		return
	}
	o.send(news)
}

func (o *order) send(u *subscriptions.Update) {
	o.generation.query.session.conn.update(o, o.frame(u), []subscriptions.Update{*u})
}

func (o *order) frame(u *subscriptions.Update) []byte { return o.Frame(nil, o.ID(), o.Body(nil, u)) }

// begin tells what came while the answer was read, in order. Where that was too much, it is one
// update.
func (o *order) begin() {
	type told struct {
		source *source
		update *subscriptions.Update
	}
	var all []told
	merged := false
	for _, s := range o.sources {
		merged = merged || s.merged
		for i := range s.pending {
			all = append(all, told{s, &s.pending[i]})
		}
	}
	slices.SortStableFunc(all, func(a, b told) int {
		return cmp.Or(cmp.Compare(a.update.Position, b.update.Position), cmp.Compare(a.update.Scope, b.update.Scope))
	})
	if merged {
		one := new(subscriptions.Update)
		for _, x := range all {
			one.Merge(x.source.news(x.update, false))
		}
		if len(one.Points) > 0 {
			o.send(one)
		}
	} else {
		for _, x := range all {
			o.tell(x.source, x.update)
		}
	}
	for _, s := range o.sources {
		s.backlog = backlog{}
	}
}

// end ends the subscriptions.
func (o *order) end() {
	session := o.generation.query.session
	for _, s := range o.sources {
		if s.hub != nil {
			session.hub().Unsubscribe(s.hub)
		}
	}
	session.conn.forget(o)
}

// news returns what an update of s, or one that was missed, is for the client: under the names of
// targets.
func (s *source) news(u *subscriptions.Update, missed bool) *subscriptions.Update {
	n := &subscriptions.Update{Position: u.Position, Scope: u.Scope, Coalesced: u.Coalesced}
	n.Unsettled = s.order.settled.Position > 0 && u.Place().Before(s.order.settled.Position, s.order.settled.Scope)
	for i := range u.Points {
		for _, t := range s.targets[u.Points[i].Key] {
			if p := u.Points[i]; t.part.isNews(s.order, u, &p, missed) {
				p.Key = t.name
				n.Points = append(n.Points, p)
			}
		}
	}
	slices.SortStableFunc(n.Points, func(a, b subscriptions.Point) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), cmp.Compare(a.TS, b.TS))
	})
	return n
}

// isNews reports whether the client is told a point of an update.
func (x *part) isNews(o *order, u *subscriptions.Update, p *subscriptions.Point, missed bool) bool {
	removed := p.Value.Type() == model.TypeNone
	if x.dead.Load() || !x.scopes.Has(u.Scope) || u.Position <= x.after[u.Scope] {
		return false
	}
	if w := x.window; w != nil && !w.Shows(p.Key, p.TS) && (!removed || !w.HasKey(p.Key)) {
		return false
	}
	switch {
	case x.kind == 0:
		return !removed // no point of a series
	case x.last == nil:
		return !p.Late
	case x.kind == model.AttributeKey:
		return !p.Late && x.isShown(o, u.Scope, p, missed)
	}
	last, known := x.last.joined[u.Scope][p.Key]
	switch {
	case p.Late && missed && !x.last.knows(u.Scope, p.Key):
		o.unknown = true
		return false
	case p.Late && known && p.TS < last.TS:
		return false
	}
	p.Late = false
	x.last.note(u.Scope, p)
	return true
}

// isShown is isNews for attributes of any scope: what is told is the newest of them. Who missed what
// was written since takes it to be newer than what was there before.
func (x *part) isShown(o *order, scope model.Scope, p *subscriptions.Point, missed bool) bool {
	written := *p
	shown, changed, unknown := x.last.shows(scope, scopesOf(x.kind), p)
	switch {
	case !written.Value.IsNone():
		return shown.TS == written.TS && shown.Value == written.Value
	case unknown && missed:
		o.unknown = true
		return false
	}
	*p = shown
	return changed
}

// Body implements subscriptions.Encoder.
func (o *order) Body(dst []byte, u *subscriptions.Update) []byte {
	var entities []thingsboard.WSEntity
	last := ""
	for i := range u.Points {
		p := &u.Points[i]
		if i == 0 || p.Key[:2] != last[:2] {
			entities = append(entities, thingsboard.WSEntity{Ref: o.refs[binary.BigEndian.Uint16([]byte(p.Key))]})
		}
		e, point := &entities[len(entities)-1], model.Point{TS: p.TS, Value: p.Value}
		switch kind, key := p.Key[2], p.Key[3:]; {
		case kind != seriesPart && p.Key == last: // the newest of its key counts
			e.Latest[len(e.Latest)-1].Point = point
		case kind != seriesPart:
			e.Latest = append(e.Latest, thingsboard.WSShown{Key: model.EntityKey{Kind: model.KeyKind(kind), Key: key}, Point: point})
		default:
			if p.Key != last {
				e.Series = append(e.Series, thingsboard.WSKeyPoints{Key: key})
			}
			s := &e.Series[len(e.Series)-1]
			s.Points = append(s.Points, thingsboard.WSPoint{Point: point})
		}
		last = p.Key
	}
	return thingsboard.AppendWSChange(dst, entities, &thingsboard.WSNote{Coalesced: u.Coalesced, Position: o.position(u.Place())})
}

// Frame implements subscriptions.Encoder.
func (*order) Frame(dst []byte, id int64, body []byte) []byte {
	return entityEncoder{}.Frame(dst, id, body)
}
