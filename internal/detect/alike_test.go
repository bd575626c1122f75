package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// TestAlike: that one record speaks for those of its minute that are alike loses no finding. Each record of the cases comes
// several times within minutes, in any order, some with the address, the program or the action of another.
func TestAlike(t *testing.T) {
	spared, plain := catalogue(t), withoutIndex(t)
	if x := spared.indexes[event.CloudTrail]; x.asked == nil || slices.ContainsFunc(x.gates, func(g gate) bool { return !g.alike }) {
		t.Fatal("records of CloudTrail are not spared")
	}
	cases, err := CasesOf(os.DirFS("../../detections"))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(7, 11))
	pools := map[string][]map[string]json.RawMessage{}
	for _, c := range cases {
		pools[c.Detection] = append(pools[c.Detection], trailRecords(c.Events)...)
	}
	reported, skipped := 0, 0
	for _, c := range cases {
		var lines [][]byte
		for line := range bytes.Lines(c.Events) {
			lines = append(lines, bytes.TrimSpace(line))
		}
		for i, r := range trailRecords(c.Events) {
			for n := range 12 {
				lines = append(lines, likeness(t, random, r, pools[c.Detection], fmt.Sprintf("like-%d-%d", i, n)))
			}
		}
		random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		for _, late := range []time.Duration{0, 15 * time.Minute} {
			got, spoken := reports(t, spared, c, lines, late)
			want, _ := reports(t, plain, c, lines, late)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s/%s: with every record looked at -, with those that others speak for spared +:\n%s", c.Detection, c.Name, diff)
			}
			reported, skipped = reported+len(got), skipped+spoken
		}
	}
	if reported < 200 || skipped < 500 {
		t.Errorf("%d findings, %d records spared", reported, skipped)
	}
}

func trailRecords(events []byte) (out []map[string]json.RawMessage) {
	for line := range bytes.Lines(events) {
		var r map[string]json.RawMessage
		if json.Unmarshal(line, &r) == nil && r["eventName"] != nil {
			out = append(out, r)
		}
	}
	return out
}

// likeness is a record again, a little earlier or later, sometimes with a part of another of the same detection.
func likeness(t *testing.T, random *rand.Rand, r map[string]json.RawMessage, pool []map[string]json.RawMessage, id string) []byte {
	out := map[string]json.RawMessage{}
	for k, v := range r {
		out[k] = v
	}
	var at time.Time
	if json.Unmarshal(r["eventTime"], &at) == nil {
		out["eventTime"], _ = json.Marshal(at.Add(time.Duration(random.IntN(150)-75) * time.Second).Format(time.RFC3339))
	}
	out["eventID"], _ = json.Marshal(id)
	other := pool[random.IntN(len(pool))]
	for _, name := range []string{"userIdentity", "sourceIPAddress", "userAgent", "vpcEndpointId", "vpcEndpointAccountId", "additionalEventData", "errorCode"} {
		if random.IntN(8) == 0 {
			delete(out, name)
			if v, ok := other[name]; ok {
				out[name] = v
			}
		}
	}
	if random.IntN(4) == 0 {
		out["eventSource"], out["eventName"] = other["eventSource"], other["eventName"]
	}
	line, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// reports are the detections and fingerprints of what is found, and how many records another one spoke for.
func reports(t *testing.T, p *Program, c *Case, lines [][]byte, late time.Duration) (out []string, spoken int) {
	g := New(p, c.Context, Options{Lateness: late}, func(f finding.Finding) { out = append(out, f.ID+" "+f.Fingerprint) })
	readAll(t, g, c, lines, func(e *event.Event) {
		if e.Plane() == event.CloudTrail && g.look.likeness != 0 && !g.look.unlike {
			spoken++
		}
	})
	slices.Sort(out)
	return slices.Compact(out), spoken
}

// TestAlikeToARule: records are not alike to a rule for which the ledger tells of what they asked for, whoever asked: neither the
// other entry nor the other role of the same minute is spared.
func TestAlikeToARule(t *testing.T) {
	const rule = "title: T\nname: t\nlevel: high\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {%s}, condition: s}\ndrawbridge: {once: [%s], cluster: drawbridge.actor}\n"
	const admin = `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/admin/jane","accountId":"111122223333","accessKeyId":"ASIAEXAMPLEADMIN0001","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/admin"}}},` +
		`"eventTime":"2026-11-01T10:00:%[1]sZ","eventSource":"eks.amazonaws.com","eventName":"CreateAccessEntry","sourceIPAddress":"203.0.113.7","requestParameters":{"name":"prod","principalArn":"arn:aws:iam::111122223333:role/%[2]s"},"eventID":"%[1]s"}`
	const pod = `{"eventVersion":"1.11","userIdentity":{"type":"WebIdentityUser","userName":"system:serviceaccount:web:shop","identityProvider":"arn:aws:iam::111122223333:oidc-provider/x"},` +
		`"eventTime":"2026-11-01T10:00:%[1]sZ","eventSource":"sts.amazonaws.com","eventName":"AssumeRoleWithWebIdentity","sourceIPAddress":"203.0.113.7","requestParameters":{"roleArn":"arn:aws:iam::111122223333:role/%[2]s"},"responseElements":{"credentials":{"accessKeyId":"ASIAEXAMPLEIRSA00%[1]s"}},"eventID":"%[1]s"}`
	const decoded = `{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/jane"},"eventTime":"2026-11-01T10:00:%[1]sZ","eventSource":"%[2]s.amazonaws.com","eventName":"x","requestParameters":{"name":"a%%3Ab"},"eventID":"%[1]s"}`
	const session = `{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/jane","sessionContext":{"attributes":{"mfaAuthenticated":"%[2]s"}}},"eventTime":"2026-11-01T10:00:%[1]sZ","eventSource":"s3.amazonaws.com","eventName":"x","eventID":"%[1]s"}`
	for _, tt := range []struct{ name, condition, once, record, first, second string }{
		{"of who asks", "drawbridge.instance.cluster: null, userIdentity.sessionContext.attributes.mfaAuthenticated: 'false'", "userIdentity.arn", session, "true", "false"},
		{"of the entry", "drawbridge.entry.self: itself", "userIdentity.arn", admin, "other", "admin"},
		{"of the key that is asked for", "drawbridge.key.role|endswith: '/admin'", "userIdentity.userName", pod, "other", "admin"},
		{"of what is decoded for one service", "drawbridge.instance.cluster: null, requestParameters.name: 'a:b'", "userIdentity.arn", decoded, "s3", "eks"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Load(fstest.MapFS{"t.yml": {Data: fmt.Appendf(nil, rule, tt.condition, tt.once)}})
			if err != nil {
				t.Fatal(err)
			}
			lines := [][]byte{fmt.Appendf(nil, tt.record, "10", tt.first), fmt.Appendf(nil, tt.record, "20", tt.second)}
			if got, _ := reports(t, p, &Case{Context: &Context{}}, lines, 0); len(got) != 1 {
				t.Errorf("found %q, want one finding", got)
			}
		})
	}
}
