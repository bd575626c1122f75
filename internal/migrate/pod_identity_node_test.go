package migrate

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/event"
	"drawbridge/internal/model"
)

// cloudTrail is what CloudTrail has of calls: each "instance source name error", of the nodes' role.
func cloudTrail(t *testing.T, calls ...string) *NodeUse {
	t.Helper()
	var records []string
	for i, call := range calls {
		f := append(strings.Fields(call), "", "", "")
		code := ""
		if f[3] != "" {
			code = `,"errorCode":"` + f[3] + `"`
		}
		records = append(records, fmt.Sprintf(`{"eventVersion":"1.09","eventTime":"2026-11-%02dT10:00:00Z","eventSource":"%s","eventName":"%s","eventID":"%d","userIdentity":{"type":"AssumedRole","principalId":"AROA0:%s","arn":"arn:aws:sts::%s:assumed-role/nodes/%s","accountId":"%s"}%s}`,
			i%28+1, f[1], f[2], i, f[0], own, f[0], own, code))
	}
	n := NewNodeUse()
	d := event.NewDecoder(strings.NewReader(`{"Records":[`+strings.Join(records, ",")+`]}`), event.Options{})
	var e event.Event
	for {
		switch err := d.Next(&e); {
		case errors.Is(err, io.EOF):
			return n
		case err != nil:
			t.Fatal(err)
		}
		n.See(&e)
	}
}

