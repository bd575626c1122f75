package detect

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"drawbridge/internal/event"
)

// accountUse is who runs what as one service account: cluster, namespace, name.
type accountUse struct {
	// Writers made or changed workloads that run as it, each since when. Kubernetes' and EKS' own are left out.
	Writers []since
	// Images are the repositories of the images that ran as it.
	Images []since
	// AWS is what pods of it were given of AWS when they were made.
	AWS []since
}

// since is something that was first seen at a time.
type since struct {
	Fact
	Name string
}

// accountUsesKept is how many of each are told apart: the earliest.
const accountUsesKept = 64

// sinceNoted puts what was seen at a time into a list in order of time; it copies what it keeps of the name.
func sinceNoted(list []since, name string, at Fact) []since {
	if len(name) > longest {
		name = short(name)
	}
	i := slices.IndexFunc(list, func(s since) bool { return s.Name == name })
	switch {
	case name == "" || i >= 0 && !at.before(list[i].Fact):
		return list
	case i >= 0:
		list = slices.Delete(list, i, i+1)
	}
	n, _ := slices.BinarySearchFunc(list, at, func(s since, f Fact) int {
		if s.before(f) {
			return -1
		}
		return 1
	})
	if list = slices.Insert(list, n, since{at, strings.Clone(name)}); len(list) > accountUsesKept {
		list = list[:accountUsesKept]
	}
	return list
}

// accountWritten is the service account of the pods that the request makes, as far as the record tells.
func (l *look) accountWritten() string {
	spec := l.podSpec()
	for _, field := range []string{"serviceAccountName", "serviceAccount"} {
		if sa := spec.Find(field).First().String(); sa != "" {
			return sa
		}
	}
	if spec.Find("containers").First().Kind() == event.Absent || l.Field(event.ResponseObject).Kind() != event.Object && !l.creates() {
		return ""
	}
	return "default"
}

// runsAs is the same, also where an earlier request told.
func (l *look) runsAs() string {
	if sa := l.accountWritten(); sa != "" {
		return sa
	}
	if l.Field(event.Resource).Is("pods") {
		if p := l.pod(); p != nil {
			return p.ServiceAccount
		}
		return ""
	}
	before, _ := l.templateBefore()
	return before.ServiceAccount
}

// templateBefore is the workload as the request before this one left it.
func (l *look) templateBefore() (templateState, bool) {
	if f := l.ledger.Objects.Templates.get(l.objectKey()); f != nil {
		at := l.now()
		for _, c := range slices.Backward(f.Changes) {
			if c.before(at) {
				return c, true
			}
		}
	}
	return templateState{}, false
}

// codeMembers are those of a container that say what it runs, and what that is given.
var codeMembers = []string{"name", "image", "command", "args", "env", "envFrom", "volumeMounts", "lifecycle", "livenessProbe.exec", "readinessProbe.exec", "startupProbe.exec"}

var containerLists = []string{"containers", "initContainers"}

// codeOf tells what pods of one template run from what those of another do: containers, volumes, and as whom; 0 is no template.
func codeOf(spec event.Value) uint64 {
	if spec.Find("containers").First().Kind() == event.Absent {
		return 0
	}
	h := sha256.New()
	for _, member := range []string{"containers", "initContainers", "volumes", "serviceAccountName"} {
		for v := range spec.Find(member).All() {
			_, _ = h.Write(v.Raw())
			_, _ = h.Write([]byte{0})
		}
		_, _ = h.Write([]byte{0})
	}
	return binary.BigEndian.Uint64(h.Sum(nil)) | 1
}

// What a request does to the code of a workload.
const (
	codeMade     = "made"
	codeChanged  = "changed"
	codeReplaced = "replaced"
	codeSame     = "rewrote as it was"
)

