package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"
	sigsyaml "sigs.k8s.io/yaml"

	"drawbridge/checks"
	"drawbridge/controls"
	"drawbridge/detections"
	"drawbridge/internal/apply"
	"drawbridge/internal/cli"
	"drawbridge/internal/detect"
	"drawbridge/internal/graph"
	"drawbridge/internal/model"
	"drawbridge/internal/sink/securityhub"
	"drawbridge/internal/sink/sns"
	"drawbridge/internal/source/aws"
	"drawbridge/internal/source/dump"
	"drawbridge/internal/source/kube"
	"drawbridge/internal/stream"
	"drawbridge/internal/stream/kafka"
	"drawbridge/internal/stream/kinesis"
	"drawbridge/internal/stream/logs"
	"drawbridge/internal/stream/s3"
)

// addCommands writes one page a command, from its help.
func addCommands(pages map[string]string) error {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-")
		var b strings.Builder
		fmt.Fprintf(&b, "# %s\n\n%s\n\n", c.CommandPath(), c.Long)
		if c.Long == "" {
			b.Reset()
			fmt.Fprintf(&b, "# %s\n\n%s.\n\n", c.CommandPath(), c.Short)
		}
		if c.Runnable() {
			fmt.Fprintf(&b, "```\n%s\n```\n\n", c.UseLine())
		}
		if c.Example != "" {
			fmt.Fprintf(&b, "## Examples\n\n```sh\n%s\n```\n\n", unindent(c.Example))
		}
		if flags := c.LocalFlags().FlagUsagesWrapped(110); flags != "" {
			fmt.Fprintf(&b, "## Flags\n\n```\n%s```\n", flags)
		}
		pages["cli/"+name+".md"] = b.String()
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(cli.Root())
	return nil
}

func unindent(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}

// addChecks writes the index of checks with their severities, areas, controls and techniques.
func addChecks(pages map[string]string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Checks\n\n%d checks. `drawbridge explain ID` shows a check's page; the pages are in [checks/](../../checks).\n\n", len(checks.All))
	b.WriteString("| id | finds | severity | techniques | controls |\n|---|---|---|---|---|\n")
	for _, c := range checks.All {
		var mapped []string
		for _, m := range controls.Of(c.ID) {
			mapped = append(mapped, m.Framework+" "+m.ID)
		}
		fmt.Fprintf(&b, "| [%s](../../checks/%s.md) | %s | %s | %s | %s |\n", c.ID, strings.ReplaceAll(c.ID, "-", "_"), c.Title, c.Severity,
			strings.Join(c.Techniques, ", "), strings.Join(mapped, ", "))
	}
	b.WriteString("\nSeverity is a default; a finding may say another, with the reason in its message.\n")
	pages["checks.md"] = b.String()
	b.Reset()
	b.WriteString("# Controls\n")
	for _, e := range controls.Editions("") {
		fmt.Fprintf(&b, "\n## %s, %s (`--framework %s`)\n\n%s\n\n| control | title | checks |\n|---|---|---|\n", e.Title, e.Edition, e.Framework, e.Note)
		for _, c := range e.Controls {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", c.ID, c.Title, strings.Join(c.Checks, ", "))
		}
	}
	pages["controls.md"] = b.String()
	return nil
}

// addDetections writes the index of the detections, and the fields that they have beside those of the log.
func addDetections(pages map[string]string) error {
	p, err := detect.Load(detections.Files)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Detections\n\n%d detections. `drawbridge explain ID` shows the page of one; the rules are in [detections/](../../detections), in Sigma.\n\n", len(p.Detections))
	b.WriteString("| id | finds | highest severity | logs | techniques |\n|---|---|---|---|---|\n")
	for _, d := range p.Detections {
		var logs []string
		for _, plane := range d.Planes() {
			logs = append(logs, plane.String())
		}
		fmt.Fprintf(&b, "| [%s](../../detections/%s.yml) | %s | %s | %s | %s |\n", d.ID, strings.ReplaceAll(d.ID, "-", "_"), d.Head().Title, d.Severity(),
			strings.Join(logs, ", "), strings.Join(d.Techniques(), ", "))
	}
	e, err := exports()
	if err != nil {
		return err
	}
	b.WriteString(e)
	b.WriteString("\n## Fields\n\nA rule may use every field of the record by its own name, and these. *Ledger*: other events decide it, before or after. *Snapshot*: `--snapshot` sharpens\nit, or it is absent without.\n\n")
	b.WriteString("| field | is | log | from |\n|---|---|---|---|\n")
	for _, f := range detect.Fields() {
		from := []string{}
		if f.Ledger {
			from = append(from, "ledger")
		}
		if f.Snapshot {
			from = append(from, "snapshot")
		}
		if len(from) == 0 {
			from = []string{"the record"}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, strings.ReplaceAll(f.Text, "|", "\\|"), cmp.Or(f.Plane, "both"), strings.Join(from, ", "))
	}
	pages["detections.md"] = b.String()
	return nil
}

