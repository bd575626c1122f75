package nats

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestParseURL(t *testing.T) {
	got, err := ParseURL("nats://n1:4222,n2:4222/events?partitions=256&replicas=3&keep=36h&creds=/etc/nats.creds")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Servers: "nats://n1:4222,nats://n2:4222", Name: "events", Partitions: 256, Replicas: 3, Credentials: "/etc/nats.creds", MaxAge: 36 * time.Hour}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err = ParseURL("nats://n1")
	want = Config{Servers: "nats://n1", Name: "drawbridge", Partitions: 16, Replicas: 1, MaxAge: 24 * time.Hour}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestParseURLRefuses(t *testing.T) {
	tests := map[string]struct{ url, why string }{
		"another scheme":            {"http://n1:4222/events", "not a NATS URL"},
		"no scheme":                 {"n1:4222/events", "not a NATS URL"},
		"no server":                 {"nats:///events", "no server"},
		"a name of two levels":      {"nats://n1/a.b", "the name holds a dot"},
		"a name with a slash":       {"nats://n1/a/b", "the name holds a dot"},
		"a wildcard":                {"nats://n1/a*", "the name holds a dot"},
		"every subject":             {"nats://n1/>", "the name holds a dot"},
		"no partition":              {"nats://n1/e?partitions=0", "partitions=0"},
		"fewer than no partition":   {"nats://n1/e?partitions=-1", "partitions=-1"},
		"more streams than is wise": {"nats://n1/e?partitions=257", "partitions=257"},
		"half a partition":          {"nats://n1/e?partitions=1.5", "partitions=1.5"},
		"more than an int":          {"nats://n1/e?partitions=99999999999999999999", "partitions=9999"},
		"no replica":                {"nats://n1/e?replicas=0", "replicas=0"},
		"more than JetStream has":   {"nats://n1/e?replicas=6", "replicas=6"},
		"a word for a time":         {"nats://n1/e?keep=long", "keep=long"},
		"kept for no time":          {"nats://n1/e?keep=0s", "keep=0s"},
		"kept until before":         {"nats://n1/e?keep=-1h", "keep=-1h"},
		"a time without a unit":     {"nats://n1/e?keep=24", "keep=24"},
		"what nobody knows":         {"nats://n1/e?shards=4", "shards=4"},
		"no query at all":           {"nats://n1/e?%zz", "invalid URL escape"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if c, err := ParseURL(test.url); err == nil || !strings.Contains(err.Error(), test.why) {
				t.Errorf("ParseURL(%q) = %+v, %v; want an error with %q", test.url, c, err, test.why)
			}
		})
	}
}

// TestReach: what a partition misses while it is read is told once.
func TestReach(t *testing.T) {
	var lost [][2]uint64
	p := &partition{n: 3, next: 5, log: &Log{Config: Config{Lost: func(n int, from, to uint64) {
		if n != 3 {
			t.Errorf("partition %d", n)
		}
		lost = append(lost, [2]uint64{from, to})
	}}}}
	for _, sequence := range []uint64{4, 5, 5, 9, 9, 6, 10} {
		p.reach(sequence)
	}
	if diff := cmp.Diff([][2]uint64{{5, 9}, {9, 10}}, lost); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPasses(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nats.ErrDisconnected, true},
		{&jetstream.APIError{Code: 503}, true},
		{&jetstream.APIError{Code: 409, ErrorCode: 10158}, true},
		{&jetstream.APIError{Code: 409, ErrorCode: 10159}, false},
		{&jetstream.APIError{Code: 404}, false},
		{nats.ErrMaxPayload, false},
	} {
		if got := passes(c.err); got != c.want {
			t.Errorf("%v passes: %v", c.err, got)
		}
	}
}
