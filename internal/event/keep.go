package event

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// redacted stands where a credential was.
const redacted = "(redacted)"

// Keep returns a copy of the event that owns its bytes and has no credentials: safe to store and to show.
func (e *Event) Keep() *Event {
	kept := &Event{input: strings.Clone(e.input), cluster: e.cluster}
	raw := Redact(make([]byte, 0, len(e.raw)), e.raw)
	if _, reason := kept.read(raw); reason != "" {
		// What Redact writes is as well formed as what it read.
		kept.plane, kept.raw, kept.spans, kept.time = e.plane, raw, [slots]span{}, e.time
	}
	return kept
}

// Copy returns a copy of the event that owns its bytes, credentials included: to work with, neither to store nor to show.
func (e *Event) Copy() *Event {
	c := *e
	c.raw, c.input = bytes.Clone(e.raw), strings.Clone(e.input)
	return &c
}

// Clean returns the event itself if it has no credentials, and else a copy without them.
func (e *Event) Clean() *Event {
	if isSuspect(e.raw) {
		return e.Keep()
	}
	return e
}

// Redact appends a record, or a block of records in any envelope, to dst, without the credentials that it may hold:
// bearer tokens (k8s-aws-v1., JWT, Authorization), session tokens and secret keys of AWS, signatures of presigned URLs, the
// token of a TokenRequest or TokenReview, the data of Secrets. Ids of access keys stay: they join the two planes.
func Redact(dst, record []byte) []byte {
	if !isSuspect(record) { // most are not, and looking costs far less than walking
		return append(dst, record...)
	}
	return redact(dst, record)
}

// redact is Redact of what is suspect.
func redact(dst, record []byte) []byte {
	r := redactor{out: dst, secrets: bytes.Contains(record, []byte("ecret"))}
	r.block(record, inRecord)
	return r.out
}

// block writes JSON values and the texts between them. Where JSON is broken it goes on line by line, and in a broken line
// string by string.
func (r *redactor) block(b []byte, outer place) {
	r.marks = marksIn(b)
	p := outer      // of the next value
	broken := false // a value did not end: from here on they must end on their line
	flat := 0       // up to here are only strings
	line := 0       // where this line ends
	for i := 0; i < len(b); {
		if i >= line {
			if line = i + 1 + bytes.IndexByte(b[i+1:], '\n'); line == i {
				line = len(b)
			}
		}
		end := surprise
		switch c := b[i]; {
		case c == '"':
			if end = skipString(b[:line], i); end < 0 && p == inCredential {
				r.out = append(append(r.out, '"'), redacted...)
				p, i = outer, line
				continue
			}
		case (c == '{' || c == '[') && i >= flat:
			if end = wellFormed(b, i, broken, line); end < 0 {
				broken, flat = true, line
			}
		}
		if end < 0 {
			end = i + 1 + bytes.IndexAny(b[i+1:line], "{[\"")
			if end == i {
				end = line
			}
			r.text(b[i:end])
		} else {
			r.value(b[i:end], p)
			key := b[i:end]
			if p = outer; key[0] == '"' && end < len(b) && b[end] == ':' { // in an object that is broken
				p = placeOf(Value{raw: key}.String(), outer, false)
			}
		}
		i = end
	}
}

// wellFormed returns where the object or list at b[i] ends, on its line or, unless something is broken, on another;
// surprise if it is not JSON.
func wellFormed(b []byte, i int, broken bool, line int) int {
	end := surprise
	if !broken {
		end = skip(b, i)
	}
	if end < 0 {
		end = skip(b[:line], i)
	}
	if end < 0 || !jsontext.Value(b[i:end]).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return surprise
	}
	return end
}

type redactor struct {
	out     []byte
	secrets bool // "secret" occurs at all
	marks   []mark
	depth   int // of JSON in strings
}

// place is what is known of where a value stands.
type place uint8

const (
	inRecord place = iota
	inSecret       // in a Secret, or in a patch of one
	inCredential
)

func (r *redactor) value(b []byte, p place) {
	switch kind := kindOf(b[0]); {
	case p == inRecord && !isSuspect(b): // most are not, also within one that is
		r.out = append(r.out, b...)
	case kind == Object:
		r.object(b, p)
	case kind == List:
		r.out = append(r.out, '[')
		first := true
		for elem := range (Value{raw: b}).elements() {
			if !first {
				r.out = append(r.out, ',')
			}
			first = false
			r.value(elem.raw, p)
		}
		r.out = append(r.out, ']')
	case kind == String:
		r.quoted(b, p)
	case kind == Number && p == inCredential:
		r.out = append(append(append(r.out, '"'), redacted...), '"')
	default:
		r.out = append(r.out, b...)
	}
}

