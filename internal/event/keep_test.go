package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	jwt      = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6YTpiIn0.c2lnbmF0dXJlc2lnbmF0dXJl"
	eksToken = "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXhhbXBsZS8_QWN0aW9uPUdldENhbGxlcklkZW50aXR5"
)

func TestRedact(t *testing.T) {
	for _, c := range []struct{ name, record, want string }{
		{
			"TokenRequest", `{"responseObject":{"kind":"TokenRequest","spec":{"audiences":["sts.amazonaws.com"]},"status":{"token":"` + jwt + `","expirationTimestamp":"2026-11-23T10:00:00Z"}}}`,
			`{"responseObject":{"kind":"TokenRequest","spec":{"audiences":["sts.amazonaws.com"]},"status":{"token":"(redacted)","expirationTimestamp":"2026-11-23T10:00:00Z"}}}`,
		},
		{"TokenReview, opaque token", `{"requestObject":{"kind":"TokenReview","spec":{"token":"opaque","audiences":["a"]}}}`, `{"requestObject":{"kind":"TokenReview","spec":{"token":"(redacted)","audiences":["a"]}}}`},
		{
			"Secret", `{"requestObject":{"kind":"Secret","metadata":{"name":"s"},"data":{"k":"dg=="},"stringData":{"k":"v"},"type":"Opaque"}}`,
			`{"requestObject":{"kind":"Secret","metadata":{"name":"s"},"data":{"k":"(redacted)"},"stringData":{"k":"(redacted)"},"type":"Opaque"}}`,
		},
		{"list of Secrets", `{"responseObject":{"kind":"SecretList","items":[{"metadata":{"name":"s"},"data":{"k":"dg=="}}]}}`, `{"responseObject":{"kind":"SecretList","items":[{"metadata":{"name":"s"},"data":{"k":"(redacted)"}}]}}`},
		{"patch of a Secret, before what it is about", `{"requestObject":{"data":{"k":"dg=="}},"objectRef":{"resource":"secrets"}}`, `{"requestObject":{"data":{"k":"(redacted)"}},"objectRef":{"resource":"secrets"}}`},
		{
			"JSON patch of a Secret", `{"objectRef":{"resource":"secrets"},"requestObject":[{"op":"add","path":"/data/k","value":"dg=="},{"op":"add","path":"/data","value":{"a":"dg=="}}]}`,
			`{"objectRef":{"resource":"secrets"},"requestObject":[{"op":"add","path":"/data/k","value":"(redacted)"},{"op":"add","path":"/data","value":{"a":"(redacted)"}}]}`,
		},
		{
			"Secret applied by kubectl", `{"requestObject":{"kind":"Secret","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"kind\":\"Secret\",\"data\":{\"k\":\"dg==\"}}"}}}}`,
			`{"requestObject":{"kind":"Secret","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"(redacted)"}}}}`,
		},
		{
			"data of a ConfigMap stay", `{"objectRef":{"resource":"configmaps"},"note":"secret","requestObject":{"kind":"ConfigMap","data":{"mapRoles":"- rolearn: x\n"}}}`,
			`{"objectRef":{"resource":"configmaps"},"note":"secret","requestObject":{"kind":"ConfigMap","data":{"mapRoles":"- rolearn: x\n"}}}`,
		},
		{
			"issued credentials", `{"responseElements":{"credentials":{"accessKeyId":"ASIAX","sessionToken":"abc","secretAccessKey":"def","expiration":"x"}}}`,
			`{"responseElements":{"credentials":{"accessKeyId":"ASIAX","sessionToken":"(redacted)","secretAccessKey":"(redacted)","expiration":"x"}}}`,
		},
		{"web identity", `{"requestParameters":{"roleArn":"r","webIdentityToken":"abc"}}`, `{"requestParameters":{"roleArn":"r","webIdentityToken":"(redacted)"}}`},
		{"what AWS hid itself", `{"requestParameters":{"clusterName":"prod","token":"HIDDEN_DUE_TO_SECURITY_REASONS"}}`, `{"requestParameters":{"clusterName":"prod","token":"HIDDEN_DUE_TO_SECURITY_REASONS"}}`},
		{"keys in other case and with escapes", `{"SecretAccessKey":"a","session\u0054oken":"b","TOKEN":"c","nextToken":"d"}`, `{"SecretAccessKey":"(redacted)","session\u0054oken":"(redacted)","TOKEN":"(redacted)","nextToken":"d"}`},
		{"headers", `{"Authorization":["Bearer abc"],"authorization":"AWS4-HMAC-SHA256 Credential=a"}`, `{"Authorization":["(redacted)"],"authorization":"(redacted)"}`},
		{
			"variables of a container", `{"env":[{"name":"AWS_SECRET_ACCESS_KEY","value":"abc"},{"value":"def","name":"AWS_SESSION_TOKEN"},{"name":"AWS_REGION","value":"eu-west-1"}]}`,
			`{"env":[{"name":"AWS_SECRET_ACCESS_KEY","value":"(redacted)"},{"value":"(redacted)","name":"AWS_SESSION_TOKEN"},{"name":"AWS_REGION","value":"eu-west-1"}]}`,
		},
		{"EKS token in a text", `{"requestURI":"/exec?command=curl&command=` + eksToken + `&x=1"}`, `{"requestURI":"/exec?command=curl&command=k8s-aws-v1.(redacted)&x=1"}`},
		{"JWT in a text", `{"requestURI":"/x?token=` + jwt + `&y"}`, `{"requestURI":"/x?token=(redacted)&y"}`},
		{"bearer in a text", `{"args":["curl -H 'Authorization: Bearer abc.def' x"]}`, `{"args":["curl -H 'Authorization: Bearer (redacted)' x"]}`},
		{"presigned URL", `{"url":"https://b/k?X-Amz-Credential=AKIAX%2F2026&X-Amz-Security-Token=IQo%2Fabc%3D&X-Amz-Signature=0a1b"}`, `{"url":"https://b/k?X-Amz-Credential=AKIAX%2F2026&X-Amz-Security-Token=(redacted)&X-Amz-Signature=(redacted)"}`},
		{"a record in a string", `{"log":"{\"status\":{\"token\":\"abc\"},\"n\":1}"}`, `{"log":"{\"status\":{\"token\":\"(redacted)\"},\"n\":1}"}`},
		{"a record in a string in a record", `{"message":` + quoted(`{"message":`+quoted(`{"token":"abc"}`)+`}`) + `}`, `{"message":` + quoted(`{"message":`+quoted(`{"token":"(redacted)"}`)+`}`) + `}`},
		{"headers in a string", `{"log":` + quoted(`{"authorization":"abc"}`) + `}`, `{"log":` + quoted(`{"authorization":"(redacted)"}`) + `}`},
		{"headers in a string, quotes written as escapes", `{"log":"{\u0022authorization\u0022:\u0022abc\u0022}"}`, `{"log":"{\"authorization\":\"(redacted)\"}"}`},
		{"keys with letters equal to k and s", `{"toKen":"a","paſsword":"b"}`, `{"toKen":"(redacted)","paſsword":"(redacted)"}`},
		{"lines and texts between", "2026-11-23T10:00:00Z {\"token\":\"abc\"}\n{\"token\":\"def\"}\nplain " + eksToken + "\n", "2026-11-23T10:00:00Z {\"token\":\"(redacted)\"}\n{\"token\":\"(redacted)\"}\nplain k8s-aws-v1.(redacted)\n"},
		{"truncated", `{"a":{"token":"` + jwt, `{"a":{"token":"(redacted)`},
		{"truncated, opaque token", `{"a":{"token":"abc","b":`, `{"a":{"token":"(redacted)","b":`},
		{"a token that is no token", `{"a":"eyJ","b":"Bearer ","c":"k8s-aws-v1."}`, `{"a":"eyJ","b":"Bearer ","c":"k8s-aws-v1."}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff("x"+c.want, string(Redact([]byte("x"), []byte(c.record)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRedactLeavesTheRest: real events without credentials come back byte by byte, and what was valid JSON stays so.
func TestRedactLeavesTheRest(t *testing.T) {
	for line := range bytes.Lines(audit(t)) {
		if bytes.Contains(line, []byte(`"resource":"secrets"`)) || bytes.Contains(line, []byte("oken")) {
			continue
		}
		if got := Redact(nil, line); !bytes.Equal(got, line) {
			t.Fatalf("%s", cmp.Diff(string(line), string(got)))
		}
	}
	for _, s := range samples(t) {
		if json.Valid(s) && !json.Valid(Redact(nil, s)) {
			t.Errorf("%q became %q", s, Redact(nil, s))
		}
	}
}

// TestRedactOfTheUnsuspected: what Redact copies unseen is what it would have copied after a look, whole or broken.
func TestRedactOfTheUnsuspected(t *testing.T) {
	pieces := []string{
		`{`, `}`, `[`, `]`, `"`, `\"`, `\\`, `:`, `,`, "\n", " ", `"kind":"Event"`, `"kind":"SecretList"`, `{"data":{"k":"v"}}`, `"objectRef":{"resource":"secrets"}`,
		"tok", "en", "TOKEN", "K", "ſ", `"authorization":"abc"`, `authoriz`, `ation`, `\u0022`, `\u006e`, `\u0041`, "Bear", "er abc", "bearer abc", "k8s-aws-v1", ".abc",
		"X-Amz-", "Signature=0a", "x-amz-security-", "token=0a", "ey", "JhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0", "secretAccess", "Key", "pass", "word", "sAMLAssertion", "webIdentity",
		"AWS_SESSION_", `"name":"AWS_SECRET_ACCESS_KEY","value":"v"`, `"value":"v"`, "plain",
	}
	unsuspected, walked := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		x := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(rt, "pieces"), ""))
		if rapid.Bool().Draw(rt, "whole") {
			x = fmt.Appendf(nil, `{%q:{"a":%q},"b":[%q]}`, x[:len(x)/2], x, x[len(x)/3:])
		}
		if isSuspect(x) {
			return
		}
		unsuspected++
		if got := redact(nil, x); !bytes.Equal(got, x) {
			rt.Fatalf("unsuspected, and a look changes it:\n%s\n%s", x, got)
		}
		if json.Valid(x) { // every value is walked, whether or not it looks suspect
			var plain bytes.Buffer
			if err := json.Compact(&plain, x); err != nil {
				rt.Fatal(err)
			}
			r := redactor{secrets: true, marks: marks}
			if r.value(plain.Bytes(), inRecord); !bytes.Equal(r.out, plain.Bytes()) {
				rt.Fatalf("unsuspected, and a walk changes it:\n%s\n%s", plain.Bytes(), r.out)
			}
			walked++
		}
	})
	for _, x := range samples(t) {
		if got := redact(nil, x); !isSuspect(x) && !bytes.Equal(got, x) {
			t.Errorf("unsuspected, and a look changes it:\n%s\n%s", x, got)
		}
	}
	if unsuspected == 0 || walked == 0 {
		t.Errorf("%d unsuspected, %d of them walked: nothing was tested", unsuspected, walked)
	}
}

