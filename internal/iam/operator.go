package iam

import (
	"net/netip"
	"strings"
	"time"
)

// setKind is the set operator before a condition operator.
type setKind uint8

const (
	single setKind = iota
	allValues
	anyValue
)

// operatorKind is the type of values that an operator compares.
type operatorKind uint8

const (
	unknownOperator operatorKind = iota
	nullOperator
	stringOperator
	arnOperator
	numericOperator
	dateOperator
	boolOperator
	binaryOperator
	addressOperator
)

// order is what an operator of an ordered type asks of the comparison.
type order uint8

const (
	equal order = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

func (o order) holds(c int) Truth {
	switch o {
	case less:
		return truth(c < 0)
	case lessOrEqual:
		return truth(c <= 0)
	case greater:
		return truth(c > 0)
	case greaterOrEqual:
		return truth(c >= 0)
	}
	return truth(c == 0)
}

// operator is a compiled condition operator.
type operator struct {
	kind     operatorKind
	set      setKind
	order    order
	ifExists bool
	negated  bool
	like     bool // of strings: the values may have wildcards
	fold     bool // of strings: without regard to case
}

// operators holds the operators by lower-case name (IAM User Guide, "IAM JSON policy elements: Condition
// operators", 2026-11).
var operators = map[string]operator{
	"null":                      {kind: nullOperator},
	"stringequals":              {kind: stringOperator},
	"stringnotequals":           {kind: stringOperator, negated: true},
	"stringequalsignorecase":    {kind: stringOperator, fold: true},
	"stringnotequalsignorecase": {kind: stringOperator, fold: true, negated: true},
	"stringlike":                {kind: stringOperator, like: true},
	"stringnotlike":             {kind: stringOperator, like: true, negated: true},
	"arnequals":                 {kind: arnOperator},
	"arnlike":                   {kind: arnOperator},
	"arnnotequals":              {kind: arnOperator, negated: true},
	"arnnotlike":                {kind: arnOperator, negated: true},
	"numericequals":             {kind: numericOperator},
	"numericnotequals":          {kind: numericOperator, negated: true},
	"numericlessthan":           {kind: numericOperator, order: less},
	"numericlessthanequals":     {kind: numericOperator, order: lessOrEqual},
	"numericgreaterthan":        {kind: numericOperator, order: greater},
	"numericgreaterthanequals":  {kind: numericOperator, order: greaterOrEqual},
	"dateequals":                {kind: dateOperator},
	"datenotequals":             {kind: dateOperator, negated: true},
	"datelessthan":              {kind: dateOperator, order: less},
	"datelessthanequals":        {kind: dateOperator, order: lessOrEqual},
	"dategreaterthan":           {kind: dateOperator, order: greater},
	"dategreaterthanequals":     {kind: dateOperator, order: greaterOrEqual},
	"bool":                      {kind: boolOperator},
	"binaryequals":              {kind: binaryOperator},
	"ipaddress":                 {kind: addressOperator},
	"notipaddress":              {kind: addressOperator, negated: true},
}

// parseOperator reads [ForAllValues:|ForAnyValue:]Name[IfExists], without regard to case.
func parseOperator(text string) operator {
	name, set := strings.ToLower(text), single
	if rest, ok := strings.CutPrefix(name, "forallvalues:"); ok {
		name, set = rest, allValues
	} else if rest, ok := strings.CutPrefix(name, "foranyvalue:"); ok {
		name, set = rest, anyValue
	}
	name, ifExists := strings.CutSuffix(name, "ifexists")
	op := operators[name]
	if op.kind == nullOperator && (ifExists || set != single) {
		// "You can add IfExists to the end of any condition operator name except the Null condition".
		return operator{}
	}
	op.set, op.ifExists = set, ifExists
	return op
}

// operand is one compiled value of a condition, of the operator's type.
type operand struct {
	pattern            // strings, and the text of every other value
	part    [6]pattern // ARNs
	number  decimal
	instant time.Time
	network netip.Prefix
	bad     bool // not a value of the type: what AWS makes of it is not documented
}

func (op *operator) compile(text string, variables bool) operand {
	o, ok := operand{pattern: pattern{text: text}}, true
	switch op.kind {
	case stringOperator:
		o.pattern = compile(text, syntax{wildcards: op.like, fold: op.fold, variables: variables})
	case arnOperator:
		ok = o.compileARN(text, variables)
	case numericOperator:
		o.number, ok = parseDecimal(text)
	case dateOperator:
		o.instant, ok = parseInstant(text)
	case addressOperator:
		o.network, ok = parseNetwork(text)
	case boolOperator, binaryOperator:
		// Two AWS pages contradict each other on policy variables with Bool; others have none.
		ok = !variables || !strings.Contains(text, "${")
	}
	o.bad = !ok
	return o
}

// compare tests one value of the request against one of the condition.
func (op *operator) compare(o *operand, value string, r *Request) Truth {
	switch op.kind {
	case stringOperator:
		return o.match(value, r)
	case arnOperator:
		return o.matchARN(value, r)
	}
	if o.bad {
		return Unknown
	}
	switch op.kind {
	case numericOperator:
		if n, ok := parseDecimal(value); ok {
			return op.order.holds(n.compare(o.number))
		}
	case dateOperator:
		if t, ok := parseInstant(value); ok {
			return op.order.holds(t.Compare(o.instant))
		}
	case boolOperator:
		return truth(strings.EqualFold(o.text, value))
	case binaryOperator:
		return truth(strings.TrimRight(o.text, "=") == strings.TrimRight(value, "="))
	case addressOperator:
		if a, err := netip.ParseAddr(value); err == nil && !a.Is4In6() {
			return truth(o.network.Contains(a))
		}
	}
	return Unknown
}

// compileARN: "Each of the six colon-delimited components of the ARN is checked separately and each can
// include multi-character match wildcards (*) or single-character match wildcards (?)"; equals and like
// "behave identically" (same page).
func (o *operand) compileARN(text string, variables bool) bool {
	s := syntax{wildcards: true, variables: variables}
	o.pattern = compile(text, s)
	for i := range 5 {
		head, tail, found := cutColon(text, variables)
		if !found {
			return false
		}
		o.part[i], text = compile(head, s), tail
	}
	o.part[5] = compile(text, s)
	return true
}

func (o *operand) matchARN(value string, r *Request) Truth {
	var part [6]string
	if o.bad || !cutARN(value, &part) {
		// Not six components, such as "*": at most it matches as a string does.
		return min(o.match(value, r), Unknown)
	}
	outcome := True
	for i := range part {
		outcome = and(outcome, o.part[i].match(part[i], r))
	}
	return outcome
}

// parseNetwork reads a CIDR block, or an address, which is that address only.
func parseNetwork(text string) (netip.Prefix, bool) {
	if n, err := netip.ParsePrefix(text); err == nil {
		return n.Masked(), true
	}
	a, err := netip.ParseAddr(text)
	return netip.PrefixFrom(a, a.BitLen()), err == nil && a.Zone() == ""
}
