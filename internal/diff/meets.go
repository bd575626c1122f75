package diff

import "drawbridge/internal/iam"

// Meets says whether two statements may both be about one request like r: some action, and some resource, is in both.
// Statements that name what they leave out count as meeting every other.
func Meets(a, b *iam.Statement, r *iam.Request) bool {
	if a.NotAction == nil && b.NotAction == nil && !meet(a.ActionPatterns(), b.ActionPatterns(), folded) {
		return false
	}
	if a.NotResource != nil || b.NotResource != nil {
		return true
	}
	resources, _ := a.ResourcePatterns(r)
	others, _ := b.ResourcePatterns(r)
	return meet(resources, others, pieceGlob)
}

func meet(as, bs [][]iam.Piece, read func([]iam.Piece) glob) bool {
	globs := make([]glob, len(bs))
	for i, b := range bs {
		globs[i] = read(b)
	}
	for _, a := range as {
		g := read(a)
		for _, h := range globs {
			if g.beginsLike(h) && g.meets(h) {
				return true
			}
		}
	}
	return false
}
