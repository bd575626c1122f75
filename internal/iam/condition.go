package iam

import "strings"

// Condition is one operator on one key with its values. All conditions of a statement must hold; one
// value that matches is enough, and with a negated operator none may match (IAM User Guide, "Conditions
// with multiple context keys or values", 2026-11).
type Condition struct {
	Operator, Key string   // as written
	Values        []string // as written; numbers and booleans as their JSON text
	op            operator
	key           string // in lower case
	operands      []operand
}

// String returns the condition as evidence shows it: "StringEquals aws:SourceArn = arn:… or arn:…".
func (c *Condition) String() string {
	return c.Operator + " " + c.Key + " = " + strings.Join(c.Values, " or ")
}

// Known reports whether the operator is one that this package knows; Test of another is Unknown.
func (c *Condition) Known() bool { return c.op.kind != unknownOperator }

// TrueWhenAbsent reports whether the condition holds for a request that does not carry its key, as it
// does with negated, IfExists and ForAllValues operators.
func (c *Condition) TrueWhenAbsent() bool { return c.whenAbsent() == True }

func (c *Condition) compile(variables bool) {
	c.op, c.key = parseOperator(c.Operator), strings.ToLower(c.Key)
	for _, v := range c.Values {
		c.operands = append(c.operands, c.op.compile(v, variables))
	}
}

// Test evaluates the condition for a request.
func (c *Condition) Test(r *Request) Truth {
	if !c.Known() {
		return Unknown
	}
	switch state, values := r.lookup(c.key); {
	case state == absent:
		return c.whenAbsent()
	case state == unknown:
		return join(c.whenAbsent(), c.whenAnything())
	case c.op.kind == nullOperator:
		return c.isNull(False, values)
	default:
		return c.whenPresent(values, r)
	}
}

// whenAbsent: "If the key that you specify in a policy condition is not present in the request context,
// the values do not match and the condition is false. If the policy condition requires that the key is
// not matched [...] the condition is true" (IAM User Guide, "IAM JSON policy elements: Condition
// operators", 2026-11); ForAllValues is true and ForAnyValue false ("Single-valued vs. multivalued
// context keys", 2026-11). ForAnyValue together with IfExists: the two pages contradict each other.
func (c *Condition) whenAbsent() Truth {
	switch op := &c.op; {
	case op.kind == unknownOperator:
		return Unknown
	case op.kind == nullOperator:
		return c.isNull(True, nil)
	case op.set == anyValue && op.ifExists:
		return Unknown
	case op.set == anyValue:
		return False
	}
	return truth(c.op.set == allValues || c.op.ifExists || c.op.negated)
}

// whenAnything is the outcome for a key that is present with values not known.
func (c *Condition) whenAnything() Truth {
	if c.op.kind == nullOperator {
		return c.isNull(False, nil)
	}
	if len(c.Values) == 0 && c.op.set == single {
		return truth(c.op.negated)
	}
	for i := range c.operands {
		if !c.op.like || !c.operands[i].everything() {
			continue
		}
		if c.op.set == single || c.op.set == allValues && !c.op.negated {
			return truth(!c.op.negated)
		}
	}
	return Unknown
}

// isNull evaluates Null, whose values are "true" (the key does not exist) and "false" (it exists and is
// not null). Whether an empty string is null there is not documented.
func (c *Condition) isNull(is Truth, values []string) Truth {
	if is == False && len(values) == 1 && values[0] == "" {
		is = Unknown
	}
	outcome := False
	both := [2]bool{}
	for _, v := range c.Values {
		switch {
		case strings.EqualFold(v, "true"):
			outcome, both[1] = or(outcome, is), true
		case strings.EqualFold(v, "false"):
			outcome, both[0] = or(outcome, -is), true
		default:
			outcome = or(outcome, Unknown)
		}
	}
	if both[0] && both[1] {
		return True
	}
	return outcome
}

// whenPresent evaluates the condition on known values.
func (c *Condition) whenPresent(values []string, r *Request) Truth {
	all, some := True, False
	for _, v := range values {
		t := c.passes(v, r)
		all, some = and(all, t), or(some, t)
	}
	empty := len(values) == 1 && values[0] == ""
	switch {
	case c.op.set == allValues && empty:
		// True "if the context key value resolves to a null dataset, such as an empty string".
		return True
	case c.op.set == allValues:
		return all
	case c.op.set == anyValue && empty:
		// False for "a null dataset", which the page does not say an empty string is here.
		return and(some, Unknown)
	case c.op.set == anyValue:
		return some
	}
	// "Multivalued context keys require a condition set operator": how several values count without
	// one is not documented, so all must agree.
	return join(all, some)
}

// passes tests one value of the request against the values of the condition.
func (c *Condition) passes(value string, r *Request) Truth {
	outcome := False
	for i := range c.operands {
		if outcome = or(outcome, c.op.compare(&c.operands[i], value, r)); outcome == True {
			break
		}
	}
	if c.op.negated {
		return -outcome
	}
	return outcome
}
