package rbac

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

// grouped makes a rule on an API group.
func grouped(group string, verbs, resources []string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: verbs, APIGroups: l(group), Resources: resources, ResourceNames: names}
}

const rbacGroup, csrGroup, authnGroup = "rbac.authorization.k8s.io", "certificates.k8s.io", "authentication.k8s.io"

// TestPowers gives one rule set per line and lists every power that it must give, with names where limited.
func TestPowers(t *testing.T) {
	for name, tc := range map[string]struct {
		rules []rbacv1.PolicyRule
		want  []string
	}{
		"nothing":                   {nil, nil},
		"read pods":                 {l2(readPods), nil},
		"create pods":               {l2(rule(l("create"), l("pods"))), l("run-pods")},
		"create one pod":            {l2(rule(l("create"), l("pods"), "a")), nil},
		"patch pods":                {l2(rule(l("patch"), l("pods"))), nil},
		"patch one Deployment":      {l2(grouped("apps", l("patch"), l("deployments"), "web")), l("run-pods web")},
		"CronJobs":                  {l2(grouped("batch", l("create"), l("cronjobs"))), l("run-pods")},
		"Deployments of no group":   {l2(rule(l("create"), l("deployments"))), nil},
		"exec":                      {l2(rule(l("create"), l("pods/exec"))), l("enter-pods")},
		"exec in one pod":           {l2(rule(l("create"), l("pods/exec"), "web")), l("enter-pods web")},
		"exec by get":               {l2(rule(l("get"), l("pods/exec"))), l("enter-pods <1.35")},
		"attach":                    {l2(rule(l("create"), l("pods/attach"))), l("enter-pods")},
		"ephemeral containers":      {l2(rule(l("patch"), l("pods/ephemeralcontainers"))), l("enter-pods")},
		"port-forward":              {l2(rule(l("create"), l("pods/portforward"))), l("forward-ports")},
		"pods/* is no exec":         {l2(rule(l("*"), l("pods/*"))), nil},
		"*/exec":                    {l2(rule(l("create"), l("*/exec"))), l("enter-pods")},
		"nodes/proxy":               {l2(rule(l("get"), l("nodes/proxy"))), l("reach-kubelets")},
		"nodes":                     {l2(rule(l("*"), l("nodes"))), nil},
		"tokens":                    {l2(rule(l("create"), l("serviceaccounts/token"))), l("mint-tokens")},
		"tokens of one":             {l2(rule(l("create"), l("serviceaccounts/token"), "web")), l("mint-tokens web")},
		"list secrets":              {l2(rule(l("list"), l("secrets"))), l("read-secrets")},
		"get one secret":            {l2(rule(l("get"), l("secrets"), "db")), l("read-secrets db")},
		"write ConfigMaps":          {l2(rule(l("update"), l("configmaps"))), l("write-aws-auth", "write-configmaps")},
		"write aws-auth":            {l2(rule(l("update"), l("configmaps"), "aws-auth")), l("write-aws-auth", "write-configmaps aws-auth")},
		"write another ConfigMap":   {l2(rule(l("update"), l("configmaps"), "other")), l("write-configmaps other")},
		"create a named ConfigMap":  {l2(rule(l("create"), l("configmaps"), "aws-auth")), nil},
		"create ConfigMaps":         {l2(rule(l("create"), l("configmaps"))), l("write-aws-auth", "write-configmaps")},
		"bindings":                  {l2(grouped(rbacGroup, l("create"), l("rolebindings"))), l("write-bindings")},
		"bind alone":                {l2(grouped(rbacGroup, l("bind"), l("clusterroles"))), nil},
		"bind one ClusterRole":      {l2(grouped(rbacGroup, l("create"), l("clusterrolebindings")), grouped(rbacGroup, l("bind"), l("clusterroles"), "admin")), l("bind admin", "write-bindings")},
		"bind Roles cluster-wide":   {l2(grouped(rbacGroup, l("create"), l("clusterrolebindings")), grouped(rbacGroup, l("bind"), l("roles"))), l("write-bindings")},
		"escalate":                  {l2(grouped(rbacGroup, l("update", "escalate"), l("clusterroles"))), l("escalate", "write-roles")},
		"escalate one":              {l2(grouped(rbacGroup, l("update", "escalate"), l("clusterroles"), "x")), l("escalate x", "write-roles x")},
		"escalate another":          {l2(grouped(rbacGroup, l("update"), l("roles"), "x"), grouped(rbacGroup, l("escalate"), l("roles"), "y")), l("write-roles x")},
		"escalate one, create":      {l2(grouped(rbacGroup, l("create"), l("roles")), grouped(rbacGroup, l("escalate"), l("roles"), "y")), l("write-roles")},
		"impersonate users":         {l2(rule(l("impersonate"), l("users"))), l("impersonate")},
		"impersonate one":           {l2(rule(l("impersonate"), l("serviceaccounts"), "web")), l("impersonate web")},
		"impersonate groups only":   {l2(rule(l("impersonate"), l("groups"))), nil},
		"constrained impersonation": {l2(grouped(authnGroup, l("impersonate:user-info"), l("users")), rule(l("impersonate-on:user-info:list"), l("pods"))), l("impersonate ≥1.36")},
		"constrained, on any verb":  {l2(grouped(authnGroup, l("impersonate:user-info"), l("users")), rule(l("*"), l("events"))), l("impersonate ≥1.36")},
		"constrained, on nothing":   {l2(grouped(authnGroup, l("impersonate:user-info"), l("users"))), nil},
		"constrained, other mode":   {l2(grouped(authnGroup, l("impersonate:user-info"), l("users")), rule(l("impersonate-on:serviceaccount:list"), l("pods"))), nil},
		"webhooks":                  {l2(grouped("admissionregistration.k8s.io", l("patch"), l("mutatingwebhookconfigurations"))), l("write-webhooks")},
		"annotate service accounts": {l2(rule(l("patch"), l("serviceaccounts"))), l("write-service-accounts")},
		"namespaces":                {l2(rule(l("create"), l("namespaces"))), l("create-namespaces")},
		"approve alone":             {l2(grouped(csrGroup, l("approve"), l("signers"))), nil},
		"approve for one signer": {
			l2(grouped(csrGroup, l("update"), l("certificatesigningrequests/approval")), grouped(csrGroup, l("approve"), l("signers"), "kubernetes.io/kube-apiserver-client")),
			l("approve-csrs kubernetes.io/kube-apiserver-client"),
		},
		"sign":       {l2(grouped(csrGroup, l("patch"), l("certificatesigningrequests/status")), grouped(csrGroup, l("sign"), l("signers"))), l("sign-csrs")},
		"volumes":    {l2(rule(l("create"), l("persistentvolumes"))), l("create-volumes")},
		"ACK":        {l2(grouped("eks.services.k8s.aws", l("create"), l("accessentries"))), l("write-ack-identity")},
		"kro":        {l2(grouped("kro.run", l("patch"), l("resourcegraphdefinitions"))), l("write-kro-definitions")},
		"everything": {l2(grouped("*", l("*"), l("*"))), all()},
		"any resource of any group, but not any verb": {l2(grouped("*", l("get", "list"), l("*"))), l("enter-pods <1.35", "forward-ports <1.35", "reach-kubelets", "read-secrets")},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, summary(PowersOf(tc.rules))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func l2(r ...rbacv1.PolicyRule) []rbacv1.PolicyRule { return r }

func all() []string {
	var ids []string
	for _, p := range Powers() {
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	return ids
}

// summary renders powers once each: "id names", with the versions if every way has the same limit.
func summary(held []Held) []string {
	seen := map[string]map[string]bool{}
	for _, h := range held {
		s := strings.Join(h.Names, " ")
		if h.Way.Before != 0 {
			s += fmt.Sprintf("<1.%d", h.Way.Before)
		}
		if h.Way.Since != 0 {
			s += fmt.Sprintf("≥1.%d", h.Way.Since)
		}
		if seen[h.Power.ID] == nil {
			seen[h.Power.ID] = map[string]bool{}
		}
		seen[h.Power.ID][s] = true
	}
	var out []string
	for id, ways := range seen {
		if ways[""] {
			out = append(out, id)
			continue
		}
		for s := range ways {
			out = append(out, id+" "+s)
		}
	}
	slices.Sort(out)
	return out
}

func TestHas(t *testing.T) {
	byGet := l2(rule(l("get"), l("pods/exec")))
	for minor, want := range map[int]bool{0: true, 34: true, 35: false, 36: false} {
		if got := Has(byGet, "enter-pods", minor); got != want {
			t.Errorf("get on pods/exec in 1.%d: %v", minor, got)
		}
	}
	as := l2(grouped(authnGroup, l("impersonate:user-info"), l("users")), rule(l("impersonate-on:user-info:get"), l("pods")))
	for minor, want := range map[int]bool{0: true, 35: false, 36: true} {
		if got := Has(as, "impersonate", minor); got != want {
			t.Errorf("constrained impersonation in 1.%d: %v", minor, got)
		}
	}
	if Has(byGet, "no-such-power", 0) {
		t.Error("a power that does not exist is held")
	}
}

// TestPowerTable holds the table together: unique ids, a title, at least one way with at least one need.
func TestPowerTable(t *testing.T) {
	ids := map[string]bool{}
	for _, p := range Powers() {
		if ids[p.ID] || p.ID == "" || p.Title == "" || len(p.Ways) == 0 {
			t.Errorf("%+v", p)
		}
		ids[p.ID] = true
		for _, w := range p.Ways {
			if len(w.Needs) == 0 {
				t.Errorf("%s has a way without need", p.ID)
			}
		}
		if PowerByID(p.ID).ID != p.ID {
			t.Errorf("%s is not found", p.ID)
		}
	}
}

func BenchmarkPowersOf(b *testing.B) {
	rules := l2(readPods, readSecrets, rule(l("create"), l("pods")), grouped("apps", l("*"), l("deployments")), grouped(rbacGroup, l("get"), l("*")))
	for b.Loop() {
		PowersOf(rules)
	}
}
