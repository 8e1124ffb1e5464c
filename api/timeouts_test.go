package api

import (
	"log/slog"
	"testing"
)

func TestNoConnectionIsWaitedForWithoutEnd(t *testing.T) {
	d := Deps{Log: slog.New(slog.DiscardHandler)}.withDefaults()
	h := (&Server{Deps: d}).httpServer()
	if h.ReadHeaderTimeout <= 0 || h.ReadTimeout <= h.ReadHeaderTimeout || h.WriteTimeout <= h.ReadTimeout || h.IdleTimeout <= 0 {
		t.Errorf("header %v, read %v, write %v, idle %v", h.ReadHeaderTimeout, h.ReadTimeout, h.WriteTimeout, h.IdleTimeout)
	}
	if h.MaxHeaderBytes != 64<<10 {
		t.Errorf("a header may have %d bytes", h.MaxHeaderBytes)
	}
}
