package dump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drawbridge/internal/model"
)

// openDir opens a folder and fails on anything but an *Unrecognised.
func openDir(t *testing.T, dir string) (*model.Snapshot, []Notice) {
	t.Helper()
	s, notices, err := Open(t.Context(), []string{dir}, nil, Options{})
	var u *Unrecognised
	if err != nil && !errors.As(err, &u) {
		t.Fatal(err)
	}
	return s, notices
}

const sa = `{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "n"}}`

func TestOddFiles(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(outside, "secret.json"), []byte(strings.ReplaceAll(sa, `"a"`, `"outside"`)))
	writeFile(t, filepath.Join(dir, "sa.json"), []byte(sa))
	writeFile(t, filepath.Join(dir, "binary"), []byte("\x7fELF\x00\x00"))
	writeFile(t, filepath.Join(dir, ".git", "config.json"), []byte("{"))
	for link, target := range map[string]string{"loop": ".", "out": outside, "file": filepath.Join(outside, "secret.json"), "dangling": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, notices, err := Open(ctx, []string{dir}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Clusters[0].ServiceAccounts); n != 1 {
		t.Errorf("%d service accounts, want the one inside the folder", n)
	}
	for _, name := range []string{"loop", "out", "file", "dangling", "pipe", "binary", ".git"} {
		found := false
		for _, n := range notices {
			found = found || filepath.Base(n.File) == name
		}
		if !found {
			t.Errorf("no notice about %s", name)
		}
	}
}

func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "sa.json")
	writeFile(t, path, []byte(sa))
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	s, _ := openDir(t, dir)
	if len(s.Gaps) != 1 || s.Gaps[0].Area != AreaFiles {
		t.Errorf("gaps %v, want one about the file", s.Gaps)
	}
}

