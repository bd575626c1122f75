package iam

import (
	"slices"
	"strings"
)

// Piece is a part of a pattern: a literal text, or a wildcard.
type Piece struct {
	Text string // of a literal
	Wild Wild
}

// Wild says what a piece stands for.
type Wild uint8

// The pieces: the text itself, any one character, and any characters or none.
const (
	Literal Wild = iota
	OneAny
	ManyAny
)

// ActionPatterns returns the strings of the statement's Action or NotAction in pieces. Case does not matter in them.
func (s *Statement) ActionPatterns() [][]Piece {
	var all [][]Piece
	for _, list := range [][]pattern{s.actions, s.notActions} {
		for i := range list {
			pieces, _ := list[i].pieces(nil)
			all = append(all, pieces)
		}
	}
	return all
}

// ResourcePatterns returns the strings of the statement's Resource or NotResource in pieces, variables that the request
// knows put in. One that it does not know is ManyAny, and sure is then false.
func (s *Statement) ResourcePatterns(r *Request) (all [][]Piece, sure bool) {
	sure = true
	for _, list := range [][]resourcePattern{s.resources, s.notResource} {
		for i := range list {
			pieces, known := list[i].pieces(r)
			all, sure = append(all, pieces), sure && known
		}
	}
	return all, sure
}

func (p *pattern) pieces(r *Request) (all []Piece, known bool) {
	known = true
	for i := range p.tokens {
		switch t := &p.tokens[i]; t.kind {
		case literal:
			all = append(all, Piece{Text: t.text})
		case one:
			all = append(all, Piece{Wild: OneAny})
		case many:
			all = append(all, Piece{Wild: ManyAny})
		default:
			value, state := t.resolve(r)
			if state == present {
				all = append(all, Piece{Text: value})
				continue
			}
			all, known = append(all, Piece{Wild: ManyAny}), false
		}
	}
	return all, known
}

// Meaning writes the condition so that two which mean the same for all requests like r read the same, whatever their
// spelling and order, and returns the keys that decide it: its own and those of variables that the request does not know.
// That two read differently does not say that they differ.
func (c *Condition) Meaning(r *Request) (text string, keys []string) {
	operator := strings.ToLower(c.Operator)
	if c.op.kind == arnOperator { // "ArnEquals and ArnLike behave identically" (IAM User Guide, condition operators, 2026-11)
		operator = strings.NewReplacer("arnequals", "arnlike", "arnnotequals", "arnnotlike").Replace(operator)
	}
	keys = []string{c.key}
	values := make([]string, len(c.operands))
	for i := range c.operands {
		o := &c.operands[i]
		values[i] = o.text
		switch c.op.kind {
		case boolOperator, nullOperator:
			values[i] = strings.ToLower(o.text)
		case stringOperator, arnOperator:
			if o.dynamic {
				var b strings.Builder
				for j := range o.tokens {
					keys = append(keys, o.tokens[j].spell(&b, r)...)
				}
				values[i] = b.String()
			}
			if c.op.fold {
				values[i] = strings.ToLower(values[i])
			}
		}
	}
	slices.Sort(values)
	return operator + "\x00" + c.key + "\x00" + strings.Join(slices.Compact(values), "\x00"), keys
}

// spell writes a token with what the request knows of it, and returns the key that it does not know.
func (t *token) spell(b *strings.Builder, r *Request) (unresolved []string) {
	switch t.kind {
	case literal:
		b.WriteString(strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}").Replace(t.text))
	case one:
		b.WriteString("?")
	case many:
		b.WriteString("*")
	default:
		if value, state := t.resolve(r); state == present {
			(&token{kind: literal, text: value}).spell(b, r)
			return nil
		}
		b.WriteString("${" + t.text + ", '" + t.fallback + "'}")
		return []string{t.text}
	}
	return nil
}

// Knows says whether the request tells of a condition key which values it has, or that it has none.
func (r *Request) Knows(key string) bool {
	state, _ := r.lookup(strings.ToLower(key))
	return state != unknown
}
