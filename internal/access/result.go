package access

import (
	"slices"
	"strings"
	"time"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// KindResult is the kind of a Result.
const KindResult = "AccessResult"

// Result is what the commands of `drawbridge access` answer: grants, and the gaps of what could not be read.
type Result struct {
	Version  string            `json:"version"`
	Kind     string            `json:"kind"`
	Tool     finding.Tool      `json:"tool"`
	Time     time.Time         `json:"time"`
	Clusters []finding.Cluster `json:"clusters"`
	// Question is what was asked, as a person reads it.
	Question string        `json:"question"`
	Answers  []Grant       `json:"answers"`
	Gaps     []finding.Gap `json:"gaps"`
}

// Result makes a result of answers to a question that rests on some areas of the snapshot. Tool and time are left to the
// caller.
func (a *Access) Result(question string, answers []Grant, areas ...model.Area) *Result {
	r := &Result{
		Version: finding.Version, Kind: KindResult, Question: question,
		Clusters: []finding.Cluster{}, Answers: answers, Gaps: append([]finding.Gap{}, a.snapshot.GapsIn(model.NotInInput, areas...)...),
	}
	if r.Answers == nil { // scripts loop over it
		r.Answers = []Grant{}
	}
	for _, c := range a.snapshot.Clusters {
		r.Clusters = append(r.Clusters, c.Facts())
	}
	return r
}

// areasRBAC are what every answer in Kubernetes rests on.
var areasRBAC = []model.Area{
	model.AreaCluster, model.AreaRoles, model.AreaClusterRoles, model.AreaRoleBindings, model.AreaClusterRoleBindings,
}

// areasDoor are what decides who an IAM principal becomes.
var areasDoor = []model.Area{
	model.AreaAccessEntries, model.AreaPolicyAssociations, model.AreaAWSAuth, model.AreaIAMRoles, model.AreaIAMUsers, model.AreaInstances,
}

// AreasOfCheck are the areas of a snapshot that Check looks at.
func AreasOfCheck(id Identity, r rbac.Request) []model.Area {
	areas := slices.Clone(areasRBAC)
	kubelet := id.Kind == KindUser && strings.HasPrefix(id.Name, nodeUserPrefix)
	switch id.Kind {
	case KindGroup, KindUser:
	case KindServiceAccount:
		areas = append(areas, model.AreaServiceAccounts)
	case KindPod:
		areas = append(areas, model.AreaServiceAccounts, model.AreaPods)
	case KindWorkload:
		areas = append(areas, model.AreaServiceAccounts, model.AreaWorkloads)
	default:
		areas, kubelet = append(areas, areasDoor...), true
	}
	if r.Name != "" && kubelet { // which may read what its pods refer to
		areas = append(areas, model.AreaPods)
	}
	return areas
}

// What is what a grant allows beyond what the question says, in one line, or "".
func (g Grant) What() string {
	switch {
	case g.Rule != nil:
		return ruleText(g.Rule)
	case g.Statement != nil:
		return g.Statement.String()
	}
	return ""
}