// codeChange is what the request does to what a pod or workload runs; empty if nothing.
func (l *look) codeChange() string {
	switch {
	case !l.writesCode():
		return ""
	case l.creates():
		return codeMade
	}
	resource := l.Field(event.Resource).String()
	after := l.Field(event.ResponseObject)
	if resource == "pods" { // of a pod only the images can be changed, and its status has those that run
		if l.Field(event.Verb).Is("patch") {
			return codeChanged
		}
		return imagesChange(after)
	}
	now := codeOf(podSpecOf(after, resource))
	before, _ := l.templateBefore()
	switch {
	case before.Code != 0 && before.Code == now:
		return codeSame
	case before.Code == 0 && l.Field(event.Verb).Is("update"):
		return codeReplaced
	}
	return codeChanged
}

// imagesChange is whether the images of a pod are those that it runs. A status has them with the registry, where the pod may
// not name it.
func imagesChange(pod event.Value) string {
	known := false
	for _, lists := range [][2]string{{"containers", "containerStatuses"}, {"initContainers", "initContainerStatuses"}} {
		var run []string
		for v := range pod.Find("status." + lists[1] + ".image").All() {
			run, known = append(run, v.String()), true
		}
		for v := range pod.Find("spec." + lists[0] + ".image").All() {
			if len(run) > 0 && !slices.ContainsFunc(run, func(r string) bool { return strings.HasSuffix(r, v.String()) }) {
				return codeChanged
			}
		}
	}
	if known {
		return codeSame
	}
	return codeReplaced
}

// writesCode says that the request writes what pods run, whether it changes it or not.
func (l *look) writesCode() bool {
	resource := l.Field(event.Resource).String()
	if _, ok := templates[resource]; !ok || l.Field(event.Subresource).String() != "" || !l.done() {
		return false
	}
	return l.creates() || l.Field(event.Verb).Is("update") || l.Field(event.Verb).Is("patch") && l.namesCode(resource)
}

// namesCode says that a patch, of whatever form, names what a pod runs.
func (l *look) namesCode(resource string) bool {
	asked := l.Field(event.RequestObject)
	if asked.Kind() == event.List {
		for op := range asked.Find("").All() {
			where := op.Find("path").First().String()
			names := where == "" || strings.HasSuffix(where, "/spec") || strings.HasSuffix(where, "emplate") ||
				slices.ContainsFunc([]string{"ontainers", "/volumes", "/serviceAccount"}, func(word string) bool { return strings.Contains(where, word) })
			if names && !op.Find("op").First().Is("test") {
				return true
			}
		}
		return false
	}
	if asked.Kind() != event.Object { // a patch in another form, as YAML: the log has its bytes
		return asked.Kind() != event.Absent && asked.Kind() != event.Null
	}
	spec := podSpecOf(asked, resource)
	for _, list := range containerLists {
		for _, m := range codeMembers[1:] {
			if spec.Find(list+"."+m).First().Kind() != event.Absent {
				return true
			}
		}
	}
	return spec.Find("volumes").First().Kind() != event.Absent || spec.Find("serviceAccountName").First().Kind() != event.Absent
}

