package iam

import (
	"fmt"
	"strings"
)

// policy reads the document.
func (d decoder) policy() (*Policy, error) {
	p, hasStatement := &Policy{}, false
	err := d.object("document", func(name string) (err error) {
		switch strings.ToLower(name) {
		case "version":
			p.Version, err = d.str("Version")
		case "id":
			p.ID, err = d.str("Id")
		case "statement":
			hasStatement = true
			err = d.list("Statement", func() error {
				s, err := d.statement(len(p.Statements) + 1)
				p.Statements = append(p.Statements, s)
				return err
			})
		default:
			p.Unknown = append(p.Unknown, "element "+name)
			err = d.skip(name)
		}
		return err
	})
	if err == nil && !hasStatement {
		err = fmt.Errorf("document: no Statement")
	}
	return p, err
}

func (d decoder) statement(index int) (Statement, error) {
	s := Statement{Index: index}
	err := d.object("statement", func(name string) (err error) {
		switch strings.ToLower(name) {
		case "sid":
			s.Sid, err = d.str("Sid")
		case "effect":
			var effect string
			effect, err = d.str("Effect")
			s.Effect = Effect(effect)
		case "principal":
			s.Principal, err = d.principals("Principal")
		case "notprincipal":
			s.NotPrincipal, err = d.principals("NotPrincipal")
		case "action":
			s.Action, err = d.strs("Action")
		case "notaction":
			s.NotAction, err = d.strs("NotAction")
		case "resource":
			s.Resource, err = d.strs("Resource")
		case "notresource":
			s.NotResource, err = d.strs("NotResource")
		case "condition":
			s.Conditions, err = d.conditions()
		default:
			s.Unknown = append(s.Unknown, "element "+name)
			err = d.skip(name)
		}
		return err
	})
	if err != nil {
		return s, fmt.Errorf("statement %d: %w", index, err)
	}
	return s, nil
}

func (d decoder) principals(what string) (*Principals, error) {
	p := &Principals{}
	if d.PeekKind() == '"' {
		s, err := d.str(what)
		if p.Everyone = s == "*"; !p.Everyone {
			p.Other = []string{s}
		}
		return p, err
	}
	err := d.object(what, func(name string) error {
		members, err := d.strs(what + " " + name)
		switch strings.ToLower(name) {
		case "aws":
			p.AWS = members
		case "service":
			p.Service = members
		case "federated":
			p.Federated = members
		case "canonicaluser":
			p.CanonicalUser = members
		default:
			for _, m := range members {
				p.Other = append(p.Other, name+":"+m)
			}
		}
		return err
	})
	return p, err
}

func (d decoder) conditions() ([]Condition, error) {
	var all []Condition
	err := d.object("Condition", func(operator string) error {
		return d.object("Condition "+operator, func(key string) error {
			values, err := d.scalars("Condition " + operator + " " + key)
			all = append(all, Condition{Operator: operator, Key: key, Values: values})
			return err
		})
	})
	return all, err
}

// compile prepares a policy for matching and notes what it cannot be sure of.
func (p *Policy) compile() {
	variables := p.Version == "2012-10-17"
	if !variables && p.Version != "" && p.Version != "2008-10-17" {
		p.Unknown = append(p.Unknown, "Version "+p.Version)
	}
	for i := range p.Statements {
		p.Statements[i].opaque = len(p.Unknown) > 0
		p.Statements[i].compile(variables)
	}
}

func (s *Statement) compile(variables bool) {
	action := syntax{wildcards: true, fold: true}
	for _, a := range s.Action {
		s.actions = append(s.actions, compile(a, action))
	}
	for _, a := range s.NotAction {
		s.notActions = append(s.notActions, compile(a, action))
	}
	for _, text := range s.Resource {
		s.resources = append(s.resources, compileResource(text, variables))
	}
	for _, text := range s.NotResource {
		s.notResource = append(s.notResource, compileResource(text, variables))
	}
	for _, p := range []*Principals{s.Principal, s.NotPrincipal} {
		if p != nil {
			p.compile()
		}
	}
	for i := range s.Conditions {
		s.Conditions[i].compile(variables)
		s.onPrincipalARN = s.onPrincipalARN || s.Conditions[i].key == "aws:principalarn"
	}
	if s.Effect != Allow && s.Effect != Deny {
		s.Unknown = append(s.Unknown, fmt.Sprintf("Effect %q", string(s.Effect)))
	}
}
