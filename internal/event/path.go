package event

import (
	"iter"
	"strings"
)

// Path is a field of a record by its name in the log, prepared for Find.
type Path struct {
	plane Plane
	field Field  // where it begins; 0 for the record
	rest  string // from there, with dots between the keys
}

// ParsePath prepares a field as Sigma rules write it: "objectRef.resource", "user.extra.accessKeyId". Keys may have dots
// themselves: "annotations.authorization.k8s.io/reason". The case of letters counts. No name is wrong: a field that no
// record has is absent everywhere.
func ParsePath(p Plane, field string) Path {
	f, rest := fieldOf(p, field)
	return Path{plane: p, field: f, rest: rest}
}

// Field returns the field that the path is; 0 if it is none of them or goes on below one.
func (p Path) Field() Field {
	if p.rest != "" {
		return 0
	}
	return p.field
}

// Within says whether the path is a field, or goes on below it.
func (p Path) Within(f Field) bool { return p.field == f }

// Values are the values of a path in one record. They borrow the record's bytes.
type Values struct {
	from Value
	rest string
}

// Find returns the values at a path. Lists are walked, on the way and at its end, so there may be several; so there may
// if an object has a key twice, as a patch may have that somebody sent. An empty list at the end is a value itself. What is
// absent has none.
func (e *Event) Find(p Path) Values {
	if p.plane != e.plane {
		return Values{}
	}
	if p.field == 0 {
		return Values{Value{raw: e.raw}, p.rest}
	}
	return Values{e.Field(p.field), p.rest}
}

// All returns the values in the record's order.
func (v Values) All() iter.Seq[Value] {
	return func(yield func(Value) bool) { v.Each(yield) }
}

// Each calls yield with the values in the record's order until it returns false. It does what All does and allocates
// nothing.
func (v Values) Each(yield func(Value) bool) { v.from.walk(v.rest, yield) }

// First returns the first value, an absent one if there is none.
func (v Values) First() Value {
	if v.rest == "" { // as mostly: the field itself, or the first of a list of texts
		switch kind := v.from.Kind(); {
		case kind != List:
			return v.from
		case v.from.raw[1] == '"':
			c := v.from.cursor()
			elem, _ := c.element()
			return elem
		}
	}
	var first Value
	v.from.walk(v.rest, func(x Value) bool {
		first = x
		return false
	})
	return first
}

// Find returns the values at a path below this one, in the same way: keys with dots between them.
func (v Value) Find(path string) Values { return Values{v, path} }

// walk yields what stands at a path below v, and says whether to go on.
func (v Value) walk(path string, yield func(Value) bool) bool {
	switch v.Kind() {
	case Absent:
		return true
	case List:
		empty := true
		for c := v.cursor(); ; {
			elem, ok := c.element()
			if !ok {
				break
			}
			empty = false
			if !elem.walk(path, yield) {
				return false
			}
		}
		if empty && path == "" {
			return yield(v)
		}
		return true
	case Object:
		if path != "" {
			return v.walkObject(path, yield)
		}
	}
	return path != "" || yield(v)
}

// walkObject walks the members whose key begins the path.
func (v Value) walkObject(path string, yield func(Value) bool) bool {
	for c := v.cursor(); ; {
		key, value, ok := c.member()
		if !ok {
			return true
		}
		rest, begins := strings.CutPrefix(path, key.String())
		switch {
		case !begins:
		case rest == "":
			if !value.walk("", yield) {
				return false
			}
		case rest[0] == '.':
			if !value.walk(rest[1:], yield) {
				return false
			}
		}
	}
}

// cursor goes through an object or a list, up to where it is broken.
type cursor struct {
	b       []byte
	i       int // the next member or element; less than 0 at the end
	percent bool
}

func (v Value) cursor() cursor { return cursor{v.raw, space(v.raw, 1), v.percent} }

// member returns the next member of an object.
func (c *cursor) member() (key, value Value, ok bool) {
	if c.i < 0 || c.b[c.i] != '"' {
		return key, value, false
	}
	end := skipString(c.b, c.i)
	if end < 0 {
		return key, value, false
	}
	key = Value{raw: c.b[c.i:end]}
	i := space(c.b, end)
	if i < 0 || c.b[i] != ':' {
		return key, value, false
	}
	if i = space(c.b, i+1); i < 0 {
		return key, value, false
	}
	value, ok = c.value(i)
	return key, value, ok
}

// element returns the next element of a list.
func (c *cursor) element() (Value, bool) {
	if c.i < 0 || c.b[c.i] == ']' {
		return Value{}, false
	}
	return c.value(c.i)
}

// value is what stands at i; the cursor goes on behind it.
func (c *cursor) value(i int) (Value, bool) {
	end := skip(c.b, i)
	if end < 0 {
		return Value{}, false
	}
	c.i = space(c.b, end)
	if c.i >= 0 && c.b[c.i] == ',' {
		c.i = space(c.b, c.i+1)
	} else {
		c.i = -1
	}
	return Value{c.b[i:end:end], c.percent}, true
}

// members returns the keys and values of an object, up to where it is broken.
func (v Value) members() iter.Seq2[Value, Value] {
	return func(yield func(key, value Value) bool) {
		for c := v.cursor(); ; {
			key, value, ok := c.member()
			if !ok || !yield(key, value) {
				return
			}
		}
	}
}

// elements returns the values of a list, up to where it is broken.
func (v Value) elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for c := v.cursor(); ; {
			elem, ok := c.element()
			if !ok || !yield(elem) {
				return
			}
		}
	}
}
