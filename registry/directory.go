package registry

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/tidewire/tidewire/model"
)

// A directory is what the hot paths ask: every entity, every credential, every session, in
// memory. Entities are replaced, never changed, so a reader may keep what it got. Only who
// has the turn to write changes it, after the commit.
type directory struct {
	entities    *sharded[model.EntityID, *model.Entity]
	credentials *sharded[lookup, credential]
	devices     *sharded[model.EntityID, lookup] // the credential of each device
	dashboards  *sharded[model.EntityID, []model.CustomerID]
	sessions    *sharded[model.ID, int64] // when each ends, ms
	views       *sharded[model.EntityID, *model.Window]
	tokens      *tokenIndex
	limits      *sharded[model.ID, *model.TenantLimits] // of each tenant profile

	indexes struct {
		sync.RWMutex
		m map[indexKey]*index
	}
}

// A credential says which device a lookup lets in, and as what.
type credential struct {
	device model.EntityID
	typ    model.CredentialsType
}

type indexKey struct {
	tenant model.TenantID
	typ    model.EntityType
}

// An index is the entities of one type of one tenant.
type index struct {
	mu      sync.Mutex
	members map[model.EntityID]*model.Entity
	// sorted is the members by creation. Who was handed it keeps it: it is only ever appended
	// to, beyond what they see, or replaced.
	sorted []*model.Entity
	stale  bool // sorted holds entities that were replaced or removed
}

// put adds or replaces a member. Ids are never used again.
func (x *index) put(e *model.Entity) {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, replaced := x.members[e.ID]
	x.members[e.ID] = e
	if replaced {
		x.stale = true
	} else {
		x.sorted = append(x.sorted, e)
		n := len(x.sorted)
		x.stale = x.stale || n > 1 && byCreation(x.sorted[n-2], e) > 0
	}
}

func (x *index) remove(id model.EntityID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.members, id)
	x.stale = true
}

// list returns the members by creation. The slice is shared and must not be changed.
func (x *index) list() []*model.Entity {
	if x == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stale {
		fresh := make([]*model.Entity, 0, len(x.members))
		for _, old := range x.sorted {
			if e, ok := x.members[old.ID]; ok {
				fresh = append(fresh, e)
			}
		}
		if !slices.IsSortedFunc(fresh, byCreation) {
			slices.SortFunc(fresh, byCreation)
		}
		x.sorted, x.stale = fresh, false
	}
	return x.sorted[:len(x.sorted):len(x.sorted)]
}

func byCreation(a, b *model.Entity) int {
	return cmp.Or(cmp.Compare(a.Created, b.Created), slices.Compare(a.ID[:], b.ID[:]))
}

func newDirectory() *directory {
	d := &directory{
		entities:    newSharded[model.EntityID, *model.Entity](func(k model.EntityID) byte { return k[15] }),
		credentials: newSharded[lookup, credential](func(k lookup) byte { return k[0] }),
		devices:     newSharded[model.EntityID, lookup](func(k model.EntityID) byte { return k[15] }),
		dashboards:  newSharded[model.EntityID, []model.CustomerID](func(k model.EntityID) byte { return k[15] }),
		sessions:    newSharded[model.ID, int64](func(k model.ID) byte { return k[15] }),
		views:       newSharded[model.EntityID, *model.Window](func(k model.EntityID) byte { return k[15] }),
		tokens:      newTokenIndex(),
		limits:      newSharded[model.ID, *model.TenantLimits](func(k model.ID) byte { return k[15] }),
	}
	d.indexes.m = make(map[indexKey]*index)
	return d
}

// index returns the index of a tenant and type; nil when there is none and make is false.
func (d *directory) index(t model.TenantID, typ model.EntityType, create bool) *index {
	k := indexKey{t, typ}
	d.indexes.RLock()
	x := d.indexes.m[k]
	d.indexes.RUnlock()
	if x != nil || !create {
		return x
	}
	d.indexes.Lock()
	defer d.indexes.Unlock()
	if x = d.indexes.m[k]; x == nil {
		x = &index{members: make(map[model.EntityID]*model.Entity)}
		d.indexes.m[k] = x
	}
	return x
}

// put adds e or replaces the entity of its id. e belongs to the directory from now on.
func (d *directory) put(e *model.Entity) {
	d.entities.set(e.ID, e)
	d.index(e.Tenant, e.Type, true).put(e)
}

// change replaces an entity by an edited copy; nothing happens when it is gone.
func (d *directory) change(id model.EntityID, edit func(*model.Entity)) {
	if old, ok := d.entities.get(id); ok {
		e := *old
		edit(&e)
		d.put(&e)
	}
}

// remove hides an entity with everything that leads to it.
func (d *directory) remove(id model.EntityID) {
	e, ok := d.entities.get(id)
	if !ok {
		return
	}
	if l, ok := d.devices.get(id); ok {
		d.credentials.remove(l)
		d.devices.remove(id)
	}
	d.dashboards.remove(id)
	d.views.remove(id)
	d.entities.remove(id)
	d.index(e.Tenant, e.Type, true).remove(id)
}

