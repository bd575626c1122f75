// Package aws is the AWS half of the lab: an HTTP server on loopback that speaks the wire protocols of
// EKS, IAM, STS, Organizations, CloudTrail, CloudWatch Logs and EC2 and keeps their state in memory, per account and
// region, by AWS's rules. Real SDKs and the AWS CLI work against it unchanged.
//
// It is not an emulator of anything that runs (there are no nodes and no pods), it does not evaluate IAM
// policies, and it does not check signatures. Only tests, the demo generator and drills use it.
package aws

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say how a server behaves. The zero value is usable.
type Options struct {
	// Clock tells the time of every change; by default a fixed instant, so that runs are equal.
	Clock func() time.Time
	// Seed enters every id that the server makes; equal seeds and equal calls give equal ids.
	Seed string
	// PageSize caps every page of every list; 0 leaves AWS's own sizes.
	PageSize int
	// Steps is how many DescribeX calls a created, changed or deleted EKS resource takes to settle;
	// 0 settles it before the first one.
	Steps int
}

// Epoch is the time of a server without a clock.
var Epoch = time.Date(2026, 11, 15, 9, 0, 0, 0, time.UTC)

// Server is the lab's AWS. Its methods may be called concurrently.
type Server struct {
	options Options

	mu            sync.Mutex
	url           string
	accounts      map[string]*Account
	keys          map[string]credential
	organizations []*organization
	made          map[string]int // how often an id was made from the same parts
	calls         []Call
	sessions      []Session
	denied        []string
	throttle      int
	count         int // calls since the start
	defects       []string
}

// New returns a server without accounts; it listens after Start or Listen.
func New(options Options) *Server {
	if options.Clock == nil {
		options.Clock = func() time.Time { return Epoch }
	}
	return &Server{options: options, accounts: map[string]*Account{}, keys: map[string]credential{}, made: map[string]int{}}
}

// TB is the part of testing.TB that Start needs, so that this package does not import testing.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start listens on a free loopback port until the test ends. Answers that did not fit the SDK's own model
// fail the test.
func (s *Server) Start(t TB) *Server {
	t.Helper()
	stop, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatalf("start the lab: %v", err)
	}
	t.Cleanup(func() {
		stop()
		for _, d := range s.Defects() {
			t.Errorf("lab defect: %s", d)
		}
	})
	return s
}

// Listen serves on a loopback address and returns how to stop. Any other address is refused.
func (s *Server) Listen(address string) (stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		l.Close()
		return nil, fmt.Errorf("listen on %s: the lab serves on loopback only", address)
	}
	s.mu.Lock()
	s.url = "http://" + l.Addr().String()
	s.mu.Unlock()
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // always http.ErrServerClosed after stop
	}()
	return func() { server.Close(); <-done }, nil
}

// URL is the endpoint of all services; "" before the server listens.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

// Defects are answers of the server that do not fit the SDK's model: faults of the lab, not of its caller.
func (s *Server) Defects() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.defects...)
}

// now is the server's time, in UTC and to the millisecond.
func (s *Server) now() time.Time { return s.options.Clock().UTC().Truncate(time.Millisecond) }
