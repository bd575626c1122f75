package migrate

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

func TestStatus(t *testing.T) {
	rows := map[string]string{"mapRoles": `[{rolearn: "` + role("dev") + `", username: dev}, {rolearn: "` + role("gone") + `", username: x}, {rolearn: "` + role("both") + `", username: b}]`}
	s := synthetic("aws", model.ModeAPIConfigMap, rows, role("dev"), role("both"))
	c := s.Clusters[0]
	c.AccessEntries = []*model.AccessEntry{{PrincipalARN: role("both"), Type: "STANDARD"}, {PrincipalARN: role("node"), Type: "EC2_LINUX"}}
	irsa := func(name string) *model.ServiceAccount {
		sa := &model.ServiceAccount{}
		sa.Namespace, sa.Name, sa.Annotations = "shop", name, map[string]string{access.RoleAnnotation: role("dev")}
		return sa
	}
	c.ServiceAccounts = []*model.ServiceAccount{irsa("web"), irsa("api")}
	c.PodIdentityAssociations = []*model.PodIdentityAssociation{
		{Namespace: "shop", ServiceAccount: "api", RoleARN: role("dev")}, {Namespace: "shop", ServiceAccount: "job", RoleARN: role("dev")},
	}
	got := NewStatus(s, access.New(s), Options{}).Clusters[0]
	want := ClusterStatus{Cluster: got.Cluster, Label: "prod", AccessEntries: 1, Rows: map[Outcome]int{BecomesEntry: 1, Nothing: 2}, Both: 1, IRSA: 1, PodIdentity: 1, Moving: 1, Next: PhaseCreate, PhasesDone: 1, Phases: 5, Blockers: []string{}, PodIdentityBlockers: got.PodIdentityBlockers}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	if n := len(got.PodIdentityBlockers); n == 0 || got.Decide() != n {
		t.Errorf("service accounts of which the role does not let them in: %q", got.PodIdentityBlockers)
	}
	if n := (&Status{Clusters: []ClusterStatus{got, got}}).Totals(); n != (Totals{Rows: 2, Waiting: 2, IRSA: 2, PodIdentity: 2, Moving: 2}) {
		t.Errorf("totals %+v", n)
	}

	c.AWSAuth.Data = map[string]string{"mapRoles": `[{rolearn: "arn:aws:iam::444455556666:role/x", username: x}]`}
	if got := NewStatus(s, access.New(s), Options{}).Clusters[0]; got.Next != NextBlocked || got.PhasesDone != 1 {
		t.Errorf("with nothing but a blocked row: next %s, %d phases done", got.Next, got.PhasesDone)
	}
	c.Read[model.AreaAWSAuth] = false // nothing may look done because it was not read
	if got := NewStatus(s, access.New(s), Options{}).Clusters[0]; got.Next != NextUnknown || len(got.Blockers) == 0 {
		t.Errorf("with aws-auth unread: next %s, blockers %q", got.Next, got.Blockers)
	}
	c.Description.AuthenticationMode = model.ModeAPI
	if got := NewStatus(s, access.New(s), Options{}); got.Clusters[0].Next != NextDone || got.Clusters[0].PhasesDone != 5 || got.Sum() != "1 of 1 clusters are done" {
		t.Errorf("in mode API: next %s, %s", got.Clusters[0].Next, got.Sum())
	}
}
