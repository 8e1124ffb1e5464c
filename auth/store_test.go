package auth

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
)

// A memory is the naive Store.
type memory struct {
	mu       sync.Mutex
	now      func() time.Time
	accounts map[model.UserID]*model.Account
	sessions map[model.ID]*model.Session
	links    map[[32]byte]*model.SetupLink
	tokens   map[string]*model.APIToken // by their texts
	keys     map[string]model.APIKey    // by their texts
	err      error                      // returned by everything that may fail
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, accounts: map[model.UserID]*model.Account{}, sessions: map[model.ID]*model.Session{},
		links: map[[32]byte]*model.SetupLink{}, tokens: map[string]*model.APIToken{}, keys: map[string]model.APIKey{}}
}

func (m *memory) add(a *model.Account) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.accounts[a.User.ID] = a
}

func (m *memory) Account(_ context.Context, email string) (*model.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.accounts {
		if strings.EqualFold(a.User.Email, email) {
			return new(*a), m.err
		}
	}
	return nil, model.NotFoundf("User is not found")
}

func (m *memory) AccountByID(_ context.Context, id model.UserID) (*model.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.accounts[id]; a != nil {
		return new(*a), m.err
	}
	return nil, model.NotFoundf("User is not found")
}

func (m *memory) PublicCustomerByID(_ context.Context, id model.CustomerID) (*model.Customer, error) {
	if id != publicCustomer {
		return nil, model.NotFoundf("Customer is not found")
	}
	return &model.Customer{ID: id, Tenant: model.TenantID{1}, Public: true}, m.err
}

// publicCustomer is the one that needs no login.
var publicCustomer = model.CustomerID{0xcc}

func (m *memory) SetPassword(_ context.Context, id model.UserID, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.accounts[id].Password = hash
	m.endAllLocked(id)
	return m.err
}

func (m *memory) endAllLocked(id model.UserID) {
	for k, s := range m.sessions {
		if s.User == id {
			delete(m.sessions, k)
		}
	}
}

func (m *memory) CreateSession(_ context.Context, s *model.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[s.ID] = new(*s)
	return m.err
}

func (m *memory) RotateSession(_ context.Context, id model.ID, from, to [32]byte, expires, grace int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[id]
	if s == nil {
		return model.NotFoundf("Session is not found")
	}
	if s.Refresh == to && expires-s.Expires < grace {
		return m.err
	}
	if s.Refresh != from {
		delete(m.sessions, id)
		return model.Errorf(model.Conflict, "Refresh token was already used")
	}
	s.Refresh, s.Expires = to, expires
	return m.err
}

func (m *memory) EndSession(_ context.Context, id model.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, id)
	return m.err
}

func (m *memory) SessionAlive(id model.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[id]
	return s != nil && m.now().UnixMilli() < s.Expires
}

func (m *memory) SaveSetupLink(_ context.Context, l *model.SetupLink) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, old := range m.links {
		if old.User == l.User && l.Reset && old.Reset && l.Created-old.Created < 60_000 {
			return model.Errorf(model.TooMany, "too soon")
		}
		if old.User == l.User {
			delete(m.links, k)
		}
	}
	m.links[l.Hash] = new(*l)
	return m.err
}

func (m *memory) SetupLinkAccount(_ context.Context, hash [32]byte, reset bool) (*model.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.links[hash]
	if l == nil || l.Reset != reset || l.Expires <= m.now().UnixMilli() {
		return nil, model.NotFoundf("no such link")
	}
	return new(*m.accounts[l.User]), m.err
}

func (m *memory) RedeemSetupLink(_ context.Context, hash [32]byte, reset bool, password string) (*model.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.links[hash]
	if l == nil || l.Reset != reset || l.Expires <= m.now().UnixMilli() {
		return nil, model.NotFoundf("no such link")
	}
	delete(m.links, hash)
	a := m.accounts[l.User]
	a.Password, a.User.Enabled = password, true
	return new(*a), m.err
}

func (m *memory) CreateToken(_ context.Context, t *model.APIToken, secret string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t.ID = model.NewID(m.now(), nil)
	m.tokens[secret] = new(*t)
	return m.err
}

func (m *memory) RotateToken(_ context.Context, t model.TenantID, id model.ID, secret, prefix string, overlap int64) (*model.APIToken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, token := range m.tokens {
		if token.ID == id && token.Tenant == t {
			token.Overlap = overlap
			next := *token
			next.Prefix, next.Overlap = prefix, 0
			m.tokens[secret] = &next
			return new(next), m.err
		}
	}
	return nil, model.NotFoundf("Token is not found")
}

func (m *memory) CreateKey(_ context.Context, k *model.APIKey, secret string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	k.ID = model.NewID(m.now(), nil)
	m.keys[secret] = *k
	return m.err
}

func (m *memory) TokenHolder(secret string) (model.Principal, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.keys[secret]; ok {
		return model.Principal{User: k.User, Tenant: k.Tenant, Authority: model.TenantAdmin, Customer: model.NoCustomer, Key: k.ID}, true
	}
	t := m.tokens[secret]
	if t == nil || t.Overlap > 0 && m.now().UnixMilli() >= t.Overlap {
		return model.Principal{}, false
	}
	return model.Principal{Tenant: t.Tenant, Authority: model.TenantAdmin, Customer: model.NoCustomer,
		Grant: &model.Grant{Token: t.ID, Grants: t.Grants}}, true
}

func (m *memory) TokenAlive(id model.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tokens {
		if t.ID == id {
			return true
		}
	}
	for _, k := range m.keys {
		if k.ID == id {
			return true
		}
	}
	return false
}
