package detections_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/detect"
)

// TestCasesShuffled: in whatever order the events of a case come, the findings are the same. What a correlation's message says
// of other events may be what was known when it was complete.
func TestCasesShuffled(t *testing.T) {
	p := load(t)
	cases, err := detect.CasesOf(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		lines := bytes.Split(bytes.TrimSpace(c.Events), []byte("\n"))
		if len(lines) < 3 || len(lines) > 60 {
			continue
		}
		want, err := c.Run(p)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, 5))
		for range 12 {
			random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			other := *c
			other.Events = append(bytes.Join(lines, []byte("\n")), '\n')
			got, err := other.Run(p)
			if err != nil {
				t.Fatal(err)
			}
			if p.Detection(c.Detection).Head().Correlation != nil {
				got, want = subjects(got), subjects(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s/%s: shuffled\n\t%s\nin order\n\t%s", c.Detection, c.Name, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
				break
			}
		}
	}
}

func subjects(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i], _, _ = strings.Cut(line, ": ")
	}
	return out
}
