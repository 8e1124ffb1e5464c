package registry

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of a data directory that the registry owns.
const (
	keysFile     = "keys.json"
	databaseFile = "registry.db"
)

// Keys are the secrets that must not be in the database: who steals one of the two files
// can neither use device credentials nor forge tokens. A backup needs both.
type Keys struct {
	Lookup [32]byte // HMAC-SHA-256 by which device credentials are found
	Seal   [32]byte // AES-256-GCM in which they are kept
	Tokens [64]byte // HS512 of access and refresh tokens
	// OldTokens signed before Tokens did; what they signed is good until it expires.
	OldTokens [][64]byte
}

// keysJSON is the form on disk; bytes are base64.
type keysJSON struct {
	Version int    `json:"version"`
	Lookup  []byte `json:"lookup"`
	Seal    []byte `json:"seal"`
	Tokens  []byte `json:"tokens"`
	// OldTokens holds at most maxOldTokens.
	OldTokens [][]byte `json:"oldTokens,omitempty"`
}

// OpenKeys loads the keys of the data directory dir, or makes them at its first run. A nil
// random reads crypto/rand. It refuses a file others may read, and it refuses to make new
// keys beside an existing database, whose credentials they could not open.
func OpenKeys(dir string, random io.Reader) (*Keys, error) {
	path := filepath.Join(dir, keysFile)
	k, err := LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if _, err := os.Stat(filepath.Join(dir, databaseFile)); err == nil {
		return nil, fmt.Errorf("registry: %s is missing beside %s: restore it from the backup the database belongs to", path, databaseFile)
	}
	return CreateKeys(path, random)
}

// LoadKeys reads the keys from path. Its error wraps fs.ErrNotExist when there are none.
func LoadKeys(path string) (_ *Keys, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("registry: open keys: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("registry: stat keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("registry: %s may be read by others (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	var j keysJSON
	if err := json.NewDecoder(io.LimitReader(f, 1<<16)).Decode(&j); err != nil {
		return nil, fmt.Errorf("registry: read %s: %w", path, err)
	}
	var k Keys
	if j.Version != 1 || copy(k.Lookup[:], j.Lookup) != len(k.Lookup) ||
		copy(k.Seal[:], j.Seal) != len(k.Seal) || copy(k.Tokens[:], j.Tokens) != len(k.Tokens) {
		return nil, fmt.Errorf("registry: %s is not a complete key file of version 1", path)
	}
	if len(j.OldTokens) > maxOldTokens {
		return nil, fmt.Errorf("registry: %s: %d old token keys exceed the limit of %d", path, len(j.OldTokens), maxOldTokens)
	}
	for i, old := range j.OldTokens {
		var key [64]byte
		if len(old) != len(key) {
			return nil, fmt.Errorf("registry: %s: oldTokens[%d] has %d bytes, not %d", path, i, len(old), len(key))
		}
		k.OldTokens = append(k.OldTokens, [64]byte(old))
	}
	return &k, nil
}

// maxOldTokens bounds the keys that are still accepted: nobody rotates oftener than tokens
// live, and then needs more than one.
const maxOldTokens = 4

// CreateKeys writes new keys to path, which must not exist: mode 0600, synced, and complete
// or absent after a power cut. A nil random reads crypto/rand.
func CreateKeys(path string, random io.Reader) (*Keys, error) {
	if random == nil {
		random = rand.Reader
	}
	var k Keys
	for _, b := range [][]byte{k.Lookup[:], k.Seal[:], k.Tokens[:]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("registry: read randomness for keys: %w", err)
		}
	}
	if err := k.write(path, os.Link); err != nil {
		return nil, err
	}
	return &k, nil
}

// RotateTokens replaces, in the key file of the data directory dir, the key that signs tokens. What
// the key before signed stays good until it expires, unless forget says that no earlier key is
// accepted any more: everybody logs in again. A server takes the new key when it starts. A nil
// random reads crypto/rand. The file is the old or the new one after a power cut.
func RotateTokens(dir string, random io.Reader, forget bool) error {
	if random == nil {
		random = rand.Reader
	}
	path := filepath.Join(dir, keysFile)
	k, err := LoadKeys(path)
	if err != nil {
		return err
	}
	old := append([][64]byte{k.Tokens}, k.OldTokens...)
	if k.OldTokens = old[:min(len(old), maxOldTokens)]; forget {
		k.OldTokens = nil
	}
	if _, err := io.ReadFull(random, k.Tokens[:]); err != nil {
		return fmt.Errorf("registry: read randomness for keys: %w", err)
	}
	return k.write(path, os.Rename)
}

// write makes the key file of k, which gets its name from place.
func (k *Keys) write(path string, place func(from, to string) error) error {
	j := keysJSON{Version: 1, Lookup: k.Lookup[:], Seal: k.Seal[:], Tokens: k.Tokens[:]}
	for i := range k.OldTokens {
		j.OldTokens = append(j.OldTokens, k.OldTokens[i][:])
	}
	text, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return fmt.Errorf("registry: encode keys: %w", err)
	}
	if err := writeSecret(path, append(text, '\n'), place); err != nil {
		return fmt.Errorf("registry: write keys: %w", err)
	}
	return nil
}

// writeSecret makes path with text. The name appears last: by a link, which never replaces a file
// that is already there, or by a rename, which does.
func writeSecret(path string, text []byte, place func(from, to string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // CreateTemp makes files of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
