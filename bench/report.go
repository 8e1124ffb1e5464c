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
	pointsPerSecond  = unit{name: "points/s"}
	cpuPerMillion    = unit{"CPU s per million points", true}
	bytesPerPoint    = unit{"bytes/point", true}
	milliseconds     = unit{"ms", true}
	mebibytes        = unit{"MiB", true}
	deliveries       = unit{name: "deliveries/s"}
	updatesPerSecond = unit{name: "updates/s"}
	kibibytes        = unit{"KiB", true}
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
	centrifuge figure
	victoria   figure
	postgres   figure
	goal       goal
	also       goal   // of another peer; its value is a ratio to it
	durable    string // ours, VictoriaMetrics and PostgreSQL when they answer
}

// A beside is a peer's figure on a line.
type beside struct {
	name   string
	figure figure
}

func (l *line) peers() []beside {
	return []beside{{"bare", l.bare}, {"centrifuge", l.centrifuge}, {"VictoriaMetrics", l.victoria}, {"PostgreSQL", l.postgres}}
}

// reached returns how much of its goal a line has reached, 1 being all; ok is false when it
// has none.
func (l *line) reached() (share float64, ok bool) { return l.share(l.goal) }

// share returns how much of g a line has reached.
func (l *line) share(g goal) (share float64, ok bool) {
	if g.value == 0 || l.ours.value == 0 {
		return 0, false
	}
	peer := l.victoria
	if g.of != nil {
		peer = g.of(l)
	}
	want := g.value
	if g.peer != 0 && peer.value != 0 {
		want *= peer.value / g.peer
	} else if g.peer == 1 {
		return 0, false // a ratio to a peer that was not measured
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
		l.goal, l.also = goal{}, goal{}
	}
	fmt.Fprintf(r.out, "  %-50s %s", l.name, l.ours.text(l.unit)+" "+l.unit.name)
	for _, p := range l.peers() {
		if p.figure != (figure{}) {
			fmt.Fprintf(r.out, " | %s %s %s", p.name, p.figure.text(l.unit), l.ratio(p.figure))
		}
	}
	if share, ok := l.reached(); ok {
		fmt.Fprintf(r.out, " | goal %s: %s", number(l.goal.value, l.unit), verdict(share))
	}
	if share, ok := l.share(l.also); ok {
		fmt.Fprintf(r.out, " | goal %.1fx: %s", l.also.value, verdict(share))
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
	var columns []bool // of the peers, those that the part has figures of
	for _, l := range r.lines {
		if l.part != part {
			part = l.part
			columns = r.measured(part)
			fmt.Fprintf(w, "\n### %s\n\n| what | Tidewire | goal | reached |", part)
			rule := "|---|---|---|---|"
			for i, p := range l.peers() {
				if columns[i] {
					fmt.Fprintf(w, " %s | |", p.name)
					rule += "---|---|"
				}
			}
			fmt.Fprintf(w, " durable when answered (Tidewire / peers) |\n%s---|\n", rule)
		}
		want, share := "", ""
		if s, ok := l.reached(); ok {
			want, share = number(l.goal.value, l.unit), verdict(s)
		}
		if s, ok := l.share(l.also); ok {
			want, share = fmt.Sprintf("%s; %.1fx centrifuge", want, l.also.value), share+"; "+verdict(s)
		}
		fmt.Fprintf(w, "| %s, %s | **%s** | %s | %s |", l.name, l.unit.name, l.ours.text(l.unit), want, share)
		for i, p := range l.peers() {
			if columns[i] {
				fmt.Fprintf(w, " %s | %s |", orNothing(p.figure, l.unit), l.ratio(p.figure))
			}
		}
		fmt.Fprintf(w, " %s |\n", l.durable)
	}
	for _, t := range r.tail {
		fmt.Fprintf(w, "\n%s\n", t)
	}
}

// measured says which peers a part has figures of.
func (r *report) measured(part string) []bool {
	columns := make([]bool, len((&line{}).peers()))
	for _, l := range r.lines {
		for i, p := range l.peers() {
			columns[i] = columns[i] || l.part == part && p.figure != (figure{})
		}
	}
	return columns
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
	case pointsPerSecond, deliveries, updatesPerSecond:
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
