package iam

import (
	"fmt"
	"testing"
)

// tenStatements is a policy of ten statements with conditions, of the kinds that role policies have.
func tenStatements(t testing.TB) []Named {
	var all []string
	for i := range 9 {
		all = append(all, fmt.Sprintf(`{"Effect":"Allow","Action":["s3:List*","s3:Put*","dynamodb:*","s3:GetObject"],
			"Resource":["arn:aws:s3:::team-%d-*/${aws:PrincipalTag/kubernetes-namespace}/*","arn:aws:dynamodb:*:111122223333:table/t%d*"],
			"Condition":{"StringEquals":{"aws:RequestedRegion":"eu-central-1"},"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]},
			"DateGreaterThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"}}}`, i, i))
	}
	all = append(all, `{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::*","Condition":{"Bool":{"aws:SecureTransport":"false"},
		"NumericLessThan":{"s3:TlsVersion":1.2},"ForAnyValue:StringLike":{"aws:TagKeys":["secret*"]},"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/app/*"}}}`)
	return policies(t, "role", all...)
}

func benchRequest() Request {
	c := new(Context).Set("aws:PrincipalTag/kubernetes-namespace", "payments").Set("aws:RequestedRegion", "eu-central-1").
		Set("aws:SourceIp", "192.0.2.7").Set("aws:TokenIssueTime", "2026-11-01T00:00:00Z").Set("aws:SecureTransport", "true").
		Set("s3:TlsVersion", "1.3").Set("aws:TagKeys", "a", "b").Close()
	return Request{Principal: session(), Action: "s3:GetObject", Resource: "arn:aws:s3:::team-8-data/payments/2026/11/report", ResourceAccount: home, Context: c}
}

func BenchmarkEvaluate(b *testing.B) {
	p, r := Policies{Identity: tenStatements(b)}, benchRequest()
	if d := Evaluate(p, r); d.Verdict != Allowed {
		b.Fatal(d.String())
	}
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(p, r)
	}
}

// TestEvaluateDoesNotAllocate holds the promise that policies are compiled by Parse.
func TestEvaluateDoesNotAllocate(t *testing.T) {
	p, r := Policies{Identity: tenStatements(t)}, benchRequest()
	if n := testing.AllocsPerRun(100, func() { Evaluate(p, r) }); n != 0 {
		t.Errorf("%v allocations per decision, want none", n)
	}
}
