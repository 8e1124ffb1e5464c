package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A unit is what figures of a line are measured in, and which of two is the better one.
type unit struct {
	name string
	less bool // the smaller figure is the better one
}

var (
	pointsPerSecond = unit{name: "points/s"}
	cpuPerMillion   = unit{"CPU s per million points", true}
	bytesPerPoint   = unit{"bytes/point", true}
	milliseconds    = unit{"ms", true}
	mebibytes       = unit{"MiB", true}
	deliveries      = unit{name: "deliveries/s"}
	kibibytes       = unit{"KiB", true}
)

// A figure is one measured number, with what is to be said beside it. Zero stands for none.
type figure struct {
	value float64
	note  string
}

func of(v float64) figure { return figure{value: v} }

func spent(d time.Duration) figure { return figure{value: d.Seconds() * 1000} }

func (f figure) text(u unit) string {
	s := "–"
	if f.value != 0 {
		s = number(f.value, u)
	}
	if f.note != "" {
		s = strings.TrimPrefix(s+" ("+f.note+")", "– ")
	}
	return s
}

// A goal is what Tidewire is to reach. peer is what the peer reached where the goal was set:
// machines differ and drift, so where that peer was measured in this run, its ratio counts
// and not the number.
type goal struct {
	value float64
	peer  float64
	of    func(*line) figure // whose figure peer is; nil means VictoriaMetrics
}

// A line is one thing measured, of all who were asked.
type line struct {
	part, name string
	unit       unit
	ours       figure
	bare       figure // the least any server does for it: no storage, no product
	victoria   figure
	postgres   figure
	goal       goal
	durable    string // ours, VictoriaMetrics and PostgreSQL when they answer
}

// reached returns how much of its goal a line has reached, 1 being all; ok is false when it
// has none.
func (l *line) reached() (share float64, ok bool) {
	if l.goal.value == 0 || l.ours.value == 0 {
		return 0, false
	}
	peer := l.victoria
	if l.goal.of != nil {
		peer = l.goal.of(l)
	}
	want := l.goal.value
	if l.goal.peer != 0 && peer.value != 0 {
		want *= peer.value / l.goal.peer
	}
	if l.unit.less {
		return want / l.ours.value, true
	}
	return l.ours.value / want, true
}

// ratio says how many times better we are than a peer.
func (l *line) ratio(peer figure) string {
	if peer.value == 0 || l.ours.value == 0 {
		return ""
	}
	r := l.ours.value / peer.value
	if l.unit.less {
		r = 1 / r
	}
	switch {
	case r >= 100:
		return fmt.Sprintf("%.0fx", r)
	case r >= 10:
		return fmt.Sprintf("%.1fx", r)
	}
	return fmt.Sprintf("%.2fx", r)
}

// A report collects lines and prints each as it is measured.
type report struct {
	out   io.Writer
	part  bool // of the data only: goals mean nothing then and are left out
	lines []*line
	tail  []string // what follows the table, in Markdown
}

// add prints a line and keeps it; of several runs the one that came nearest to the goal.
func (r *report) add(l line) {
	if r.part {
		l.goal = goal{}
	}
	fmt.Fprintf(r.out, "  %-50s %s", l.name, l.ours.text(l.unit)+" "+l.unit.name)
	for _, p := range []struct {
		name   string
		figure figure
	}{{"bare", l.bare}, {"VictoriaMetrics", l.victoria}, {"PostgreSQL", l.postgres}} {
		if p.figure != (figure{}) {
			fmt.Fprintf(r.out, " | %s %s %s", p.name, p.figure.text(l.unit), l.ratio(p.figure))
		}
	}
	if share, ok := l.reached(); ok {
		fmt.Fprintf(r.out, " | goal %s: %s", number(l.goal.value, l.unit), verdict(share))
	}
	fmt.Fprintln(r.out)
	for i, old := range r.lines {
		if old.part == l.part && old.name == l.name && old.unit == l.unit {
			if better(&l, old) {
				r.lines[i] = &l
			}
			return
		}
	}
	r.lines = append(r.lines, &l)
}

func better(a, b *line) bool {
	x, ok := a.reached()
	y, _ := b.reached()
	if !ok {
		x, y = a.ours.value, b.ours.value
		if a.unit.less {
			x, y = y, x
		}
	}
	return x > y
}

func verdict(share float64) string {
	if share >= 1 {
		return "reached"
	}
	return fmt.Sprintf("%.0f %% of it", share*100)
}

// markdown writes everything as tables.
func (r *report) markdown(w io.Writer) {
	part := ""
	for _, l := range r.lines {
		if l.part != part {
			part = l.part
			fmt.Fprintf(w, "\n### %s\n\n", part)
			fmt.Fprintln(w, "| what | Tidewire | goal | reached | bare | VictoriaMetrics | | PostgreSQL | | durable when answered (Tidewire / VM / PG) |")
			fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
		}
		want, share := "", ""
		if s, ok := l.reached(); ok {
			want, share = number(l.goal.value, l.unit), verdict(s)
		}
		fmt.Fprintf(w, "| %s, %s | **%s** | %s | %s | %s | %s | %s | %s | %s | %s |\n", l.name, l.unit.name, l.ours.text(l.unit), want, share,
			orNothing(l.bare, l.unit), orNothing(l.victoria, l.unit), l.ratio(l.victoria), orNothing(l.postgres, l.unit), l.ratio(l.postgres), l.durable)
	}
	for _, t := range r.tail {
		fmt.Fprintf(w, "\n%s\n", t)
	}
}

func orNothing(f figure, u unit) string {
	if f == (figure{}) {
		return ""
	}
	return f.text(u)
}

// number writes a figure the way people read it.
func number(v float64, u unit) string {
	switch u {
	case pointsPerSecond, deliveries:
		return short(v)
	case mebibytes, kibibytes:
		return fmt.Sprintf("%.1f", v)
	}
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// short writes a large number with a prefix.
func short(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.2f G", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.0f k", v/1e3)
	case v >= 1e3:
		return fmt.Sprintf("%.2f k", v/1e3)
	}
	return fmt.Sprintf("%.1f", v)
}
