package api

import (
	"sync"

	"github.com/tidewire/tidewire/model"
)

// maxExports is how many exports of a tenant may run at a time. One is bounded in memory and
// by the pace of its client, and in nothing else.
const maxExports = 8

// exports counts what runs of each tenant.
type exports struct {
	sync.Mutex
	running map[model.TenantID]int
}

// begin takes a place; end gives it back.
func (x *exports) begin(t model.TenantID) (end func(), err error) {
	x.Lock()
	defer x.Unlock()
	if x.running[t] >= maxExports {
		return nil, model.Errorf(model.TooMany, "%d exports of the tenant are running, which is the limit; try again when one has ended", maxExports)
	}
	x.running[t]++
	return func() {
		x.Lock()
		defer x.Unlock()
		if x.running[t]--; x.running[t] == 0 {
			delete(x.running, t)
		}
	}, nil
}
