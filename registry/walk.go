package registry

import (
	"iter"

	"github.com/tidewire/tidewire/model"
)

// AllDevices walks the devices of every tenant, from memory. Devices made while it walks
// may be missed. Entities are shared and must not be changed.
func (r *Registry) AllDevices() iter.Seq[*model.Entity] {
	return func(yield func(*model.Entity) bool) {
		r.dir.indexes.RLock()
		var all []*index
		for key, x := range r.dir.indexes.m {
			if key.typ == model.EntityDevice {
				all = append(all, x)
			}
		}
		r.dir.indexes.RUnlock()
		for _, x := range all {
			for _, e := range x.list() {
				if !yield(e) {
					return
				}
			}
		}
	}
}
