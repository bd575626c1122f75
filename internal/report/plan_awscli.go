package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"drawbridge/internal/iam"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// awscliGuards are the functions of the script that look before it acts.
//
//go:embed plan_awscli.sh
var awscliGuards string

// writePlanAWSCLI writes a POSIX shell script with a function for each step, each phase, and each phase's way back. Run
// without arguments it does nothing and lists them.
func writePlanAWSCLI(w io.Writer, r *migrate.Result, _ Options) error {
	f, err := newForm(r)
	if err != nil {
		return err
	}
	back, err := waysBack(r)
	if err != nil {
		return err
	}
	s := &script{form: f}
	s.out.WriteString("#!/bin/sh\n")
	s.head()
	s.out.WriteString(awscliGuards)
	s.line("")
	s.line("equal=%s", map[bool]string{true: "yes", false: "no"}[r.Proof != nil && r.Proof.Equal])
	var listed []string
	now := r.Before
	for i, p := range f.view.phases {
		if now, err = s.phase(i+1, p, now); err != nil {
			return err
		}
		listed = append(listed, fmt.Sprintf("%3d  %s, %s: %s (%s)", i+1, p.Cluster, p.ID, p.Title, plural(len(p.steps), "step")))
	}
	for i, b := range back {
		s.back(i+1, b)
	}
	s.main(listed)
	_, err = w.Write(s.out.Bytes())
	return err
}

// script is a shell script. Whatever is not of its own making is quoted, or stands in a comment on one line.
type script struct {
	form *form
	out  bytes.Buffer
}

func (s *script) line(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *script) head() {
	v := s.form.view
	word, text := v.proven()
	lines := []string{"drawbridge " + v.Tool.Version + ", " + v.Time.UTC().Format("2006-01-02 15:04 UTC"), v.size(), "proof: " + word + ": " + text}
	for _, b := range v.Blockers {
		lines = append(lines, "BLOCKER: "+b)
	}
	for _, w := range v.Warnings {
		lines = append(lines, "warning: "+w)
	}
	lines = append(lines, "", "Needs the AWS CLI, and kubectl for what is in Kubernetes. It stops at the first thing that is not as it should be.",
		"drawbridge migrate --apply does the same, keeps a journal, and goes on where it was stopped.", "")
	s.out.WriteString(hashes(lines))
}

// phase writes the steps of a phase, then the phase. It returns the snapshot that the phase leaves behind.
func (s *script) phase(n int, p planPhase, now *model.Snapshot) (*model.Snapshot, error) {
	var calls []string
	forGood := false
	for i := 0; i < len(p.steps); {
		var changes plan.Plan
		for _, step := range p.steps[i:] {
			changes = append(changes, step.change)
		}
		count := rowsOut(changes)
		after, err := changes[:count].Simulate(now)
		if err != nil {
			return nil, fmt.Errorf("simulate phase %s: %w", p.ID, err)
		}
		s.step(p.steps[i:i+count], now, after)
		calls = append(calls, fmt.Sprintf("if [ \"$start\" -le %s ]; then step_%s; fi", p.steps[i+count-1].ID, p.steps[i].ID))
		for _, step := range p.steps[i : i+count] {
			forGood = forGood || !step.Reversible
		}
		now, i = after, i+count
	}
	s.line("")
	s.out.WriteString(hashes([]string{fmt.Sprintf("Phase %d, %s of %s: %s", n, p.ID, p.Cluster, p.Title)}))
	s.line("phase_%d() {", n)
	if len(calls) > 0 {
		s.line("\taccepted")
	}
	if forGood {
		s.line("\tfor_good %d", n)
	}
	for _, call := range calls {
		s.line("\t%s", call)
	}
	s.line("\tsay %s", plan.Shell(strings.Join(nonEmpty("done", visible(p.Wait)), "; then: ")))
	s.line("}")
	return now, nil
}

// step writes a step: what it needs, the command, and what shows that it has happened. Rows that leave the same aws-auth
// leave it at once, and only if it is as it was read.
func (s *script) step(steps []planStep, before, after *model.Snapshot) {
	first := steps[0]
	s.line("")
	var lines []string
	for _, step := range steps {
		lines = append(lines, "step "+step.ID+": "+step.Text)
		if !step.Reversible {
			lines = append(lines, "IRREVERSIBLE: "+step.Irreversible)
		}
	}
	s.out.WriteString(hashes(append(lines, "needs: "+first.Precondition)))
	s.line("step_%s() {", first.ID)
	for _, step := range steps {
		s.line("\tsay %s", plan.Shell("step "+visible(step.ID+": "+step.Text)))
	}
	s.change(first.change, first.Verify, before, after)
	s.line("}")
}

