package event

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What real records were seen to be, each a test. The records here are synthetic, in the shape of those.

func eksRecord(name, parameters string) string {
	return `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole"},"eventTime":"2026-11-23T10:00:00Z","eventSource":"eks.amazonaws.com","eventName":"` + name + `","awsRegion":"eu-west-1","requestParameters":` + parameters + `,"eventID":"1","recipientAccountId":"111122223333"}`
}

func TestPercentEncodedRequestParameters(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/dev"
	encoded := scanned(t, eksRecord("AssociateAccessPolicy", `{"name":"prod","principalArn":"arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fdev","policyArn":"arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy","accessScope":{"type":"namespace","namespaces":["100%","a%2Db","%zz","%4"]}}`))
	plain := scanned(t, eksRecord("CreateAccessEntry", `{"name":"prod","principalArn":"`+arn+`"}`))
	for _, e := range []*Event{encoded, plain} {
		v := e.Find(ParsePath(CloudTrail, "requestParameters.principalArn")).First()
		if v.String() != arn || !v.Is(arn) {
			t.Errorf("%s", v)
		}
		if v := e.Field(RequestParameters).Find("principalArn").First(); !v.Is(arn) {
			t.Errorf("below the field: %s", v)
		}
	}
	v := encoded.Find(ParsePath(CloudTrail, "requestParameters.principalArn")).First()
	if v.Is("arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fdev") {
		t.Error("the encoded form is still there")
	}
	if diff := cmp.Diff([]string{"100%", "a-b", "%zz", "%4"}, find(encoded, "requestParameters.accessScope.namespaces")); diff != "" {
		t.Error(diff)
	}
	other := scanned(t, strings.Replace(eksRecord("PutObject", `{"key":"a%2Fb"}`), "eks.amazonaws.com", "s3.amazonaws.com", 1))
	if got := find(other, "requestParameters.key"); got[0] != "a%2Fb" {
		t.Errorf("of another service: %s", got)
	}
}

func TestClusterOfCloudTrail(t *testing.T) {
	prod := Cluster{"prod", "111122223333", "eu-west-1"}
	tags := func(list string) string {
		return strings.Replace(eksRecord("AssumeRole", `{"roleArn":"arn:aws:iam::111122223333:role/app","tags":`+list+`}`), "eks.amazonaws.com", "sts.amazonaws.com", 1)
	}
	for _, c := range []struct {
		name, record string
		want         Cluster
	}{
		{"name", eksRecord("CreateAccessEntry", `{"name":"prod"}`), prod},
		{"clusterName", eksRecord("CreateAccessEntry", `{"clusterName":"prod"}`), prod},
		{"clusterName in eks-auth", strings.Replace(eksRecord("AssumeRoleForPodIdentity", `{"clusterName":"prod","token":"HIDDEN_DUE_TO_SECURITY_REASONS"}`), "eks.amazonaws.com", "eks-auth.amazonaws.com", 1), prod},
		{"resourceArn of a tag", eksRecord("TagResource", `{"resourceArn":"arn%3Aaws%3Aeks%3Aeu-west-1%3A111122223333%3Acluster%2Fprod"}`), prod},
		{"resourceArn of an access entry", eksRecord("TagResource", `{"resourceArn":"arn:aws:eks:eu-west-1:111122223333:access-entry/prod/role/111122223333/dev/uuid"}`), prod},
		{"session tags", tags(`[{"key":"kubernetes-namespace","value":"a"},{"key":"eks-cluster-name","value":"prod"}]`), prod},
		{"session tags with the ARN", tags(`[{"key":"eks-cluster-arn","value":"arn:aws:eks:us-east-1:444455556666:cluster/other"},{"key":"eks-cluster-name","value":"other"}]`), Cluster{"other", "444455556666", "us-east-1"}},
		{"no session tags", tags(`null`), Cluster{}},
		{"name is no string", eksRecord("CreateAccessEntry", `{"name":["prod"],"clusterName":7}`), prod},
		{"another service", strings.Replace(eksRecord("x", `{"name":"prod"}`), "eks.amazonaws.com", "ecs.amazonaws.com", 1), Cluster{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, scanned(t, c.record).Cluster()); diff != "" {
				t.Error(diff)
			}
		})
	}
	for region, want := range map[string]string{"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "eu-west-1": "aws", "us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b"} {
		if got := (Cluster{"a", "111122223333", region}).ARN(); got != "arn:"+want+":eks:"+region+":111122223333:cluster/a" {
			t.Error(got)
		}
	}
	if got := (Cluster{Name: "a"}).ARN(); got != "" {
		t.Error(got)
	}
}

