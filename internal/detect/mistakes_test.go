package detect_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"drawbridge/internal/detect"
)

// TestMistakes: what is wrong with a rule is told with its file and line, and what would be right.
func TestMistakes(t *testing.T) {
	const when = "detection: {s: {verb: get}, condition: s}\n"
	one := func(rest string) string { return fmt.Sprintf(head, "t") + rest }
	custom := func(rest string) string { return one(when + "drawbridge:\n  " + rest + "\n") }
	a := part("t.a", "get")
	var parts strings.Builder
	var names []string
	for i := range 257 {
		names = append(names, fmt.Sprint("t.a", i))
		parts.WriteString(part(names[i], "get"))
	}
	for name, tt := range map[string]struct{ yml, want string }{
		"name of another":        {strings.Replace(one(when), "name: t", "name: u", 1), `t.yml:1: name "u": want "t", or "t.part" for a part`},
		"nothing reports":        {a, `t.yml:1: no document is named "t": nothing would be reported`},
		"log source":             {strings.Replace(one(when), "service: audit", "service: node", 1), "logsource: want product: aws, service: cloudtrail or product: kubernetes, service: audit"},
		"level":                  {strings.Replace(one(when), "level: high", "level: grave", 1), "level: "},
		"field of ours":          {one("detection: {s: {drawbridge.nothing: x}, condition: s}\n"), `field "drawbridge.nothing": not known; drawbridge's own fields are listed in docs/reference/detections.md`},
		"field of another plane": {one("detection: {s: {drawbridge.agent: x}, condition: s}\n"), `field "drawbridge.agent": not for kubernetes events`},
		"field of no record":     {one("detection: {s: {eventName: x}, condition: s}\n"), `field "eventName": a kubernetes event has no "eventName"`},
		"key":                    {custom("mesage: m"), "drawbridge.mesage: not known; known are message, subject, triage, remediation, cluster, after and once"},
		"no text":                {custom("message: [m]"), "drawbridge.message: want text"},
		"time":                   {custom("after: soon"), "drawbridge.after: "},
		"time before":            {custom("after: -1h"), "drawbridge.after: want a time above zero, as 1s or 1h"},
		"time of a correlation":  {a + correlate("event_count", "  condition: {gte: 2}\ndrawbridge: {after: 1h}\n", "t.a"), "drawbridge.after: is for rules over events; a correlation has a timespan"},
		"once, not a list":       {custom("once: verb"), "drawbridge.once: want a list of fields"},
		"brace":                  {custom(`message: "{verb"`), `"{verb": a brace is not closed`},
		"subject's key":          {custom("subject: {kind: User, named: verb}"), "drawbridge.subject.named: not known; known are kind, namespace, name and arn"},
		"subject without a kind": {custom("subject: {name: verb}"), "drawbridge.subject: want a kind and fields"},
		"rule that is not there": {a + correlate("event_count", "  condition: {gte: 2}", "t.b"), `correlation: no rule is named "t.b"`},
		"too many rules":         {parts.String() + correlate("event_count", "  condition: {gte: 2}", names...), "correlation: 257 rules; 256 are the most"},
		"count below":            {a + correlate("event_count", "  condition: {lt: 2}", "t.a"), `correlation: condition "lt": a count is complete when it is reached; want gte, gt or eq`},
		"count of none":          {a + correlate("event_count", "  condition: {gte: 0}", "t.a"), "correlation: condition: want a count of at least 1"},
		"count beyond":           {a + correlate("event_count", "  condition: {gte: 1001}", "t.a"), "correlation: condition: counts up to 1000 are kept, this asks for 1001"},
		"one rule in order":      {a + correlate("temporal_ordered", "", "t.a"), "correlation: temporal_ordered: want 2 to 8 rules"},
		"kind":                   {a + correlate("sometimes", "", "t.a"), `sometimes`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := detect.Load(fstest.MapFS{"t.yml": {Data: []byte(tt.yml)}})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "t.yml:") {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}
