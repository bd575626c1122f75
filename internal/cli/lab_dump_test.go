package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"drawbridge/internal/finding"
)

// kubectlDumps are the commands of the README, and those that complete them.
var kubectlDumps = []string{
	"get namespaces,serviceaccounts,pods,nodes -A",
	"get deployments,daemonsets,statefulsets,replicasets,replicationcontrollers,jobs,cronjobs -A",
	"get clusterroles,clusterrolebindings,roles,rolebindings -A",
	"get configmap -n kube-system aws-auth",
	"get mutatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings",
	"get ec2nodeclasses,awsnodetemplates",
}

// awsDumps are the lists, each with the member that holds names and with what is then asked of each; % is the name.
var awsDumps = []struct {
	list, member string
	each         []string
}{
	{"eks describe-cluster --name prod", "", nil},
	{"eks list-access-entries --cluster-name prod", "accessEntries", []string{
		"eks describe-access-entry --cluster-name prod --principal-arn %", "eks list-associated-access-policies --cluster-name prod --principal-arn %",
	}},
	{"eks list-pod-identity-associations --cluster-name prod", "associations.associationId", []string{"eks describe-pod-identity-association --cluster-name prod --association-id %"}},
	{"eks list-nodegroups --cluster-name prod", "nodegroups", []string{"eks describe-nodegroup --cluster-name prod --nodegroup-name %"}},
	{"eks list-fargate-profiles --cluster-name prod", "fargateProfileNames", []string{"eks describe-fargate-profile --cluster-name prod --fargate-profile-name %"}},
	{"eks list-addons --cluster-name prod", "addons", []string{"eks describe-addon --cluster-name prod --addon-name %"}},
	{"eks list-capabilities --cluster-name prod", "capabilities.capabilityName", []string{"eks describe-capability --cluster-name prod --capability-name %"}},
	{"eks list-identity-provider-configs --cluster-name prod", "identityProviderConfigs.name", []string{
		"eks describe-identity-provider-config --cluster-name prod --identity-provider-config type=oidc,name=%",
	}},
	{"eks list-access-policies", "", nil},
	{"iam get-account-authorization-details", "", nil},
	{"iam list-open-id-connect-providers", "OpenIDConnectProviderList.Arn", []string{"iam get-open-id-connect-provider --open-id-connect-provider-arn %"}},
	{"cloudtrail describe-trails", "trailList.TrailARN", []string{"cloudtrail get-event-selectors --trail-name %", "cloudtrail get-trail-status --name %"}},
	{"logs describe-log-groups --log-group-name-prefix /aws/eks/prod/", "logGroups.logGroupName", []string{"logs describe-subscription-filters --log-group-name %"}},
	{"ec2 describe-instances", "", nil},
	{"ec2 describe-launch-template-versions --launch-template-id lt-0a", "", nil},
}

// dumps: folders of what kubectl and the AWS CLI print of the same state give the same findings.
func (w *world) dumps(t *testing.T, live finding.Result) {
	if testing.Short() {
		t.Skip("forty starts of the AWS CLI take half a minute")
	}
	awsFolder := t.TempDir()
	if !dumpAWS(t, awsFolder) {
		return
	}
	config := w.kubeconfig(t, "work", "kubectl", readers)
	for _, format := range []string{"json", "yaml"} {
		t.Run(format, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.CopyFS(folder, os.DirFS(awsFolder)); err != nil {
				t.Fatal(err)
			}
			dumpKubernetes(t, folder, config, format)
			equal(t, live, scan(t, "-f", folder))
		})
	}
	t.Run("exec", func(t *testing.T) {
		// The name of the context says nothing; the command that makes its tokens says all, and it is the real one.
		exec := &clientcmdapi.ExecConfig{
			APIVersion: "client.authentication.k8s.io/v1beta1", Command: "aws", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
			Args: []string{"--region", region, "eks", "get-token", "--cluster-name", cluster, "--output", "json"},
		}
		equal(t, live, scan(t, "--kubeconfig", w.writeKubeconfig(t, "work", &clientcmdapi.AuthInfo{Exec: exec})))
	})
}

// dumpKubernetes writes what kubectl prints; it is missing in nobody's CI.
func dumpKubernetes(t *testing.T, folder, kubeconfig, format string) {
	t.Helper()
	program, err := exec.LookPath("kubectl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("dumps cannot be compared: %v", err)
	}
	for i, command := range kubectlDumps {
		out, err := output(t, program, append(strings.Fields(command), "-o", format, "--kubeconfig", kubeconfig)...)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, fmt.Sprintf("kubectl-%d.%s", i, format)), out, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// dumpAWS writes what the AWS CLI prints, and returns whether there is one. The project does not depend on it, so CI may
// lack it too.
func dumpAWS(t *testing.T, folder string) bool {
	t.Helper()
	program, err := exec.LookPath("aws")
	if err == nil {
		_, err = output(t, program, "--version")
	}
	if err != nil {
		t.Skipf("dumps cannot be compared, for the AWS CLI is not there: %v", err)
	}
	var g errgroup.Group
	g.SetLimit(4)
	var mu sync.Mutex
	files := 0
	save := func(command string) ([]byte, error) {
		out, err := output(t, program, append(strings.Fields(command), "--output", "json", "--endpoint-url", os.Getenv("AWS_ENDPOINT_URL"))...)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		files++
		return out, os.WriteFile(filepath.Join(folder, fmt.Sprintf("aws-%02d.json", files)), out, 0o600)
	}
	var each []string
	for _, d := range awsDumps {
		g.Go(func() error {
			out, err := save(d.list)
			if err != nil {
				return err
			}
			names, err := members(out, d.member)
			mu.Lock()
			defer mu.Unlock()
			for _, name := range names {
				for _, command := range d.each {
					each = append(each, strings.ReplaceAll(command, "%", name))
				}
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, command := range each {
		g.Go(func() error { _, err := save(command); return err })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(each) < 20 {
		t.Errorf("only %d descriptions: %q", len(each), each)
	}
	return true
}

// members are the texts of a list in an answer, or one field of each of its objects: "associations.associationId".
func members(answer []byte, path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	var doc map[string]any
	if err := json.Unmarshal(answer, &doc); err != nil {
		return nil, err
	}
	member, field, _ := strings.Cut(path, ".")
	items, _ := doc[member].([]any)
	var names []string
	for _, item := range items {
		if o, ok := item.(map[string]any); ok {
			item = o[field]
		}
		name, ok := item.(string)
		if !ok {
			return nil, fmt.Errorf("no %s in %s", path, answer)
		}
		names = append(names, name)
	}
	return names, nil
}

// output runs a program with this process's environment and returns what it prints.
func output(t *testing.T, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(t.Context(), program, args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, log.String())
	}
	return out, nil
}
