// Package webhook streams what API servers send to it: the webhook backend of Kubernetes' audit log (Kubernetes documentation,
// "Auditing", 2026-11). An API server that is answered with anything but success sends again; the answer is given when a
// post is acknowledged, so that a crash loses nothing. It is not a proxy, and keeps nothing on disk.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"drawbridge/internal/stream"
)

// Options are where to listen, and to whom. Without a certificate, and without anything by which a sender shows who it is, only
// loopback addresses are listened on.
type Options struct {
	// Address is host:port. API servers post to https://host:port/audit/CLUSTER, where CLUSTER is a name or an ARN.
	Address string
	// Certificate and Key are files in PEM. They are read anew for each connection, so that they may be replaced.
	Certificate, Key string
	// ClientCA is a file in PEM: senders must have a certificate of one of these authorities.
	ClientCA string
	// TokenFile holds the tokens of which senders must bear one, a line each; before it may be the name or ARN of a cluster: who
	// bears it sends that cluster's events and no others. It is read for each post.
	TokenFile string
	// ClusterFromCertificate binds a sender to the cluster that the common name of its certificate is. It takes ClientCA.
	ClusterFromCertificate bool
	// MaxBody is how large a post may be, decompressed, in bytes; 0 is 32 MiB.
	MaxBody int64
	// Report is told of connections and posts that are refused, and why; it may be nil, and is called by many goroutines.
	Report func(error)
}

const (
	maxBody = 32 << 20
	// maxHeld is how many bytes of posts wait to be handled; more are told to come back.
	maxHeld = 128 << 20
	// maxWaiting is how many posts wait for their answer.
	maxWaiting = 1024
	// patience is how long a post waits for its answer: less than the API server does, which is 30 seconds
	// (k8s.io/apiserver, pkg/util/webhook, 2026-11).
	patience = 25 * time.Second
	// idle is how often a caller that has not acknowledged all is given occasion to.
	idle = time.Second

	headerTimeout = 10 * time.Second
	readTimeout   = time.Minute
	grace         = 5 * time.Second
)

// Stream is a stream.Stream of posts.
type Stream struct {
	o        Options
	listener net.Listener
	tls      *tls.Config
	patience time.Duration
	tick     <-chan time.Time // nil: a ticker's

	held    *semaphore.Weighted
	waiting atomic.Int64
	posts   chan *post
	closing chan struct{}
}

// post is one that waits to be handled.
type post struct {
	cluster string
	body    []byte
	weight  int64
	answer  chan error // takes one
}

// New listens. Posts wait until Receive is called, which may be once.
func New(o Options) (*Stream, error) {
	if o.MaxBody <= 0 {
		o.MaxBody = maxBody
	}
	s := &Stream{o: o, patience: patience, held: semaphore.NewWeighted(max(maxHeld, o.MaxBody)), posts: make(chan *post), closing: make(chan struct{})}
	if o.TokenFile != "" {
		if _, err := s.credentials(); err != nil {
			return nil, err
		}
	}
	if err := s.secure(); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for audit logs on %s: %w", o.Address, err)
	}
	address, ok := l.Addr().(*net.TCPAddr)
	local := ok && address.IP.IsLoopback()
	switch {
	case local:
	case s.tls == nil:
		err = fmt.Errorf("listen for audit logs on %s: that takes a certificate, or a loopback address", o.Address)
	case o.ClientCA == "" && o.TokenFile == "":
		err = fmt.Errorf("listen for audit logs on %s: that takes an authority of clients or a token, or a loopback address", o.Address)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	s.listener = l
	return s, nil
}

// secure reads the certificates.
func (s *Stream) secure() error {
	if s.o.ClusterFromCertificate && s.o.ClientCA == "" {
		return errors.New("listen for audit logs: clusters by certificates of clients take an authority of clients")
	}
	if s.o.Certificate == "" && s.o.Key == "" {
		if s.o.ClientCA != "" {
			return errors.New("listen for audit logs: certificates of clients take one of the server")
		}
		return nil
	}
	load := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(s.o.Certificate, s.o.Key)
		if err != nil {
			return nil, fmt.Errorf("read the certificate to listen for audit logs: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(nil); err != nil {
		return err
	}
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: load}
	if s.o.ClientCA == "" {
		return nil
	}
	authorities, err := os.ReadFile(s.o.ClientCA)
	if err != nil {
		return fmt.Errorf("read the authorities of clients: %w", err)
	}
	s.tls.ClientCAs, s.tls.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !s.tls.ClientCAs.AppendCertsFromPEM(authorities) {
		return fmt.Errorf("read the authorities of clients: no certificate in %s", s.o.ClientCA)
	}
	return nil
}

// Addr is where the stream listens.
func (s *Stream) Addr() net.Addr { return s.listener.Addr() }

// Receive hands out a post a batch, without a position, until the context is done.
func (s *Stream) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	server := &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: readTimeout + s.patience + grace, IdleTimeout: 2 * readTimeout,
		MaxHeaderBytes: 64 << 10, ErrorLog: log.New(lines{s.o.Report}, "", 0),
	}
	failed := make(chan error, 1)
	go func() {
		if s.tls == nil {
			failed <- server.Serve(s.listener)
		} else {
			server.TLSConfig = s.tls
			failed <- server.ServeTLS(s.listener, "", "")
		}
	}()
	err := s.hand(ctx, failed, handle)
	close(s.closing)
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(late) != nil {
		server.Close()
	}
	return err
}

func (s *Stream) hand(ctx context.Context, failed <-chan error, handle func(context.Context, stream.Batch) error) error {
	tick := s.tick
	if tick == nil {
		ticker := time.NewTicker(idle)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return fmt.Errorf("listen for audit logs on %s: %w", s.o.Address, err)
		case <-tick:
			if s.waiting.Load() > 0 {
				if err := handle(ctx, stream.Batch{Input: "webhook", Body: new(bytes.Buffer)}); err != nil {
					return err
				}
			}
		case p := <-s.posts:
			input := "webhook"
			if p.cluster != "" {
				input += " of " + p.cluster
			}
			err := handle(ctx, stream.Batch{Input: input, Cluster: p.cluster, Body: bytes.NewBuffer(p.body), Ack: func(context.Context) error {
				p.settle(nil)
				return nil
			}})
			p.body = nil
			s.held.Release(p.weight)
			if err != nil {
				p.settle(err)
				return err
			}
		}
	}
}

// settle answers a post, once.
func (p *post) settle(err error) {
	select {
	case p.answer <- err:
	default:
	}
}

// lines hands a log's lines on.
type lines struct{ report func(error) }

func (l lines) Write(line []byte) (int, error) {
	if l.report != nil {
		l.report(errors.New(string(bytes.TrimSpace(line))))
	}
	return len(line), nil
}
