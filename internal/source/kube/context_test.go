package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd/api"
)

func TestClusterFromContext(t *testing.T) {
	const arn = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"
	type env = api.ExecEnvVar
	for name, tt := range map[string]struct {
		context, cluster, user string // names
		server                 string
		exec                   *api.ExecConfig
		want                   Ref
	}{
		"aws eks update-kubeconfig": {
			context: arn, cluster: arn, user: arn,
			exec: &api.ExecConfig{Command: "aws", Args: []string{"--region", "eu-west-1", "eks", "get-token", "--cluster-name", "prod", "--output", "json"}},
			want: Ref{Name: "prod", Region: "eu-west-1", Account: "111122223333"},
		},
		"with alias, role and profile": {
			context: "p", cluster: arn, user: "p",
			exec: &api.ExecConfig{
				Command: "/usr/local/bin/aws", Env: []env{{Name: "AWS_PROFILE", Value: "audit"}},
				Args: []string{"--region", "eu-west-1", "eks", "get-token", "--cluster-name", "prod", "--role", "arn:aws:iam::111122223333:role/reader"},
			},
			want: Ref{Name: "prod", Region: "eu-west-1", Account: "111122223333", Profile: "audit", RoleARN: "arn:aws:iam::111122223333:role/reader"},
		},
		"flags in other places and forms": {
			context: "p", cluster: "c", user: "u",
			exec: &api.ExecConfig{
				Command: `C:\Program Files\Amazon\AWSCLIV2\aws.exe`,
				Args:    []string{"--no-verify-ssl", "eks", "--profile=dev", "get-token", "--cluster-name=prod", "--role-arn=arn:aws:iam::111122223333:role/r", "--region=us-gov-west-1"},
			},
			want: Ref{Name: "prod", Region: "us-gov-west-1", Profile: "dev", RoleARN: "arn:aws:iam::111122223333:role/r"},
		},
		"region from the environment": {
			context: "p", cluster: "c", user: "u",
			exec: &api.ExecConfig{Command: "aws", Args: []string{"eks", "get-token", "--cluster-name", "prod"}, Env: []env{{Name: "AWS_DEFAULT_REGION", Value: "us-east-1"}}},
			want: Ref{Name: "prod", Region: "us-east-1"},
		},
		"region from the server": {
			context: "p", cluster: "c", user: "u", server: "https://0123ABCD.gr7.us-east-2.eks.amazonaws.com",
			exec: &api.ExecConfig{Command: "aws", Args: []string{"eks", "get-token", "--cluster-name", "prod"}},
			want: Ref{Name: "prod", Region: "us-east-2"},
		},
		"region from the server in China": {
			context: "p", cluster: "c", user: "u", server: "https://0123ABCD.yl4.cn-north-1.eks.amazonaws.com.cn:443",
			exec: &api.ExecConfig{Command: "aws", Args: []string{"eks", "get-token", "--cluster-name", "prod"}},
			want: Ref{Name: "prod", Region: "cn-north-1"},
		},
		"aws-iam-authenticator": {
			context: "p", cluster: "c", user: "u",
			exec: &api.ExecConfig{Command: "aws-iam-authenticator", Args: []string{"token", "-i", "prod", "-r", "arn:aws:iam::111122223333:role/r"}},
			want: Ref{Name: "prod", RoleARN: "arn:aws:iam::111122223333:role/r"},
		},
		"eksctl": {
			context: "me@prod.eu-central-1.eksctl.io", cluster: "prod.eu-central-1.eksctl.io", user: "me@prod.eu-central-1.eksctl.io",
			exec: &api.ExecConfig{Command: "aws", Args: []string{"eks", "get-token", "--output", "json", "--cluster-name", "prod", "--region", "eu-central-1"}},
			want: Ref{Name: "prod", Region: "eu-central-1"},
		},
		"eksctl without a command": {
			context: "me@example.com@prod.eu-central-1.eksctl.io", cluster: "c", user: "u",
			want: Ref{Name: "prod", Region: "eu-central-1"},
		},
		"ARN without a command": {
			context: "arn:aws-cn:eks:cn-north-1:111122223333:cluster/prod", cluster: "c", user: "u",
			want: Ref{Name: "prod", Region: "cn-north-1", Account: "111122223333"},
		},
		"the command decides, and another cluster's ARN tells nothing": {
			context: arn, cluster: arn, user: "u",
			exec: &api.ExecConfig{Command: "aws", Args: []string{"eks", "get-token", "--cluster-name", "other", "--region", "us-east-1"}},
			want: Ref{Name: "other", Region: "us-east-1"},
		},
		"same name, another region": {
			context: arn, cluster: arn, user: "u",
			exec: &api.ExecConfig{Command: "aws", Args: []string{"eks", "get-token", "--cluster-name", "prod", "--region", "us-east-1"}},
			want: Ref{Name: "prod", Region: "us-east-1"},
		},
		"not EKS":                {context: "kind", cluster: "kind", user: "kind", server: "https://127.0.0.1:6443"},
		"another command of aws": {context: "p", cluster: "c", user: "u", exec: &api.ExecConfig{Command: "aws", Args: []string{"ecr", "get-login-password", "--cluster-name", "prod"}}},
		"a local cluster on Outposts is known by its id": {
			context: "p", cluster: "c", user: "u",
			exec: &api.ExecConfig{Command: "aws", Args: []string{"eks", "get-token", "--cluster-id", "0e7b"}},
		},
		"a name that EKS would not take": {
			context: "p", cluster: "c", user: "u",
			exec: &api.ExecConfig{Command: "aws", Args: []string{"eks", "get-token", "--cluster-name", "../../x", "--region", "evil.example/"}},
		},
		"a region that is none": {
			context: "p", cluster: "c", user: "u",
			exec: &api.ExecConfig{Command: "aws", Args: []string{"eks", "get-token", "--cluster-name", "prod", "--region", "evil.example/"}},
			want: Ref{Name: "prod"},
		},
		"a flag without its value": {
			context: "p", cluster: "c", user: "u",
			exec: &api.ExecConfig{Command: "aws", Args: []string{"eks", "get-token", "--cluster-name"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := api.Config{
				CurrentContext: tt.context,
				Contexts:       map[string]*api.Context{tt.context: {Cluster: tt.cluster, AuthInfo: tt.user}},
				Clusters:       map[string]*api.Cluster{tt.cluster: {Server: tt.server}},
				AuthInfos:      map[string]*api.AuthInfo{tt.user: {Exec: tt.exec}},
			}
			got, ok := ClusterFromContext(config, "")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if want := tt.want.Name != ""; ok != want {
				t.Errorf("is a cluster: %t, want %t", ok, want)
			}
		})
	}
}

func TestClusterFromContextOfNothing(t *testing.T) {
	for name, config := range map[string]api.Config{
		"empty":            {},
		"no such context":  {CurrentContext: "x"},
		"nothing behind":   {CurrentContext: "x", Contexts: map[string]*api.Context{"x": {}}},
		"nil for a value":  {CurrentContext: "x", Contexts: map[string]*api.Context{"x": nil}},
		"nil for the rest": {CurrentContext: "x", Contexts: map[string]*api.Context{"x": {Cluster: "c", AuthInfo: "u"}}, Clusters: map[string]*api.Cluster{"c": nil}, AuthInfos: map[string]*api.AuthInfo{"u": nil}},
	} {
		if ref, ok := ClusterFromContext(config, ""); ok {
			t.Errorf("%s: found %+v", name, ref)
		}
	}
}
