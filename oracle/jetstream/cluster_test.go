// Package jetstream_test runs drawbridge's log of events on a real NATS JetStream cluster: three servers in this process, on
// loopback, with files. Servers and workers are killed while events flow, and what is found must be what an undisturbed run
// finds.
package jetstream_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// cluster is three JetStream servers.
type cluster struct {
	options []*server.Options
	servers []*server.Server
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

// place is where a server and the others of its cluster are.
type place struct {
	I     int
	Ports []int // of the servers for clients, and then for each other
	Dir   string
}

func (p place) options() *server.Options {
	n := len(p.Ports) / 2
	o := &server.Options{
		ServerName: fmt.Sprintf("n%d", p.I), Host: "127.0.0.1", Port: p.Ports[p.I], JetStream: true, StoreDir: filepath.Join(p.Dir, fmt.Sprint(p.I)),
		NoLog: true, NoSigs: true, MaxPayload: 4 << 20,
	}
	if n > 1 {
		var routes []string
		for _, port := range p.Ports[n:] {
			routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", port))
		}
		o.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: p.Ports[n+p.I]}
		o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
	}
	return o
}

// start makes n servers; maxStore bounds the disk of each, 0 does not.
func start(t testing.TB, n int, maxStore int64) *cluster {
	t.Helper()
	c := &cluster{}
	p := place{Ports: freePorts(t, 2*n), Dir: t.TempDir()}
	for i := range n {
		p.I = i
		o := p.options()
		o.JetStreamMaxStore = maxStore
		c.options = append(c.options, o)
		c.servers = append(c.servers, nil)
		c.up(t, i)
	}
	for i := range n {
		if !c.servers[i].ReadyForConnections(20 * time.Second) {
			t.Fatalf("server %d is not ready", i)
		}
	}
	t.Cleanup(func() {
		for _, s := range c.servers {
			s.Shutdown()
			s.WaitForShutdown()
		}
	})
	return c
}

func (c *cluster) up(t testing.TB, i int) {
	t.Helper()
	o := *c.options[i]
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	c.servers[i] = s
}

func (c *cluster) down(i int) {
	c.servers[i].Shutdown()
	c.servers[i].WaitForShutdown()
}

// leader is the server that leads a stream, -1 if none does.
func (c *cluster) leader(stream string) int {
	for i, s := range c.servers {
		if s.Running() && s.JetStreamIsStreamLeader("$G", stream) {
			return i
		}
	}
	return -1
}

// eventsOf is the stream of a partition.
func eventsOf(log string, partition int) string { return fmt.Sprintf("%s-events-%d", log, partition) }

func (c *cluster) connect(t testing.TB) jetstream.JetStream {
	t.Helper()
	nc, err := natsgo.Connect(fmt.Sprintf("127.0.0.1:%d", c.options[0].Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func (c *cluster) url(name string, partitions, replicas int) string {
	var hosts []string
	for _, o := range c.options {
		hosts = append(hosts, fmt.Sprintf("127.0.0.1:%d", o.Port))
	}
	return fmt.Sprintf("nats://%s/%s?partitions=%d&replicas=%d", strings.Join(hosts, ","), name, partitions, replicas)
}
