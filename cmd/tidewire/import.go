package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidewire/tidewire/importer"
)

type importCmd struct {
	File string `arg:"" help:"CSV file whose first line names the columns." type:"existingfile"`

	Server   string `help:"URL of the server." default:"http://127.0.0.1:8080"`
	Username string `help:"E-mail of a tenant administrator. Required; also TIDEWIRE_USERNAME."`
	Password string `help:"Password. Required; better in TIDEWIRE_PASSWORD or TIDEWIRE_PASSWORD_FILE." secret:""`

	Device       string            `help:"Device of all rows. Default: the file's name." xor:"device"`
	DeviceColumn string            `help:"Column that names the device of each row." xor:"device"`
	Profile      string            `help:"Device profile of devices that are created." default:"default"`
	TimeColumn   string            `help:"Column of the time. Default: time, timestamp, ts, date or datetime."`
	Zone         string            `help:"Zone of local times: an IANA name or an offset such as -08:00." default:"UTC"`
	Column       map[string]string `help:"Import only these columns, under these keys." placeholder:"COLUMN=KEY" mapsep:","`
	Separator    string            `help:"Character between fields." default:","`
	Batch        int               `help:"Rows sent before they must be acknowledged." default:"1000"`
	State        string            `help:"File that remembers how far the import came. Default: beside the file." placeholder:"FILE"`
	Restart      bool              `help:"Start from the beginning, whatever an earlier run did."`
}

// Validate implements kong's check of a parsed command: the import cannot begin without a
// login, and its parts may come from places that a flag's own "missing" does not name.
func (c *importCmd) Validate() error {
	if c.Username == "" {
		return errors.New("who are you? Set --username or TIDEWIRE_USERNAME to the e-mail of a tenant administrator")
	}
	if c.Password == "" {
		return errors.New("no password: set TIDEWIRE_PASSWORD, or TIDEWIRE_PASSWORD_FILE to a file that holds it")
	}
	return nil
}

// maxBadLines bounds how many bad rows are printed one by one; the count tells the rest.
const maxBadLines = 50

// Run imports the file and prints what became of its rows.
func (c *importCmd) Run(ctx context.Context, s *streams) (err error) {
	options, err := c.options()
	if err != nil {
		return err
	}
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	settings := fmt.Sprintln(c.Server, options.Device, c.DeviceColumn, c.TimeColumn, c.Zone, c.Column, c.Separator)
	state, err := importer.OpenState(cmp.Or(c.State, c.File+".tidewire-import"), file, settings)
	if err != nil {
		return err
	}
	skip := state.Line()
	if c.Restart {
		skip = 0
	}
	rd, err := importer.NewReader(file, options)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	sink, err := importer.NewRemote(ctx, c.Server, importer.Login{Username: c.Username, Password: c.Password},
		importer.RemoteOptions{Profile: c.Profile})
	if err != nil {
		return err
	}
	if skip > 0 {
		fmt.Fprintf(s.out, "going on after line %d of an earlier run\n", skip)
	}
	bar := newBar(s.err, info.Size())
	printed := 0
	done, err := importer.Run(ctx, rd, sink, importer.Job{
		BatchRows: c.Batch,
		SkipTo:    skip,
		OnBad: func(e *importer.RowError) {
			if printed++; printed <= maxBadLines {
				bar.clear()
				fmt.Fprintf(s.err, "%s:%d: %v\n", c.File, e.Line, e.Err)
			}
		},
		OnProgress: func(p importer.Progress) error {
			bar.show(p)
			return state.Save(p.Line)
		},
	})
	bar.clear()
	if printed > maxBadLines {
		fmt.Fprintf(s.err, "%s: %d more bad rows\n", c.File, printed-maxBadLines)
	}
	bad := "bad rows"
	if done.Bad == 1 {
		bad = "bad row"
	}
	fmt.Fprintf(s.out, "%d rows kept, %d points, %d %s left out\n", done.Rows, done.Points, done.Bad, bad)
	if err != nil {
		return fmt.Errorf("%w (run the same command again to go on after line %d)", err, done.Line)
	}
	return state.Remove()
}

func (c *importCmd) options() (importer.Options, error) {
	zone, err := importer.ParseZone(c.Zone)
	if err != nil {
		return importer.Options{}, fmt.Errorf("--zone: %w", err)
	}
	if separator := []rune(strings.ReplaceAll(c.Separator, `\t`, "\t")); len(separator) != 1 {
		return importer.Options{}, fmt.Errorf("--separator: %q is not one character", c.Separator)
	} else if c.Batch < 1 {
		return importer.Options{}, fmt.Errorf("--batch: %d is less than 1", c.Batch)
	} else {
		o := importer.Options{
			TimeColumn: c.TimeColumn, Zone: zone, Device: c.Device, DeviceColumn: c.DeviceColumn,
			Columns: c.Column, Comma: separator[0],
		}
		if o.Device == "" && o.DeviceColumn == "" {
			o.Device = strings.TrimSuffix(filepath.Base(c.File), filepath.Ext(c.File))
		}
		return o, nil
	}
}

// A bar draws progress on a terminal, and nothing elsewhere.
type bar struct {
	w     io.Writer
	total int64
}

func newBar(w io.Writer, total int64) *bar {
	if f, ok := w.(*os.File); !ok || !isTerminal(f) {
		w = nil
	}
	return &bar{w: w, total: total}
}

const barWidth = 40

func (b *bar) show(p importer.Progress) {
	if b.w == nil {
		return
	}
	part := float64(p.Bytes) / float64(max(b.total, 1))
	full := int(part * barWidth)
	fmt.Fprintf(b.w, "\r[%s%s] %3.0f %%  %d rows", strings.Repeat("█", full), strings.Repeat("·", barWidth-full), 100*part, p.Rows)
}

func (b *bar) clear() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\033[K")
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