// TestNodeRole has what is said of service accounts that rely on their nodes' role: what logs prove and no more.
func TestNodeRole(t *testing.T) {
	const node = "i-0123456789abcdef0"
	// bare is a cluster in which shop/web, and as many others as wanted, have nothing but their node's role.
	bare := func(others int) *model.Snapshot {
		s := aged()
		c := s.Clusters[0]
		c.Workloads = c.Workloads[:1]
		c.Workloads[0].TemplateAnnotations = nil
		s.Accounts[0].Roles[0].Trust = trustOf(podsService)
		for i := range others {
			pod := *c.Pods[0]
			pod.Name, pod.Owner, pod.ServiceAccount = fmt.Sprint("x-", i), "", fmt.Sprint("x-", i)
			c.Pods = append(c.Pods, &pod)
		}
		return s
	}
	got := node + " s3.amazonaws.com GetObject"

	t.Run("one alone is named, and not accused", func(t *testing.T) {
		r := migratePods(t, bare(0), Options{NodeUse: cloudTrail(t, got, got)})
		want := "role nodes of the nodes was used for what AWS's policies for nodes do not allow: GetObject of s3.amazonaws.com (2 times, last 2026-11-02) (2 records of CloudTrail from 2026-11-01 to 2026-11-02); of the service accounts that run there now, only shop/web reaches it and has nothing else, but the nodes' own software does too: if it was the service account, name a role with --role shop/web=ARN"
		if diff := cmp.Diff([]string{want}, r.Blockers); diff != "" || len(r.Steps) > 0 {
			t.Errorf("blockers (-want +got):\n%s\n%s", diff, r.Changes)
		}
	})
	t.Run("what several share is laid at nobody's door", func(t *testing.T) {
		r := migratePods(t, bare(2), Options{NodeUse: cloudTrail(t, got)})
		if len(r.Blockers) != 1 || !strings.Contains(r.Blockers[0], "3 service accounts that run there now reach it") || !strings.Contains(r.Blockers[0], "no log tells which of them it was: shop/web; shop/x-0; shop/x-1") {
			t.Errorf("blockers %v", r.Blockers)
		}
		if len(r.Items)+len(r.Steps) > 0 {
			t.Errorf("items %+v", r.Items)
		}
	})
	for name, calls := range map[string][]string{
		"nothing at all":                  {},
		"what nodes do themselves":        {node + " ec2.amazonaws.com DescribeInstances", node + " ecr.amazonaws.com GetAuthorizationToken"},
		"calls that were refused":         {got + " AccessDenied"},
		"another instance":                {"i-0fedcba9876543210 s3.amazonaws.com GetObject"},
		"a session that is no instance's": {"web-session s3.amazonaws.com GetObject"},
	} {
		t.Run("says nothing: "+name, func(t *testing.T) {
			if r := migratePods(t, bare(1), Options{NodeUse: cloudTrail(t, calls...)}); len(r.Blockers)+len(r.Warnings)+len(r.Items) > 0 {
				t.Errorf("blockers %v, warnings %v, items %+v", r.Blockers, r.Warnings, r.Items)
			}
		})
	}
	t.Run("pods that cannot reach it did not use it", func(t *testing.T) {
		s := bare(0)
		s.Clusters[0].Instances[0].HopLimit = 1
		r := migratePods(t, s, Options{NodeUse: cloudTrail(t, got)})
		if len(r.Blockers) > 0 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "none that stays has to rely on it") {
			t.Errorf("blockers %v, warnings %v", r.Blockers, r.Warnings)
		}
	})
	t.Run("a role that is named", func(t *testing.T) {
		r := migratePods(t, bare(1), Options{Roles: map[string]string{"shop/web": role("web")}, NodeUse: cloudTrail(t, got, node+" sqs.amazonaws.com SendMessage")})
		if len(r.Items) != 1 || r.Items[0].From != FromNode || r.Items[0].Becomes != BecomesPodIdentity {
			t.Fatalf("items %+v", r.Items)
		}
		notes := strings.Join(r.Items[0].Notes, "\n")
		if !strings.Contains(notes, "called GetObject of s3.amazonaws.com (1 times, last 2026-11-01); SendMessage of sqs.amazonaws.com") || !strings.Contains(notes, "the role does not allow SendMessage of sqs.amazonaws.com") {
			t.Errorf("notes:\n%s", notes)
		}
		if diff := cmp.Diff([]string{PhaseAssociate, PhaseRestart}, phasesOf(r)); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
		if len(r.Proof.Gained) == 0 || len(r.Proof.Lost) > 0 {
			t.Errorf("gained %v, lost %v", r.Proof.Gained, r.Proof.Lost)
		}
		if len(r.Blockers) != 1 || strings.Contains(r.Blockers[0], "shop/web") {
			t.Errorf("blockers %v", r.Blockers)
		}
	})
	t.Run("a role that is named, without logs", func(t *testing.T) {
		r := migratePods(t, bare(1), Options{Roles: map[string]string{"shop/web": role("web"), "shop/nobody": role("web")}})
		if len(r.Items) != 1 || len(r.Blockers) > 0 {
			t.Errorf("items %+v, blockers %v", r.Items, r.Blockers)
		}
	})
	t.Run("a role that it has already, and its pods not yet", func(t *testing.T) {
		s := bare(0)
		s.Clusters[0].PodIdentityAssociations = []*model.PodIdentityAssociation{{Namespace: "shop", ServiceAccount: "web", RoleARN: role("web")}}
		if r := migratePods(t, s, Options{Roles: map[string]string{"shop/web": role("web")}}); len(r.Items)+len(r.Steps) > 0 {
			t.Errorf("items %+v", r.Items)
		}
	})
	for name, c := range map[string]struct {
		sa, role, want string
	}{
		"a role that is not there":                {"web", role("gone"), "does not exist"},
		"a role of another account":               {"web", abroadRole, "not of the cluster's account"},
		"a service account for whatever has none": {"default", role("web"), "of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			s := bare(0)
			s.Clusters[0].Pods[0].ServiceAccount = c.sa
			r := migratePods(t, s, Options{Roles: map[string]string{"shop/" + c.sa: c.role}})
			if len(r.Items) != 1 || r.Items[0].Becomes != Blocked || !strings.Contains(r.Items[0].Why, c.want) || len(r.Steps) > 0 {
				t.Errorf("%+v, want blocked (… %s …)", r.Items, c.want)
			}
		})
	}
	t.Run("other logs tell nothing", func(t *testing.T) {
		n := NewNodeUse()
		var e event.Event
		if err := event.Scan([]byte(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","stage":"ResponseComplete","verb":"get","user":{"username":"x"}}`), &e); err != nil {
			t.Fatal(err)
		}
		if n.See(&e); n.Other != 1 || n.Records != 0 {
			t.Errorf("%+v", n)
		}
	})
	t.Run("an instance with endlessly many calls", func(t *testing.T) {
		var calls []string
		for i := range callsMax + 10 {
			calls = append(calls, fmt.Sprintf("%s s3.amazonaws.com Call%d", node, i))
		}
		if n := cloudTrail(t, calls...); len(n.calls[node]) != callsMax {
			t.Errorf("%d calls are told apart", len(n.calls[node]))
		}
	})
}