// TestPodIdentityPair is the two records of one exchange: the first names neither workload nor role.
func TestPodIdentityPair(t *testing.T) {
	node := scanned(t, `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROANODE:i-0123456789abcdef0","arn":"arn:aws:sts::111122223333:assumed-role/node/i-0123456789abcdef0","accountId":"111122223333","accessKeyId":"ASIANODE","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/node"},"ec2RoleDelivery":"2.0"}},"eventTime":"2026-11-23T10:00:00Z","eventSource":"eks-auth.amazonaws.com","eventName":"AssumeRoleForPodIdentity","requestParameters":{"clusterName":"prod","token":"HIDDEN_DUE_TO_SECURITY_REASONS"},"responseElements":null,"eventID":"1","readOnly":true}`)
	if diff := cmp.Diff(Actor{
		Principal: "arn:aws:iam::111122223333:role/node", SessionARN: "arn:aws:sts::111122223333:assumed-role/node/i-0123456789abcdef0", Session: "i-0123456789abcdef0",
		AccessKey: "ASIANODE", Account: "111122223333", PrincipalID: "AROANODE", Instance: "i-0123456789abcdef0",
	}, node.Actor()); diff != "" {
		t.Error(diff)
	}
	if node.Field(ResponseElements).Kind() != Null || !node.Find(ParsePath(CloudTrail, "userIdentity.sessionContext.ec2RoleDelivery")).First().Is("2.0") {
		t.Error("the record's own fields")
	}
	issued := scanned(t, `{"eventVersion":"1.11","userIdentity":{"type":"AWSService","invokedBy":"pods.eks.amazonaws.com"},"eventTime":"2026-11-23T10:00:00Z","eventSource":"sts.amazonaws.com","eventName":"AssumeRole","requestParameters":{"roleArn":"arn:aws:iam::111122223333:role/app","roleSessionName":"eks-prod-web-0f","tags":[{"key":"eks-cluster-name","value":"prod"}]},"responseElements":{"credentials":{"accessKeyId":"ASIAPOD","sessionToken":"secret"}},"eventID":"2","sharedEventID":"s","readOnly":true}`)
	if diff := cmp.Diff(Actor{Service: "pods.eks.amazonaws.com"}, issued.Actor()); diff != "" {
		t.Error(diff)
	}
	kept := issued.Keep()
	if !kept.Find(ParsePath(CloudTrail, "responseElements.credentials.accessKeyId")).First().Is("ASIAPOD") || strings.Contains(string(kept.Raw()), "secret") {
		t.Errorf("the id of the key joins, the token is secret: %s", kept.Raw())
	}
}

