package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A State remembers how far an import came. It is a small JSON file beside the imported
// one, replaced as a whole after each acknowledged batch and removed at the end.
type State struct {
	path string
	data stateData
}

type stateData struct {
	File string `json:"file"` // which file and settings the line belongs to
	Line int    `json:"line"` // the last line that is acknowledged
}

// fingerprintBytes is how much of a file's beginning identifies it: enough for the header
// and its first rows, which two exports of one system rarely share with the same size.
const fingerprintBytes = 64 << 10

// OpenState reads the state at path for file, imported with the given settings. When the
// state is of another file or of other settings, the import starts from the beginning.
func OpenState(path string, file io.ReadSeeker, settings string) (*State, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("measure the file: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("rewind the file: %w", err)
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%d\n%s\n", size, settings)
	if _, err := io.CopyN(sum, file, fingerprintBytes); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("rewind the file: %w", err)
	}
	s := &State{path: path, data: stateData{File: hex.EncodeToString(sum.Sum(nil))}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of an earlier import: %w", err)
	}
	var found stateData
	if err := json.Unmarshal(b, &found); err != nil {
		return nil, fmt.Errorf("%s is damaged, remove it to import from the beginning: %w", path, err)
	}
	if found.File == s.data.File {
		s.data.Line = found.Line
	}
	return s, nil
}

// Line returns the last line an earlier run did, or 0.
func (s *State) Line() int { return s.data.Line }

// Save records that everything up to line is acknowledged.
func (s *State) Save(line int) error {
	s.data.Line = line
	b, err := json.Marshal(s.data)
	if err != nil {
		return fmt.Errorf("encode the state: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(s.path), ".tidewire-import-*")
	if err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // after a successful rename there is nothing left
	if _, err := tmp.Write(append(b, '\n')); err != nil {
		return errors.Join(fmt.Errorf("save the state: %w", err), tmp.Close())
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	if err := os.Rename(tmp.Name(), s.path); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	return nil
}

// Remove forgets the import: it is complete.
func (s *State) Remove() error {
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the state: %w", err)
	}
	return nil
}
