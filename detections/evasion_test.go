package detections_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/detect"
)

var (
	auditID   = regexp.MustCompile(`"auditID":"([^"]*)"`)
	userAgent = regexp.MustCompile(`"userAgent":"[^"]*"`)
	session   = regexp.MustCompile(`:assumed-role/([^/"]+)/[^/"]+"`)
	auditLine = []byte(`"audit.k8s.io/v1"`)
)

// evasions are what a client of the API server chooses, by what is said to hide of it: the header Audit-ID, which the API server
// takes as it is, the user agent, and the name of its session in AWS, another one for each request.
var evasions = map[string]func(line []byte) []byte{
	"one audit ID for all requests": func(line []byte) []byte {
		return auditID.ReplaceAll(line, []byte(`"auditID":"mine"`))
	},
	"a long audit ID": func(line []byte) []byte {
		return auditID.ReplaceAll(line, []byte(`"auditID":"`+strings.Repeat("x", 5000)+`$1"`))
	},
	"the user agent of a controller": func(line []byte) []byte {
		return userAgent.ReplaceAll(line, []byte(`"userAgent":"kube-controller-manager/v1.36.3 (linux/amd64) kubernetes/abc/system:serviceaccount:kube-system:generic-garbage-collector"`))
	},
	"a session for each request": func(line []byte) []byte {
		if bytes.Contains(line, []byte(`"system:node:`)) {
			return line
		}
		return session.ReplaceAll(line, fmt.Appendf(nil, `:assumed-role/$1/%s"`, auditID.FindSubmatch(line)[1]))
	},
}

// TestEvasion: with what clients of the API server choose themselves, each match case still has as many findings, and of the
// same severities.
func TestEvasion(t *testing.T) {
	p := load(t)
	cases, err := detect.CasesOf(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if !c.Match || !bytes.Contains(c.Events, auditLine) {
			continue
		}
		want, err := c.Run(p)
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range evasions {
			t.Run(c.Detection+"/"+c.Name+"/"+name, func(t *testing.T) {
				other := *c
				other.Events = nil
				for _, line := range bytes.Split(bytes.TrimSpace(c.Events), []byte("\n")) {
					if bytes.Contains(line, auditLine) {
						line = change(line)
					}
					other.Events = append(append(other.Events, line...), '\n')
				}
				got, err := other.Run(p)
				if err != nil {
					t.Fatal(err)
				}
				if len(got) < len(want) || severities(got) != severities(want) {
					t.Errorf("reported\n\t%s\nand without\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
				}
			})
		}
	}
}

func severities(lines []string) string {
	var out []string
	for _, line := range lines {
		severity, _, _ := strings.Cut(line, " ")
		out = append(out, severity)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}
