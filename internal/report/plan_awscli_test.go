package report

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	gocmp "github.com/google/go-cmp/cmp"

	"drawbridge/internal/access"
	"drawbridge/internal/lab/aws"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// stage is a folder in which a script runs with stand-ins for aws and kubectl, which note what they are called with.
type stage struct {
	folder string
	env    []string
}

// pretend stands in for a program: its arguments and, where it is asked for a patch, its input are noted.
const pretend = `#!/bin/sh
printf '%s\0' "$(basename "$0")" "$@" >>"$NOTES"
printf '\n\0' >>"$NOTES"
case "$*" in
*get-caller-identity*) echo "${ACCOUNT-111122223333}" ;;
*authenticationMode*) echo "${MODE-API}" ;;
*cluster.endpoint*) echo https://cluster.example ;;
*"config view"*) echo "${SERVER-https://cluster.example}" ;;
*patch-file*) cat >>"$NOTES.patch" ;;
esac
`

func newStage(t testing.TB, env ...string) *stage {
	t.Helper()
	s := &stage{folder: t.TempDir()}
	bin := t.TempDir()
	for _, name := range []string{"aws", "kubectl"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(pretend), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.env = append([]string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "NOTES=" + filepath.Join(bin, "notes")}, env...)
	return s
}

// run runs a script and returns the calls it made, as lists of arguments, and what it said.
func (s *stage) run(t testing.TB, script string, args ...string) (calls [][]string, said string, err error) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skipf("no shell to run the script: %v", err)
	}
	path := filepath.Join(s.folder, "script")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", append([]string{path}, args...)...)
	cmd.Dir, cmd.Env = s.folder, s.env
	out, err := cmd.CombinedOutput()
	notes := strings.TrimPrefix(s.env[1], "NOTES=")
	text, _ := os.ReadFile(notes)
	_ = os.Remove(notes)
	for call := range strings.SplitSeq(strings.TrimSuffix(string(text), "\x00\n\x00"), "\x00\n\x00") {
		if call != "" {
			calls = append(calls, strings.Split(call, "\x00"))
		}
	}
	return calls, string(out), err
}

// TestPlanScript has what the script does and refuses to do.
func TestPlanScript(t *testing.T) {
	entries, pods := entriesPlan(t), podsPlan(t)
	entries.Proof = &migrate.Proof{Equal: true}
	unproved := entriesPlan(t)
	unproved.Proof = nil
	c := planCluster1("prod", "eu-central-1", model.ModeAPIConfigMap)
	s := &model.Snapshot{Clusters: []*model.Cluster{c}}
	forGood := planResult(t, migrationEntries, s, &migrate.Migration{Cluster: access.New(s).Clusters()[0], Phases: []migrate.Phase{{ID: "api-only", Plan: plan.Plan{plan.SetAuthenticationMode{Cluster: c.ID(), Mode: model.ModeAPI}}}}})
	forGood.Proof = &migrate.Proof{Equal: true}
	for name, tt := range map[string]struct {
		plan  *migrate.Result
		env   []string
		args  []string
		calls string // the words of the calls that matter, in order
		said  string
		fails bool
	}{
		"without arguments it lists the phases": {plan: entries, said: "3  prod, empty-aws-auth: take the rows out of aws-auth, one by one (6 steps)"},
		"a phase": {
			plan: entries, args: []string{"1"}, said: "done; then: every entry is read back",
			calls: "get-caller-identity create-access-entry describe-access-entry create-access-entry describe-access-entry associate-access-policy list-associated-access-policies create-access-entry describe-access-entry",
		},
		"from a step on":                         {plan: entries, args: []string{"1", "4"}, calls: "get-caller-identity create-access-entry describe-access-entry"},
		"rows that leave at once leave from any": {plan: entries, args: []string{"3", "9"}, calls: "get-caller-identity describe-cluster config get patch get"},
		"a step that is none":                    {plan: entries, args: []string{"1", "x"}, said: "is not the number of a step", fails: true},
		"a step that is no number of ours":       {plan: entries, args: []string{"1", "99999999999999999999"}, said: "is not the number of a step", fails: true},
		"a phase that is none":                   {plan: entries, args: []string{"9"}, fails: true},
		"another account":                        {plan: entries, env: []string{"ACCOUNT=444455556666"}, args: []string{"1"}, calls: "get-caller-identity", said: "works in account 444455556666", fails: true},
		"another cluster":                        {plan: entries, env: []string{"SERVER=https://other.example"}, args: []string{"3"}, calls: "get-caller-identity describe-cluster config", said: "kubectl talks to https://other.example", fails: true},
		"not proved":                             {plan: unproved, args: []string{"1"}, said: "ACCEPT_CHANGES=yes", fails: true},
		"not equal":                              {plan: pods, args: []string{"1"}, said: "ACCEPT_CHANGES=yes", fails: true},
		"not equal, and accepted":                {plan: pods, env: []string{"ACCEPT_CHANGES=yes"}, args: []string{"2"}, calls: "get-caller-identity describe-cluster config annotate get"},
		"for good":                               {plan: forGood, args: []string{"1"}, said: "CONFIRM_IRREVERSIBLE=1", fails: true},
		"for good, another phase":                {plan: forGood, env: []string{"CONFIRM_IRREVERSIBLE=2"}, args: []string{"1"}, said: "CONFIRM_IRREVERSIBLE=1", fails: true},
		"for good, and meant":                    {plan: forGood, env: []string{"CONFIRM_IRREVERSIBLE=1"}, args: []string{"1"}, calls: "get-caller-identity update-cluster-config describe-cluster wait describe-cluster"},
		"the way back":                           {plan: entries, args: []string{"undo", "1"}, calls: "get-caller-identity delete-access-entry disassociate-access-policy delete-access-entry delete-access-entry"},
		"the way back in Kubernetes":             {plan: entries, args: []string{"undo", "3"}, calls: "get-caller-identity describe-cluster config get patch"},
		"no way back":                            {plan: forGood, args: []string{"undo", "1"}, said: "authentication modes go forward only", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls, said, err := newStage(t, tt.env...).run(t, renderPlan(t, "aws-cli", tt.plan, Options{}), tt.args...)
			if (err != nil) != tt.fails {
				t.Errorf("fails: %v, said %s", err, said)
			}
			var words []string
			for _, c := range calls {
				if c[0] == "aws" {
					words = append(words, c[2])
				} else {
					words = append(words, c[1])
				}
			}
			if diff := gocmp.Diff(tt.calls, strings.Join(words, " ")); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if !strings.Contains(said, tt.said) {
				t.Errorf("said %s, want %s", said, tt.said)
			}
		})
	}
}

