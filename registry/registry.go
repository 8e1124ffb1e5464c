package registry

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/tidewire/tidewire/model"
)

// Options tunes a Registry. Dir and Keys are required.
type Options struct {
	Dir    string           // the data directory; the database is registry.db in it
	Keys   *Keys            // see OpenKeys
	Now    func() time.Time // nil means time.Now
	Random io.Reader        // nil means crypto/rand; read by one goroutine at a time

	// RightsChanged is called after a change of who may do what: a session that ended, an
	// assignment, a deletion, a credential. It must not block. Nil means nobody looks.
	RightsChanged func()
	// KeepTimeseries and KeepAttributes are what is kept of series about which their tenant
	// says nothing.
	KeepTimeseries, KeepAttributes model.Keep
	// AuditDays is how long entries of the audit log are kept. Zero is for ever.
	AuditDays int

	// EraseFailed observes erasures and copies the engine refused; they are tried again. Nil means
	// nobody looks.
	EraseFailed func(model.EntityID, error)
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("registry: no data directory given")
	}
	if o.Keys == nil {
		return o, errors.New("registry: no keys given")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	o.Random = &lockedReader{r: o.Random}
	if o.RightsChanged == nil {
		o.RightsChanged = func() {}
	}
	if o.EraseFailed == nil {
		o.EraseFailed = func(model.EntityID, error) {}
	}
	return o, nil
}

// A Registry is an open database of what exists.
type Registry struct {
	opts     Options
	reader   *sql.DB
	writer   *sql.DB       // one connection
	turn     chan struct{} // holds a token while nobody writes
	quit     chan struct{} // closed by Close: nobody waits for a turn that never comes
	dir      *directory
	sealer   *sealer
	outbox   outbox
	policies policies
	audits   auditQueue
	purge    int64 // ms; when expired sessions were last looked for; whoever has the turn
	closing  sync.Once
	closed   error
}

// Open opens the registry of a data directory, makes it at the first run, and brings its
// schema up to date. The outbox waits until [Registry.Start].
func Open(ctx context.Context, o Options) (_ *Registry, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Registry{opts: o, turn: make(chan struct{}, 1), quit: make(chan struct{}), dir: newDirectory()}
	r.audits.wake = make(chan struct{}, 1)
	r.turn <- struct{}{}
	if r.sealer, err = newSealer(o.Keys, o.Random); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	path := filepath.Join(o.Dir, databaseFile)
	if err := createPrivate(path); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	if r.writer, err = openSQLite(path, true); err != nil {
		return nil, fmt.Errorf("registry: open %s: %w", path, err)
	}
	if err := migrate(ctx, r.writer); err != nil {
		return nil, fmt.Errorf("registry: migrate %s: %w", path, err)
	}
	if r.reader, err = openSQLite(path, false); err != nil {
		return nil, fmt.Errorf("registry: open %s for reading: %w", path, err)
	}
	if err := r.checkKeys(ctx); err != nil {
		return nil, err
	}
	if err := r.ensureTenantProfile(ctx); err != nil {
		return nil, err
	}
	if err := r.load(ctx); err != nil {
		return nil, fmt.Errorf("registry: load %s: %w", path, err)
	}
	if err := r.policies.load(ctx, r.reader); err != nil {
		return nil, fmt.Errorf("registry: load %s: %w", path, err)
	}
	return r, nil
}

// errClosed answers writes after Close.
var errClosed = errors.New("registry: closed")

// Close stops the outbox worker and closes the database. The write in progress ends first,
// those that wait for it fail.
func (r *Registry) Close() error {
	r.closing.Do(func() {
		r.outbox.close()
		if r.writer != nil && r.reader != nil {
			r.closed = errors.Join(r.saveTokenUse(context.Background()), r.saveAudit(context.Background()))
		}
		close(r.quit)
		<-r.turn // kept for good: nobody writes after Close
		for _, db := range []*sql.DB{r.reader, r.writer} {
			if db != nil {
				r.closed = errors.Join(r.closed, db.Close())
			}
		}
	})
	return r.closed
}

// checkKeys refuses keys that are not the database's own: with them every credential would
// be unknown and unreadable. The first run leaves its mark.
func (r *Registry) checkKeys(ctx context.Context) error {
	mark := r.sealer.lookup("tidewire: the keys of this database").String()
	return r.write(ctx, func(tx *tx) error {
		var stored string
		err := tx.row("SELECT value FROM meta WHERE name = 'keys'").Scan(&stored)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return tx.exec("INSERT INTO meta (name, value) VALUES ('keys', $1)", mark)
		case err != nil:
			return fmt.Errorf("registry: read the mark of the keys: %w", err)
		case stored != mark:
			return fmt.Errorf("registry: the keys are not those of %s: restore both from one backup", databaseFile)
		}
		return nil
	})
}

// now returns the instant new things carry, ms.
func (r *Registry) now() int64 { return r.opts.Now().UnixMilli() }

// newID makes an id of now.
func (r *Registry) newID() model.ID { return model.NewID(r.opts.Now(), r.opts.Random) }

// A lockedReader lets several goroutines share a source of randomness.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}
