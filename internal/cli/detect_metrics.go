package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/term"

	"drawbridge/internal/worker/metrics"
)

// How often a continuous run says how far it is: on a terminal if anything was read, and in a log, which is to show that it lives.
const (
	lineOnTerminal = 10 * time.Second
	lineInLog      = time.Minute
)

// watch shows the counts of a run until stop is called: at an address, if there is one, and now and then in a line.
func (o *detectOptions) watch(ctx context.Context, e *env, counts *metrics.Counts) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	closeServer, err := serveMetrics(ctx, e, o.metrics, counts)
	if err != nil {
		cancel()
		return nil, err
	}
	f, ok := e.stderr.(*os.File)
	every, always := lineInLog, true
	if ok && term.IsTerminal(int(f.Fd())) {
		every, always = lineOnTerminal, false
	}
	tick := time.NewTicker(every)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-tick.C:
				if line, news := counts.Line(); news || always {
					fmt.Fprintln(e.stderr, line)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		tick.Stop()
		<-done
		closeServer()
	}, nil
}

// serveMetrics answers at an address; without a host, only this machine.
func serveMetrics(ctx context.Context, e *env, address string, counts *metrics.Counts) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usage("--metrics %q: want HOST:PORT, or :PORT for this machine alone", address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, failed(fmt.Errorf("show the counts: %w", err), "")
	}
	server := &http.Server{Handler: counts.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	fmt.Fprintf(e.stderr, "counts at http://%s/metrics\n", l.Addr())
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(e.stderr, "note: the counts are shown no more: %s\n", printable(err.Error()))
		}
	}()
	return func() { server.Close() }, nil
}
