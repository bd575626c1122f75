package dump

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"
)

const (
	// maxDepth bounds how deep YAML nests. No schema of Kubernetes comes near it.
	maxDepth = 500
	// maxUnfolded bounds how many nodes the aliases of one document unfold to.
	maxUnfolded = 200_000
)

// lineError is an error at a line of a YAML document.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// toJSON writes a YAML node as JSON the way kubectl reads it, with keys as text. Words that are booleans in YAML 1.1 only
// stay words; see yamlOptions. Repeated keys are an error.
func toJSON(n *yaml.Node) (jsontext.Value, error) {
	c := converter{}
	if err := c.node(n, 0); err != nil {
		return nil, err
	}
	return c.out, nil
}

type converter struct {
	out      []byte
	unfolded int // nodes reached through aliases
	aliases  int // how many aliases the walk is inside of
}

func (c *converter) node(n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return &lineError{n.Line, fmt.Errorf("nested deeper than %d", maxDepth)}
	}
	if c.aliases > 0 {
		if c.unfolded++; c.unfolded > maxUnfolded {
			return &lineError{n.Line, errors.New("the aliases unfold to too much")}
		}
	}
	switch n.Kind {
	case yaml.AliasNode:
		c.aliases++
		defer func() { c.aliases-- }()
		return c.node(n.Alias, depth+1)
	case yaml.MappingNode:
		return c.mapping(n, depth)
	case yaml.SequenceNode:
		c.out = append(c.out, '[')
		for i, v := range n.Content {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			if err := c.node(v, depth+1); err != nil {
				return err
			}
		}
		c.out = append(c.out, ']')
		return nil
	case yaml.ScalarNode:
		return c.scalar(n)
	}
	return &lineError{n.Line, errors.New("not a YAML value")}
}

func (c *converter) mapping(n *yaml.Node, depth int) error {
	seen := make(map[string]bool, len(n.Content)/2)
	first := true
	c.out = append(c.out, '{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			continue
		}
		key, err := keyOf(n.Content[i])
		if err != nil {
			return err
		}
		if seen[key] {
			return &lineError{n.Content[i].Line, fmt.Errorf("key %q is repeated", key)}
		}
		seen[key] = true
		if err := c.pair(&first, key, n.Content[i+1], depth); err != nil {
			return err
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			if err := c.merge(&first, seen, n.Content[i+1], depth+1); err != nil {
				return err
			}
		}
	}
	c.out = append(c.out, '}')
	return nil
}

func (c *converter) pair(first *bool, key string, value *yaml.Node, depth int) error {
	if !*first {
		c.out = append(c.out, ',')
	}
	*first = false
	var err error
	if c.out, err = jsontext.AppendQuote(c.out, key); err != nil {
		return &lineError{value.Line, err}
	}
	c.out = append(c.out, ':')
	return c.node(value, depth+1)
}

func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" }

// merge adds the pairs of a `<<` that the mapping does not have itself; of several sources the first wins (YAML, "Merge
// Key Language-Independent Type", 1.1).
func (c *converter) merge(first *bool, seen map[string]bool, from *yaml.Node, depth int) error {
	if depth > maxDepth {
		return &lineError{from.Line, fmt.Errorf("nested deeper than %d", maxDepth)}
	}
	if c.unfolded++; c.unfolded > maxUnfolded {
		return &lineError{from.Line, errors.New("the aliases unfold to too much")}
	}
	c.aliases++
	defer func() { c.aliases-- }()
	switch from.Kind {
	case yaml.AliasNode:
		return c.merge(first, seen, from.Alias, depth+1)
	case yaml.SequenceNode:
		for _, v := range from.Content {
			if err := c.merge(first, seen, v, depth+1); err != nil {
				return err
			}
		}
		return nil
	case yaml.MappingNode:
		for i := 0; i+1 < len(from.Content); i += 2 {
			if isMerge(from.Content[i]) {
				if err := c.merge(first, seen, from.Content[i+1], depth+1); err != nil {
					return err
				}
				continue
			}
			key, err := keyOf(from.Content[i])
			if err != nil || seen[key] {
				if err != nil {
					return err
				}
				continue
			}
			seen[key] = true
			if err := c.pair(first, key, from.Content[i+1], depth); err != nil {
				return err
			}
		}
		return nil
	}
	return &lineError{from.Line, errors.New("<< of something that is no mapping")}
}

// keyOf is a key as text: JSON has no others.
func keyOf(n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", &lineError{n.Line, errors.New("a key that is no text")}
	}
	c := converter{}
	if err := c.scalar(n); err != nil {
		return "", err
	}
	if len(c.out) > 0 && c.out[0] == '"' {
		return n.Value, nil
	}
	return string(c.out), nil
}

func (c *converter) scalar(n *yaml.Node) error {
	var err error
	switch n.ShortTag() {
	case "!!null":
		c.out = append(c.out, "null"...)
		return nil
	case "!!bool":
		var b bool
		if err = n.Decode(&b); err == nil {
			c.out = strconv.AppendBool(c.out, b)
		}
	case "!!int":
		err = c.integer(n)
	case "!!float":
		err = c.float(n)
	default:
		c.out, err = jsontext.AppendQuote(c.out, n.Value)
	}
	if err != nil {
		return &lineError{n.Line, err}
	}
	return nil
}

func (c *converter) integer(n *yaml.Node) error {
	var i int64
	if err := n.Decode(&i); err == nil {
		c.out = strconv.AppendInt(c.out, i, 10)
		return nil
	}
	var u uint64
	if err := n.Decode(&u); err == nil {
		c.out = strconv.AppendUint(c.out, u, 10)
		return nil
	}
	return c.float(n)
}

func (c *converter) float(n *yaml.Node) error {
	var f float64
	if err := n.Decode(&f); err != nil {
		return err
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return errors.New("a number that JSON does not have")
	}
	c.out = strconv.AppendFloat(c.out, f, 'g', -1, 64)
	return nil
}
