package access

import (
	"fmt"
	"testing"

	"drawbridge/internal/model"
)

// largeFleet has 5,000 roles and 10,000 service accounts: a thousand hold a role by Pod Identity, with session tags, the
// others by IRSA; a fifth of the roles leave it to their account who assumes them, and a tenth may assume others by a pattern.
func largeFleet() *fleet {
	f := newFleet()
	const roles = 5000
	for i := range roles {
		n := fmt.Sprintf("r%04d", i)
		trust := web(testIssuer, fmt.Sprintf(`"StringLike":{"I:sub":"system:serviceaccount:shop:*"},"StringEquals":{"I:aud":"%s"}`, IRSAAudience))
		if i < 1000 {
			trust = pods(`"StringEquals":{"aws:RequestTag/kubernetes-namespace":"shop"}`)
		}
		if i%5 == 0 {
			trust += "," + trustsTagged("arn:aws:iam::"+home+":root")
		}
		permissions := []string{allows("sqs:*", "arn:aws:sqs:*:*:"+n), allows(getIt, "arn:aws:s3:::"+n+"/*")}
		switch {
		case i%100 == 5:
			permissions = append(permissions, `{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bucket/${aws:PrincipalTag/kubernetes-service-account}/*"}`)
		case i%50 == 0:
			permissions = append(permissions, allows("s3:*", "arn:aws:s3:::bucket/*"))
		case i%10 == 1:
			permissions = append(permissions, `{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"arn:aws:iam::*:role/r00*"}`)
		}
		f.role(home, n, trust, permissions...)
	}
	for i := range 10000 {
		sa, role := fmt.Sprintf("sa%05d", i), roleARN(fmt.Sprintf("r%04d", i%roles))
		if i < 1000 {
			f.cluster.PodIdentityAssociations = append(f.cluster.PodIdentityAssociations, &model.PodIdentityAssociation{Namespace: "shop", ServiceAccount: sa, RoleARN: role})
		}
		account := &model.ServiceAccount{Meta: model.Meta{Namespace: "shop", Name: sa}}
		if i >= 1000 {
			account.Annotations = map[string]string{RoleAnnotation: role}
		}
		f.cluster.ServiceAccounts = append(f.cluster.ServiceAccounts, account)
	}
	return f
}

func BenchmarkWhoCanAWS(b *testing.B) {
	f := largeFleet()
	for _, q := range []AWSQuestion{
		{Action: "s3:DeleteObject", Resource: "arn:aws:s3:::bucket/sa00005/x"}, {Action: "s3:DeleteObject"}, {Action: getIt}, {Action: assumeRole},
	} {
		b.Run(q.Action+" "+q.Resource, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = len(New(f.snapshot).WhoCanAWS(q))
			}
			b.ReportMetric(float64(n), "grants")
		})
	}
}
