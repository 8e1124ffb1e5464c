package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// serveFrames is the least a WebSocket server can do: for every POST to /pub it writes one
// prepared frame to every connection, from one goroutine, one write each. No server can
// deliver single updates faster without leaving somebody out.
func serveFrames(ctx context.Context, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, listener.Addr())
	var mu sync.Mutex
	var conns []net.Conn
	// As long as the frame Tidewire sends.
	payload := `{"subscriptionId":1,"errorCode":0,"errorMsg":null,"data":{"temperature":[[1735689600000,"100.5"]]},"latestValues":{"temperature":1735689600000}}`
	message := append([]byte{0x81, 126, byte(len(payload) >> 8), byte(len(payload))}, payload...)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return // the client is gone
		}
		// The answer to the fixed key of the client (RFC 6455 1.3).
		_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
		if err := buf.Flush(); err != nil {
			return
		}
		mu.Lock()
		conns = append(conns, conn)
		mu.Unlock()
	})
	work := make(chan struct{}, window+1)
	go func() {
		for range work {
			mu.Lock()
			all := conns
			mu.Unlock()
			for _, c := range all {
				_, _ = c.Write(message) // a client that is gone is not missed
			}
		}
	}()
	mux.HandleFunc("POST /pub", func(http.ResponseWriter, *http.Request) { work <- struct{}{} })
	server := &http.Server{Handler: mux}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	return server.Serve(listener)
}
