package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/finding"
)

// view is a result in the order in which people read it.
type view struct {
	*finding.Result
	counts      finding.Counts
	notAssessed []finding.Finding
	// filtered is how many findings the summary counts that the result does not list.
	filtered int
	clusters []clusterView
	gaps     []gapView
	names    map[string]string
}

// clusterView is one cluster with what failed on it. Known is false for a cluster that only findings name.
type clusterView struct {
	finding.Cluster
	Label string
	Known bool
	// Unsure says that something of this cluster or its account could not be read or assessed.
	Unsure bool
	Counts finding.Counts
	Groups []group
}

// group is the failed findings of one check at one severity.
type group struct {
	ID, Title string
	Severity  finding.Severity
	Findings  []finding.Finding
}

// gapView is one thing that could not be read and everywhere it could not.
type gapView struct {
	Area, Action, Reason string
	Where                []string
}

func newView(r *finding.Result) *view {
	sorted := slices.Clone(r.Findings)
	finding.Sort(sorted)
	sum := finding.Count(r.Findings)
	v := &view{Result: r, counts: sum.Fail, names: clusterNames(r.Clusters)}
	v.filtered = max(0, r.Summary.Fail.Total()-sum.Fail.Total())

	index := map[string]int{}
	for _, c := range r.Clusters {
		label := v.name(cmp.Or(c.ARN, c.Name))
		if _, ok := index[label]; !ok {
			index[label] = len(v.clusters)
			v.clusters = append(v.clusters, clusterView{Cluster: c, Label: label, Known: true})
		}
	}
	for _, f := range sorted {
		if f.Status == finding.NotAssessed {
			v.notAssessed = append(v.notAssessed, f)
			continue
		}
		label := v.name(f.Cluster)
		i, ok := index[label]
		if !ok {
			i = len(v.clusters)
			index[label] = i
			v.clusters = append(v.clusters, clusterView{Label: label})
		}
		v.clusters[i].add(f)
	}
	for i := range v.clusters {
		c := &v.clusters[i]
		for _, g := range c.Groups {
			c.Counts = plus(c.Counts, finding.Count(g.Findings).Fail)
		}
	}
	v.gaps = v.mergeGaps()
	v.markUnsure()
	return v
}

func (v *view) markUnsure() {
	unsure := map[string]bool{}
	for _, f := range v.notAssessed {
		unsure[v.name(f.Cluster)] = true
	}
	accounts := map[string]bool{}
	everywhere := false
	for _, g := range v.Gaps {
		switch {
		case g.Cluster != "":
			unsure[v.name(g.Cluster)] = true
		case g.Account != "":
			accounts[g.Account] = true
		default:
			everywhere = true
		}
	}
	for i, c := range v.clusters {
		v.clusters[i].Unsure = everywhere || unsure[c.Label] || accounts[c.Account]
	}
}

// nothing is what to say of a cluster without findings: what could not be read is not clean.
func (c clusterView) nothing() string {
	if c.Unsure {
		return "no findings in what could be read"
	}
	return "no findings"
}

// add puts f into its group; findings come sorted, so a group is always the last one.
func (c *clusterView) add(f finding.Finding) {
	if n := len(c.Groups); n > 0 && c.Groups[n-1].ID == f.ID && c.Groups[n-1].Severity == f.Severity {
		c.Groups[n-1].Findings = append(c.Groups[n-1].Findings, f)
		return
	}
	c.Groups = append(c.Groups, group{ID: f.ID, Title: cmp.Or(f.Title, f.ID), Severity: f.Severity, Findings: []finding.Finding{f}})
}

func plus(a, b finding.Counts) finding.Counts {
	return finding.Counts{
		Critical: a.Critical + b.Critical, High: a.High + b.High, Medium: a.Medium + b.Medium,
		Low: a.Low + b.Low, Informational: a.Informational + b.Informational,
	}
}

// clusterNames gives each cluster, by ARN and by name, the shortest name that tells it apart.
func clusterNames(cs []finding.Cluster) map[string]string {
	times := map[string]int{}
	for _, c := range cs {
		times[c.Name]++
	}
	names := map[string]string{}
	for _, c := range cs {
		label := c.Name
		if times[c.Name] > 1 && c.ARN != "" {
			label = c.ARN
		}
		names[cmp.Or(c.ARN, c.Name)] = label
		if times[c.Name] == 1 {
			names[c.Name] = label
		}
	}
	return names
}

// noCluster stands for the cluster of what names none.
const noCluster = "no cluster"

// name is what people call the cluster that a finding or gap names by ARN or name.
func (v *view) name(cluster string) string {
	if cluster == "" {
		return noCluster
	}
	return cmp.Or(v.names[cluster], cluster)
}

func (v *view) mergeGaps() []gapView {
	var gaps []gapView
	index := map[[3]string]int{}
	for _, g := range v.Gaps {
		where := ""
		switch {
		case g.Cluster != "":
			where = v.name(g.Cluster)
		case g.Account != "":
			where = "account " + g.Account
		}
		key := [3]string{g.Area, g.Action, g.Reason}
		i, ok := index[key]
		if !ok {
			i = len(gaps)
			index[key] = i
			gaps = append(gaps, gapView{Area: g.Area, Action: g.Action, Reason: g.Reason})
		}
		if where != "" && !slices.Contains(gaps[i].Where, where) {
			gaps[i].Where = append(gaps[i].Where, where)
		}
	}
	return gaps
}