func TestKeep(t *testing.T) {
	raw := []byte(`{"auditID":"1","verb":"create","requestReceivedTimestamp":"2026-11-23T10:00:00Z","userAgent":"a ` + eksToken + ` b","responseObject":{"status":{"token":"abc"}},"objectRef":{"resource":"serviceaccounts"}}`)
	d := NewDecoder(bytes.NewBuffer(raw), Options{Input: "a.log", Cluster: "prod"})
	var e Event
	if err := d.Next(&e); err != nil {
		t.Fatal(err)
	}
	kept := e.Keep()
	for i := range raw {
		raw[i] = 'x'
	}
	if kept.ID() != "1" || kept.Plane() != Kubernetes || kept.Input() != "a.log" || kept.Cluster().Name != "prod" || !kept.Time().Equal(e.time) || !kept.Field(Resource).Is("serviceaccounts") {
		t.Errorf("kept %s", kept.Raw())
	}
	if s := string(kept.Raw()); strings.Contains(s, "abc") || !kept.Field(UserAgent).Is("a k8s-aws-v1.(redacted) b") {
		t.Errorf("kept %s", s)
	}
}

// TestIsSuspect: what Redact changes is suspect.
func TestIsSuspect(t *testing.T) {
	for _, word := range suspicions {
		for at := range 20 {
			for _, w := range []string{word, strings.ToUpper(word)} {
				w = strings.ReplaceAll(w, `\U`, `\u`)
				if text := strings.Repeat("t", at) + w + "x"; !isSuspect([]byte(text)) {
					t.Errorf("%q", text)
				}
			}
		}
	}
	for _, key := range credentialKeys {
		if record := `{"a":{"` + key + `":"abc"}}`; string(Redact(nil, []byte(record))) == record {
			t.Errorf("%s is not redacted", key)
		}
	}
	for _, text := range []string{"", "toke", `"kind":"Event","apiVersion":"audit.k8s.io/v1","authorization.k8s.io/decision":"allow"`} {
		if isSuspect([]byte(text)) {
			t.Errorf("%q", text)
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	corpus := auditCorpus(b, 1<<20)
	out := make([]byte, 0, 2*len(corpus))
	b.SetBytes(int64(len(corpus)))
	for b.Loop() {
		for record := range bytes.Lines(corpus) {
			out = Redact(out[:0], record)
		}
	}
}
