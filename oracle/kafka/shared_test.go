package kafka_test

import (
	"testing"

	"drawbridge/internal/stream"
	"drawbridge/internal/stream/kafka"
	"drawbridge/oracle/sharedlog"
)

func TestCommand(t *testing.T) {
	_, url := start(t)
	sharedlog.Command(t, url)
}

// BenchmarkThroughToState has three brokers in this process, which keep all in memory and replicate nothing.
func BenchmarkThroughToState(b *testing.B) {
	sharedlog.Through(b, func() (sharedlog.Log, stream.Sender) {
		_, url := start(b)
		conf, err := kafka.ParseURL(url)
		if err != nil {
			b.Fatal(err)
		}
		to, err := kafka.OpenSender(b.Context(), conf)
		if err != nil {
			b.Fatal(err)
		}
		return open(b, url), to
	})
}
