package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
	"golang.org/x/tools/txtar"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Case is one example of a detection: events, and what it says of them.
//
// Cases stand in NAME.txtar beside the detection's NAME.yml, as files match/CASE.jsonl and nomatch/CASE.jsonl. What a match
// is to say stands in match/CASE.want, a line a finding: `severity subject: message`. CASE.context (YAML: egress, trusted,
// pipelines, cluster) and CASE.snapshot.json are what the run knows besides.
type Case struct {
	Detection, Name string
	// Match says that findings are wanted: those of Want, in order of time and text; or at least one, where it is nil.
	Match  bool
	Want   []string
	Events []byte
	// Context is what the run knows besides the events, Cluster the cluster of audit events.
	Context *Context
	Cluster string
}

// Cases reads the cases of a file.
func Cases(file string, data []byte) ([]*Case, error) {
	id := strings.ReplaceAll(strings.TrimSuffix(path.Base(file), path.Ext(file)), "_", "-")
	files := map[string][]byte{}
	var names []string
	for _, f := range txtar.Parse(data).Files {
		files[f.Name] = f.Data
		names = append(names, f.Name)
	}
	var out []*Case
	used := map[string]bool{}
	for _, name := range names {
		stem, isCase := strings.CutSuffix(name, ".jsonl")
		kind, _, _ := strings.Cut(stem, "/")
		if !isCase || kind != "match" && kind != "nomatch" {
			continue
		}
		c := &Case{Detection: id, Name: stem, Match: kind == "match", Events: files[name], Context: &Context{}}
		if want, ok := files[stem+".want"]; ok {
			c.Want = strings.Split(strings.TrimSpace(string(want)), "\n")
		}
		if err := c.read(files[stem+".context"], files[stem+".snapshot.json"]); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, stem, err)
		}
		for _, suffix := range []string{".jsonl", ".want", ".context", ".snapshot.json"} {
			used[stem+suffix] = true
		}
		out = append(out, c)
	}
	for _, name := range names {
		if !used[name] {
			return nil, fmt.Errorf("%s: %s belongs to no case: want match/CASE.jsonl or nomatch/CASE.jsonl, and .want, .context or .snapshot.json beside it", file, name)
		}
	}
	return out, nil
}

func (c *Case) read(context, snapshot []byte) error {
	var known struct {
		Egress, Trusted, Pipelines []string
		Cluster                    string
	}
	if len(context) > 0 {
		d := yaml.NewDecoder(bytes.NewReader(context))
		d.KnownFields(true)
		if err := d.Decode(&known); err != nil {
			return fmt.Errorf("context: %w", err)
		}
	}
	c.Cluster, c.Context.Trusted, c.Context.Pipelines = known.Cluster, known.Trusted, known.Pipelines
	for _, e := range known.Egress {
		p, err := netip.ParsePrefix(e)
		if err != nil {
			return fmt.Errorf("context: egress: %w", err)
		}
		c.Context.Egress = append(c.Context.Egress, p)
	}
	if len(snapshot) > 0 {
		s, err := model.Read(bytes.NewReader(snapshot))
		if err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		c.Context.Access = access.New(s)
	}
	return nil
}

// Run is what the program's detection of the case says of its events, a line a finding, in order of time and text. An event
// that cannot be read is an error.
func (c *Case) Run(p *Program) ([]string, error) {
	var found []finding.Finding
	g := New(p, c.Context, Options{}, func(f finding.Finding) {
		if f.ID == c.Detection {
			found = append(found, f)
		}
	})
	d := event.NewDecoder(bytes.NewReader(c.Events), event.Options{Input: c.Name, Cluster: c.Cluster})
	var e event.Event
	for {
		err := d.Next(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		g.Add(&e)
	}
	g.Flush()
	lines := make([]string, len(found))
	for i, f := range found {
		lines[i] = f.Time.UTC().Format("2006-01-02T15:04:05.000000Z") + "\x00" + string(f.Severity) + " " + f.Subject.String() + ": " + strings.ReplaceAll(f.Message, "\n", " ")
	}
	slices.Sort(lines)
	for i, line := range lines {
		_, lines[i], _ = strings.Cut(line, "\x00")
	}
	return lines, nil
}

// Failure is what is wrong with what a case got; empty if nothing is.
func (c *Case) Failure(got []string) string {
	switch {
	case !c.Match && len(got) > 0:
		return "reported, and should not be:\n\t" + strings.Join(got, "\n\t")
	case c.Match && len(got) == 0:
		return "reported nothing"
	case c.Match && c.Want != nil && !slices.Equal(got, c.Want):
		return "reported\n\t" + strings.Join(got, "\n\t") + "\nwant\n\t" + strings.Join(c.Want, "\n\t")
	}
	return ""
}

// CasesOf reads the cases of every *.txtar of a folder.
func CasesOf(folder fs.FS) ([]*Case, error) {
	names, err := fs.Glob(folder, "*.txtar")
	if err != nil {
		return nil, err
	}
	var out []*Case
	for _, name := range names {
		data, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		cs, err := Cases(name, data)
		if err != nil {
			return nil, err
		}
		out = append(out, cs...)
	}
	return out, nil
}