// TestPlanScriptAWSAuth holds the patch of aws-auth to leading from the text before to the one after, and only from there.
func TestPlanScriptAWSAuth(t *testing.T) {
	r := entriesPlan(t)
	r.Proof = &migrate.Proof{Equal: true}
	s := newStage(t)
	for _, way := range []struct {
		args     []string
		from, to *model.Snapshot
	}{{[]string{"3"}, r.Before, r.After}, {[]string{"undo", "3"}, r.After, r.Before}} {
		if _, said, err := s.run(t, renderPlan(t, "aws-cli", r, Options{}), way.args...); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		path := strings.TrimPrefix(s.env[1], "NOTES=") + ".patch"
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(path)
		var operations []struct{ Op, Path, Value string }
		if err := json.Unmarshal(text, &operations); err != nil {
			t.Fatal(err)
		}
		has, tested := way.from.Clusters[0].AWSAuth.Data, 0
		after := map[string]string{}
		for _, o := range operations {
			block := strings.TrimPrefix(o.Path, "/data/")
			if o.Op == "test" {
				tested++
				if has[block] != o.Value {
					t.Errorf("%v expects of %s %q, where there is %q", way.args, block, o.Value, has[block])
				}
				continue
			}
			after[block] = o.Value
		}
		if diff := gocmp.Diff(way.to.Clusters[0].AWSAuth.Data, after); diff != "" || tested != 2 {
			t.Errorf("%v: %d blocks are looked at; (-want +got):\n%s", way.args, tested, diff)
		}
		copies, err := filepath.Glob(filepath.Join(s.folder, "aws-auth.*"))
		if err != nil || len(copies) == 0 {
			t.Errorf("%v keeps no copy: %v", way.args, err)
		}
	}
}

// TestPlanScriptHostile runs scripts in which everything has a hostile name: each name arrives as one argument, as it is but
// for characters that nobody sees, and nothing else happens.
func TestPlanScriptHostile(t *testing.T) {
	for seed := range 12 {
		r := hostilePlan().Example(seed)
		s := newStage(t, "ACCEPT_CHANGES=yes")
		script := renderPlan(t, "aws-cli", r, Options{})
		calls, said, err := s.run(t, script, "1")
		if err != nil {
			t.Fatalf("%v: %s\n%s", err, said, script)
		}
		if _, said, err := s.run(t, script); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		if _, said, err := s.run(t, script, "undo", "1"); err != nil {
			t.Fatalf("%v: %s\n%s", err, said, script)
		}
		var want []string
		switch c := r.Changes[0].(type) {
		case plan.CreateAccessEntry:
			want = append([]string{c.PrincipalARN, c.Username}, c.Groups...)
		case plan.CreatePodIdentityAssociation:
			want = []string{c.Namespace, c.ServiceAccount, c.RoleARN}
		}
		for _, w := range want {
			if w != "" && !slices.ContainsFunc(calls, func(c []string) bool { return slices.Contains(append(c, asJSON(c)...), printable(w)) }) {
				t.Errorf("seed %d: no call has %q: %q", seed, printable(w), calls)
			}
		}
		files, err := os.ReadDir(s.folder)
		if err != nil || len(files) != 1 {
			t.Errorf("seed %d: a name did something: %v, %v", seed, files, err)
		}
	}
}