// addSteps writes the index of the kinds of steps in attack paths.
func addSteps(pages map[string]string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Steps of attack paths\n\n%d kinds. `drawbridge explain ID` shows the page of one; the pages are in [internal/graph/pages/](../../internal/graph/pages).\nTechniques are those of MITRE ATT&CK.\n\n", len(graph.Kinds))
	b.WriteString("| id | step | needs | technique |\n|---|---|---|---|\n")
	for _, k := range graph.Kinds {
		fmt.Fprintf(&b, "| [%s](../../internal/graph/pages/%s.md) | %s | %s | %s |\n", k.ID, strings.ReplaceAll(k.ID, "-", "_"), k.Title, k.Needs, k.Technique)
	}
	pages["steps.md"] = b.String()
	return nil
}

// addInputs writes what -f recognises, from the tables that it is recognised by.
func addInputs(pages map[string]string) error {
	var b strings.Builder
	b.WriteString("# What -f reads\n\nFiles and folders, recognised by content, never by name alone; `-` is standard input; several paths merge. Compressed with gzip\nor zstd, too.\n\n- a snapshot that `drawbridge collect` wrote\n- what `aws` printed as JSON, in any split over files:\n\n")
	for _, c := range dump.Commands() {
		fmt.Fprintf(&b, "  - `aws %s`\n", c)
	}
	b.WriteString("\n  Service and resource control policies are not among them: `aws organizations list-policies-for-target` and `list-parents` do not\n  print what they were asked about, so that nothing tells at which level a policy stands. `drawbridge collect` reads them.\n")
	b.WriteString("\n- Kubernetes objects as JSON or YAML, whether `kubectl get -o json|yaml` printed them or somebody wrote them: single objects, lists,\n  several documents a file. Of these kinds; all others, Secrets among them, are skipped unread, and of ConfigMaps only\n  `kube-system/aws-auth` is read:\n\n")
	fmt.Fprintf(&b, "  %s\n", strings.Join(dump.Kinds(), ", "))
	b.WriteString(`
## What counts as read

- An area is read if at least one object of its kind, or an empty *typed* answer (` + "`{\"associations\":[]}`, `kind: DaemonSetList`" + `), is in
  the files. An untyped empty ` + "`List`" + ` says nothing. What is in no file is a gap: *not assessed*, never clean.
- A ` + "`list-*`" + ` answer names what must be described. What is listed and not described is a gap, and so is an answer that ends with
  a token for the rest.
- Kubernetes objects carry no cluster. A folder with one ` + "`describe-cluster`" + ` belongs to it, with its sub-folders; several clusters
  need a folder each. Without any, the cluster is called ` + "`" + dump.Unnamed + "`" + `.
- A file that is named and broken is an error with its place. A broken file inside a folder is a gap, and the rest is read.
`)
	pages["inputs.md"] = b.String()
	return nil
}

