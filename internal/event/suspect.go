package event

import "bytes"

// suspicions are what every credential that Redact knows has near it, in whatever case; also letters written as escapes,
// which no encoder does. What has none of them is copied as it is. A key ends with a quote, and in JSON inside a string with
// an escaped one.
var suspicions = [...]string{
	"token", "secret", "password", "assertion", `zation"`, `zation\`, "bearer ", "k8s-aws-v1.", "x-amz-s", `\u004`, `\u005`, `\u006`, `\u007`,
}

// window is how many bytes of each suspicion are looked for first.
const window = 5

// shifts says, by the last two bytes of a window over a text, how far it may be moved on without missing a suspicion (the
// Wu-Manber search). Only five bits of a byte count, which leaves the case of letters out.
var shifts = func() (s [1 << 10]uint8) {
	for i := range s {
		s[i] = window - 1
	}
	for _, word := range suspicions {
		for end := 1; end < window; end++ {
			at := &s[pair(word[end-1], word[end])]
			*at = min(*at, uint8(window-1-end))
		}
	}
	return s
}()

// begins says of the first two bytes of a window whether a suspicion begins so.
var begins = func() (s [1 << 10]bool) {
	for _, word := range suspicions {
		s[pair(word[0], word[1])] = true
	}
	return s
}()

func pair(a, b byte) uint16 { return uint16(a&31)<<5 | uint16(b&31) }

// isSuspect says whether a text may have a credential in it. It looks at every fourth pair of bytes: of each window there is one
// among them, and none waits for another.
func isSuspect(text []byte) bool {
	for i := window - 1; i < len(text); i += window - 1 {
		shift := int(shifts[pair(text[i-1], text[i])])
		for end := i + shift; end < i+window-1 && end < len(text); end++ {
			if shifts[pair(text[end-1], text[end])] != 0 {
				continue
			}
			if rest := text[end-(window-1):]; begins[pair(rest[0], rest[1])] && beginsSuspicion(rest) {
				return true
			}
		}
	}
	return isOdd(text)
}

func beginsSuspicion(text []byte) bool {
	for _, word := range suspicions {
		if len(text) >= len(word) && bytes.EqualFold(text[:len(word)], []byte(word)) {
			return true
		}
	}
	return false
}

// isOdd looks for what is too short for the search: how a JSON Web Token begins, by its rarest letter, and the two letters
// beyond ASCII that are equal to k and s in another case.
func isOdd(text []byte) bool {
	for rest := text; ; {
		_, after, ok := bytes.Cut(rest, []byte{'J'})
		if !ok {
			break
		}
		if before := text[:len(text)-len(after)]; bytes.HasSuffix(before, []byte("eyJ")) {
			return true
		}
		rest = after
	}
	return bytes.Contains(text, []byte("\u212a")) || bytes.Contains(text, []byte("\u017f"))
}
