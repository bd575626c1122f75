package sigma

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// condition puts selections into the text that combines them: or binds least, then and, not, `1 of`, parentheses.
type condition struct {
	r          *reader
	selections map[string]Expr
	names      []string // in the order of the file
	matches    int

	node   *yaml.Node
	tokens []token
	next   int
}

type token struct {
	text string
	col  int // bytes from the start of the condition
}

// read reads a condition, or a list of them, of which one has to hold.
func (c *condition) read(n *yaml.Node) Expr {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	var any Or
	for _, n := range list {
		c.node, c.next = n, 0
		var ok bool
		if n.Kind != yaml.ScalarNode || len(n.Value) > maxCondition {
			c.r.problem(n, "condition: want a string of at most %d bytes", maxCondition)
			return nil
		}
		if c.tokens, ok = c.split(n.Value); !ok {
			return nil
		}
		x := c.or(0)
		if x != nil && c.next < len(c.tokens) {
			c.problem("condition: want and, or, or the end, not %q", c.peek())
			return nil
		}
		if x == nil {
			return nil
		}
		any = append(any, x)
	}
	if len(any) == 0 {
		c.r.problem(n, "condition: there is none")
		return nil
	}
	return one(any)
}

func (c *condition) split(s string) ([]token, bool) {
	var all []token
	for i := 0; i < len(s); {
		switch b := s[i]; {
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			i++
		case b == '(' || b == ')':
			all = append(all, token{s[i : i+1], i})
			i++
		case wordByte(b):
			j := i
			for j < len(s) && wordByte(s[j]) {
				j++
			}
			all = append(all, token{s[i:j], i})
			i = j
		case b == '|':
			c.r.problemAt(c.node.Line, c.column(i), "condition: aggregations (|) are not part of Sigma any more: write a correlation")
			return nil, false
		default:
			c.r.problemAt(c.node.Line, c.column(i), "condition: unexpected %q", []rune(s[i:])[0])
			return nil, false
		}
	}
	return all, true
}

func wordByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '-' || b == '.' || b == '*'
}

// column of a byte of the condition, where it is written in one line.
func (c *condition) column(at int) int {
	switch {
	case strings.Contains(c.node.Value, "\n") || c.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return c.node.Column
	case c.node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at++
	}
	return c.node.Column + at
}

func (c *condition) problem(format string, args ...any) {
	at := len(c.node.Value)
	if c.next < len(c.tokens) {
		at = c.tokens[c.next].col
	}
	c.r.problemAt(c.node.Line, c.column(at), format, args...)
}

func (c *condition) peek() string {
	if c.next < len(c.tokens) {
		return c.tokens[c.next].text
	}
	return ""
}

func (c *condition) or(depth int) Expr {
	var any Or
	for {
		x := c.and(depth)
		if x == nil {
			return nil
		}
		any = append(any, x)
		if c.peek() != "or" {
			return one(any)
		}
		c.next++
	}
}

func (c *condition) and(depth int) Expr {
	var all And
	for {
		x := c.not(depth)
		if x == nil {
			return nil
		}
		all = append(all, x)
		if c.peek() != "and" {
			break
		}
		c.next++
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

func (c *condition) not(depth int) Expr {
	if depth > maxDepth {
		c.problem("condition: nested deeper than %d", maxDepth)
		return nil
	}
	switch word := c.peek(); word {
	case "not":
		c.next++
		if x := c.not(depth + 1); x != nil {
			return Not{x}
		}
		return nil
	case "(":
		c.next++
		x := c.or(depth + 1)
		if x == nil {
			return nil
		}
		if c.peek() != ")" {
			c.problem("condition: a parenthesis is not closed")
			return nil
		}
		c.next++
		return x
	case "":
		c.problem("condition: something is missing at the end")
		return nil
	case "and", "or", ")":
		c.problem("condition: want a selection, not %q", word)
		return nil
	case "1", "all", "any":
		if c.next+1 < len(c.tokens) && c.tokens[c.next+1].text == "of" {
			return c.of(word)
		}
	}
	return c.selection()
}

func (c *condition) selection() Expr {
	name := c.peek()
	x, ok := c.selections[name]
	switch {
	case ok:
		if !c.counted(x) {
			return nil
		}
		c.next++
		return x
	case strings.Contains(name, "*"):
		c.problem("condition: want `1 of %s` or `all of %s`", name, name)
	default:
		c.problem("condition: there is no selection %q", name)
	}
	return nil
}

// of reads `1 of pattern`, `all of pattern` and the same of them: every selection whose name does not begin with _.
func (c *condition) of(quantity string) Expr {
	if quantity == "any" {
		c.problem("condition: want `1 of`, not `any of`")
		return nil
	}
	c.next += 2
	pattern := c.peek()
	v := Value{text: pattern}
	v.compile()
	var some []Expr
	for _, name := range c.names {
		if pattern == "them" && !strings.HasPrefix(name, "_") || pattern != "them" && v.Matches(Equals, true, name) {
			if x := c.selections[name]; c.counted(x) {
				some = append(some, x)
			} else {
				return nil
			}
		}
	}
	switch {
	case pattern == "":
		c.problem("condition: want a pattern of selections or `them` after `of`")
		return nil
	case len(some) == 0:
		c.problem("condition: no selection is called %q", pattern)
		return nil
	}
	c.next++
	if len(some) == 1 {
		return some[0]
	}
	if quantity == "1" {
		return Or(some)
	}
	return And(some)
}

// counted keeps a small text from becoming a huge tree: selections are counted each time that they are named.
func (c *condition) counted(x Expr) bool {
	Walk(x, func(*Match) { c.matches++ })
	if c.matches > maxMatches {
		c.problem("condition: more than %d comparisons", maxMatches)
		return false
	}
	return true
}
