package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A row is what a device sends at once. The points of a row are values of keys 0, 1, 2 …
type row struct {
	device int
	ts     int64
	values []value
	done   chan struct{} // receives one from each queue the row is in
}

// A value is a long or a double; the other one is nil, and so is what a row of the tables
// holds beside it.
type value struct {
	long   *int64
	double *float64
}

func readRows(in io.Reader) ([]*row, error) {
	var all []*row
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 {
			return nil, fmt.Errorf("row %d has %d fields", len(all), len(fields))
		}
		r := &row{done: make(chan struct{}, 2)}
		var err error
		if r.device, err = strconv.Atoi(fields[0]); err != nil {
			return nil, err
		}
		if r.ts, err = strconv.ParseInt(fields[1], 10, 64); err != nil {
			return nil, err
		}
		for _, f := range fields[2:] {
			v, err := readValue(f)
			if err != nil {
				return nil, err
			}
			r.values = append(r.values, v)
		}
		all = append(all, r)
	}
	return all, lines.Err()
}

func readValue(text string) (value, error) {
	if strings.ContainsAny(text, ".e") {
		f, err := strconv.ParseFloat(text, 64)
		return value{double: &f}, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return value{long: &n}, err
}
