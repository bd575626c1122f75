package detect_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drawbridge/detections"
	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// TestLateMint: in a stream in which the making of a controller's token is told minutes after what was done with it, what was done
// is no longer the controller's, and the finding's story names who had the token made.
func TestLateMint(t *testing.T) {
	p, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	const (
		record = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"%s","stage":"ResponseComplete","requestURI":"%s","verb":"create","user":%s,"sourceIPs":["%s"],"userAgent":"x","objectRef":%s,"responseStatus":{"metadata":{},"code":201}%s,"requestReceivedTimestamp":"2026-11-01T%sZ","stageTimestamp":"2026-11-01T%sZ","annotations":{%s}}`
		jane   = `{"username":"jane","groups":["system:authenticated"]}`
		manage = `{"username":"system:kube-controller-manager","groups":["system:authenticated"]}`
		ours   = `{"username":"system:serviceaccount:kube-system:clusterrole-aggregation-controller","groups":["system:serviceaccounts"],"extra":{"authentication.kubernetes.io/credential-id":["JTI=1"]}}`
		bind   = `,"requestObject":{"kind":"ClusterRoleBinding","metadata":{"name":"b"},"subjects":[{"kind":"User","name":"eve"}],"roleRef":{"kind":"ClusterRole","name":"cluster-admin"}},"responseObject":{"kind":"ClusterRoleBinding","metadata":{"name":"b"},"subjects":[{"kind":"User","name":"eve"}],"roleRef":{"kind":"ClusterRole","name":"cluster-admin"}}`
		issued = `"authentication.kubernetes.io/issued-credential-id":"JTI=1"`
	)
	bound := fmt.Sprintf(record, "use", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", ours, "10.0.9.9", `{"resource":"clusterrolebindings","name":"b","apiGroup":"rbac.authorization.k8s.io"}`, bind, "10:01:00.000000", "10:01:00.000000", "")
	made := func(user string) string {
		return fmt.Sprintf(record, "mint", "/api/v1/namespaces/kube-system/serviceaccounts/clusterrole-aggregation-controller/token", user, "203.0.113.7", `{"resource":"serviceaccounts","namespace":"kube-system","name":"clusterrole-aggregation-controller","subresource":"token"}`, "", "10:00:00.000000", "10:00:00.000000", issued)
	}
	later := fmt.Sprintf(record, "later", "/api/v1/namespaces/x/configmaps", jane, "203.0.113.7", `{"resource":"configmaps","namespace":"x","name":"c"}`, "", "11:00:00.000000", "11:00:00.000000", "")
	for _, tt := range []struct {
		name   string
		events []string
		want   []string
	}{
		{"in order", []string{made(jane), bound, later}, []string{"cluster-admin-bound", "minted-token-used", "service-account-token-minted"}},
		{"made late", []string{bound, made(jane), later}, []string{"cluster-admin-bound", "minted-token-used", "service-account-token-minted"}},
		{"made by the control plane, late", []string{bound, made(manage), later}, nil},
		{"nobody knows by whom", []string{bound, later}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			var stories strings.Builder
			g := detect.New(p, &detect.Context{}, detect.Options{Lateness: 15 * time.Minute}, func(f finding.Finding) {
				got = append(got, f.ID)
				for _, e := range f.Evidence {
					stories.WriteString(e.Text + "; " + e.Source + "\n")
				}
			})
			d := event.NewDecoder(strings.NewReader(strings.Join(tt.events, "\n")+"\n"), event.Options{Cluster: "prod"})
			var e event.Event
			for d.Next(&e) == nil {
				g.Add(&e)
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
			if tt.want != nil && !strings.Contains(stories.String(), "was made by jane from 203.0.113.7; certain: the token's id in the request's user and in audit event mint") {
				t.Errorf("no story names who had the token made:\n%s", &stories)
			}
		})
	}
}

// TestSavedLedger: what cases of the detections told is there after the state was saved and read again.
func TestSavedLedger(t *testing.T) {
	p, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := detect.CasesOf(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Detection+"/"+c.Name, func(t *testing.T) {
			want := run(t, p, c, false)
			if got := run(t, p, c, true); !slices.Equal(got, want) {
				t.Errorf("saved and read again after each event: %q; otherwise %q", got, want)
			}
		})
	}
}

// run is what an engine finds in a case, saved and restored after each event or not.
func run(t *testing.T, p *detect.Program, c *detect.Case, saved bool) []string {
	t.Helper()
	var got []string
	report := func(f finding.Finding) { got = append(got, f.ID+" "+f.Message) }
	g := detect.New(p, c.Context, detect.Options{}, report)
	d := event.NewDecoder(bytes.NewReader(c.Events), event.Options{Input: c.Name, Cluster: c.Cluster})
	var e event.Event
	for n := 0; d.Next(&e) == nil && n < 12; n++ {
		g.Add(&e)
		if !saved {
			continue
		}
		var b bytes.Buffer
		if err := g.Save(&b); err != nil {
			t.Fatal(err)
		}
		restored, err := detect.Restore(&b, p, c.Context, detect.Options{}, report)
		if err != nil {
			t.Fatal(err)
		}
		g = restored
	}
	g.Flush()
	slices.Sort(got)
	return got
}
