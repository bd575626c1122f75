package dump

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// harvest is what one file holds.
type harvest struct {
	in       *input
	unknown  []Notice        // documents that are nothing this source reads
	snapshot *model.Snapshot // of a snapshot file
	parts    []*part         // in the order of the file; gathered into the first
	notices  []Notice
	problems []problem
	// recognised counts the documents and objects that this source knows, whether it keeps something of them or not.
	recognised int
}

// problem is a part of a file that could not be read.
type problem struct {
	file string
	line int   // 0 is unknown
	at   int64 // byte offset; -1 is unknown
	text string
	// areas are what the broken part may have held; none is unknown.
	areas []model.Area
}

// String is the problem with its place.
func (p problem) String() string {
	switch {
	case p.line > 0:
		return fmt.Sprintf("%s:%d: %s", p.file, p.line, p.text)
	case p.at >= 0:
		return fmt.Sprintf("%s: byte %d: %s", p.file, p.at, p.text)
	}
	return p.file + ": " + p.text
}

// part is what a run of values in a file holds. Workers fill parts; the file's order is kept by the list of parts.
type part struct {
	items    []item
	listings []listing
	sweeps   []sweep
	objects  map[model.Area][]any // of Kubernetes
	kinds    map[string]bool      // Kubernetes kinds that were seen or whose typed list was empty
	pages    []kubePage
	// kubeSystem says that a list with ConfigMaps of kube-system was seen, or an empty ConfigMapList.
	kubeSystem bool
	recognised int
	problems   []problem
	notices    []Notice
}

// item is something that an answer of AWS describes.
type item struct {
	area    model.Area
	cluster ref    // zero: that of the folder
	account string // "": that of the folder
	key     string // what a list answer calls it
	value   any
	loc     *finding.Location
	doc     int // which document of the file
}

// listing is a list answer of AWS: what it names must be described somewhere.
type listing struct {
	area      model.Area
	cluster   ref
	of        string // what the list is about, where it is not the cluster or account: a principal
	names     []string
	truncated bool
	region    string // that the answer is about, where it shows
	// part says that the listing is one row of a longer answer, which has a listing of its own.
	part bool
	// other says that the answer holds more than what belongs to clusters.
	other bool
	loc   *finding.Location
	doc   int // which document of the file
}

// sweep is one answer of iam get-account-authorization-details.
type sweep struct {
	doc       int
	has       map[model.Area]bool // lists that the answer has, and whether something is in them
	truncated bool
	// refers says that something in the answer refers to policies or groups, or is attached to something: then not all
	// of the account's lists can be empty.
	refers bool
}

// kubePage is one list answer of the Kubernetes API that ended early, or one that did not.
type kubePage struct {
	kind, version string
	more          bool
}

// add appends what another part holds.
func (p *part) add(q *part) {
	p.items = append(p.items, q.items...)
	p.listings = append(p.listings, q.listings...)
	p.sweeps = append(p.sweeps, q.sweeps...)
	p.pages = append(p.pages, q.pages...)
	p.problems = append(p.problems, q.problems...)
	p.notices = append(p.notices, q.notices...)
	for area, objects := range q.objects {
		if p.objects == nil {
			p.objects = map[model.Area][]any{}
		}
		p.objects[area] = append(p.objects[area], objects...)
	}
	if p.kinds == nil {
		p.kinds = q.kinds
	} else {
		maps.Copy(p.kinds, q.kinds)
	}
	p.kubeSystem = p.kubeSystem || q.kubeSystem
	p.recognised += q.recognised
}

func (p *part) sawKind(kind string) {
	if p.kinds == nil {
		p.kinds = map[string]bool{}
	}
	p.kinds[kind] = true
}

// gather puts the parts of a file together once all of them are decoded.
func (h *harvest) gather() {
	all := &part{}
	for _, p := range h.parts {
		all.add(p)
	}
	all.adopt()
	h.parts = []*part{all}
	h.recognised += all.recognised
	h.problems = h.worst(append(h.problems, all.problems...))
	h.notices = append(h.notices, all.notices...)
}

// adopt tells list answers that do not name their cluster, but whose rows do, which cluster they are about.
func (p *part) adopt() {
	rows := map[int]ref{}
	for _, l := range p.listings {
		if l.part && l.cluster.name != "" {
			rows[l.doc] = l.cluster
		}
	}
	for i, l := range p.listings {
		if r, ok := rows[l.doc]; ok && !l.part && l.cluster.name == "" {
			p.listings[i].cluster = r
		}
	}
}

// worst keeps the first problems of a file, with their lines, and counts the rest: a file of the wrong kind can have one
// for every element.
func (h *harvest) worst(all []problem) []problem {
	const most = 10
	slices.SortStableFunc(all, func(x, y problem) int { return cmp.Or(cmp.Compare(x.line, y.line), cmp.Compare(x.at, y.at)) })
	if len(all) > most {
		rest := problem{file: h.in.path, at: -1, text: fmt.Sprintf("and %d more", len(all)-most)}
		for _, p := range all[most:] {
			for _, area := range p.areas {
				if !slices.Contains(rest.areas, area) {
					rest.areas = append(rest.areas, area)
				}
			}
		}
		all = append(all[:most:most], rest)
	}
	for i := range all {
		if all[i].line == 0 {
			all[i].line = h.in.lineAt(all[i].at)
		}
	}
	return all
}

// ref is what an answer says about which cluster it belongs to.
type ref struct{ name, arn, account, region, partition string }
