package event

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestUTC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-59000000000, 253000000000).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanos")).UTC()
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.000000Z07:00", time.RFC3339Nano} {
			text := at.Format(layout)
			want, err := time.Parse(time.RFC3339, text)
			if err != nil {
				continue
			}
			got, err := timeOf(Value{raw: []byte(`"` + text + `"`)})
			if err != nil || got != want.UTC() {
				t.Fatalf("%s: %s, %v", text, got, err)
			}
		}
	})
}

func TestTimeForms(t *testing.T) {
	for text, ok := range map[string]bool{
		"2024-02-29T00:00:00Z": true, "2023-02-29T00:00:00Z": false, "2026-04-31T00:00:00Z": false, "2026-01-31T23:59:59Z": true, "2026-13-01T00:00:00Z": false,
		"2026-11-23T24:00:00Z": false, "2026-11-23T10:00:00+01:00": true, "2026-11-23T10:00:00": false, "2026-11-23 10:00:00Z": false, "2026-11-23T10:00:00.Z": false,
		"2026-11-23T1a:00:00Z": false, "": false, "2026-11-23T10:00:00.1x3Z": false,
	} {
		if got, err := timeOf(Value{raw: []byte(`"` + text + `"`)}); (err == nil) != ok {
			t.Errorf("%s: %s, %v", text, got, err)
		} else if want, _ := time.Parse(time.RFC3339, text); ok && !got.Equal(want) {
			t.Errorf("%s: %s", text, got)
		}
	}
}
