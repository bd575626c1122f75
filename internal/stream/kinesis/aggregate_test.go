package kinesis

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// aggregated is a record as the Kinesis Producer Library makes it of several.
func aggregated(data ...string) string {
	field := func(to []byte, number uint64, value string) []byte {
		to = binary.AppendUvarint(to, number<<3|wireBytes)
		to = binary.AppendUvarint(to, uint64(len(value)))
		return append(to, value...)
	}
	m := field(nil, 1, "partition key")
	m = field(m, 2, "123")
	for _, d := range data {
		r := binary.AppendUvarint(binary.AppendUvarint(nil, 1<<3), 0) // partition_key_index
		r = binary.AppendUvarint(binary.AppendUvarint(r, 2<<3), 300)
		r = field(r, 3, d)
		r = field(r, 4, string(field(nil, 1, "tag")))
		m = field(m, 3, string(r))
	}
	return sealed(string(m))
}

func sealed(message string) string {
	sum := md5.Sum([]byte(message))
	return string(magic) + message + string(sum[:])
}

func TestRecords(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []string
		bad  string
	}{
		"plain":                {in: "{}", want: []string{"{}"}},
		"empty":                {in: "", want: []string{""}},
		"one":                  {in: aggregated("a"), want: []string{"a"}},
		"several":              {in: aggregated("a", "", strings.Repeat("b", 300)), want: []string{"a", "", strings.Repeat("b", 300)}},
		"none":                 {in: sealed(""), want: nil},
		"written out":          {in: sealed("\x0a\x01p\x1a\x05\x08\x00\x1a\x01d"), want: []string{"d"}},
		"data twice":           {in: sealed("\x1a\x06\x1a\x01a\x1a\x01b"), want: []string{"b"}},
		"fields of the future": {in: sealed("\x2d1234\x311234567\x38\x1a\x03\x1a\x01a"), want: []string{"a"}},
		"checksum":             {in: aggregated("a")[:30] + "x" + aggregated("a")[31:], bad: "checksum"},
		"no room for it":       {in: string(magic) + "short", bad: "cut off"},
		"cut off":              {in: sealed("\x1a\x05\x1a"), bad: "cut off"},
		"cut off within":       {in: sealed("\x1a\x03\x1a\x05a"), bad: "cut off"},
		"no data":              {in: sealed("\x1a\x02\x08\x01"), bad: "cut off"},
		"field 0":              {in: sealed("\x02\x00"), bad: "cut off"},
		"group":                {in: sealed("\x1b\x1c"), bad: "cut off"},
		"endless number":       {in: sealed(strings.Repeat("\xff", 11)), bad: "cut off"},
		"huge":                 {in: sealed("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), bad: "cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := records([]byte(c.in))
			if c.bad != "" {
				if err == nil || !strings.Contains(err.Error(), c.bad) {
					t.Errorf("%q, %v, want an error with %q", got, err, c.bad)
				}
				return
			}
			var text []string
			for _, r := range got {
				text = append(text, string(r))
			}
			if diff := cmp.Diff(c.want, text); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestReceiveAggregated: what is put together is taken apart, each decompressed by itself; what is broken is passed over alone.
func TestReceiveAggregated(t *testing.T) {
	f := &fake{shards: []shard{{id: "s1", records: []string{aggregated("a", gz("b"), gz("broken")[:12], "c"), "d", aggregated("lost")[:30], aggregated("e")}}}}
	dead := map[string]string{}
	got, _ := received(t, newStream(t, f, Options{Drain: true, Dead: func(input, reason string) error { dead[input] = reason; return nil }}))
	if diff := cmp.Diff(map[string][]string{"kinesis://audit/s1": {"a\nb\nc@1", "d@2", "@3", "e@4"}}, got); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	if len(dead) != 2 || !strings.Contains(dead["kinesis://audit/s1/1/2"], "EOF") || !strings.Contains(dead["kinesis://audit/s1/3"], "checksum") {
		t.Errorf("passed over: %v", dead)
	}
}

func FuzzRecords(f *testing.F) {
	for _, s := range []string{"", "{}", aggregated("a", "b"), sealed("\x1a\x05\x1a"), "\x1a\x03\x1a\x01a"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, in := range [][]byte{data, []byte(sealed(string(data)))} {
			got, err := records(in)
			if n := len(slices.Concat(got...)); err == nil && n > len(in) {
				t.Errorf("%s: %d bytes out of %d", hex.EncodeToString(in), n, len(in))
			}
			if !bytes.HasPrefix(in, magic) && (err != nil || len(got) != 1 || !bytes.Equal(got[0], in)) {
				t.Errorf("%s: a plain record is taken apart", hex.EncodeToString(in))
			}
		}
	})
}
