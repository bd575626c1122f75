package jetstream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"drawbridge/internal/event"
	"drawbridge/internal/stream"
	"drawbridge/internal/worker"
	"drawbridge/oracle/sharedlog"
)

// asServer is the variable of the environment that makes a server of this binary, and says its place.
const asServer = "DRAWBRIDGE_TEST_NATS"

func TestMain(m *testing.M) {
	if at := os.Getenv(asServer); at != "" {
		serve(at)
		return
	}
	os.Exit(m.Run())
}

// serve is a server until standard input ends, which it does with whoever started it.
func serve(at string) {
	var p place
	if err := json.Unmarshal([]byte(at), &p); err != nil {
		panic(err)
	}
	s, err := server.NewServer(p.options())
	if err != nil {
		panic(err)
	}
	go s.Start()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// processes are servers in processes of their own, which can be killed.
type processes struct {
	place
	commands []*exec.Cmd
	js       jetstream.JetStream
}

func startProcesses(t *testing.T, n int) *processes {
	t.Helper()
	p := &processes{place: place{Ports: freePorts(t, 2*n), Dir: t.TempDir()}, commands: make([]*exec.Cmd, n)}
	for i := range n {
		p.up(t, i)
	}
	t.Cleanup(func() {
		for i := range n {
			p.kill(i)
		}
	})
	nc, err := natsgo.Connect(strings.Join(p.hosts(), ","), natsgo.RetryOnFailedConnect(true), natsgo.MaxReconnects(-1), natsgo.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if p.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	sharedlog.Until(t, "JetStream", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.js.AccountInfo(ctx)
		return err == nil
	})
	return p
}

func (p *processes) hosts() (hosts []string) {
	for _, port := range p.Ports[:len(p.commands)] {
		hosts = append(hosts, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return hosts
}

func (p *processes) up(t *testing.T, i int) {
	t.Helper()
	at := p.place
	at.I = i
	env, err := json.Marshal(at)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), asServer+"="+string(env))
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p.commands[i] = c
}

func (p *processes) kill(i int) {
	_ = p.commands[i].Process.Kill()
	_ = p.commands[i].Wait()
}

// leader is the server that leads a stream, -1 if none does.
func (p *processes) leader(ctx context.Context, stream string) int {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s, err := p.js.Stream(ctx, stream)
	if err != nil || s.CachedInfo().Cluster == nil {
		return -1
	}
	for i := range p.commands {
		if s.CachedInfo().Cluster.Leader == fmt.Sprintf("n%d", i) {
			return i
		}
	}
	return -1
}

// TestKilled: servers are processes, and the one that leads a partition is killed without a word, twice. In the end every
// event is in a checkpoint once, the findings are those of an undisturbed run, and nothing is told to have been lost.
func TestKilled(t *testing.T) {
	const batches = 480
	program := sharedlog.Program(t, batches/accounts*5)
	expected := want(t, program, batches)
	p := startProcesses(t, 3)
	l := open(t, "nats://"+strings.Join(p.hosts(), ",")+"/killed?partitions=6&replicas=3")
	l.Lost = func(partition int, from, to uint64) {
		t.Errorf("partition %d: blocks %d to %d are lost", partition, from, to-1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	defer func() { cancel(); wait.Wait() }()
	wait.Go(func() { _ = worker.Share(ctx, l, "w", options(program, l), func(int, error) {}) })
	g := watch(ctx, &wait, l)
	var back sync.WaitGroup // a server that was killed
	sent, err := stream.Forward(ctx, &logs{n: batches, pace: func(i int) {
		if i != batches/3 && i != batches*2/3 {
			return
		}
		back.Wait()
		n := -1
		sharedlog.Until(t, "a leader to kill", func() bool { n = p.leader(ctx, eventsOf("killed", 0)); return n >= 0 })
		p.kill(n)
		back.Go(func() { // it comes back when another leads
			sharedlog.Until(t, "another leader", func() bool {
				now := p.leader(ctx, eventsOf("killed", 0))
				return now >= 0 && now != n
			})
			p.up(t, n)
		})
	}}, l, "", func(u *event.Unparsed) { t.Error(u) })
	if err != nil {
		t.Fatal(err)
	}
	back.Wait()
	sharedlog.Until(t, "every event in a checkpoint", func() bool { return read(t, program, l) == sent.Records })
	var got map[string]int
	sharedlog.Until(t, "every finding published", func() bool { got = found(t, l); return len(got) == len(expected) })
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("findings (-undisturbed +disturbed):\n%s", diff)
	}
	t.Logf("the longest time in which a partition had no block to read while two leaders were killed: %v", g.longest())
}