func TestActorOfCloudTrail(t *testing.T) {
	for _, c := range []struct {
		name, identity string
		want           Actor
	}{
		{
			"user", `{"type":"IAMUser","principalId":"AIDAX","arn":"arn:aws:iam::111122223333:user/eng/jane","accountId":"111122223333","accessKeyId":"AKIAX","userName":"jane"}`,
			Actor{Principal: "arn:aws:iam::111122223333:user/eng/jane", AccessKey: "AKIAX", Account: "111122223333", PrincipalID: "AIDAX"},
		},
		{
			"root", `{"type":"Root","principalId":"111122223333","arn":"arn:aws:iam::111122223333:root","accountId":"111122223333"}`,
			Actor{Principal: "arn:aws:iam::111122223333:root", Account: "111122223333", PrincipalID: "111122223333"},
		},
		{
			"session whose issuer is not told", `{"type":"AssumedRole","principalId":"AROAX:a/b","arn":"arn:aws-cn:sts::111122223333:assumed-role/admin/a@b"}`,
			Actor{Principal: "arn:aws-cn:iam::111122223333:role/admin", SessionARN: "arn:aws-cn:sts::111122223333:assumed-role/admin/a@b", Session: "a@b", Account: "111122223333", PrincipalID: "AROAX"},
		},
		{
			"web identity", `{"type":"WebIdentityUser","principalId":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/X:sts.amazonaws.com:system:serviceaccount:shop:web","userName":"system:serviceaccount:shop:web"}`,
			Actor{Username: "system:serviceaccount:shop:web", ServiceAccount: Name{"shop", "web"}},
		},
		{"nobody", `null`, Actor{}},
		{"hostile ARN", `{"type":"AssumedRole","arn":":assumed-role/"}`, Actor{Principal: ":iam:::role/", SessionARN: ":assumed-role/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			record := `{"userIdentity":` + c.identity + `,"eventSource":"s3.amazonaws.com","eventName":"GetObject"}`
			if diff := cmp.Diff(c.want, scanned(t, record).Actor()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func auditOf(user string) string {
	return `{"auditID":"1","verb":"get","user":` + user + `}`
}

func TestActorOfAudit(t *testing.T) {
	sso := Actor{
		Username: "arn:aws:sts::111122223333:assumed-role/sso_admin/jane-example.com", Groups: []string{"system:authenticated"},
		Principal: "arn:aws:iam::111122223333:role/sso_admin", SessionARN: "arn:aws:sts::111122223333:assumed-role/sso_admin/jane@example.com",
		Session: "jane@example.com", AccessKey: "ASIAEXAMPLE", Account: "111122223333", PrincipalID: "AROAEXAMPLE",
	}
	pod := Actor{
		Username: "system:serviceaccount:shop:web", ServiceAccount: Name{"shop", "web"}, Pod: "web-0", PodUID: "u-1", Node: "ip-10-0-0-1.ec2.internal",
	}
	for _, c := range []struct {
		name, record string
		want         Actor
	}{
		{"access entry: the username has '-' for the '@' that session and ARN keep", auditOf(`{"username":"arn:aws:sts::111122223333:assumed-role/sso_admin/jane-example.com","uid":"aws-iam-authenticator:111122223333:AROAEXAMPLE","groups":["system:authenticated"],"extra":{"accessKeyId":["ASIAEXAMPLE"],"arn":["arn:aws:sts::111122223333:assumed-role/sso_admin/jane@example.com"],"canonicalArn":["arn:aws:iam::111122223333:role/sso_admin"],"principalId":["AROAEXAMPLE"],"sessionName":["jane@example.com"]}}`), sso},
		{"the newer spelling of principalId", auditOf(`{"username":"arn:aws:sts::111122223333:assumed-role/sso_admin/jane-example.com","groups":["system:authenticated"],"extra":{"accessKeyId":["ASIAEXAMPLE"],"arn":["arn:aws:sts::111122223333:assumed-role/sso_admin/jane@example.com"],"canonicalArn":["arn:aws:iam::111122223333:role/sso_admin"],"sigs.k8s.io/aws-iam-authenticator/principalId":["AROAEXAMPLE"],"sessionName":["jane@example.com"]}}`), sso},
		{"the id only in the uid", auditOf(`{"username":"jane","uid":"aws-iam-authenticator:111122223333:AIDAX"}`), Actor{Username: "jane", Account: "111122223333", PrincipalID: "AIDAX"}},
		{"pod", auditOf(`{"username":"system:serviceaccount:shop:web","extra":{"authentication.kubernetes.io/credential-id":["JTI=1"],"authentication.kubernetes.io/node-name":["ip-10-0-0-1.ec2.internal"],"authentication.kubernetes.io/pod-name":["web-0"],"authentication.kubernetes.io/pod-uid":["u-1"]}}`), pod},
		{"pod, in the other spelling", auditOf(`{"username":"system:serviceaccount:shop:web","extra":{"authentication.k8s.io/node-name":["ip-10-0-0-1.ec2.internal"],"authentication.k8s.io/pod-name":["web-0"],"authentication.k8s.io/pod-uid":["u-1"]}}`), pod},
		{
			"node", auditOf(`{"username":"system:node:ip-10-0-0-1.ec2.internal","groups":["system:nodes"],"extra":{"sessionName":["i-0123456789abcdef0"]}}`),
			Actor{Username: "system:node:ip-10-0-0-1.ec2.internal", Groups: []string{"system:nodes"}, Node: "ip-10-0-0-1.ec2.internal", Session: "i-0123456789abcdef0", Instance: "i-0123456789abcdef0"},
		},
		{"impersonation", `{"auditID":"1","verb":"get","user":{"username":"bob"},"impersonatedUser":{"username":"system:admin","groups":["system:masters"]}}`, Actor{Username: "bob", Impersonated: "system:admin"}},
		{"nobody, as after a failed authentication", auditOf(`{}`), Actor{}},
		{"a list in extra that is empty", auditOf(`{"username":"a","extra":{"arn":[],"accessKeyId":null}}`), Actor{Username: "a"}},
		{"a username that only begins like a service account's", auditOf(`{"username":"system:serviceaccount:x"}`), Actor{Username: "system:serviceaccount:x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, scanned(t, c.record).Actor()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAccessPolicyReason(t *testing.T) {
	const reason = `EKS Access Policy: allowed by ClusterRoleBinding "arn:aws:iam::111122223333:role/a+arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy" of ClusterRole "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy" to User "AROAEXAMPLE"`
	e := scanned(t, `{"auditID":"1","verb":"get","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":`+quoted(reason)+`,"pod-security.kubernetes.io/enforce-policy":"baseline"}}`)
	if !e.Field(Reason).Is(reason) || !e.Field(Decision).Is("allow") {
		t.Errorf("reason %s", e.Field(Reason))
	}
	for field, want := range map[string]string{"annotations.authorization.k8s.io/reason": reason, "annotations.authorization.k8s.io/decision": "allow", "annotations.pod-security.kubernetes.io/enforce-policy": "baseline"} {
		if diff := cmp.Diff([]string{want}, find(e, field)); diff != "" {
			t.Errorf("%s: %s", field, diff)
		}
	}
}

// TestTypeConfusion: a field of another type than the log writes makes the record unparsed, with the reason. It is never
// read as if the field were not there.
func TestTypeConfusion(t *testing.T) {
	for _, c := range []struct{ record, reason string }{
		{`{"auditID":"1","verb":"get","objectRef":"invalid"}`, "objectRef is a string"},
		{`{"auditID":"1","verb":"get","objectRef":{"resource":["secrets"]}}`, "objectRef.resource is a list"},
		{`{"auditID":"1","verb":"get","responseStatus":{"code":"201"}}`, "responseStatus.code is a string"},
		{`{"auditID":"1","verb":{"is":"get"}}`, "verb is an object"},
		{`{"auditID":"1","verb":"get","user":{"groups":"system:masters"}}`, "user.groups is a string"},
		{`{"auditID":"1","verb":"get","user":{"groups":[["system:masters"]]}}`, "user.groups is not a list of strings"},
		{`{"auditID":"1","verb":"get","user":{"extra":{"arn":"a"}}}`, "user.extra.arn is a string"},
		{`{"auditID":"1","verb":"get","impersonatedUser":{"username":7}}`, "impersonatedUser.username is a number"},
		{`{"auditID":"1","verb":"get","sourceIPs":{}}`, "sourceIPs is an object"},
		{`{"auditID":"1","verb":"get","annotations":{"authorization.k8s.io/reason":true}}`, "annotations.authorization.k8s.io/reason is a boolean"},
		{`{"auditID":"1","stage":"ResponseComplete"}`, "an audit event without verb"},
		{`{"auditID":"1","verb":null}`, "an audit event without verb"},
		{`{"auditID":"1","verb":"get","verb":"delete"}`, "verb is there twice"},
		{`{"auditID":"1","verb":"get","objectRef":{},"objectRef":{"resource":"secrets"}}`, "objectRef is there twice"},
		{`{"auditID":"1","verb":"get","stageTimestamp":"2026-11-31T00:00:00Z"}`, "stageTimestamp is not a time"},
		{`{"auditID":"1","verb":"get","stageTimestamp":"9999-11-01T00:00:00Z"}`, "stageTimestamp is not a time of these logs"},
		{`{"kind":0}`, notRecord},
		{`{"kind":"Event","apiVersion":"v1","reason":"Scheduled"}`, notRecord},
		{`{"kind":"Policy","apiVersion":"audit.k8s.io/v1","level":"None"}`, notRecord},
		{`{"eventSource":"eks.amazonaws.com","eventName":["CreateAccessEntry"]}`, "eventName is a list"},
		{`{"eventSource":"eks.amazonaws.com"}`, "a CloudTrail record without eventSource and eventName"},
		{`{"eventSource":"eks.amazonaws.com","eventName":"x","requestParameters":"{}"}`, "requestParameters is a string"},
		{`{"eventSource":"eks.amazonaws.com","eventName":"x","userIdentity":[]}`, "userIdentity is a list"},
		{`{"eventSource":"eks.amazonaws.com","eventName":"x"} {}`, "more after the record"},
		{`{"EventSource":"eks.amazonaws.com","EventName":"x"}`, notRecord},
		{`{"AuditID":"1","Verb":"get"}`, notRecord},
		{``, notRecord},
		{`[]`, notRecord},
		{`{"auditID":"1","verb":"get"`, "truncated: the record ends in the middle"},
		{`{"auditID":"1","verb":"get","requestObject":` + strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1) + "}", "nested deeper than 1000"},
	} {
		var e Event
		err := Scan([]byte(c.record), &e)
		u, ok := errors.AsType[*Unparsed](err)
		if !ok || u.Reason != c.reason {
			t.Errorf("%.100s: %v, want %s", c.record, err, c.reason)
		}
	}
}

func TestCaseOfNames(t *testing.T) {
	// encoding/json takes the last of these as well.
	record := `{"auditID":"1","verb":"delete","VERB":"get","user":{"username":"mallory","USERNAME":"alice"},"Verb":{}}`
	e := scanned(t, record)
	if !e.Field(Verb).Is("delete") || !e.Field(Username).Is("mallory") {
		t.Errorf("%s %s", e.Field(Verb), e.Field(Username))
	}
	var folded struct{ Verb any }
	if err := json.Unmarshal([]byte(record), &folded); err != nil || folded.Verb == "delete" {
		t.Errorf("encoding/json no longer folds case: %v %v", folded, err)
	}
}

// TestTwiceInAPatch: what somebody sent may have a key twice; each of its values is found.
func TestTwiceInAPatch(t *testing.T) {
	e := scanned(t, `{"auditID":"1","verb":"patch","requestObject":{"spec":{"hostPID":true},"spec":{"hostPID":false},"\u0073pec":{"hostPID":null}}}`)
	if diff := cmp.Diff([]string{"true", "false", ""}, find(e, "requestObject.spec.hostPID")); diff != "" {
		t.Error(diff)
	}
}

func TestStages(t *testing.T) {
	received := scanned(t, `{"auditID":"1","stage":"RequestReceived","verb":"create","requestReceivedTimestamp":"2026-11-23T10:00:00.123456Z","stageTimestamp":"2026-11-23T10:00:01Z"}`)
	if !received.Field(Stage).Is("RequestReceived") || !received.Time().Equal(time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)) {
		t.Errorf("%s %s", received.Field(Stage), received.Time())
	}
	only := scanned(t, `{"auditID":"1","verb":"create","requestReceivedTimestamp":null,"stageTimestamp":"2026-11-23T10:00:01Z"}`)
	if !only.Time().Equal(time.Date(2026, 11, 23, 10, 0, 1, 0, time.UTC)) {
		t.Errorf("%s", only.Time())
	}
	if none := scanned(t, `{"auditID":"1","verb":"create"}`); !none.Time().IsZero() {
		t.Errorf("%s", none.Time())
	}
}

func TestFind(t *testing.T) {
	e := scanned(t, `{"auditID":"1","verb":"create","level":"Request","user":{"username":"a","uid":"u","extra":{"accessKeyId":["ASIA1","ASIA2"]}},"requestObject":{"spec":{"containers":[{"name":"a","env":[{"name":"X"},{"name":"Y"}]},{"name":"b","env":[]}],"volumes":[]},"metadata":{"labels":{"a.b/c":"1","a":{"b/c":"2"}}}}}`)
	for field, want := range map[string][]string{
		"auditID":                                {"1"},
		"level":                                  {"Request"},
		"user.username":                          {"a"},
		"user.uid":                               {"u"},
		"user.extra.accessKeyId":                 {"ASIA1", "ASIA2"},
		"requestObject.spec.containers.name":     {"a", "b"},
		"requestObject.spec.containers.env.name": {"X", "Y"},
		"requestObject.spec.containers.env":      {`{"name":"X"}`, `{"name":"Y"}`, "[]"},
		"requestObject.spec.volumes":             {"[]"},
		"requestObject.spec.volumes.name":        nil,
		"requestObject.metadata.labels.a.b/c":    {"1", "2"},
		"requestObject.spec.containers.name.x":   nil,
		"user":                                   {`{"username":"a","uid":"u","extra":{"accessKeyId":["ASIA1","ASIA2"]}}`},
		"objectRef.resource":                     nil,
		"auditid":                                nil,
		"":                                       {string(e.Raw())},
	} {
		if diff := cmp.Diff(want, find(e, field)); diff != "" {
			t.Errorf("%q: %s", field, diff)
		}
	}
	if ParsePath(Kubernetes, "user.username").Field() != Username || ParsePath(Kubernetes, "user.usernames").Field() != 0 || ParsePath(Kubernetes, "verb.x").Field() != 0 {
		t.Error("fields of paths")
	}
	if got := e.Find(ParsePath(CloudTrail, "eventName")).First(); got.Kind() != Absent {
		t.Errorf("of the other plane: %s", got)
	}
	path := ParsePath(Kubernetes, "requestObject.spec.containers.name")
	if n := testing.AllocsPerRun(100, func() {
		for v := range e.Find(path).All() {
			_ = v.Is("b")
		}
	}); n > 3 {
		t.Errorf("%v allocations in Find", n)
	}
}

// TestControlCharacters: a byte that JSON does not allow in a string is seen wherever it stands in a field.
func TestControlCharacters(t *testing.T) {
	for at := range 40 {
		text := strings.Repeat("a", at) + "\x01" + strings.Repeat("b", 40)
		var e Event
		err := Scan([]byte(`{"auditID":"1","verb":"get","userAgent":"`+text+`"}`), &e)
		if u, ok := errors.AsType[*Unparsed](err); !ok || !strings.HasPrefix(u.Reason, notJSON) {
			t.Errorf("at %d: %v", at, err)
		}
	}
}

// TestKeysAlike: a key that begins and ends as a known one is another.
func TestKeysAlike(t *testing.T) {
	for _, key := range []string{"responseStatus", "impersonatedUser"} {
		for at := range key {
			other := key[:at] + "_" + key[at+1:]
			e := scanned(t, `{"verb":"get","`+other+`":{},"auditID":"1`+strings.Repeat("x", maxKey)+`"}`)
			if v := e.Find(ParsePath(Kubernetes, key)).First(); v.Kind() != Absent {
				t.Errorf("%s is taken for %s", other, key)
			}
		}
	}
}
