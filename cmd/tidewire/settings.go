package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// settings resolves what the command line leaves open: TIDEWIRE_LISTEN for --listen, for a
// secret also TIDEWIRE_PASSWORD_FILE with the name of a file that holds it, then the same
// name in the configuration file.
type settings struct {
	environ []string
	loaded  bool
	file    map[string]string
}

// Validate implements kong.Resolver: a name in the file that is no flag is a mistake.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (s *settings) Resolve(k *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" {
		return nil, nil
	}
	name := "TIDEWIRE_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
	if v, ok := s.env(name); ok {
		return v, nil
	}
	if flag.Tag.Has("secret") {
		if path, ok := s.env(name + "_FILE"); ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("%s_FILE: %w", name, err)
			}
			return strings.TrimRight(string(b), "\r\n"), nil
		}
	}
	if flag.Name == "config" {
		return nil, nil
	}
	if err := s.load(k); err != nil {
		return nil, err
	}
	if v, ok := s.file[flag.Name]; ok {
		return v, nil
	}
	return nil, nil
}

// env returns a variable; an empty one counts as not set, as in most service managers.
func (s *settings) env(name string) (string, bool) {
	for _, e := range s.environ {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v, v != ""
		}
	}
	return "", false
}

// asFlags writes each value as it would stand on the command line, where one parser reads
// and judges them all; a list becomes its elements with commas between.
func asFlags(file map[string]any) (map[string]string, error) {
	flags := make(map[string]string, len(file))
	for name, v := range file {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		var parts []string
		for _, e := range list {
			switch e.(type) {
			case string, bool, json.Number:
				parts = append(parts, fmt.Sprint(e))
			default:
				return nil, fmt.Errorf("%q is neither a text, a number, true or false, nor a list of these", name)
			}
		}
		flags[name] = strings.Join(parts, ",")
	}
	return flags, nil
}

// load reads the configuration file that --config or TIDEWIRE_CONFIG names, once.
func (s *settings) load(k *kong.Context) error {
	if s.loaded {
		return nil
	}
	s.loaded = true
	path := ""
	for _, p := range k.Path {
		if p.Flag != nil && p.Flag.Name == "config" {
			path = fmt.Sprint(k.FlagValue(p.Flag))
		}
	}
	if path == "" {
		if path, _ = s.env("TIDEWIRE_CONFIG"); path == "" {
			return nil
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	var file map[string]any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // a size in bytes must not become 2.7e+08
	if err := dec.Decode(&file); err != nil {
		return fmt.Errorf("%s is not a JSON object of settings: %w", path, err)
	}
	if s.file, err = asFlags(file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	known := map[string]bool{}
	for _, flags := range k.Model.AllFlags(false) {
		for _, f := range flags {
			known[f.Name] = true
		}
	}
	for _, node := range k.Model.Leaves(false) {
		for _, f := range node.Flags {
			known[f.Name] = true
		}
	}
	for name := range s.file {
		if !known[name] {
			return fmt.Errorf("%s: %q is not a setting", path, name)
		}
	}
	return nil
}