// asJSON are the names that a call of the AWS CLI has in JSON, which it would not take as they are.
func asJSON(call []string) []string {
	i := slices.Index(call, "--cli-input-json")
	if i < 0 {
		return nil
	}
	var input struct {
		Username         string
		KubernetesGroups []string
	}
	if err := json.Unmarshal([]byte(call[i+1]), &input); err != nil {
		return []string{err.Error()}
	}
	var names []string
	for _, n := range append(input.KubernetesGroups, input.Username) {
		names = append(names, printable(n))
	}
	return names
}

// printable is a name without what nobody sees.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// TestPlanScriptInTheLab makes a phase with the AWS CLI against the lab's EKS, and undoes it. It is skipped where the CLI is
// missing, in CI too: it is Python, and the project does not depend on it.
func TestPlanScriptInTheLab(t *testing.T) {
	if testing.Short() {
		t.Skip("a dozen starts of the AWS CLI take several seconds")
	}
	program, err := exec.LookPath("aws")
	if err == nil {
		err = exec.CommandContext(t.Context(), program, "--version").Run()
	}
	if err != nil {
		t.Skipf("no AWS CLI to run: %v", err)
	}
	r := entriesPlan(t)
	r.Proof = &migrate.Proof{Equal: true}
	srv := aws.New(aws.Options{}).Start(t)
	acct := srv.Account(own, "aws")
	for _, role := range r.Before.Accounts[0].Roles {
		path, name, _ := cutLast(strings.TrimPrefix(role.ARN, "arn:aws:iam::"+own+":role"), "/")
		acct.PutRole(aws.Role{RoleName: name, Path: path + "/", AssumeRolePolicyDocument: `{"Version":"2012-10-17","Statement":[]}`})
	}
	before := r.Before.Clusters[0]
	reg := acct.Region(before.Region)
	reg.PutCluster(aws.Cluster{Name: before.Name, AccessConfig: &aws.AccessConfig{AuthenticationMode: before.AuthenticationMode()}})
	for _, e := range before.AccessEntries {
		if strings.Contains(e.PrincipalARN, "aws-service-role") {
			continue // EKS's own, which the plan leaves alone
		}
		var policies []aws.AssociatedAccessPolicy
		for _, a := range before.PolicyAssociations {
			policies = append(policies, aws.AssociatedAccessPolicy{PolicyARN: a.PolicyARN, AccessScope: aws.AccessScope{Type: a.Scope.Type, Namespaces: a.Scope.Namespaces}})
		}
		reg.PutAccessEntry(aws.AccessEntry{ClusterName: before.Name, PrincipalARN: e.PrincipalARN, Username: e.Username, KubernetesGroups: e.Groups, Tags: e.Tags}, policies...)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "script")
	if err := os.WriteFile(path, []byte(renderPlan(t, "aws-cli", r, Options{})), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", append([]string{path}, args...)...)
		cmd.Dir = folder
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}, srv.Env(own, before.Region)...)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, said.String())
		}
	}
	compare := func(want *migrate.Result) {
		t.Helper()
		got := &written{}
		for _, e := range reg.AccessEntries(before.Name) {
			entry := model.AccessEntry{PrincipalARN: e.PrincipalARN, Type: e.Type, Tags: validMap(e.Tags)}
			if !entry.IsNode() {
				entry.Username, entry.Groups = e.Username, append([]string(nil), e.KubernetesGroups...)
			}
			got.entry(before.Name, entry)
			for _, p := range e.Policies {
				got.policy(before.Name, model.PolicyAssociation{PrincipalARN: e.PrincipalARN, PolicyARN: p.PolicyARN, Scope: model.AccessScope{Type: p.AccessScope.Type, Namespaces: p.AccessScope.Namespaces}})
			}
		}
		if diff := gocmp.Diff(wanted(want, "aws-cli"), got.sorted()); diff != "" {
			t.Errorf("-want +lab:\n%s", diff)
		}
	}
	run("1")
	compare(r)
	run("undo", "1")
	back := *r
	back.After = r.Before
	compare(&back)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
