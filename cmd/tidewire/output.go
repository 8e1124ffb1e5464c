package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// A column is one of a table of rows of T.
type column[T any] struct {
	name string
	text func(T) string
}

// Formats of what commands print.
const (
	formatTable  = "table"
	formatCSV    = "csv"
	formatJSON   = "json"
	formatNDJSON = "ndjson"
)

// printRows prints rows for a person (table), a spreadsheet (csv), or a program: one array
// (json) or an object a line (ndjson), as the server sent them.
func printRows[T any](w io.Writer, format string, columns []column[T], rows []T) error {
	switch format {
	case formatJSON:
		if rows == nil {
			rows = []T{}
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(rows)
	case formatNDJSON:
		e := json.NewEncoder(w)
		for _, r := range rows {
			if err := e.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	write, end := tableWriter(w)
	if format == formatCSV {
		write, end = csvWriter(w)
	}
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.name
		if format == formatTable {
			line[i] = strings.ToUpper(c.name)
		}
	}
	if err := write(line); err != nil {
		return err
	}
	for _, r := range rows {
		for i, c := range columns {
			line[i] = c.text(r)
		}
		if err := write(line); err != nil {
			return err
		}
	}
	return end()
}

// tableWriter aligns columns. What is shown to a person may come from a device: control
// characters, which could steer a terminal, are taken out.
func tableWriter(w io.Writer) (write func([]string) error, end func() error) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	return func(line []string) error {
		for i := range line {
			line[i] = plain(line[i])
		}
		_, err := io.WriteString(t, strings.TrimRight(strings.Join(line, "\t"), "\t")+"\n")
		return err
	}, t.Flush
}

func csvWriter(w io.Writer) (write func([]string) error, end func() error) {
	c := csv.NewWriter(w)
	return c.Write, func() error {
		c.Flush()
		return c.Error()
	}
}

// plain replaces what is no printable character.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
}

// clock shows an instant in ms as a person reads it, in the zone of the machine.
func clock(ms int64) string {
	return time.UnixMilli(ms).Format("2006-01-02T15:04:05.000Z07:00")
}

// clockOr shows an instant, or a word where there is none.
func clockOr(ms *int64, none string) string {
	if ms == nil {
		return none
	}
	return clock(*ms)
}
