package kafka_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"drawbridge/internal/stream/kafka"
	"drawbridge/oracle/sharedlog"
)

func TestCommand(t *testing.T) {
	_, url := start(t)
	sharedlog.Command(t, url)
}

// BenchmarkThroughToState has three brokers in this process, which keep all in memory and replicate nothing.
func BenchmarkThroughToState(b *testing.B) {
	sharedlog.Through(b, func(int) sharedlog.Fresh {
		_, url := start(b)
		conf, err := kafka.ParseURL(url)
		if err != nil {
			b.Fatal(err)
		}
		to, err := kafka.OpenSender(b.Context(), conf)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(to.Close)
		return sharedlog.Fresh{Log: open(b, url), Sender: to, Size: func() int64 { return size(b, conf.Brokers) }}
	})
}

// size is how many bytes the topic has.
func size(b *testing.B, addrs []string) (bytes int64) {
	b.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	for _, shard := range cl.RequestSharded(b.Context(), kmsg.NewPtrDescribeLogDirsRequest()) {
		if shard.Err != nil {
			b.Fatal(shard.Err)
		}
		for _, dir := range shard.Resp.(*kmsg.DescribeLogDirsResponse).Dirs {
			for _, t := range dir.Topics {
				for _, p := range t.Partitions {
					if t.Topic == "audit" {
						bytes += p.Size
					}
				}
			}
		}
	}
	return bytes
}