func (r *redactor) object(b []byte, p place) {
	v := Value{raw: b}
	if p == inRecord && r.secrets && isSecret(v) {
		p = inSecret
	}
	secretNamed := isSecretName(v.Find("name").First())
	r.out = append(r.out, '{')
	first := true
	for key, value := range v.members() {
		if !first {
			r.out = append(r.out, ',')
		}
		first = false
		r.out = append(append(r.out, key.raw...), ':')
		r.value(value.raw, placeOf(key.String(), p, secretNamed))
	}
	r.out = append(r.out, '}')
}

// placeOf tells where the value of a key stands.
func placeOf(key string, p place, secretNamed bool) place {
	switch {
	case p == inCredential, slices.ContainsFunc(credentialKeys, func(k string) bool { return strings.EqualFold(k, key) }):
		return inCredential
	case secretNamed && key == "value":
		return inCredential
	case p == inSecret:
		switch key {
		case "data", "stringData", "value", "kubectl.kubernetes.io/last-applied-configuration":
			return inCredential
		}
	}
	return p
}

// credentialKeys are members whose value is a credential, wherever they stand.
var credentialKeys = []string{
	"token", "sessionToken", "secretAccessKey", "authorization", "webIdentityToken", "sAMLAssertion", "bearerToken", "idToken",
	"X-Amz-Security-Token", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "password",
}

// isSecretName says whether a variable is named like a credential of AWS.
func isSecretName(v Value) bool { return v.Is("AWS_SECRET_ACCESS_KEY") || v.Is("AWS_SESSION_TOKEN") }

// isSecret says whether an object is a Secret or a list of them, or an audit event about some.
func isSecret(v Value) bool {
	kind := v.Find("kind").First()
	return kind.Is("Secret") || kind.Is("SecretList") || v.Find("objectRef.resource").First().Is("secrets")
}

// quoted writes a string without what is secret in it.
func (r *redactor) quoted(quoted []byte, p place) {
	inner := quoted[1 : len(quoted)-1]
	switch {
	case p == inCredential && len(inner) > 0 && string(inner) != "HIDDEN_DUE_TO_SECURITY_REASONS":
		r.out = append(append(append(r.out, '"'), redacted...), '"')
	case len(inner) > 2 && (inner[0] == '{' || inner[0] == '[') && r.depth < maxWraps:
		plain := unescape(nil, inner)
		sub := redactor{secrets: r.secrets, depth: r.depth + 1}
		sub.block(plain, p)
		if bytes.Equal(sub.out, plain) {
			r.out = append(r.out, quoted...)
			return
		}
		out, err := jsontext.AppendQuote(r.out, sub.out)
		if err != nil { // not UTF-8
			out, _ = jsontext.AppendQuote(r.out, bytes.ToValidUTF8(sub.out, []byte("\ufffd")))
		}
		r.out = out
	default:
		r.text(quoted)
	}
}

// mark begins a credential inside a text; what it is made of goes on to the first byte that is none of its alphabet.
type mark struct{ begin, keep []byte }

var marks = func() (all []mark) {
	for _, s := range []string{"k8s-aws-v1.", "X-Amz-Security-Token=", "X-Amz-Signature=", "x-amz-security-token=", "Bearer "} {
		all = append(all, mark{[]byte(s), []byte(s)})
	}
	return append(all, mark{begin: []byte("eyJ")})
}()

// marksIn returns the marks that occur in a text at all: its parts need not be searched for others.
func marksIn(text []byte) []mark {
	var in []mark
	for _, m := range marks {
		if bytes.Contains(text, m.begin) {
			in = append(in, m)
		}
	}
	return in
}

// text writes text without the credentials in it.
func (r *redactor) text(text []byte) {
	for len(text) > 0 {
		at, hit := len(text), mark{}
		for _, m := range r.marks {
			if n := bytes.Index(text[:at], m.begin); n >= 0 {
				at, hit = n, m
			}
		}
		r.out = append(r.out, text[:at]...)
		if text = text[at:]; len(text) == 0 {
			return
		}
		n := len(hit.begin)
		for n < len(text) && isTokenByte(text[n]) {
			n++
		}
		if hit.keep == nil && !isJWT(text[:n]) || n == len(hit.begin) {
			r.out = append(r.out, text[:n]...)
		} else {
			r.out = append(append(r.out, hit.keep...), redacted...)
		}
		text = text[n:]
	}
}

// isJWT says whether a run of token bytes has the form of a JSON Web Token: two parts or three, the first an object.
func isJWT(s []byte) bool {
	head, rest, ok := bytes.Cut(s, []byte{'.'})
	return ok && len(head) >= 10 && len(rest) >= 10
}

// isTokenByte says whether a byte may be part of a token in a text or of a percent-encoded value in a URL.
func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~+/=%", c) >= 0
}
