package kube

import (
	"context"
	"sync"
	"testing"
)

// New starts a cluster for one test and stops it at its end; it skips as [Require] says.
func New(t testing.TB, o Options) *Cluster {
	t.Helper()
	Require(t)
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

// Shared is one cluster for all tests of a package, started by the first that asks for it:
//
//	var lab = kube.Shared{Options: kube.Options{Controllers: kube.IdentityControllers()}}
//
//	func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }
//
//	func TestScan(t *testing.T) { c := lab.Cluster(t) … }
type Shared struct {
	Options Options

	once    sync.Once
	cluster *Cluster
	err     error
}

// Run runs the tests and stops the cluster, if one was started. It returns the exit code.
func (s *Shared) Run(m *testing.M) int {
	defer func() {
		if s.cluster != nil {
			s.cluster.Stop()
		}
	}()
	return m.Run()
}

// Cluster returns the shared cluster; it skips as [Require] says.
func (s *Shared) Cluster(t testing.TB) *Cluster {
	t.Helper()
	Require(t)
	s.once.Do(func() { s.cluster, s.err = Start(context.Background(), s.Options) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.cluster
}
