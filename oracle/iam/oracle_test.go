package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"

	"drawbridge/internal/iam"
)

var (
	cases = flag.Int("cases", 2000, "how many random cases to compare; 20,000 take 16 seconds")
	seed  = flag.Uint64("seed", 1, "seed of the random cases")
)

// answer is one line of the bridge.
type answer struct {
	ID      int      `json:"id"`
	Result  string   `json:"result"`
	Ignored []string `json:"ignored"`
	Error   string   `json:"error"`
}

// TestAgainstOracle asks both evaluators the same questions. Cases where they may differ, because AWS
// says otherwise or nothing, are in the table of exclusions.
func TestAgainstOracle(t *testing.T) {
	if _, err := os.Stat("node_modules/@cloud-copilot/iam-simulate"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("iam-simulate is not installed: run npm ci in oracle/iam")
		}
		t.Skip("iam-simulate is not installed: run npm ci in oracle/iam")
	}
	m := maker{rand.New(rand.NewPCG(*seed, 2026))}
	all := make([]testCase, *cases)
	for i := range all {
		all[i] = m.newCase()
	}
	verdicts, excluded, mismatches := map[string]int{}, map[string]int{}, 0
	for i, a := range ask(t, all) {
		c := &all[i]
		if a.Error != "" || a.ID != i {
			t.Errorf("case %d: the oracle refuses it (%d): %s", i, a.ID, a.Error)
			continue
		}
		d := c.evaluate(t, a.Ignored)
		got := word(d)
		if why := exclusion(c); why != "" {
			excluded[why]++
			continue
		}
		verdicts[got]++
		if got != a.Result {
			if mismatches++; mismatches <= 5 {
				t.Errorf("case %d: we say %s, the oracle %s\n%s\nignored %v\n%s", i, got, a.Result, d, a.Ignored, c)
			}
		}
	}
	t.Logf("%d cases, %d mismatches; compared %v; excluded %v", *cases, mismatches, verdicts, excluded)
	if *cases >= 20000 {
		for _, e := range exclusions {
			if excluded[e.name] == 0 {
				t.Errorf("no case meets the exclusion %q any more", e.name)
			}
		}
	}
	if left := verdicts["Allowed"] + verdicts["ExplicitlyDenied"] + verdicts["ImplicitlyDenied"]; left < *cases*8/10 {
		t.Errorf("only %d of %d cases were compared", left, *cases)
	}
}

// word puts a decision in the oracle's words.
func word(d iam.Decision) string {
	switch {
	case d.Verdict == iam.Allowed:
		return "Allowed"
	case d.Verdict == iam.Denied && d.Explicit:
		return "ExplicitlyDenied"
	case d.Verdict == iam.Denied:
		return "ImplicitlyDenied"
	}
	return "Unknown"
}

// ask runs the bridge over all cases.
func ask(t *testing.T, all []testCase) []answer {
	t.Helper()
	var in bytes.Buffer
	for i := range all {
		line, err := json.Marshal(all[i].simulation(i))
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.Command("node", "bridge.mjs")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run the bridge: %v", err)
	}
	var answers []answer
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatalf("read the bridge's answer: %v", err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(all) {
		t.Fatalf("%d answers to %d cases", len(answers), len(all))
	}
	return answers
}

// simulation is the case in the oracle's terms.
func (c *testCase) simulation(id int) object {
	context := object{}
	for k, values := range c.Context {
		if context[k] = values; len(values) == 1 && !multivalued(k) {
			context[k] = values[0]
		}
	}
	s := object{
		"id": id,
		"request": object{
			"principal": c.Principal, "action": c.Action, "contextVariables": context,
			"resource": object{"resource": c.Resource, "accountId": c.Owner},
		},
		"identityPolicies":        oracleNamed(c.Identity),
		"serviceControlPolicies":  oracleLevels(c.SCP),
		"resourceControlPolicies": oracleLevels(c.RCP),
	}
	if c.Boundary != nil {
		s["permissionBoundaryPolicies"] = oracleNamed([]object{c.Boundary})
	}
	if c.Session != nil {
		s["sessionPolicy"] = c.Session
	}
	if c.ResourcePolicy != nil {
		s["resourcePolicy"] = c.ResourcePolicy
	}
	return s
}

func multivalued(name string) bool {
	return slices.ContainsFunc(keys, func(k key) bool { return k.name == name && k.many })
}

func oracleNamed(policies []object) []object {
	all := []object{}
	for _, p := range policies {
		all = append(all, object{"name": "p", "policy": p})
	}
	return all
}

func oracleLevels(levels [][]object) []object {
	all := []object{}
	for _, level := range levels {
		all = append(all, object{"orgIdentifier": "level", "policies": oracleNamed(level)})
	}
	return all
}

// evaluate asks drawbridge. Keys that the oracle ignores are left out here too.
func (c *testCase) evaluate(t *testing.T, ignored []string) iam.Decision {
	t.Helper()
	context := new(iam.Context).Close()
	for k, values := range c.Context {
		if !slices.Contains(ignored, k) {
			context.Set(k, values...)
		}
	}
	p := iam.Policies{Identity: named(t, c.Identity)}
	if c.Boundary != nil {
		p.Boundary = &named(t, []object{c.Boundary})[0]
	}
	if c.Session != nil {
		p.Session = named(t, []object{c.Session})
	}
	if c.ResourcePolicy != nil && c.trust {
		p.Trust = &named(t, []object{c.ResourcePolicy})[0]
	} else if c.ResourcePolicy != nil {
		p.Resource = named(t, []object{c.ResourcePolicy})
	}
	for _, level := range c.SCP {
		p.SCP = append(p.SCP, named(t, level))
	}
	// The oracle adds RCPFullAWSAccess, as AWS does, to every level.
	full := policy(object{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})
	for _, level := range c.RCP {
		p.RCP = append(p.RCP, named(t, append([]object{full}, level...)))
	}
	return iam.Evaluate(p, iam.Request{
		Principal: iam.ParsePrincipal(c.Principal), Action: c.Action,
		Resource: c.Resource, ResourceAccount: c.Owner, Context: context,
	})
}

func named(t *testing.T, policies []object) []iam.Named {
	t.Helper()
	var all []iam.Named
	for _, o := range policies {
		doc, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		p, err := iam.Parse(doc)
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		all = append(all, iam.Named{Name: "p", Policy: p})
	}
	return all
}

// String prints the case as the oracle gets it.
func (c *testCase) String() string {
	text, err := json.MarshalIndent(c.simulation(0), "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
