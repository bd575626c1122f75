package diff

import "math/bits"

// set is a set of small numbers. Sets of one dimension have the same length.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i int) bool { return s[i/64]>>(i%64)&1 == 1 }

func (s set) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

func (s set) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// within says whether all of s is in t.
func (s set) within(t set) bool {
	for i, w := range s {
		if w&^t[i] != 0 {
			return false
		}
	}
	return true
}

func (s set) meets(t set) bool {
	for i, w := range s {
		if w&t[i] != 0 {
			return true
		}
	}
	return false
}

func (s set) equal(t set) bool {
	for i, w := range s {
		if w != t[i] {
			return false
		}
	}
	return true
}

func (s set) and(t set) set {
	r := make(set, len(s))
	for i, w := range s {
		r[i] = w & t[i]
	}
	return r
}

func (s set) or(t set) set {
	r := make(set, len(s))
	for i, w := range s {
		r[i] = w | t[i]
	}
	return r
}

func (s set) without(t set) set {
	r := make(set, len(s))
	for i, w := range s {
		r[i] = w &^ t[i]
	}
	return r
}

// each yields the members in order.
func (s set) each(yield func(int) bool) {
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			if !yield(i*64 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}
