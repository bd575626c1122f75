package aws_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"drawbridge/internal/lab/aws"
)

// TestWithTheCLI drives the server with the AWS CLI, a second client with a model of its own (botocore's).
// It is skipped where the CLI is missing, in CI too: it is Python, and the project does not depend on it.
func TestWithTheCLI(t *testing.T) {
	if testing.Short() {
		t.Skip("ten starts of the AWS CLI take several seconds")
	}
	program, err := exec.LookPath("aws")
	if err != nil {
		t.Skipf("the AWS CLI is not installed: %v", err)
	}
	if out, err := exec.CommandContext(t.Context(), program, "--version").CombinedOutput(); err != nil {
		t.Skipf("the AWS CLI does not run: %v: %s", err, out)
	}
	srv, _, reg := newLab(t, aws.Options{})
	for _, name := range []string{"admin", "dev", "node"} {
		reg.PutAccessEntry(aws.AccessEntry{ClusterName: "prod", PrincipalARN: roleARN(name)})
	}
	reg.PutTrail(aws.Trail{Name: "main", S3BucketName: "logs"})
	reg.PutLogGroup(aws.LogGroup{LogGroupName: "/aws/eks/prod/cluster"})
	reg.PutInstance(aws.Instance{InstanceID: "i-0a"})
	srv.PutOrganization(aws.Organization{ID: "o-example123", ManagementAccount: account, Root: aws.Unit{ID: "r-ab12", Accounts: []aws.Member{{ID: account}}}})
	env := srv.Env(account, region)
	tests := []struct{ name, command, want string }{
		{
			"pages", "eks list-access-entries --cluster-name prod --page-size 2 --query accessEntries",
			`["` + roleARN("admin") + `","` + roleARN("dev") + `","` + roleARN("node") + `"]`,
		},
		{
			"describe", "eks describe-access-entry --cluster-name prod --principal-arn " + roleARN("dev") + " --query accessEntry.[type,username]",
			`["STANDARD","arn:aws:sts::111122223333:assumed-role/dev/{{SessionName}}"]`,
		},
		{"associate", "eks associate-access-policy --cluster-name prod --principal-arn " + roleARN("dev") + " --policy-arn " + policyARN("AmazonEKSViewPolicy") +
			" --access-scope type=namespace,namespaces=a --query associatedAccessPolicy.accessScope", `{"type":"namespace","namespaces":["a"]}`},
		{"association", "eks create-pod-identity-association --cluster-name prod --namespace n --service-account s --role-arn " + roleARN("app") + " --query association.serviceAccount", `"s"`},
		{"error", "eks describe-cluster --name none", "An error occurred (ResourceNotFoundException) when calling the DescribeCluster operation: No cluster found for name: none."},
		{"iam", "iam get-role --role-name app --query Role.AssumeRolePolicyDocument.Statement[0].Principal.Service", `"pods.eks.amazonaws.com"`},
		{"sts", "sts get-caller-identity --query Arn", `"arn:aws:sts::111122223333:assumed-role/lab-caller/lab"`},
		{"logs", "logs describe-log-groups --query logGroups[].logGroupName", `["/aws/eks/prod/cluster"]`},
		{"cloudtrail", "cloudtrail describe-trails --query trailList[].Name", `["main"]`},
		{"organizations", "organizations list-parents --child-id 111122223333 --query Parents", `[{"Id":"r-ab12","Type":"ROOT"}]`},
		{"ec2", "ec2 describe-instances --query Reservations[].Instances[].InstanceId", `["i-0a"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), program, append(strings.Fields(tt.command), "--output", "json")...)
			cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
			out, err := cmd.CombinedOutput()
			if err != nil {
				equal(t, tt.want, strings.TrimPrefix(strings.TrimSpace(string(out)), "aws: [ERROR]: "))
				return
			}
			var plain bytes.Buffer
			if err := json.Compact(&plain, out); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			equal(t, tt.want, plain.String())
		})
	}
}
