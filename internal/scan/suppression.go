package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"drawbridge/internal/finding"
)

// Suppression is one recorded decision to accept findings: of one check, about the object that they are anchored on.
type Suppression struct {
	ID      string  `yaml:"id"`
	Cluster string  `yaml:"cluster"`
	Subject Subject `yaml:"subject"`
	Reason  string  `yaml:"reason"`
	Owner   string  `yaml:"owner"`
	// Expiry is the last day on which the decision counts, as 2006-01-02. Without it the decision does not end.
	Expiry string `yaml:"expiry"`
	// Source is the file and line of the decision.
	Source string `yaml:"-"`
}

// Subject names the object of a suppression. An empty field is any; * stands for any run of characters.
type Subject struct {
	Kind      string `yaml:"kind"`
	Namespace string `yaml:"namespace"`
	Name      string `yaml:"name"`
	ARN       string `yaml:"arn"`
}

// UnmarshalYAML accepts a mapping, or a name or ARN alone.
func (s *Subject) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		s.Name = n.Value
		if namespace, name, ok := strings.Cut(n.Value, "/"); ok && !strings.HasPrefix(n.Value, "arn:") {
			s.Namespace, s.Name = namespace, name
		}
		return nil
	}
	if err := knownFields(n, "kind", "namespace", "name", "arn"); err != nil {
		return fmt.Errorf("subject: %w", err) // a misspelt field would accept more than was meant
	}
	type plain Subject
	return n.Decode((*plain)(s))
}

// ParseSuppressions reads a suppressions file: a list, or a mapping with the list under `suppressions`. Each needs an id,
// a subject and a reason. All that is wrong is told at once, with lines.
func ParseSuppressions(r io.Reader, file string) ([]Suppression, error) {
	text, err := io.ReadAll(io.LimitReader(r, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("read suppressions %s: %w", file, err)
	}
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read suppressions %s: %w", file, err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read suppressions %s: want one YAML document, there are more", file)
	}
	list := doc.Content[0]
	if list.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(list.Content); i += 2 {
			if list.Content[i].Value == "suppressions" {
				list = list.Content[i+1]
				break
			}
		}
	}
	if list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("read suppressions %s: want a list of suppressions", file)
	}
	var all []Suppression
	var wrong []error
	for _, n := range list.Content {
		s, err := parseSuppression(n)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s:%d: %w", file, n.Line, err))
			continue
		}
		s.Source = fmt.Sprintf("%s:%d", file, n.Line)
		all = append(all, s)
	}
	return all, errors.Join(wrong...)
}

func parseSuppression(n *yaml.Node) (Suppression, error) {
	var s Suppression
	if n.Kind != yaml.MappingNode {
		return s, errors.New("a suppression is a mapping with id, subject and reason")
	}
	if err := knownFields(n, "id", "cluster", "subject", "reason", "owner", "expiry"); err != nil {
		return s, err
	}
	if err := n.Decode(&s); err != nil {
		return s, err
	}
	switch {
	case s.ID == "":
		return s, errors.New("a suppression needs the id of a check")
	case s.Subject == Subject{}:
		return s, errors.New("a suppression needs the subject that the finding is about")
	case s.Reason == "":
		return s, errors.New("a suppression needs a reason")
	}
	if s.Expiry != "" {
		if _, err := time.Parse(time.DateOnly, s.Expiry); err != nil {
			return s, fmt.Errorf("expiry %q is not a day like 2027-01-31", s.Expiry)
		}
	}
	return s, nil
}

// knownFields refuses a mapping with other fields than these.
func knownFields(n *yaml.Node, fields ...string) error {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if key := n.Content[i].Value; !slices.Contains(fields, key) {
			return fmt.Errorf("unknown field %q", key)
		}
	}
	return nil
}

// Matches says whether the decision is about a finding, whatever its date.
func (s Suppression) Matches(f finding.Finding) bool {
	return s.ID == f.ID && like(s.Cluster, f.Cluster) && like(s.Subject.Kind, f.Subject.Kind) && like(s.Subject.Namespace, f.Subject.Namespace) &&
		(like(s.Subject.Name, f.Subject.Name) || s.Subject.Name == f.Subject.ARN) && like(s.Subject.ARN, f.Subject.ARN)
}

// Expired says whether the decision's last day is over, in UTC.
func (s Suppression) Expired(now time.Time) bool {
	day, err := time.Parse(time.DateOnly, s.Expiry)
	return err == nil && !now.UTC().Before(day.AddDate(0, 0, 1))
}

// like matches a pattern with * against a value; an empty pattern is any.
func like(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