// removeTenant hides everything a tenant owns, itself included.
func (d *directory) removeTenant(t model.TenantID) {
	d.indexes.RLock()
	var all []*index
	for k, x := range d.indexes.m {
		if k.tenant == t {
			all = append(all, x)
		}
	}
	d.indexes.RUnlock()
	for _, x := range all {
		for _, e := range x.list() {
			d.remove(e.ID)
		}
	}
	d.indexes.Lock()
	for k := range d.indexes.m {
		if k.tenant == t {
			delete(d.indexes.m, k)
		}
	}
	d.indexes.Unlock()
}

// setCredential makes l the one credential of a device.
func (d *directory) setCredential(device model.EntityID, l lookup, typ model.CredentialsType) {
	if old, ok := d.devices.get(device); ok && old != l {
		d.credentials.remove(old)
	}
	d.devices.set(device, l)
	d.credentials.set(l, credential{device, typ})
}

// Entity returns an entity of a tenant. A foreign one does not exist.
func (r *Registry) Entity(t model.TenantID, id model.EntityID) (*model.Entity, bool) {
	e, ok := r.dir.entities.get(id)
	if !ok || e.Tenant != t {
		return nil, false
	}
	return e, true
}

// Lookup returns an entity whoever owns it. It is for those who act for no tenant.
func (r *Registry) Lookup(id model.EntityID) (*model.Entity, bool) { return r.dir.entities.get(id) }

// DeviceByToken returns the device an access token lets in (contract thingsboard 5).
func (r *Registry) DeviceByToken(token string) (*model.Entity, bool) {
	if len(token) > maxText { // no credential is that long: do not hash what an attacker made long
		return nil, false
	}
	c, ok := r.dir.credentials.get(r.sealer.lookup(token))
	if !ok || c.typ != model.AccessToken {
		return nil, false
	}
	return r.dir.entities.get(c.device)
}

// Entities walks the entities of one type of a tenant by creation, as they were when the
// walk began.
func (r *Registry) Entities(t model.TenantID, typ model.EntityType) iter.Seq[*model.Entity] {
	return slices.Values(r.dir.index(t, typ, false).list())
}

// Assigned reports whether a dashboard is assigned to a customer.
func (r *Registry) Assigned(dashboard model.EntityID, c model.CustomerID) bool {
	customers, _ := r.dir.dashboards.get(dashboard)
	return slices.Contains(customers, c)
}

// load fills the directory from SQL.
func (r *Registry) load(ctx context.Context) error {
	for _, q := range []string{
		`SELECT t.id, t.id, 'TENANT', t.title, '', '', p.id, NULL, t.created FROM tenants t JOIN tenant_profiles p ON p.id = t.profile_id`,
		`SELECT id, tenant_id, 'CUSTOMER', title, '', '', NULL, NULL, created FROM customers`,
		`SELECT id, tenant_id, 'USER', email, '', '', NULL, customer_id, created FROM users`,
		`SELECT id, tenant_id, 'DEVICE_PROFILE', name, '', '', NULL, NULL, created FROM device_profiles`,
		`SELECT d.id, d.tenant_id, 'DEVICE', d.name, d.label, p.name, p.id, d.customer_id, d.created
			FROM devices d JOIN device_profiles p ON p.id = d.profile_id`,
		`SELECT id, tenant_id, 'ASSET_PROFILE', name, '', '', NULL, NULL, created FROM asset_profiles`,
		`SELECT a.id, a.tenant_id, 'ASSET', a.name, a.label, p.name, p.id, a.customer_id, a.created
			FROM assets a JOIN asset_profiles p ON p.id = a.profile_id`,
		`SELECT id, tenant_id, 'DASHBOARD', title, '', '', NULL, NULL, created FROM dashboards`,
	} {
		_, err := collect(ctx, r.reader, func(s scanner) (struct{}, error) {
			var e model.Entity
			err := s.Scan(idText{(*model.ID)(&e.ID)}, idText{(*model.ID)(&e.Tenant)}, &e.Type, &e.Name, &e.Label,
				&e.Profile, idText{&e.ProfileID}, customerText{&e.Customer}, &e.Created)
			if err == nil {
				r.dir.put(&e)
			}
			return struct{}{}, err
		}, q)
		if err != nil {
			return err
		}
	}
	if err := r.loadTenantProfiles(ctx); err != nil {
		return err
	}
	if err := r.loadViews(ctx); err != nil {
		return err
	}
	if err := r.loadCredentials(ctx); err != nil {
		return err
	}
	if err := r.loadDashboards(ctx); err != nil {
		return err
	}
	if err := r.hideDoomed(ctx); err != nil {
		return err
	}
	return errors.Join(r.loadSessions(ctx), r.loadTokens(ctx), r.loadKeys(ctx))
}

// assign adds a customer to a dashboard or takes it away.
func (d *directory) assign(dashboard model.EntityID, c model.CustomerID, assigned bool) {
	old, _ := d.dashboards.get(dashboard)
	next := slices.DeleteFunc(slices.Clone(old), func(x model.CustomerID) bool { return x == c })
	if assigned {
		next = append(next, c)
	}
	d.dashboards.set(dashboard, next)
}