// addPermissions writes the least permissions of a scan, from the tables that the sources call by.
func addPermissions(pages map[string]string) error {
	policy, err := json.MarshalIndent(map[string]any{
		"Version":   "2012-10-17",
		"Statement": []any{map[string]any{"Sid": "DrawbridgeReads", "Effect": "Allow", "Action": aws.Actions(), "Resource": "*"}},
	}, "", "  ")
	if err != nil {
		return err
	}
	role, err := sigsyaml.Marshal(kube.ClusterRole())
	if err != nil {
		return err
	}
	pages["iam-policy.json"] = string(policy) + "\n"
	pages["clusterrole.yaml"] = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n" + withoutTypeMeta(string(role))
	var b strings.Builder
	fmt.Fprintf(&b, "# Permissions\n\nWhat `drawbridge scan` and `collect` need to read everything, written from the tables that the code calls by. Whatever is missing\nbecomes a gap in the result that names it; nothing else fails.\n\n## AWS\n\n[iam-policy.json](iam-policy.json), %d read actions. With `--role-arn`, also `sts:AssumeRole` on that role.\n\n```json\n%s\n```\n\n", len(aws.Actions()), policy)
	fmt.Fprintf(&b, "## Kubernetes\n\n[clusterrole.yaml](clusterrole.yaml). Secrets are never read, and of ConfigMaps only `kube-system/aws-auth`.\n\n```yaml\n%s```\n\n", pages["clusterrole.yaml"])
	b.WriteString("## Areas\n\n| area | needs |\n|---|---|\n")
	for _, a := range model.Areas {
		note := ""
		if a.Optional {
			note = " (optional: without it answers say at most too much, and `--require-complete` does not ask for it)"
		}
		fmt.Fprintf(&b, "| `%s` | %s%s |\n", a.Area, a.Action, note)
	}
	b.WriteString("\n`organization` beyond its id is readable only from the organization's management account and by delegated administrators: a\nresource-based delegation policy that grants `organizations:ListParents`, `ListPoliciesForTarget` and `DescribePolicy` makes an\naccount one (AWS Organizations User Guide, \"Delegated administrator for AWS Organizations\", 2026-11). With `--role-arn`, whoever\nassumes the role is asked too, where the role itself is refused.\n")
	writeApplyRights(&b)
	writeStreamRights(&b)
	pages["permissions.md"] = b.String()
	return nil
}

// writeStreamRights writes what it takes to read streams and to deliver findings.
func writeStreamRights(b *strings.Builder) {
	b.WriteString("\n## Streams and sinks\n\nOnly `detect` needs these, on the streams and receivers that it is given. What a key of KMS encrypts takes `kms:Decrypt` on that key as well; to\npublish to a topic that is encrypted takes `kms:GenerateDataKey` too.\n\n| for | action | on | why |\n|---|---|---|---|\n")
	for _, s := range []struct {
		name   string
		rights []stream.Right
	}{
		{"objects in S3, announced through SQS", s3.Rights()},
		{"Kinesis", kinesis.Rights()},
		{"Kafka on Amazon MSK", kafka.Rights()},
		{"CloudWatch Logs", logs.Rights()},
		{"to SNS", sns.Rights()},
		{"to Security Hub", securityhub.Rights()},
	} {
		for _, r := range s.rights {
			fmt.Fprintf(b, "| %s | `%s` | %s | %s |\n", s.name, r.Action, r.On, r.Why)
		}
	}
}

// writeApplyRights writes what each type of change takes, from what package apply calls.
func writeApplyRights(b *strings.Builder) {
	b.WriteString("\n## Carrying out plans\n\nOnly `--apply`, `verify` and `rollback` need these, on the cluster and the objects of the plan, reading before and after included.\nChanges of IAM users need the same actions with `User` for `Role`. Who writes roles and bindings must also hold what these give,\nor the verbs `escalate` and `bind` (Kubernetes documentation, \"Using RBAC Authorization\", 2026-11).\n\nWhat is in brackets it goes without: with it the cluster's authorizer is asked whether the username and groups of a new entry may\ndo what the plan says. That shows what they are bound to, not that EKS takes the principal for them. A step that was not asked\nabout is \"read back\", not \"verified\".\n\n| change | AWS | Kubernetes |\n|---|---|---|\n")
	for _, r := range apply.RightsByChange() {
		var rules []string
		text := func(rule rbacv1.PolicyRule) string {
			return strings.Join(rule.Verbs, ", ") + " " + strings.Join(append(rule.Resources, rule.ResourceNames...), "/")
		}
		for _, rule := range r.Rules {
			rules = append(rules, text(rule))
		}
		for _, rule := range r.Confirming {
			rules = append(rules, "("+text(rule)+")")
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", r.Change, strings.Join(r.Actions, ", "), strings.Join(rules, "; "))
	}
}

func withoutTypeMeta(yaml string) string {
	var kept []string
	for _, line := range strings.SplitAfter(yaml, "\n") {
		if !strings.HasPrefix(line, "kind:") && !strings.HasPrefix(line, "apiVersion:") && !strings.Contains(line, "creationTimestamp: null") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
