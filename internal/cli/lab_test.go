package cli_test

import (
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"drawbridge/checks"
	"drawbridge/internal/finding"
	"drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
)

// TestLab scans one cluster, a real API server and the lab's AWS, in every way that there is.
func TestLab(t *testing.T) {
	w := newWorld(t)
	live := scan(t, "--cluster", cluster, "--region", region)
	t.Run("findings", func(t *testing.T) { knownProblems(t, live) })
	t.Run("nothing is written", func(t *testing.T) { w.onlyReads(t, caller) })
	t.Run("context", func(t *testing.T) { w.throughContext(t, live) })
	t.Run("collect", func(t *testing.T) { collected(t, live) })
	t.Run("dumps", func(t *testing.T) { w.dumps(t, live) })
	t.Run("AWS denies", func(t *testing.T) { w.denied(t, live) })
	t.Run("RBAC denies", func(t *testing.T) { w.limited(t, live) })
	t.Run("two regions", w.twoRegions)
}

// scan runs a scan and returns its result.
func scan(t *testing.T, args ...string) finding.Result {
	t.Helper()
	status, stdout, stderr := run(t.Context(), strings.NewReader(""), append([]string{"scan", "-o", "json", "--fail-on", "none"}, args...)...)
	if status != 0 || stderr != "" {
		t.Fatalf("scan %q: exit status %d, stderr %q", args, status, stderr)
	}
	var r finding.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// short is what a finding is known by.
func short(f finding.Finding) string {
	return strings.Join([]string{string(f.Status), string(f.Severity), f.ID, f.Subject.String()}, " ")
}

// equal compares two results in all but their time and the places of objects in files.
func equal(t *testing.T, want, got finding.Result) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(finding.Result{}, "Time"), cmpopts.IgnoreFields(finding.Finding{}, "Location")); diff != "" {
		t.Errorf("results differ (-want +got):\n%s", diff)
	}
}

// knownProblems holds the result to what was seeded.
func knownProblems(t *testing.T, r finding.Result) {
	if len(r.Gaps) > 0 {
		t.Errorf("with the ClusterRole of the documentation there are gaps: %v", r.Gaps)
	}
	var got []string
	for _, f := range r.Findings {
		got = append(got, short(f))
	}
	for _, want := range []string{
		"fail critical pod-identity-role-privileged IAMRole app",
		"fail high access-entry-cluster-admin AccessEntry arn:aws:iam::111122223333:role/ops",
		"fail high aws-auth-system-masters AwsAuthMapping arn:aws:iam::111122223333:role/breakglass",
		"fail high aws-auth-writable ClusterRoleBinding default-edits",
		"fail high irsa-trust-wildcard-subject IAMRole irsa",
		"fail high pod-identity-default-service-account PodIdentityAssociation shop/default",
		"fail high rbac-default-service-account-privileged ClusterRoleBinding default-edits",
		"fail high rbac-mints-aws-tokens RoleBinding shop/minter",
		"fail high workload-host-network-near-agent Pod shop/sniffer",
		"fail high workload-static-aws-credentials Workload shop/deployment/keys",
		"fail medium access-entry-group-privileged AccessEntry arn:aws:iam::111122223333:user/jane",
		"fail medium access-entry-iam-user AccessEntry arn:aws:iam::111122223333:user/jane",
		"fail medium authentication-mode-transitional Cluster prod",
		"fail medium aws-auth-ghost-principal AwsAuthMapping arn:aws:iam::111122223333:role/breakglass",
		"fail medium cluster-endpoint-public Cluster prod",
		"fail medium control-plane-logging-incomplete Cluster prod",
		"fail medium irsa-trust-mismatch ServiceAccount shop/mistaken",
		"fail medium node-role-reachable Pod shop/web",
		"fail medium oidc-identity-provider-associated IdentityProviderConfig dex",
		"fail medium pod-identity-dangling PodIdentityAssociation nowhere/ghost",
		"fail medium pod-identity-pods-predate-association PodIdentityAssociation shop/api",
		"fail medium pod-identity-session-tags-disabled PodIdentityAssociation shop/api",
		"fail medium pod-identity-trust-unconditioned IAMRole app",
		"fail medium rbac-runs-as-aws-identity RoleBinding shop/minter",
		"fail medium trail-misses-read-events Cluster prod",
		"fail low access-entry-ghost-principal AccessEntry arn:aws:iam::111122223333:role/gone",
		"fail low aws-auth-ineffective AwsAuthMapping arn:aws:iam::111122223333:role/team/lead",
		"fail low control-plane-log-not-forwarded Cluster prod",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("not found: %s", want)
		}
	}
	// What EKS itself installed is no finding.
	for _, f := range r.Findings {
		if f.Subject.Namespace == "kube-system" && f.Severity.AtLeast(finding.Medium) || f.Status != finding.Fail {
			t.Errorf("noise: %s: %s", short(f), f.Message)
		}
	}
	if t.Failed() {
		t.Logf("found:\n%s", strings.Join(got, "\n"))
	}
}

