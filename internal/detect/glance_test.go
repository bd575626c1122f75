package detect

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"drawbridge/internal/event"
	"drawbridge/internal/sigma"
)

// TestGlance: a value that is ruled out at a glance does not match, however its letters are written.
func TestGlance(t *testing.T) {
	path := event.ParsePath(event.CloudTrail, "requestParameters.v")
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SliceOfN(rapid.SampledFrom([]rune("aAsSkK1:/ſK")), 0, 4)
		written := ""
		value := letters.Draw(t, "value")
		for _, c := range value {
			switch rapid.IntRange(0, 3).Draw(t, "as") {
			case 0:
				written += fmt.Sprintf("\\u%04x", c)
			case 1:
				for _, b := range []byte(string(c)) {
					written += fmt.Sprintf("%%%02X", b)
				}
			default:
				written += string(c)
			}
		}
		words := append(rapid.SliceOfN(letters, 0, 2).Draw(t, "words"), value[:rapid.IntRange(0, len(value)).Draw(t, "length")])
		var list []string
		for _, w := range words {
			list = append(list, "'"+string(w)+"'")
		}
		field := rapid.SampledFrom([]string{"requestParameters.v", "requestParameters.v|cased", "requestParameters.v|startswith", "requestParameters.v|startswith|cased"}).Draw(t, "field")
		rules, err := sigma.Parse("t.yml", fmt.Appendf(nil, "title: T\nname: t\nlevel: low\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {%s: [%s]}, condition: s}\n", field, strings.Join(list, ", ")))
		if err != nil {
			t.Skip(err)
		}
		m := rules[0].Condition.(*sigma.Match)
		var e event.Event
		if err := event.Scan(fmt.Appendf(nil, `{"eventVersion":"1.11","eventSource":"eks.amazonaws.com","eventName":"x","requestParameters":{"v":"%s"}}`, written), &e); err != nil {
			t.Fatal(err)
		}
		v, g := e.Find(path).First(), glanceOf(m)
		for i := range m.Values {
			if m.Values[i].Matches(m.Op, m.Cased, v.String()) && !g.match(v) {
				t.Fatalf("%s: %q as %s is ruled out at a glance", field, v.String(), v.Raw())
			}
		}
	})
}
