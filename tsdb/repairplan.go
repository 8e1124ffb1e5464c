package tsdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidewire/tidewire/model"
	"github.com/tidewire/tidewire/tsdb/internal/keys"
)

// A repairPlan is what a repair is about to take away. It is on disk, beside the tables, before
// the first of them changes and until the last row is written: a repair that did not end is
// begun again with it, and so loses nothing that is not told.
type repairPlan struct {
	Tables []string    `json:"tables"` // file names
	Spans  [][2][]byte `json:"spans"`  // keys [from, to)
	Undone []string    `json:"undone"` // file names: ranges may be there again that were deleted there
}

// planFile is where the plan is while a repair runs.
const planFile = "REPAIR"

// metaPatched begins the name of the row of a table that a repair has changed.
const metaPatched = "patched/"

func patchedKey(table string) []byte { return keys.AppendMeta(nil, metaPatched+table) }

func (p *repairPlan) empty() bool { return len(p.Tables)+len(p.Spans) == 0 }

// add takes in what was found since.
func (p *repairPlan) add(more repairPlan) {
	p.Tables = append(p.Tables, more.Tables...)
	p.Spans = append(p.Spans, more.Spans...)
	p.Undone = append(p.Undone, more.Undone...)
}

// addFrame takes in what mending the frame of a table, which holds keys in bounds, loses.
func (p *repairPlan) addFrame(table string, bounds keySpan, m *frameMend) {
	p.Tables = append(p.Tables, table)
	for _, s := range m.lost {
		p.Spans = append(p.Spans, [2][]byte{s.start, s.end})
	}
	if m.dels { // and what depends on what is there again has to be made anew
		p.Spans = append(p.Spans, [2][]byte{bounds.start, bounds.end})
		p.Undone = append(p.Undone, table)
	}
}

// undone returns what is to be told of range deletions that are lost.
func (p *repairPlan) undone() (lost []model.Loss) {
	for _, name := range p.Undone {
		lost = append(lost, model.Loss{Cause: fmt.Sprintf("range deletions in table %s: what deletes, retention or the end of an entity had taken may be there again", name)})
	}
	return lost
}

func (p *repairPlan) spans() (all []keySpan) {
	for _, s := range p.Spans {
		all = append(all, keySpan{s[0], s[1]})
	}
	return all
}

// readPlan returns the plan of a repair that did not end, or an empty one.
func readPlan(fs vfs.FS, dir string) (p repairPlan, err error) {
	f, err := fs.Open(fs.PathJoin(dir, planFile))
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(f)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("%w: %s: %w", ErrCorrupt, planFile, err)
	}
	return p, nil
}

// write puts the plan on disk, whole.
func (p *repairPlan) write(fs vfs.FS, dir string) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return replaceFile(fs, fs.PathJoin(dir, planFile), b)
}

// replaceFile puts a file in the place of another one, or of none, whole.
func replaceFile(fs vfs.FS, path string, content []byte) error {
	temporary := path + ".new"
	f, err := fs.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(temporary, path); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(path))
}

// done removes the plan.
func (p *repairPlan) done(fs vfs.FS, dir string) error {
	if err := fs.Remove(fs.PathJoin(dir, planFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(fs, dir)
}

// unfinished fails where a repair did not end.
func unfinished(fs vfs.FS, dir string) error {
	p, err := readPlan(fs, dir)
	if err == nil && !p.empty() {
		err = fmt.Errorf("%w: a repair of %s did not end: begin it again, tidewire check --repair", ErrCorrupt, dir)
	}
	return err
}
