// Package sigma reads Sigma rules and Sigma correlations (specification 2.x) into trees, and matches values as the
// specification says: without case unless `cased`, with the wildcards * and ?, and \ before them.
//
// It does not know events: which field of which record a Match asks about is decided in package detect, and how a tree is
// said in another system's language in package siem. Sigma filters, placeholders (`expand`), date parts and UTF-16 are not
// read: what uses them is an error with its position, never a rule that means something else.
package sigma

import (
	"strings"
	"time"
)

// Rule is one YAML document: an event rule with a Condition, or a correlation.
type Rule struct {
	ID, Name, Title, Status, Description, Author, Date, Modified string
	References, Tags, FalsePositives                             []string
	// Level is informational, low, medium, high or critical; "" where the rule does not say.
	Level     string
	LogSource LogSource
	// Condition of an event rule; nil for a correlation. Parts that the rule uses twice are the same *Match twice.
	Condition   Expr
	Correlation *Correlation
	// Custom is what stands under `drawbridge:`, as strings, int64s, float64s, bools, nils, []any and map[string]any.
	Custom map[string]any
	File   string
	// Line is where the document begins, from 1.
	Line int
	// Source is the text of the document as it was read, without the document marker.
	Source string
}

// LogSource says which records a rule is about.
type LogSource struct{ Category, Product, Service string }

// Expr is a condition with its selections in place: And, Or, Not or *Match.
type Expr interface{ expr() }

type (
	// And holds if all of its parts hold. It has at least one.
	And []Expr
	// Or holds if one of its parts holds. It has at least one.
	Or []Expr
	// Not holds if X does not.
	Not struct{ X Expr }
)

// Match compares a field with values: one of them has to match, or every one if All.
//
// A null value (Op Equals) matches a field that is null or that the record does not have. A field of a record may have
// several values (lists on its way); one that matches is enough, and with All each value may be met by another.
type Match struct {
	// Field in the log's own names; "" for keywords, which are looked for (Op Contains or Regex) in the whole record.
	Field  string
	Op     Op
	Values []Value
	All    bool
	Cased  bool
	// Line of the file, from 1.
	Line int
}

func (And) expr()    {}
func (Or) expr()     {}
func (Not) expr()    {}
func (*Match) expr() {}

// Op is how a field is compared.
type Op uint8

// The comparisons. FieldRef compares with the field that the value names; Exists has one value, a Bool.
const (
	Equals Op = iota + 1
	Contains
	StartsWith
	EndsWith
	Regex
	CIDR
	Exists
	Less
	LessEqual
	Greater
	GreaterEqual
	FieldRef
)

// String is the modifier that asks for the comparison, "equals" where none is needed.
func (o Op) String() string {
	names := [...]string{"", "equals", "contains", "startswith", "endswith", "re", "cidr", "exists", "lt", "lte", "gt", "gte", "fieldref"}
	if int(o) < len(names) {
		return names[o]
	}
	return ""
}

// The types of correlations. Absence is drawbridge's own, not Sigma's: the first rule matched, and none of the others
// within Timespan after it.
const (
	EventCount      = "event_count"
	ValueCount      = "value_count"
	Temporal        = "temporal"
	TemporalOrdered = "temporal_ordered"
	Absence         = "absence"
)

// Correlation says how matches of other rules belong together.
type Correlation struct {
	// Type is one of the constants above.
	Type string
	// Rules are names or ids of rules or correlations, at least one.
	Rules []string
	// GroupBy are fields, or names from Aliases; events are counted apart for each combination of their values.
	GroupBy  []string
	Timespan time.Duration
	// Op (gt, gte, lt, lte or eq) and Count are the condition; a temporal correlation without one wants all Rules. Empty for absence.
	Op    string
	Count int
	// Field whose distinct values a value_count counts.
	Field string
	// Aliases are, by alias and then by rule, the field that the alias stands for.
	Aliases map[string]map[string]string
	// Generate says that the referred rules count on their own, too.
	Generate bool
}

// Names are what correlations may call the rule: its name and its id, whichever it has.
func (r *Rule) Names() []string {
	var names []string
	for _, n := range []string{r.Name, r.ID} {
		if n != "" {
			names = append(names, n)
		}
	}
	return names
}

// Techniques are the ATT&CK techniques among the tags, as T1098 or T1098.006.
func (r *Rule) Techniques() []string {
	var found []string
	for _, tag := range r.Tags {
		name, ok := strings.CutPrefix(strings.ToLower(tag), "attack.")
		if ok && len(name) > 1 && name[0] == 't' && name[1] >= '0' && name[1] <= '9' {
			found = append(found, strings.ToUpper(name))
		}
	}
	return found
}

// Fields are the fields that an expression asks about, each once, in their order in the rule. "" stands for keywords.
func Fields(x Expr) []string {
	var fields []string
	seen := map[string]bool{}
	add := func(f string) {
		if !seen[f] {
			seen[f] = true
			fields = append(fields, f)
		}
	}
	Walk(x, func(m *Match) {
		add(m.Field)
		if m.Op == FieldRef {
			for i := range m.Values {
				add(m.Values[i].String())
			}
		}
	})
	return fields
}

// Walk calls f with every Match of an expression, in order.
func Walk(x Expr, f func(*Match)) {
	switch x := x.(type) {
	case And:
		for _, p := range x {
			Walk(p, f)
		}
	case Or:
		for _, p := range x {
			Walk(p, f)
		}
	case Not:
		Walk(x.X, f)
	case *Match:
		f(x)
	}
}
