package detections_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/detect"
)

type record = map[string]any

func member(r record, name string) record { m, _ := r[name].(record); return m }

// creates says that a record is a create of an object that other verbs can make as well.
func creates(r record) bool {
	ref := member(r, "objectRef")
	resource, _ := ref["resource"].(string)
	return r["verb"] == "create" && ref["subresource"] == nil && resource != "" && !strings.HasSuffix(resource, "reviews")
}

// by makes of a create a request of another verb, which says the object's name.
func by(verb string) func(record) bool {
	return func(r record) bool {
		if !creates(r) {
			return false
		}
		r["verb"], r["responseStatus"] = verb, record{"code": 201}
		ref := member(r, "objectRef")
		if name := member(member(r, "responseObject"), "metadata")["name"]; name != nil {
			ref["name"] = name
		}
		return true
	}
}

// onEKS changes the parameters of a call of EKS.
func onEKS(change func(record) bool) func(record) bool {
	return func(r record) bool {
		p := member(r, "requestParameters")
		return r["eventSource"] == "eks.amazonaws.com" && p != nil && change(p)
	}
}

// spellings are other ways to write the same request, or to have it logged.
var spellings = map[string]func(record) bool{
	"server-side apply that creates": by("patch"),
	"update that creates":            by("update"),
	"a name that the API server makes": func(r record) bool {
		if !creates(r) || member(member(r, "responseObject"), "metadata")["name"] == nil {
			return false
		}
		delete(member(r, "objectRef"), "name")
		return true
	},
	"server-side apply for an update": func(r record) bool {
		if r["verb"] != "update" || r["requestObject"] == nil || r["responseObject"] == nil {
			return false
		}
		r["verb"] = "patch"
		return true
	},
	"another version of the API": func(r record) bool {
		ref := member(r, "objectRef")
		if ref["apiVersion"] != "v1" {
			return false
		}
		ref["apiVersion"] = "v1beta1"
		return true
	},
	"ARNs percent-encoded": onEKS(func(p record) bool {
		done := false
		for k, v := range p {
			if s, ok := v.(string); ok && strings.HasPrefix(s, "arn:") {
				p[k], done = strings.NewReplacer(":", "%3A", "/", "%2F").Replace(s), true
			}
		}
		return done
	}),
	"the cluster by its other field": onEKS(func(p record) bool {
		name, ok := p["name"]
		if !ok || p["accessConfig"] != nil || p["roleArn"] != nil && p["namespace"] == nil { // CreateCluster has no other
			return false
		}
		delete(p, "name")
		p["clusterName"] = name
		return true
	}),
}

// lessBySpelling are detections that say less of some spelling, and may.
var lessBySpelling = []string{"aws-auth-created/match/by-eks"} // what EKS itself does is but told

// TestSpelling: whichever of the API's spellings a request has, each match case is reported as before, and as serious.
func TestSpelling(t *testing.T) {
	p := load(t)
	for _, c := range matching(t) {
		want, err := c.Run(p)
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range spellings {
			events, changed := rewritten(c.Events, change)
			if !changed || slices.Contains(lessBySpelling, c.Detection+"/"+c.Name) {
				continue
			}
			other := *c
			other.Events = events
			got, err := other.Run(p)
			if err != nil {
				t.Errorf("%s/%s, %s: %v", c.Detection, c.Name, name, err)
			} else if len(got) < len(want) || worst(got) < worst(want) {
				t.Errorf("%s/%s, %s: reported\n\t%s\nand otherwise\n\t%s", c.Detection, c.Name, name, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
		}
	}
}

// TestPartitions: in China and in GovCloud the same is reported. What a snapshot tells is of one partition, and left out.
func TestPartitions(t *testing.T) {
	p := load(t)
	for _, c := range matching(t) {
		if c.Context.Access != nil || bytes.Contains(c.Events, []byte("arn:aws-")) {
			continue
		}
		want, err := c.Run(p)
		if err != nil {
			t.Fatal(err)
		}
		for partition, region := range map[string]string{"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"} {
			move := strings.NewReplacer("arn:aws:", "arn:"+partition+":", "arn%3Aaws%3A", "arn%3A"+partition+"%3A", "eu-central-1", region, "us-east-1", region)
			other := *c
			other.Events, other.Cluster = []byte(move.Replace(string(c.Events))), move.Replace(c.Cluster)
			got, err := other.Run(p)
			if err != nil {
				t.Errorf("%s/%s in %s: %v", c.Detection, c.Name, partition, err)
			} else if len(got) < len(want) || worst(got) < worst(want) {
				t.Errorf("%s/%s in %s: reported\n\t%s\nand otherwise\n\t%s", c.Detection, c.Name, partition, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
		}
	}
}

// despiteDryRun are detections of what a dry run gives as well: a token, what Secrets hold, or that it was asked for.
var despiteDryRun = []string{
	"cloud-token-minted", "service-account-token-minted", "minted-token-used", "token-then-role-then-cloud", "secrets-listed-everywhere", "secrets-enumerated",
	"anonymous-request-allowed", "denied-burst", "privileged-identity-impersonated", "exec-into-aws-bearing-pod", "nodes-proxy-used",
	"service-account-token-used-outside", "first-admin-use-of-access-policy", "workload-key-used-as-cluster-user", "grant-then-secrets",
	"access-entry-created-then-deleted", "node-credential-used-outside",
}

// TestDryRun: what changes nothing is not reported, unless the attempt gives or tells something.
func TestDryRun(t *testing.T) {
	p := load(t)
	for _, c := range matching(t) {
		if slices.Contains(despiteDryRun, c.Detection) {
			continue
		}
		events, changed := rewritten(c.Events, func(r record) bool {
			verb, _ := r["verb"].(string)
			if verb == "" || verb == "get" || verb == "list" || verb == "watch" {
				return false
			}
			uri, _ := r["requestURI"].(string)
			sep := "?"
			if strings.Contains(uri, "?") {
				sep = "&"
			}
			r["requestURI"] = uri + sep + "dryRun=All"
			if strings.HasPrefix(verb, "delete") {
				r["requestObject"] = record{"kind": "DeleteOptions", "dryRun": []any{"All"}}
			}
			return true
		})
		if !changed {
			continue
		}
		other := *c
		other.Events = events
		if got, err := other.Run(p); err != nil || len(got) > 0 {
			t.Errorf("%s/%s as a dry run: %v, reported\n\t%s", c.Detection, c.Name, err, strings.Join(got, "\n\t"))
		}
	}
}

// matching are the match cases.
func matching(t *testing.T) []*detect.Case {
	t.Helper()
	cases, err := detect.CasesOf(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(cases, func(c *detect.Case) bool { return !c.Match })
}

// rewritten are lines of JSON with a change, and whether that changed one.
func rewritten(lines []byte, change func(record) bool) (out []byte, changed bool) {
	for line := range bytes.Lines(bytes.TrimSpace(lines)) {
		var r record
		if json.Unmarshal(line, &r) == nil && change(r) {
			if fresh, err := json.Marshal(r); err == nil {
				line, changed = append(fresh, '\n'), true
			}
		}
		out = append(out, line...)
	}
	return out, changed
}

// worst is the highest severity among lines of findings.
func worst(lines []string) int {
	order := []string{"informational", "low", "medium", "high", "critical"}
	most := -1
	for _, line := range lines {
		severity, _, _ := strings.Cut(line, " ")
		most = max(most, slices.Index(order, severity))
	}
	return most
}
