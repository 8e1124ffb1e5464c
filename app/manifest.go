package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidewire/tidewire/model"
)

// manifestFile is written last: a directory without it is no backup.
const manifestFile = "manifest.json"

// manifestVersion is that of the form below (docs/format/backup.md).
const manifestVersion = 1

// A manifest says what a backup holds.
type manifest struct {
	Version  int            `json:"version"`
	Epoch    uint64         `json:"epoch,string"`
	Position model.Position `json:"position"`
	Created  time.Time      `json:"created"`
	Files    []manifestItem `json:"files"`
	Sum      uint32         `json:"crc32c"` // of the manifest with 0 in its place
}

type manifestItem struct {
	Name string `json:"name"` // below the backup, with slashes
	Size int64  `json:"size"`
	CRC  uint32 `json:"crc32c"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func (m manifest) encode() ([]byte, error) {
	m.Sum = 0
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, err
	}
	m.Sum = checksum(b)
	return json.MarshalIndent(m, "", " ")
}

// errDamaged marks a backup that is not what was written.
var errDamaged = errors.New("the backup is damaged")

// readManifest reads the manifest of the backup in dir.
func readManifest(dir string) (*manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is no backup, or one that was not finished: it has no %s", dir, manifestFile)
	}
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%w: %s of %s: %w", errDamaged, manifestFile, dir, err)
	}
	if m.Version != manifestVersion {
		return nil, fmt.Errorf("%s was written in format %d, this program knows %d", dir, m.Version, manifestVersion)
	}
	again, err := m.encode()
	if err != nil || string(again) != string(b) {
		return nil, fmt.Errorf("%w: %s of %s: its checksum differs", errDamaged, manifestFile, dir)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
			return nil, fmt.Errorf("%w: %s of %s names %q, which is not below it", errDamaged, manifestFile, dir, f.Name)
		}
	}
	return &m, nil
}

// verify compares a file of a backup with the manifest, copying it to w.
func (f manifestItem) verify(dir string, w io.Writer) (err error) {
	file, err := os.Open(filepath.Join(dir, filepath.FromSlash(f.Name)))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := crc32.New(castagnoli)
	n, err := io.CopyBuffer(io.MultiWriter(sum, w), struct{ io.Reader }{file}, make([]byte, 1<<20))
	if err != nil {
		return err
	}
	if n != f.Size || sum.Sum32() != f.CRC {
		return fmt.Errorf("%w: %s has %d bytes with checksum %08x, the manifest says %d with %08x", errDamaged, f.Name, n, sum.Sum32(), f.Size, f.CRC)
	}
	return nil
}

// below reports whether path is dir or below it, and where.
func below(dir, path string) (rel string, ok bool) {
	rel, err := filepath.Rel(dir, path)
	return rel, err == nil && (rel == "." || filepath.IsLocal(rel)) && !strings.HasPrefix(rel, "..")
}