// onlyReads asks both sides for their own record of what a user did.
func (w *world) onlyReads(t *testing.T, user string) {
	if writes := w.aws.Writes(); len(writes) > 0 {
		t.Errorf("AWS was written to: %v", writes)
	}
	if len(w.aws.Calls()) == 0 {
		t.Error("AWS was not called at all")
	}
	events, err := w.kube.AuditEvents()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, raw := range events {
		var e struct {
			Verb      string
			User      struct{ Username string }
			ObjectRef struct{ Resource, Namespace, Name string }
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		if e.User.Username != user {
			continue
		}
		seen++
		if e.Verb != "list" && e.Verb != "get" || e.ObjectRef.Resource == "secrets" || e.ObjectRef.Resource == "configmaps" && e.ObjectRef.Name != "aws-auth" {
			t.Errorf("%s did %s %v", user, e.Verb, e.ObjectRef)
		}
	}
	if seen == 0 {
		t.Errorf("the audit log has nothing of %s", user)
	}
}

// throughContext scans through the kubeconfig: its context tells cluster and region.
func (w *world) throughContext(t *testing.T, live finding.Result) {
	name := "arn:aws:eks:" + region + ":" + account + ":cluster/" + cluster
	config := w.kubeconfig(t, name, "reader", readers)
	equal(t, live, scan(t, "--kubeconfig", config))
	w.onlyReads(t, "reader")
	equal(t, live, scan(t, "--kubeconfig", config, "--cluster", cluster))
}

// collected: a scan of what collect wrote is a scan of the cluster.
func collected(t *testing.T, live finding.Result) {
	file := filepath.Join(t.TempDir(), "s.json.zst")
	if status, _, stderr := run(t.Context(), strings.NewReader(""), "collect", "--cluster", cluster, "--region", region, "-o", file, "--require-complete"); status != 0 {
		t.Fatalf("collect: exit status %d, %s", status, stderr)
	}
	equal(t, live, scan(t, "-f", file))
}

// denied: AWS refuses one action at a time.
func (w *world) denied(t *testing.T, live finding.Result) {
	for _, tt := range []struct{ action, areas string }{
		{"eks:ListPodIdentityAssociations", "podIdentityAssociations"},
		{"eks:DescribeAccessEntry", "accessEntries"},
		{"eks:ListAssociatedAccessPolicies", "policyAssociations"},
		{"eks:DescribeNodegroup", "launchTemplates nodegroups"}, // a node group tells of its launch template
		{"ec2:DescribeInstances", "instances"},
		{"logs:DescribeSubscriptionFilters", "logGroup"},
		{"cloudtrail:GetEventSelectors", "trails"},
		{"iam:ListOpenIDConnectProviders", "oidcProviders"},
	} {
		t.Run(tt.action, func(t *testing.T) {
			w.aws.Deny(tt.action)
			defer w.aws.Allow()
			r := scan(t, "--cluster", cluster, "--region", region)
			withGaps(t, live, r, strings.Fields(tt.areas), tt.action, "not authorized to perform: "+tt.action)
		})
	}
}

// limited: RBAC refuses one resource at a time.
func (w *world) limited(t *testing.T, live finding.Result) {
	for _, tt := range []struct{ resource, area, action string }{
		{"pods", "pods", "list pods"},
		{"rolebindings", "roleBindings", "list rolebindings.rbac.authorization.k8s.io"},
		{"configmaps", "awsAuth", "get configmaps kube-system/aws-auth"},
		{"daemonsets", "workloads", "list daemonsets.apps"},
	} {
		t.Run(tt.resource, func(t *testing.T) {
			group := "without-" + tt.resource
			w.bind(t, group, func(name string) bool { return name != tt.resource })
			config := w.kubeconfig(t, "arn:aws:eks:"+region+":"+account+":cluster/"+cluster, "limited", group)
			w.await(t, group)
			r := scan(t, "--kubeconfig", config)
			withGaps(t, live, r, []string{tt.area}, tt.action, "forbidden")
		})
	}
}

// withGaps checks a result that lacks areas, or part of them, for want of one action: the gaps name the action; each check
// that needs such an area has one not-assessed finding about the cluster that names it; and all other checks say what
// they said before, if perhaps with other evidence.
func withGaps(t *testing.T, whole, r finding.Result, areas []string, action, reason string) {
	t.Helper()
	var gaps, want []string
	for _, a := range areas {
		want = append(want, a+" "+action)
	}
	for _, g := range r.Gaps {
		gaps = append(gaps, g.Area+" "+g.Action)
		if !strings.Contains(g.Reason, reason) {
			t.Errorf("the reason of the gap %s is %q, want %q in it", g.Action, g.Reason, reason)
		}
	}
	if diff := cmp.Diff(want, gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	before, after := byCheck(whole), byCheck(r)
	concerned := 0
	for _, c := range checks.All {
		needs := func(a string) bool {
			return slices.Contains(c.Needs, model.Area(a)) || slices.Contains(c.NeedsComplete, model.Area(a))
		}
		if !slices.ContainsFunc(areas, needs) {
			if diff := cmp.Diff(before[c.ID], after[c.ID], cmpopts.IgnoreFields(finding.Finding{}, "Evidence", "Remediation")); diff != "" {
				t.Errorf("%s needs none of %s and yet says something else (-with +without):\n%s", c.ID, areas, diff)
			}
			continue
		}
		concerned++
		fs := after[c.ID]
		if len(fs) == 0 || fs[len(fs)-1].Status != finding.NotAssessed {
			t.Errorf("%s needs %s and says nothing of it: %v", c.ID, areas, fs)
			continue
		}
		last := fs[len(fs)-1]
		if last.Subject.Kind != "Cluster" || last.Subject.Name != cluster || !strings.Contains(last.Message, action) {
			t.Errorf("%s: %s: %s; want it about the cluster and to name %s", c.ID, last.Subject, last.Message, action)
		}
		for _, f := range fs[:len(fs)-1] {
			if f.Status != finding.Fail {
				t.Errorf("%s has more than one not-assessed finding", c.ID)
			}
		}
	}
	if concerned == 0 {
		t.Errorf("no check needs %s", areas)
	}
}

func byCheck(r finding.Result) map[string][]finding.Finding {
	all := map[string][]finding.Finding{}
	for _, f := range r.Findings {
		all[f.ID] = append(all[f.ID], f)
	}
	return all
}

// twoRegions: clusters that share a name are two, each with both of its halves.
func (w *world) twoRegions(t *testing.T) {
	w.aws.Account(account, "aws").Region("eu-central-1").PutCluster(aws.Cluster{
		Name: cluster, Endpoint: w.kube.URL, CertificateAuthority: &aws.Certificate{Data: base64.StdEncoding.EncodeToString(w.kube.CA)},
		AccessConfig: &aws.AccessConfig{AuthenticationMode: "API"},
	})
	r := scan(t, "--all-clusters", "--region", region, "--region", "eu-central-1", "--check", "workload-static-aws-credentials,access-entry-cluster-admin,authentication-mode-transitional")
	if len(r.Gaps) > 0 {
		t.Errorf("gaps: %v", r.Gaps)
	}
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Cluster+" "+f.ID)
	}
	east, central := "arn:aws:eks:us-east-1:"+account+":cluster/prod ", "arn:aws:eks:eu-central-1:"+account+":cluster/prod "
	want := []string{central + "workload-static-aws-credentials", east + "access-entry-cluster-admin", east + "workload-static-aws-credentials", east + "authentication-mode-transitional"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