// repositories are those of the images of a pod: without tag and digest.
func repositories(spec event.Value) []string {
	var out []string
	for _, list := range containerLists {
		for v := range spec.Find(list + ".image").All() {
			name, _, _ := strings.Cut(v.String(), "@")
			if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
				name = name[:i]
			}
			if name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func (l *look) accountUse() *accountUse {
	return l.ledger.Accounts.get(key(l.Cluster().Name, l.Field(event.Namespace).String(), l.runsAs()))
}

// runsPods says that templates has the resource: nearly no event's does.
func runsPods(resource string) bool {
	switch resource {
	case "pods", "podtemplates", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs":
		return true
	}
	return false
}

// noteWorkload takes who makes and changes what runs as which service account. That it counts is by the record alone, so that it
// does not matter what came before.
func (g *Ledger) noteWorkload(l *look) {
	switch l.Field(event.Verb).String() {
	case "create", "update", "patch":
	default:
		return
	}
	resource := l.Field(event.Resource).String()
	if !runsPods(resource) {
		return
	}
	owned := l.part() != ""
	if owned && resource != "pods" || !l.writesCode() {
		return
	}
	sa := l.accountWritten()
	if sa == "" {
		return
	}
	f := g.Accounts.at(key(l.Cluster().Name, l.Field(event.Namespace).String(), sa), g.Limit)
	at := l.fact()
	if !owned {
		f.Writers = sinceNoted(f.Writers, l.identity(), at)
	}
	o := l.Field(event.ResponseObject)
	spec := podSpecOf(o, resource)
	for _, r := range repositories(spec) {
		f.Images = sinceNoted(f.Images, r, at)
	}
	if role, via := credentials(podTemplateOf(o, resource)); role != "" {
		f.AWS = sinceNoted(f.AWS, "role "+role, at)
	} else if via != "" {
		f.AWS = sinceNoted(f.AWS, "an AWS role through "+via, at)
	}
}

// accountHolds is what the service account that the request runs something as holds of AWS, in words: its role, or by what its
// pods got one, at whatever time.
func (l *look) accountHolds() []string { return l.holdings(l.runsAs()) }

// holdings are those of a service account of the request's namespace.
func (l *look) holdings(sa string) []string {
	if sa == "" {
		return nil
	}
	namespace := l.Field(event.Namespace).String()
	var out []string
	for _, r := range l.rolesOf(clusterOf(l.Event), namespace, sa) {
		out = append(out, "role "+r)
	}
	if r, ok := l.annotated(namespace, sa, l.now()); ok && r != "" && !slices.Contains(out, "role "+r) {
		out = append(out, "role "+r)
	}
	if u := l.ledger.Accounts.get(key(l.Cluster().Name, namespace, sa)); u != nil && len(out) == 0 {
		for _, s := range u.AWS {
			out = append(out, s.Name)
		}
	}
	return out
}

// writersBefore are those who made or changed workloads of the service account before the request, and whether its actor is
// one of them.
func (l *look) writersBefore() (others []string, known bool) {
	u := l.accountUse()
	if u == nil {
		return nil, false
	}
	at, me := l.now(), l.identity()
	for _, w := range u.Writers {
		switch {
		case !w.before(at):
		case w.Name == me:
			return nil, true
		default:
			others = append(others, w.Name)
		}
	}
	return others, false
}

// strangeImages are repositories from which nothing ran as the service account before; none where nothing is known.
func (l *look) strangeImages() []string {
	u := l.accountUse()
	if u == nil {
		return nil
	}
	at := l.now()
	var known []string
	for _, s := range u.Images {
		if s.before(at) {
			known = append(known, s.Name)
		}
	}
	if len(known) == 0 {
		return nil
	}
	return without(repositories(l.podSpec()), known)
}

// workloadFields are about what somebody runs as a service account.
var workloadFields = []enrichment{
	{
		Name: "drawbridge.workload.code", Text: "what the request does to what a pod or workload runs (images, commands, variables, volumes, service account): `made`, `changed`, `replaced` where nothing tells what it was, `rewrote as it was`; absent where it writes nothing of it", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string { return some(l.codeChange()) },
	},
	{
		Name: "drawbridge.workload.service_account", Text: "service account that the pods run as which the request makes or changes: namespace/name", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string {
			if sa := l.runsAs(); sa != "" {
				return some(l.Field(event.Namespace).String() + "/" + sa)
			}
			return nil
		},
	},
	{
		Name: "drawbridge.workload.aws", Text: "what that service account holds of AWS, in words", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return l.accountHolds() },
	},
	{
		Name: "drawbridge.workload.writer", Text: "whether the actor made or changed workloads of that service account before: `known`; `stranger` where only others did, `unknown` where nobody did in the data", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string {
			others, known := l.writersBefore()
			switch {
			case known:
				return some("known")
			case len(others) > 0:
				return some("stranger")
			}
			return some("unknown")
		},
	},
	{
		Name: "drawbridge.workload.writers", Text: "who did so before, other than the actor", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string {
			others, _ := l.writersBefore()
			if len(others) > 3 {
				others = append(slices.Clone(others[:3]), "and others")
			}
			return others
		},
	},
	{
		Name: "drawbridge.workload.images", Text: "repositories of the images that the request has run", Planes: onKubernetes,
		Of: func(l *look) []string { return repositories(l.podSpec()) },
	},
	{
		Name: "drawbridge.workload.strange_images", Text: "those of them from which nothing ran as the service account before", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string { return l.strangeImages() },
	},
}
