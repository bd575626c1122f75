package diff

// box is what a rule allows: every combination of a member of each of its dimensions' sets.
type box []set

func (b box) meets(c box) bool {
	for i := range b {
		if !b[i].meets(c[i]) {
			return false
		}
	}
	return true
}

func (b box) within(c box) bool {
	for i := range b {
		if !b[i].within(c[i]) {
			return false
		}
	}
	return true
}

// minus appends to out, as boxes that do not meet, what of b is not in c.
func (b box) minus(c box, out []box) []box {
	if !b.meets(c) {
		return append(out, b)
	}
	rest := b
	for i := range b {
		outside := rest[i].without(c[i])
		if outside.empty() {
			continue
		}
		piece := append(box(nil), rest...)
		piece[i] = outside
		out = append(out, piece)
		inside := append(box(nil), rest...)
		inside[i] = rest[i].and(c[i])
		rest = inside
	}
	return out
}

// minusAll takes all of cs from b, and gives up when more than limit pieces are left.
func (b box) minusAll(cs []box, limit int) ([]box, bool) {
	rest := []box{b}
	for _, c := range cs {
		if !b.meets(c) {
			continue
		}
		var next []box
		for _, r := range rest {
			next = r.minus(c, next)
		}
		if rest = next; len(rest) == 0 {
			return nil, true
		}
		if len(rest) > limit {
			return nil, false
		}
	}
	return rest, true
}

// merge joins boxes that differ in one dimension only, and drops those that lie in others, until nothing changes.
func merge(boxes []box) []box {
	if len(boxes) == 0 {
		return nil
	}
	for changed := true; changed; {
		changed = false
		for dim := range boxes[0] {
			at := map[string]int{}
			var out []box
			for _, b := range boxes {
				key := b.keyWithout(dim)
				i, have := at[key]
				if !have {
					at[key] = len(out)
					out = append(out, b)
					continue
				}
				joined := append(box(nil), out[i]...)
				joined[dim] = joined[dim].or(b[dim])
				out[i] = joined
				changed = true
			}
			boxes = out
		}
	}
	return outermost(boxes)
}

// outermost drops boxes that lie in others.
func outermost(boxes []box) []box {
	var out []box
	for i, b := range boxes {
		if !insideAnother(boxes, i) {
			out = append(out, b)
		}
	}
	return out
}

// insideAnother says whether a box lies in another one of the list; of equal ones the first does not.
func insideAnother(boxes []box, i int) bool {
	for j, c := range boxes {
		if i != j && boxes[i].within(c) && (j < i || !c.within(boxes[i])) {
			return true
		}
	}
	return false
}

// keyWithout spells all dimensions but one.
func (b box) keyWithout(dim int) string {
	var k []byte
	for i, s := range b {
		if i != dim {
			k = s.spell(k)
		}
	}
	return string(k)
}