// change writes a change, with the guards that it needs before and the look at it afterwards.
func (s *script) change(c plan.Change, verify string, before, after *model.Snapshot) {
	target, command := plan.Target(c), plan.Command(c)
	name, region := clusterPlace(target.Cluster)
	account := ""
	if arn, err := iam.ParseARN(target.ARN); err == nil && target.Cluster == "" {
		account = arn.Account
	} else {
		for i := range s.form.clusters {
			if k := &s.form.clusters[i]; k.ID() == target.Cluster {
				account = k.Account
			}
		}
	}
	if account != "" {
		s.line("\tin_account %s", plan.Shell(account))
	}
	if strings.Contains(command, "kubectl ") {
		s.line("\tin_cluster %s", plan.Shell(name, region))
	}
	switch c := c.(type) {
	case plan.RemoveAWSAuthRow:
		if put, ok := rewritten(c.Cluster, before, after); ok {
			s.awsAuth(put)
		}
	case plan.PutAWSAuth:
		s.awsAuth(c)
	default:
		for _, line := range strings.Split(command, "\n") {
			s.line("\t%s", line)
		}
	}
	if mode, ok := c.(plan.SetAuthenticationMode); ok {
		s.line("\tmode_is %s", plan.Shell(name, region, mode.Mode))
	}
	if verify != "" {
		s.line("\t%s", verify)
	}
}

// awsAuth writes the blocks of aws-auth, after a copy was kept, if they are as they are expected.
func (s *script) awsAuth(put plan.PutAWSAuth) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	var operations []operation
	for _, block := range sortedKeys(put.After) {
		if was, there := put.Before[block]; there {
			operations = append(operations, operation{"test", "/data/" + block, was})
		}
		operations = append(operations, operation{"add", "/data/" + block, put.After[block]})
	}
	text, err := json.Marshal(operations, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
	if err != nil {
		text = []byte("[]") // strings cannot fail
	}
	s.line("\tkeep_aws_auth")
	// The text does not fit an argument: aws-auth may have a megabyte. It is JSON on one line, so that nothing in it ends it.
	s.line("\tkubectl patch configmap -n kube-system aws-auth --type json --patch-file /dev/stdin <<'END'")
	s.line("%s", spellHidden(text))
	s.line("END")
}

// back writes the way back out of a phase.
func (s *script) back(n int, p backPhase) {
	s.line("")
	s.out.WriteString(hashes([]string{fmt.Sprintf("Out of phase %d, %s of %s", n, p.ID, p.Cluster)}))
	s.line("undo_%d() {", n)
	if len(p.stuck) > 0 {
		for _, why := range p.stuck {
			s.line("\tsay %s", plan.Shell(visible(why)))
		}
		s.line("\t[ -n \"${UNDO_THE_REST-}\" ] || stop %s", plan.Shell("part of the phase stays; UNDO_THE_REST=yes undoes what can be undone"))
	}
	for _, c := range p.undo {
		s.line("\tsay %s", plan.Shell(visible(c.String())))
		s.change(c, "", nil, nil)
	}
	s.line("\tsay done")
	s.line("}")
}

// main writes what the script does with its arguments.
func (s *script) main(listed []string) {
	s.line("")
	s.line("list() {")
	s.line("\tsay 'sh FILE PHASE [STEP]   makes a phase, from a step on'")
	s.line("\tsay 'sh FILE undo PHASE     undoes it'")
	for _, l := range listed {
		s.line("\tsay %s", plan.Shell(visible(l)))
	}
	s.line("}")
	s.line("")
	s.line("case ${1-} in")
	for i := range len(listed) {
		s.line("%d) from \"${2-0}\"; phase_%d ;;", i+1, i+1)
	}
	s.line("undo)")
	s.line("\tcase ${2-} in")
	for i := range len(listed) {
		s.line("\t%d) undo_%d ;;", i+1, i+1)
	}
	s.line("\t*) list; exit 2 ;;")
	s.line("\tesac")
	s.line("\t;;")
	s.line("'') list ;;")
	s.line("*) list; exit 2 ;;")
	s.line("esac")
}
