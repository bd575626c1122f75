package iam

import (
	"maps"
	"slices"
	"strings"
)

// presence says what is known of one context key. Its zero value is unknown.
type presence uint8

const (
	unknown presence = iota
	absent
	present
)

// Context is what is known of a request's condition keys. Each key has known values, or is known to be
// absent, or is unknown; a key never mentioned is unknown, until Close. The zero value is a context of
// which nothing is known. A context in a request must not be changed any more: decisions go back to it. Key names are not case-sensitive (IAM User Guide, "IAM JSON policy elements:
// Condition", 2026-11), and this holds for the tag keys in them too.
//
// Values are text as the policy language writes them: numbers and booleans in digits and words, dates in
// ISO 8601 or epoch seconds, binary values in base64.
type Context struct {
	keys     map[string]entry
	prefixes []string
	closed   bool
}

type entry struct {
	state  presence
	values []string
}

// Set gives a key its values; without values the key is absent. It returns the context for chaining.
func (c *Context) Set(key string, values ...string) *Context {
	if len(values) == 0 {
		return c.SetAbsent(key)
	}
	return c.put(key, entry{present, slices.Clone(values)})
}

// SetAbsent says that the request does not carry the key.
func (c *Context) SetAbsent(key string) *Context { return c.put(key, entry{state: absent}) }

// SetUnknown says that nothing is known of the key, also after Close or AbsentUnder.
func (c *Context) SetUnknown(key string) *Context { return c.put(key, entry{}) }

// AbsentUnder says that keys with this prefix which are not named otherwise are absent: for example
// "aws:PrincipalTag/" when all tags of the principal are known.
func (c *Context) AbsentUnder(prefix string) *Context {
	c.prefixes = append(c.prefixes, strings.ToLower(prefix))
	return c
}

// Clone returns a copy to go on from; of nil, a context of which nothing is known.
func (c *Context) Clone() *Context {
	if c == nil {
		return new(Context)
	}
	return &Context{maps.Clone(c.keys), slices.Clone(c.prefixes), c.closed}
}

// Close says that every key not named is absent.
func (c *Context) Close() *Context {
	c.closed = true
	return c
}

func (c *Context) put(key string, e entry) *Context {
	if c.keys == nil {
		c.keys = map[string]entry{}
	}
	c.keys[strings.ToLower(key)] = e
	return c
}

// lookup finds a key given in lower case, and whether it was named at all.
func (c *Context) lookup(key string) (entry, bool) {
	if c == nil {
		return entry{}, false
	}
	if e, ok := c.keys[key]; ok {
		return e, true
	}
	return entry{}, false
}

// rest is the state of a key that was not named.
func (c *Context) rest(key string) presence {
	if c == nil {
		return unknown
	}
	if c.closed {
		return absent
	}
	for _, p := range c.prefixes {
		if strings.HasPrefix(key, p) {
			return absent
		}
	}
	return unknown
}