// TestStreams: standard input and a named pipe are read like files; a named link is followed.
func TestStreams(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	go os.WriteFile(pipe, []byte(strings.ReplaceAll(sa, `"a"`, `"pipe"`)), 0o644)
	writeFile(t, filepath.Join(dir, "to", "sa.json"), []byte(strings.ReplaceAll(sa, `"a"`, `"linked"`)))
	if err := os.Symlink("to", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s, _, err := Open(t.Context(), []string{"-", pipe, filepath.Join(dir, "link")}, strings.NewReader(sa), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range s.Clusters[0].ServiceAccounts {
		names = append(names, a.Name)
	}
	if got := strings.Join(names, " "); got != "a linked pipe" {
		t.Errorf("service accounts %q", got)
	}
	if _, _, err := Open(t.Context(), []string{"-"}, strings.NewReader("{\"accessEntries\": [\n"), Options{}); err == nil || !strings.Contains(err.Error(), "standard input: byte ") {
		t.Errorf("broken standard input: %v, want its byte", err)
	}
}

// TestBrokenNamed: a named file that is broken is an error that names the file and the place, whatever is wrong.
func TestBrokenNamed(t *testing.T) {
	pod := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":`
	tests := []struct{ name, text, want string }{
		{"cut in a string", `{"accessEntries":["arn`, "file:1: broken JSON: the file ends early"},
		{"cut in a list", "{\"kind\":\"PodList\",\n\"items\":[", "file:2: broken JSON: the file ends early"},
		{"wrong type of a list", `{"RoleDetailList": {"a": 1}}`, "file:1: iam get-account-authorization-details: wrong type at /RoleDetailList: a list is expected"},
		{"wrong type of names", `{"accessEntries": [1]}`, "file:1: eks list-access-entries: wrong type at /accessEntries/0"},
		{"wrong type in a pod", pod + `{"containers":[{"name":{}}]}}`, "file:1: Pod: wrong type at /spec/containers/0/name"},
		{"a time that is none", `{"cluster":{"name":"a","arn":"x","createdAt":"soon"}}`, "file:1: eks describe-cluster: wrong type at /cluster/createdAt"},
		{"nested too deep", strings.Repeat(`{"a":`, 20000), "file:1: broken JSON: exceeded max depth"},
		{"arrays too deep", strings.Repeat(`[`, 20000), "file"},
		{"invalid UTF-8", "{\"accessEntries\":[\"\xff\"]}", "file:1: broken JSON: invalid UTF-8"},
		{"object without a name", `{"apiVersion":"v1","kind":"Node","metadata":{}}`, "file:1: Node: an object without a name"},
		{"a newer snapshot", `{"version":"drawbridge.snapshot/v999","clusters":[]}`, "use a newer drawbridge"},
		{"an API error", `{"kind":"Status","apiVersion":"v1","message":"no"}`, "the Kubernetes API answered with an error: no"},
		{"YAML nested too deep", "apiVersion: v1\nkind: Pod\na: " + strings.Repeat("[", 600) + strings.Repeat("]", 600), "file:3: broken YAML: nested deeper than 500"},
		{"YAML bracket bomb", "apiVersion: v1\nkind: Pod\na: " + strings.Repeat("[", 1<<20), "file:"},
		{"YAML that merges itself", "apiVersion: v1\nkind: Pod\na: &a {<<: *a}", "file:"},
		{"YAML key that is a list", "apiVersion: v1\nkind: Pod\n? [a]\n: b", "file:3: broken YAML: a key that is no text"},
		{"YAML repeated key in an element", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  kind: Pod\n", "file:6: element of items: key \"kind\" is repeated"},
		{"gzip that is cut", "\x1f\x8b\x08\x00", "file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeFile(t, "file", []byte(test.text))
			_, _, err := Open(t.Context(), []string{"file"}, nil, Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
}

// TestForeign: configuration that shares a word with an answer is not taken for one.
func TestForeign(t *testing.T) {
	for _, text := range []string{
		"cluster:\n  name: prod\n", "cluster: prod\n", "addons: [a]\nreplicas: 3\n", `{"clusters": ["a"], "version": 2}`, `{"Role": {}, "x": 1}`,
		"apiVersion: v2\nname: chart\n",
	} {
		s, _, err := Open(t.Context(), []string{"-"}, strings.NewReader(text), Options{})
		var u *Unrecognised
		if !errors.As(err, &u) || len(s.Clusters) > 0 || len(s.Gaps) > 0 {
			t.Errorf("%q: error %v, snapshot %+v", text, err, s)
		}
	}
}

// TestLargeValue: one value is never held beyond its bound, however long the file.
func TestLargeValue(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"`), endlessReader('a'))
	_, _, err := Open(t.Context(), []string{"-"}, endless, Options{})
	if err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("error %v", err)
	}
}

type endlessReader byte

func (r endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Open(ctx, []string{"-"}, io.MultiReader(strings.NewReader(`{"items":[`), endlessReader(' ')), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestSecrets: nothing of a Secret or of a ConfigMap other than aws-auth is in the snapshot.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "all.json"), []byte(`{"apiVersion":"v1","kind":"List","items":[
		{"apiVersion":"v1","data":{"password":"aHVudGVyMg=="},"kind":"Secret","metadata":{"name":"s","namespace":"n"},"stringData":{"x":"hunter2"}},
		{"apiVersion":"v1","data":{"password":"hunter2"},"kind":"ConfigMap","metadata":{"name":"aws-auth","namespace":"other"}},
		{"apiVersion":"v1","data":{"mapRoles":"[]","hunter2x":"hunter2"},"kind":"ConfigMap","metadata":{"name":"aws-auth","namespace":"kube-system"}}]}`))
	s, _ := openDir(t, dir)
	var b bytes.Buffer
	if err := model.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	if s.Clusters[0].AWSAuth == nil || s.Clusters[0].AWSAuth.Data["mapRoles"] != "[]" {
		t.Error("aws-auth is missing")
	}
	if text := strings.ReplaceAll(b.String(), "hunter2x", ""); strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg") {
		t.Errorf("a secret is in the snapshot: %s", text)
	}
}

// TestSavedSnapshot: a snapshot file is read as it is, and merges with what else is there.
func TestSavedSnapshot(t *testing.T) {
	dir := t.TempDir()
	saved := &model.Snapshot{Clusters: []*model.Cluster{{Name: "prod", ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/prod", Account: "111122223333"}}}
	saved.Clusters[0].MarkRead(model.AreaNamespaces)
	var b bytes.Buffer
	if err := model.Write(&b, saved); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "snapshot"), b.Bytes())
	writeFile(t, filepath.Join(dir, "sa"), []byte(sa))
	s, _ := openDir(t, dir)
	if len(s.Clusters) != 1 {
		t.Fatalf("%d clusters, want 1", len(s.Clusters))
	}
	c := s.Clusters[0]
	if !c.Read[model.AreaNamespaces] || len(c.ServiceAccounts) != 1 {
		t.Errorf("read %v, service accounts %d", c.Read, len(c.ServiceAccounts))
	}
	reordered := `{"clusters": [{"name": "x"}], "accounts": [], "gaps": [], "sections": [], "padding": "` + strings.Repeat("x", 300) + `", "version": "` + model.Version + `"}`
	writeFile(t, filepath.Join(dir, "reordered"), []byte(reordered))
	s, _, err := Open(t.Context(), []string{filepath.Join(dir, "reordered")}, nil, Options{})
	if err != nil || len(s.Clusters) != 1 || s.Clusters[0].Name != "x" {
		t.Errorf("a snapshot with its version last: %v %v", s, err)
	}
}

// TestYAMLForms: a list in pieces and the same list as a whole give the same, with the same lines.
func TestYAMLForms(t *testing.T) {
	items := ""
	for i := range 200 {
		items += fmt.Sprintf("- apiVersion: v1\n  kind: ServiceAccount\n  metadata:\n    name: a%03d\n    namespace: n\n    annotations:\n      eks.amazonaws.com/role-arn: |\n        x\n\n        y\n", i)
	}
	forms := map[string]string{
		"pieces":  "apiVersion: v1\nitems:\n" + items + "kind: List\nmetadata:\n  resourceVersion: \"\"\n",
		"anchors": "apiVersion: v1\nitems:\n" + strings.Replace(items, "name: a000", "name: &x a000", 1) + "- {apiVersion: v1, kind: Namespace, metadata: {name: *x}}\nkind: List\n",
		"quoted":  "apiVersion: v1\nitems:\n" + items + "- apiVersion: v1\n  kind: Namespace\n  metadata:\n    name: \"a000\n- x\"\nkind: List\n",
	}
	for name, text := range forms {
		t.Run(name, func(t *testing.T) {
			s, _, err := Open(t.Context(), []string{"-"}, strings.NewReader(text), Options{})
			if err != nil {
				t.Fatal(err)
			}
			sas := s.Clusters[0].ServiceAccounts
			if len(sas) != 200 || sas[199].Loc.Line != 3+199*10 || sas[0].Annotations["eks.amazonaws.com/role-arn"] != "x\n\ny\n" {
				t.Errorf("%d service accounts, the last at %v: %v", len(sas), sas[len(sas)-1].Loc, sas[0].Annotations)
			}
			if name != "pieces" && (len(s.Clusters[0].Namespaces) != 1 || !strings.HasPrefix(s.Clusters[0].Namespaces[0].Name, "a000")) {
				t.Errorf("namespaces %v", s.Clusters[0].Namespaces)
			}
		})
	}
}

// TestOnlyBroken refuses a folder in which every file is broken: there is nothing to go on with.
func TestOnlyBroken(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "c.json"), []byte(`{"cluster":{"name":"prod","accessConf`))
	_, _, err := Open(t.Context(), []string{dir}, nil, Options{})
	var u *Unrecognised
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "c.json:1") {
		t.Errorf("error %v, want one that names the file and line", err)
	}
	writeFile(t, filepath.Join(dir, "good.json"), []byte(`{"accessEntries":[]}`))
	if _, _, err := Open(t.Context(), []string{dir}, nil, Options{}); err != nil {
		t.Errorf("beside a good file: %v", err)
	}
}
