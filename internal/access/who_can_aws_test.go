package access

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/model"
)

// TestWhoCanAWS lists everybody of a fleet who may delete an object, with the last role of the way.
func TestWhoCanAWS(t *testing.T) {
	f := newFleet()
	remove := allows("s3:DeleteObject", "arn:aws:s3:::bucket/*")
	data := f.role(home, "data", trustsTagged("arn:aws:iam::"+home+":root"), remove)
	f.role(home, "app", pods(""), fmt.Sprintf(`{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":%q}`, data.ARN))
	f.role(home, "poor", pods(""), allows("ec2:*", "*"))
	f.role(home, "irsa", web(testIssuer, `"StringEquals":{"I:sub":"system:serviceaccount:shop:web"}`), remove)
	f.role(home, "node", service(`"sts:AssumeRole"`, ""), remove)
	f.role(foreign, "abroad", nobody, allows(assumeRole, "*"), remove)
	f.associate("api", roleARN("app"))
	f.associate("idle", roleARN("poor"))
	f.associate("far", "arn:aws:iam::777788889999:role/far")
	for _, sa := range []string{"web", "wrong"} {
		f.serviceAccount(sa).Annotations = map[string]string{RoleAnnotation: roleARN("irsa")}
	}
	f.serviceAccount("agent")
	c := f.cluster
	c.Nodes = []*model.Node{{Meta: model.Meta{Name: "n1", Labels: map[string]string{NodegroupLabel: "g"}}, ProviderID: "aws:///us-east-1a/i-1"}}
	c.Nodegroups = []*model.Nodegroup{{Name: "g", NodeRoleARN: roleARN("node")}}
	c.Instances = []*model.Instance{{ID: "i-1", MetadataOptions: model.MetadataOptions{HTTPTokens: "required", HopLimit: 1}}}
	deploy := func(sa string, host bool, pod model.PodSpec) {
		c.Workloads = append(c.Workloads, &model.Workload{Meta: model.Meta{Namespace: "shop", Name: sa}, Kind: "DaemonSet", PodSpec: model.PodSpec{ServiceAccount: sa, HostNetwork: host}})
		pod.ServiceAccount, pod.NodeName, pod.HostNetwork = sa, "n1", host
		c.Pods = append(c.Pods, &model.Pod{Meta: model.Meta{Namespace: "shop", Name: sa + "-x", Owner: "daemonset/" + sa}, PodSpec: pod, Phase: "Running"})
	}
	env := func(names ...string) model.PodSpec {
		k := model.Container{Name: "main"}
		for _, n := range names {
			k.Env = append(k.Env, model.EnvVar{Name: n})
		}
		return model.PodSpec{Containers: []model.Container{k}}
	}
	deploy("agent", true, env())                               // reaches the node's role
	deploy("idle", false, env())                               // does not
	deploy("api", false, env("AWS_WEB_IDENTITY_TOKEN_FILE"))   // older than its association
	deploy("web", false, env("AWS_WEB_IDENTITY_TOKEN_FILE"))   // as its workload
	deploy("wrong", false, env("AWS_WEB_IDENTITY_TOKEN_FILE")) // is not let in
	deploy("keys", false, env("AWS_ACCESS_KEY_ID"))

	var got []string
	for _, g := range New(f.snapshot).WhoCanAWS(AWSQuestion{Action: "s3:DeleteObject", Resource: object}) {
		got = append(got, fmt.Sprintf("%s %s: %s", g.Verdict, g.Identity, g.Chain[len(g.Chain)-1].Source))
	}
	want := []string{
		"allowed arn:aws:iam::111122223333:root: arn:aws:iam::111122223333:root",
		"allowed arn:aws:iam::444455556666:root: arn:aws:iam::444455556666:root",
		"allowed arn:aws:iam::111122223333:role/app: IAMRole data inline policy p, statement 1",
		"allowed arn:aws:iam::111122223333:role/data: IAMRole data inline policy p, statement 1",
		"allowed arn:aws:iam::111122223333:role/irsa: IAMRole irsa inline policy p, statement 1",
		"allowed arn:aws:iam::111122223333:role/node: IAMRole node inline policy p, statement 1",
		"allowed arn:aws:iam::444455556666:role/abroad: IAMRole abroad inline policy p, statement 2",
		"allowed sa/shop/agent: IAMRole node inline policy p, statement 1",
		"allowed sa/shop/api: IAMRole data inline policy p, statement 1",
		"allowed sa/shop/web: IAMRole irsa inline policy p, statement 1",
		"allowed daemonset/shop/agent: IAMRole node inline policy p, statement 1",
		"allowed daemonset/shop/api: IAMRole data inline policy p, statement 1",
		"allowed daemonset/shop/web: IAMRole irsa inline policy p, statement 1",
		"unknown pod/shop/api-x: Pod shop/api-x spec.volumes",
		"unknown pod/shop/keys-x: Pod shop/keys-x spec.containers[].env",
		"unknown sa/shop/far: arn:aws:iam::777788889999:role/far",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
