// Package checktest reads the cases that stand beside checks and playbooks: txtar archives of snapshots in YAML, with
// the expectation as a comment on the line of the object that it is about. It is for tests only.
//
// A case file holds one cluster a YAML document: its identity (name, account, region, mode, allClusters), then areas by the
// names of package model. Areas that are not mentioned were read and are empty; `gaps` says otherwise.
//
//	mode: API
//	accessEntries:
//	- principalArn: arn:aws:iam::111122223333:role/ci   # want "is cluster admin"
//
// `# want "regexp"`, or `# want high "regexp"`, stands on a line of the object, or outside of all objects for a finding
// about the cluster; `# want not assessed "regexp"` may stand anywhere.
package checktest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v4"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Case is one snapshot and what is expected of it.
type Case struct {
	Name     string
	Snapshot *model.Snapshot
	Wants    []*Want
	Trusted  []string

	objects []int // the lines of objects, to find the object of a want
}

// Want is one expected finding.
type Want struct {
	Line        int
	Object      int // line of the object the want stands in; 0 outside of all
	NotAssessed bool
	Severity    finding.Severity // "" for any
	Pattern     *regexp.Regexp
	met         bool
}

// header is what a document says of its cluster beside areas.
type header struct {
	Name    string        `json:"name"`
	Account string        `json:"account"`
	Region  string        `json:"region"`
	Mode    string        `json:"mode"`
	Gaps    []finding.Gap `json:"gaps"`
	// AllClusters says that the case holds all clusters that the account has in the region.
	AllClusters bool `json:"allClusters"`
	// TrustedAccounts are the accounts given with --trusted-account.
	TrustedAccounts []string `json:"trustedAccounts"`
}

// Parse reads one case. Misspelt fields are errors, with their line where YAML knows it.
func Parse(name string, text []byte) (*Case, error) {
	c := &Case{Name: name, Snapshot: &model.Snapshot{}}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := c.add(doc.Content[0]); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, doc.Content[0].Line, err)
		}
	}
	slices.Sort(c.objects)
	return c, c.readWants(text)
}

// add adds the cluster of one document to the snapshot.
func (c *Case) add(doc *yaml.Node) error {
	if doc.Kind != yaml.MappingNode {
		return errors.New("a case is a mapping of areas")
	}
	areas := map[string][]byte{}
	head := map[string]any{}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		key, value := doc.Content[i].Value, doc.Content[i+1]
		if _, ok := model.Area(key).Info(); !ok {
			var v any
			if err := value.Decode(&v); err != nil {
				return err
			}
			head[key] = v
			continue
		}
		items := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			items = value.Content
		}
		list := []json.RawMessage{}
		for _, item := range items {
			b, err := c.item(item)
			if err != nil {
				return fmt.Errorf("line %d: %s: %w", item.Line, key, err)
			}
			list = append(list, b)
		}
		areas[key], _ = json.Marshal(list)
	}
	b, err := json.Marshal(head)
	if err != nil {
		return err
	}
	var h header
	if err := jsonv2.Unmarshal(b, &h, jsonv2.RejectUnknownMembers(true)); err != nil {
		return err
	}
	return c.build(h, areas)
}

// item turns an object into JSON and notes where it stands.
func (c *Case) item(n *yaml.Node) ([]byte, error) {
	if n.Kind != yaml.MappingNode {
		return nil, errors.New("want a mapping")
	}
	var v map[string]any
	if err := n.Decode(&v); err != nil {
		return nil, err
	}
	v["loc"] = finding.Location{File: c.Name, Line: n.Line}
	c.objects = append(c.objects, n.Line)
	return json.Marshal(v)
}

// build makes the cluster and its account and marks as read whatever has no gap.
func (c *Case) build(h header, areas map[string][]byte) error {
	cluster := &model.Cluster{Name: cmp.Or(h.Name, "lab"), Account: cmp.Or(h.Account, "111122223333"), Region: cmp.Or(h.Region, "us-east-1"), Partition: "aws"}
	cluster.ARN = "arn:aws:eks:" + cluster.Region + ":" + cluster.Account + ":cluster/" + cluster.Name
	acct := c.Snapshot.Account(cluster.Account)
	if acct == nil {
		acct = &model.Account{ID: cluster.Account, Partition: "aws"}
		c.Snapshot.Accounts = append(c.Snapshot.Accounts, acct)
	}
	if h.AllClusters && !slices.Contains(acct.AllClustersOf, cluster.Region) {
		acct.AllClustersOf = append(acct.AllClustersOf, cluster.Region)
	}
	c.Snapshot.Clusters = append(c.Snapshot.Clusters, cluster)
	c.Trusted = append(c.Trusted, h.TrustedAccounts...)
	gap := map[string]bool{}
	for _, g := range h.Gaps {
		info, ok := model.Area(g.Area).Info()
		if !ok {
			return fmt.Errorf("gap in unknown area %q", g.Area)
		}
		if info.OfAccount {
			g.Account = cmp.Or(g.Account, acct.ID)
		} else {
			g.Cluster = cluster.Name
		}
		g.Action = cmp.Or(g.Action, info.Action)
		g.Reason = cmp.Or(g.Reason, "AccessDenied")
		gap[g.Area] = true
		c.Snapshot.Gaps = append(c.Snapshot.Gaps, g)
	}
	for _, info := range model.Areas {
		text, given := areas[string(info.Area)]
		if given {
			if err := info.Decode(cluster, acct, text, jsonv2.RejectUnknownMembers(true)); err != nil {
				return fmt.Errorf("%s: %w", info.Area, err)
			}
		}
		if given || !gap[string(info.Area)] && !info.Optional {
			if info.OfAccount {
				acct.MarkRead(info.Area)
			} else {
				cluster.MarkRead(info.Area)
			}
		}
	}
	if cluster.Description == nil && !gap[string(model.AreaCluster)] {
		cluster.Description = &model.Description{}
	}
	if h.Mode != "" {
		cluster.Description.AuthenticationMode = h.Mode
	}
	return nil
}

var (
	wantComment = regexp.MustCompile(`# want( not assessed| critical| high| medium| low| informational)?((?: "(?:[^"\\]|\\.)*")+)\s*$`)
	wantPattern = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
)

// readWants finds the expectations and the objects they stand in.
func (c *Case) readWants(text []byte) error {
	for i, line := range strings.Split(string(text), "\n") {
		m := wantComment.FindStringSubmatch(line)
		if m == nil {
			if strings.Contains(line, "# want") {
				return fmt.Errorf("%s:%d: want what? %q", c.Name, i+1, line)
			}
			continue
		}
		object := 0
		for _, at := range c.objects {
			if at <= i+1 {
				object = at
			}
		}
		if indentation := len(line) - len(strings.TrimLeft(line, " -")); indentation == 0 {
			object = 0 // a line at the margin belongs to no object
		}
		for _, p := range wantPattern.FindAllStringSubmatch(m[2], -1) {
			re, err := regexp.Compile(strings.ReplaceAll(p[1], `\"`, `"`))
			if err != nil {
				return fmt.Errorf("%s:%d: %w", c.Name, i+1, err)
			}
			w := &Want{Line: i + 1, Object: object, NotAssessed: m[1] == " not assessed", Pattern: re}
			if !w.NotAssessed {
				w.Severity = finding.Severity(strings.TrimPrefix(m[1], " "))
			}
			c.Wants = append(c.Wants, w)
		}
	}
	return nil
}
