// Command new writes the three files of a new check into checks/, each saying what belongs there. The check then needs
// one line in checks/checks.go.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "new check:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 || !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`).MatchString(args[0]) {
		return fmt.Errorf("want one id of words joined by dashes: make check-new NAME=access-entry-too-old")
	}
	id := args[0]
	words := strings.Split(id, "-")
	variable := words[0]
	for _, w := range words[1:] {
		variable += strings.ToUpper(w[:1]) + w[1:]
	}
	title := strings.ToUpper(id[:1]) + strings.ReplaceAll(id[1:], "-", " ")
	for ext, text := range map[string]string{
		".go":    fmt.Sprintf(code, variable, id, title),
		".md":    fmt.Sprintf(page, title),
		".txtar": cases,
	} {
		path := filepath.Join("checks", strings.ReplaceAll(id, "-", "_")+ext)
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s exists", path)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
		fmt.Println(path)
	}
	fmt.Printf("now add %s to All in checks/checks.go, and the id to a control in controls/*.yml\n", variable)
	fmt.Println("a fix that needs a decision is text (Fix) and no Plan: then say why in checks/plans_test.go")
	return nil
}

const code = `package checks

import (
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var %s = &check.Check{
	ID:       %q,
	Title:    %q,
	Severity: finding.Medium,
	Needs:    []model.Area{model.AreaAccessEntries},
	Since:    "0.1",
	Run: func(p *check.Pass) {
		for _, e := range p.Cluster.AccessEntries {
			p.Report(e, "what is wrong with %%s, in one sentence", e.PrincipalARN).
				Because(e, "principalArn", "the fact that shows it").
				Plan(plan.DeleteAccessEntry{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN})
		}
	},
}
`

const page = `# %s

## What it finds

## Why it matters

## How to fix it

## When it is fine

## References
`

const cases = `What is found, and what is not.
-- bad.yaml --
accessEntries:
- principalArn: arn:aws:iam::111122223333:role/ci # want "in one sentence"
-- good.yaml --
accessEntries: []
-- gap.yaml --
gaps: [{area: accessEntries}] # want not assessed "eks:ListAccessEntries"
`
