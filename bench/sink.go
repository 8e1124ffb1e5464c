package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// serveSink is the least a durable server can do with net/http: read the body, put it into
// a group, sync the group to a file made beforehand, answer. It parses and keeps nothing,
// so what it reaches over the same client is the bound of any server built on net/http.
func serveSink(ctx context.Context, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(".", "sink-") // where the data of the others are
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, sinkFile); err != nil {
		return err
	}
	s := &sink{file: f, waiting: make(chan *message, 4096)}
	go s.commit()
	fmt.Fprintln(out, listener.Addr())
	server := &http.Server{Handler: s}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	return server.Serve(listener)
}

// sinkFile is the size of the file, written again from its beginning when it is full, as a
// log that uses its files again does.
const sinkFile = 64 << 20

type sink struct {
	file    *os.File
	waiting chan *message
}

type message struct {
	body []byte
	done chan error
}

var messages = sync.Pool{New: func() any { return &message{done: make(chan error, 1)} }}

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := messages.Get().(*message)
	defer messages.Put(m)
	n := int(r.ContentLength)
	if n > cap(m.body) {
		m.body = make([]byte, n)
	}
	m.body = m.body[:n]
	if _, err := io.ReadFull(r.Body, m.body); err != nil {
		return // the client is gone
	}
	s.waiting <- m
	if err := <-m.done; err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// commit writes what waits, with one sync for all of it.
func (s *sink) commit() {
	var at int64
	var buf []byte
	var group []*message
	for first := range s.waiting {
		group, buf = append(group[:0], first), append(buf[:0], first.body...)
		for len(s.waiting) > 0 && len(buf) < 1<<20 {
			m := <-s.waiting
			group, buf = append(group, m), append(buf, m.body...)
		}
		if at+int64(len(buf)) > sinkFile {
			at = 0
		}
		_, err := s.file.WriteAt(buf, at)
		if err == nil {
			err = unix.Fdatasync(int(s.file.Fd()))
		}
		at += int64(len(buf))
		for _, m := range group {
			m.done <- err
		}
	}
}
