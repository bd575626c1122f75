package jetstream_test

import (
	"fmt"
	"testing"

	"drawbridge/oracle/sharedlog"
)

func TestCommand(t *testing.T) {
	c := start(t, 1, 0)
	sharedlog.Command(t, c.url("command", 4, 1))
}

// BenchmarkThroughToState has three replicas on three servers in this process.
func BenchmarkThroughToState(b *testing.B) {
	c := start(b, 3, 0)
	sharedlog.Through(b, func(n int) sharedlog.Fresh {
		l := open(b, c.url(fmt.Sprintf("through%d", n), 4, 3))
		return sharedlog.Fresh{Log: l, Sender: l, Size: func() (bytes int64) {
			js := c.connect(b)
			for n := range l.Size() {
				s, err := js.Stream(b.Context(), eventsOf(l.Name, n))
				if err != nil {
					b.Fatal(err)
				}
				bytes += int64(s.CachedInfo().State.Bytes)
			}
			return bytes
		}}
	})
}