// planWords says of a plan what the commands do not: whether it can be undone, and what not.
func planWords(p *finding.Plan) string {
	if p == nil {
		return ""
	}
	words := plural(len(p.Steps), "change")
	var stuck []string
	for _, s := range p.Steps {
		if !s.Reversible {
			stuck = append(stuck, s.Text+" ("+s.Irreversible+")")
		}
	}
	if len(stuck) == 0 {
		return words + ", which can be undone"
	}
	return words + "; not to be undone: " + strings.Join(stuck, "; ")
}

// unassessed is what could not be assessed on a cluster for one reason, and which checks it concerns.
type unassessed struct {
	Cluster, Message string
	IDs              []string
}

func (v *view) unassessed() []unassessed {
	var out []unassessed
	index := map[[2]string]int{}
	for _, f := range v.notAssessed {
		key := [2]string{v.name(f.Cluster), f.Message}
		i, ok := index[key]
		if !ok {
			i = len(out)
			index[key] = i
			out = append(out, unassessed{Cluster: key[0], Message: f.Message})
		}
		out[i].IDs = append(out[i].IDs, f.ID)
	}
	return out
}

// advice is what would close the gap. Only a refusal is answered by granting something.
func (g gapView) advice() string {
	if g.Action == "" {
		return ""
	}
	reason := strings.ToLower(g.Reason)
	for _, word := range []string{"denied", "forbidden", "unauthorized", "not authorized"} {
		if strings.Contains(reason, word) {
			return "grant " + g.Action
		}
	}
	return "needs " + g.Action
}

// verdict is the sentence for those who read only one.
func (v *view) verdict() string {
	unsure := len(v.notAssessed) > 0 || len(v.gaps) > 0
	serious := v.counts.Critical + v.counts.High
	switch {
	case serious > 0:
		worst := plural(v.counts.Critical, "critical finding")
		if v.counts.Critical == 0 {
			worst = plural(v.counts.High, "high finding")
		} else if v.counts.High > 0 {
			worst = fmt.Sprintf("%d critical and %s", v.counts.Critical, plural(v.counts.High, "high finding"))
		}
		return worst + " should be dealt with first" + v.spread() + "."
	case v.counts.Total() > 0 && unsure:
		return plural(v.counts.Total(), "finding") + ", none critical or high in what could be read; not everything could be."
	case v.counts.Total() > 0:
		return plural(v.counts.Total(), "finding") + ", none critical or high."
	case v.filtered > 0:
		return plural(v.filtered, "finding") + " not listed in this report."
	case v.Summary.ChecksRun == 0 && v.Kind == finding.KindScan:
		return "No check was run: nothing can be said."
	case unsure:
		return "Nothing found in what could be read, but not everything could be: this is not a clean result."
	}
	return "No findings."
}

// test is what was run: checks over a snapshot, or detections over events.
func (v *view) test() string {
	if v.Kind == finding.KindDetect {
		return "detection"
	}
	return "check"
}

// spread says on how many clusters the serious findings are.
func (v *view) spread() string {
	if len(v.Clusters) < 2 {
		return ""
	}
	hit := 0
	for _, c := range v.clusters {
		if c.Known && c.Counts.Critical+c.Counts.High > 0 {
			hit++
		}
	}
	return fmt.Sprintf(", on %d of %d clusters", hit, len(v.Clusters))
}

// instant is the time of an event.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// short is text without what its cluster already says: the partition, service and account of IAM ARNs in the cluster's
// own account.
func (c clusterView) short(text string) string { return c.without("iam", text) }

// shortOfEvent does so for what happened: sessions too lose what the cluster says.
func (c clusterView) shortOfEvent(text string) string { return c.without("sts", c.short(text)) }

func (c clusterView) without(service, text string) string {
	if c.Account == "" || !strings.Contains(text, "arn:") {
		return text
	}
	return strings.ReplaceAll(text, "arn:"+c.Partition+":"+service+"::"+c.Account+":", "")
}

// facts is what is known of a cluster besides its name.
func (c clusterView) facts() []string {
	return nonEmpty(c.Region, prefixed("account ", c.Account), c.AuthenticationMode, prefixed("Kubernetes ", c.KubernetesVersion))
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func nonEmpty(parts ...string) []string {
	return slices.DeleteFunc(slices.Clone(parts), func(s string) bool { return s == "" })
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// gapText is a gap as one line.
func gapText(g gapView) string {
	text := g.Area
	if len(g.Where) > 0 {
		text += " of " + strings.Join(g.Where, ", ")
	}
	if a := g.advice(); a != "" {
		text += ": " + a
	}
	if g.Reason != "" {
		text += " (" + g.Reason + ")"
	}
	return text
}

// clusterOf is the cluster that a finding names. Of an unknown one it knows what an ARN in the finding tells.
func (v *view) clusterOf(f finding.Finding) finding.Cluster {
	label := v.name(f.Cluster)
	for _, c := range v.clusters {
		if c.Known && c.Label == label {
			return c.Cluster
		}
	}
	c := finding.Cluster{Name: f.Cluster}
	for _, arn := range []string{f.Cluster, f.Subject.ARN, f.Subject.Name} {
		if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[0] == "arn" {
			c.Partition, c.Region, c.Account = cmp.Or(c.Partition, parts[1]), cmp.Or(c.Region, parts[3]), cmp.Or(c.Account, parts[4])
		}
	}
	return c
}

// fingerprint is the finding's own, or one made of what it is about.
func fingerprint(f finding.Finding) string {
	return cmp.Or(f.Fingerprint, finding.Fingerprint(f.ID, f.Cluster, f.Subject, ""))
}

// limit cuts s to n characters.
func limit(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
