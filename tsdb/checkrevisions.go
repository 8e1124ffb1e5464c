package tsdb

import (
	"github.com/tidewire/tidewire/tsdb/internal/keys"
	"github.com/tidewire/tidewire/tsdb/internal/revision"
)

// checkRevisions verifies that revisions belong to a column there is, stand where their group
// says there may be some, say which good one is before a bad one, and go no earlier than it
// says. (One may repeat the one before it, where a bad one between them has outlived its time.)
func (c *checker) checkRevisions() error {
	var at keys.Revision // of the row before
	var good revision.Place
	var hasGood bool
	return c.each(keys.Revisions, func(key, value []byte) error {
		k, err := keys.ParseRevision(key)
		if err != nil {
			c.problem("revision key %x: %w", key, err)
			return nil
		}
		c.report.Revisions++
		c.report.RevisionBytes += int64(len(key) + len(value))
		g := c.groups[k.Group]
		if g == nil || int(k.Column) >= len(g.names.Columns) {
			c.problem("revision of column %d of group %d, which is not", k.Column, k.Group)
			return nil
		}
		if t := &g.state.Tail; !t.Kept || k.TS > t.KeptTo {
			c.problem("group %d has a revision at %d, its state says none behind %d", k.Group, k.TS, t.KeptTo)
		}
		r := revision.Row{Position: k.Position, N: k.N}
		if err := r.Parse(value, k.TS); err != nil {
			c.problem("revision of column %d of group %d at %d: %w", k.Column, k.Group, k.TS, err)
			return nil
		}
		if e := g.state.Tail.Expires; r.Expires != 0 && (e == 0 || e > r.Expires) {
			c.problem("revision of column %d of group %d at %d goes at %d, its state says %d", k.Column, k.Group, k.TS, r.Expires, e)
		}
		same := k.Group == at.Group && k.Column == at.Column && k.TS == at.TS
		if !same {
			hasGood = false
		}
		if r.Quality != 0 && (r.HasGood != hasGood || hasGood && r.Good != good) {
			c.problem("revision of column %d of group %d at %d does not know the good one before it", k.Column, k.Group, k.TS)
		}
		if r.Quality == 0 {
			good, hasGood = revision.Place{Position: k.Position, N: k.N}, true
		}
		at = k
		return nil
	})
}
