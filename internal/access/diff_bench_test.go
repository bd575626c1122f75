package access

import (
	"fmt"
	"testing"

	"drawbridge/internal/model"
)

// bigWorld has 10,000 bindings of 5,000 roles to 10,000 service accounts, 10,000 pods, and 5,000 IAM roles.
func bigWorld() *world {
	w := newWorld()
	for i := range 5000 {
		n := fmt.Sprint("role-", i)
		w.c.Roles = append(w.c.Roles, &model.Role{Meta: model.Meta{Namespace: fmt.Sprint("ns-", i%500), Name: n}})
		r := w.c.Roles[i]
		for j := range 1 + i%3 {
			r.Rules = append(r.Rules, rule("get", fmt.Sprint("things-", (i+j)%40)))
		}
		w.role(fmt.Sprint("app-", i), longAgo)
		iamRole := w.acct.Roles[i]
		iamRole.Trust = trusting(podIdentityPrincipal)
		iamRole.Inline = []model.InlinePolicy{{Name: "p", Document: inline(
			fmt.Sprintf("s3:GetObject,s3:ListBucket on arn:aws:s3:::bucket-%d,arn:aws:s3:::bucket-%d/*", i, i), fmt.Sprintf("sqs:* on arn:aws:sqs:*:*:queue-%d", i),
			`kms:Decrypt on * if {"StringEquals":{"kms:ViaService":"s3.eu-central-1.amazonaws.com"}}`)}}
	}
	for i := range 10000 {
		namespace, sa := fmt.Sprint("ns-", i%500), fmt.Sprint("sa-", i)
		w.c.ServiceAccounts = append(w.c.ServiceAccounts, &model.ServiceAccount{Meta: model.Meta{Namespace: namespace, Name: sa}})
		b := &model.Binding{Meta: model.Meta{Namespace: namespace, Name: fmt.Sprint("b-", i)}}
		b.RoleRef.Kind, b.RoleRef.Name = "Role", fmt.Sprint("role-", i%5000)
		b.Subjects = append(b.Subjects, boundTo(namespace, sa))
		w.c.RoleBindings = append(w.c.RoleBindings, b)
		p := &model.Pod{Meta: model.Meta{Namespace: namespace, Name: fmt.Sprint("pod-", i)}}
		p.ServiceAccount, p.NodeName = sa, "n"
		w.c.Pods = append(w.c.Pods, p)
		if i%5 == 0 {
			w.c.PodIdentityAssociations = append(w.c.PodIdentityAssociations, &model.PodIdentityAssociation{Namespace: namespace, ServiceAccount: sa, RoleARN: roleARN(fmt.Sprint("app-", i/2))})
		}
	}
	return w
}

// boundTo is a service account as a subject, where another variable is called sa.
var boundTo = sa

func BenchmarkDiff(b *testing.B) {
	for name, change := range map[string]func(*world){
		"same": func(*world) {},
		"every identity gains a rule": func(w *world) {
			w.clusterRole("new", rule("list", "nodes"))
			w.bind("", "new", group("system:authenticated"))
		},
		"500 IAM roles change": func(w *world) {
			for i := range 500 {
				w.acct.Roles[i].Inline[0].Document = inline(fmt.Sprintf("s3:*,sns:Publish on arn:aws:s3:::bucket-%d/*,arn:aws:sns:*:*:t", i))
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			before, after := bigWorld(), bigWorld()
			change(after)
			for b.Loop() {
				Diff(New(before.Snapshot), New(after.Snapshot))
			}
		})
	}
}
