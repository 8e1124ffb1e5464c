package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/importer"
)

func TestTheBarGrowsWithTheFile(t *testing.T) {
	var out bytes.Buffer
	b := &bar{w: &out, total: 200}
	b.show(importer.Progress{Bytes: 50, Rows: 7})
	if got := out.String(); strings.Count(got, "█") != barWidth/4 || !strings.Contains(got, " 25 %") || !strings.Contains(got, "7 rows") {
		t.Errorf("%q", got)
	}
	b.show(importer.Progress{Bytes: 200, Rows: 30})
	if got := out.String(); !strings.Contains(got, strings.Repeat("█", barWidth)) || !strings.Contains(got, "100 %") {
		t.Errorf("%q", got)
	}
}

func TestThereIsNoBarWhereNobodyLooks(t *testing.T) {
	var out bytes.Buffer
	b := newBar(&out, 200)
	b.show(importer.Progress{Bytes: 50})
	b.clear()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
}
