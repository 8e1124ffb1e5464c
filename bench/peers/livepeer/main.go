// Command livepeer is a node of centrifuge for the benchmarks of live delivery, with its
// defaults but for what makes it comparable: pings are off, and with -cache a channel keeps
// its newest publication, which a new subscriber is given with the answer.
//
// POST /pub?topic=N publishes the body to the channel N. The first line of the output says
// where it listens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/centrifugal/centrifuge"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "livepeer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("livepeer", flag.ContinueOnError)
	cache := flags.Bool("cache", false, "channels keep their newest publication")
	sendBuffer := flags.Int("send-buffer", 0, "bytes the kernel holds for a socket; 0 leaves it alone")
	if err := flags.Parse(args); err != nil {
		return err
	}
	node, err := newNode(*cache)
	if err != nil {
		return err
	}
	listen := net.ListenConfig{}
	if *sendBuffer > 0 {
		listen.Control = func(_, _ string, raw syscall.RawConn) error {
			var failed error
			err := raw.Control(func(fd uintptr) {
				failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, *sendBuffer)
			})
			return errors.Join(err, failed)
		}
	}
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var publish []centrifuge.PublishOption
	if *cache {
		publish = append(publish, centrifuge.WithHistory(1, time.Hour))
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws", identified(centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin:        func(*http.Request) bool { return true },
		UseWriteBufferPool: true,            // as its documentation advises for many connections
		WriteTimeout:       5 * time.Second, // as long as Tidewire waits
		PingPongConfig:     centrifuge.PingPongConfig{PingInterval: -1},
	})))
	mux.HandleFunc("POST /pub", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = node.Publish(r.URL.Query().Get("topic"), body, publish...)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	fmt.Fprintln(out, listener.Addr())
	server := &http.Server{Handler: mux}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	return server.Serve(listener)
}

func newNode(cache bool) (*centrifuge.Node, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, err
	}
	options := centrifuge.SubscribeOptions{}
	if cache {
		options.EnableRecovery, options.RecoveryMode = true, centrifuge.RecoveryModeCache
	}
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(_ centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
			answer(centrifuge.SubscribeReply{Options: options}, nil)
		})
	})
	return node, node.Run()
}

// identified lets everybody in as one user.
func identified(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(centrifuge.SetCredentials(r.Context(), &centrifuge.Credentials{UserID: "bench"})))
	})
}
