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
	cases = flag.Int("cases", 20_000, "how many random cases to compare, those not counted that are excluded")
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
	n := tally{excluded: map[string]int{}, parts: map[string]*part{}}
	for left := *cases; left > 0 && n.mismatches < 20; {
		batch := m.batch(min(left, 20_000), n.excluded)
		left -= len(batch)
		for i, a := range ask(t, batch) {
			c := &batch[i]
			if a.Error != "" || a.ID != i {
				t.Errorf("the oracle refuses a case (%d, want %d): %s\n%s", a.ID, i, a.Error, c)
				n.mismatches++
				continue
			}
			asked := c.question(t, a.Ignored)
			d := iam.Evaluate(asked.policies, asked.request)
			n.count(c, asked, d)
			if got := word(d); got != a.Result {
				if n.mismatches++; n.mismatches <= 5 {
					t.Errorf("we say %s, the oracle %s\n%s\nignored %v\n%s", got, a.Result, d, a.Ignored, c)
				}
			}
		}
	}
	n.report(t)
}

// batch makes cases of which none is excluded.
func (m maker) batch(n int, excluded map[string]int) []testCase {
	all := make([]testCase, 0, n)
	for len(all) < n {
		c := m.newCase()
		if why := exclusion(&c); why != "" {
			excluded[why]++
		} else {
			all = append(all, c)
		}
	}
	return all
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

// question is the case in our terms.
type question struct {
	policies iam.Policies
	request  iam.Request
}

// question leaves out the keys that the oracle ignores.
func (c *testCase) question(t *testing.T, ignored []string) question {
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
	return question{p, iam.Request{
		Principal: iam.ParsePrincipal(c.Principal), Action: c.Action,
		Resource: c.Resource, ResourceAccount: c.Owner, Context: context,
	}}
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
