package wire_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drawbridge/internal/lab/aws/wire"
)

// moduleDir finds a pinned SDK module; without it the test is skipped, in CI it fails.
func moduleDir(t *testing.T, service string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+service).Output()
	dir := strings.TrimSpace(string(out))
	if err == nil && dir != "" {
		return dir
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("the SDK module %s is not in the module cache: %v", service, err)
	}
	t.Skipf("the SDK module %s is not in the module cache: %v", service, err)
	return ""
}

// snapshot is one of the SDK's own recordings: "METHOD /path?query" or a status, headers, and a body.
type snapshot struct {
	name, first, body string
	header            map[string]string
}

func snapshots(t *testing.T, service, folder, suffix string) []snapshot {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(moduleDir(t, service), folder, "*"+suffix))
	if err != nil || len(files) == 0 {
		t.Fatalf("no snapshots in %s of %s: %v", folder, service, err)
	}
	var out []snapshot
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := snapshot{name: strings.TrimSuffix(filepath.Base(file), suffix), header: map[string]string{}}
		text, body, _ := strings.Cut(string(b), "\n\n{")
		if body != "" {
			s.body = "{" + body
		}
		s.first, text, _ = strings.Cut(text, "\n")
		for line := range strings.Lines(text) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
			s.header[k] = v
		}
		out = append(out, s)
	}
	return out
}

func TestEKSRequestSnapshots(t *testing.T) {
	router := wire.NewRouter(&wire.EKS)
	all := snapshots(t, "eks", "request_snapshot", ".request.snap")
	for _, s := range all {
		method, target, _ := strings.Cut(s.first, " ")
		path, rawQuery, _ := strings.Cut(target, "?")
		op, labels, ok := router.Match(method, path)
		if !ok || op.Name != s.name {
			t.Errorf("%s: %s is routed to %q", s.name, s.first, op.Name)
			continue
		}
		query, err := url.ParseQuery(rawQuery)
		if err != nil {
			t.Fatal(err)
		}
		_, bad, err := router.Input(op, labels, query, []byte(s.body))
		if err != nil || len(bad) > 0 {
			t.Errorf("%s: %v %v", s.name, bad, err)
		}
	}
	if len(all) != len(wire.EKS.Operations) {
		t.Errorf("%d snapshots for %d operations", len(all), len(wire.EKS.Operations))
	}
	t.Logf("replayed %d requests", len(all))
}

func TestLogsRequestSnapshots(t *testing.T) {
	all := snapshots(t, "cloudwatchlogs", "request_snapshot", ".request.snap")
	for _, s := range all {
		op, ok := wire.Logs.Operation(strings.TrimPrefix(s.header["X-Amz-Target"], "Logs_20140328."))
		if !ok || op.Name != s.name {
			t.Errorf("%s: header %v means %q", s.name, s.header, op.Name)
			continue
		}
		validate(t, &wire.Logs, s, op)
	}
	t.Logf("replayed %d requests", len(all))
}

func TestOrganizationsRequestSnapshots(t *testing.T) {
	all := snapshots(t, "organizations", "request_snapshot", ".request.snap")
	for _, s := range all {
		op, ok := wire.Organizations.Operation(strings.TrimPrefix(s.header["X-Amz-Target"], "AWSOrganizationsV20161128."))
		if !ok || op.Name != s.name {
			t.Errorf("%s: header %v means %q", s.name, s.header, op.Name)
			continue
		}
		validate(t, &wire.Organizations, s, op)
	}
	if len(all) != len(wire.Organizations.Operations) {
		t.Errorf("%d snapshots for %d operations", len(all), len(wire.Organizations.Operations))
	}
	t.Logf("replayed %d requests", len(all))
}

func validate(t *testing.T, m *wire.Model, s snapshot, op wire.Operation) {
	t.Helper()
	object, err := wire.DecodeObject([]byte(s.body))
	if err != nil {
		t.Errorf("%s: %v", s.name, err)
		return
	}
	if bad := m.Validate(op.In, object); len(bad) > 0 {
		t.Errorf("%s: %v", s.name, bad)
	}
}

func TestResponseSnapshots(t *testing.T) {
	for service, m := range map[string]*wire.Model{"eks": &wire.EKS, "cloudwatchlogs": &wire.Logs, "organizations": &wire.Organizations} {
		t.Run(service, func(t *testing.T) {
			all := snapshots(t, service, "response_snapshot", ".response.snap")
			for _, s := range all {
				op, ok := m.Operation(s.name)
				if !ok {
					t.Errorf("%s: not in the model", s.name)
					continue
				}
				object, err := wire.DecodeObject([]byte(s.body))
				if err != nil {
					t.Errorf("%s: %v", s.name, err)
					continue
				}
				if bad := m.Validate(op.Out, object); len(bad) > 0 {
					t.Errorf("%s: %v", s.name, bad)
				}
			}
			t.Logf("validated %d responses", len(all))
		})
	}
}

func TestErrorSnapshots(t *testing.T) {
	for service, m := range map[string]*wire.Model{"eks": &wire.EKS, "organizations": &wire.Organizations} {
		all := snapshots(t, service, "response_snapshot", ".error.snap")
		for _, s := range all {
			if got := m.Status(s.name); s.first != strings.TrimSpace(s.first) || s.first != itoa(got) {
				t.Errorf("%s: the model has status %d, the SDK %s", s.name, got, s.first)
			}
		}
		t.Logf("%s: compared %d errors", service, len(all))
	}
}
