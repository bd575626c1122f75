package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Unparsed is a record, or what stood in the place of one, that could not be read.
type Unparsed struct {
	Input  string // where it was read
	Offset int64  // in bytes, after decompression
	Reason string
}

// Error returns where and why.
func (u *Unparsed) Error() string {
	if u.Input == "" {
		return fmt.Sprintf("at byte %d: %s", u.Offset, u.Reason)
	}
	return fmt.Sprintf("%s, byte %d: %s", u.Input, u.Offset, u.Reason)
}

// notRecord is the reason for JSON that is something else.
const notRecord = "neither a Kubernetes audit event nor a CloudTrail record"

// Scan reads one record: a Kubernetes audit event or a CloudTrail record, with nothing but space around it. The event
// borrows raw. The error is an *Unparsed.
func Scan(raw []byte, e *Event) error {
	end, reason := e.read(raw)
	if reason == "" && space(raw, end) >= 0 {
		reason = "more after the record"
	}
	if reason != "" {
		return &Unparsed{Input: e.input, Reason: reason}
	}
	return nil
}

// read reads the record that b starts with and returns where it ends, or the reason why it cannot.
func (e *Event) read(b []byte) (end int, reason string) {
	if end = e.scanRecord(b); end > 0 {
		return end, ""
	}
	return e.strict(b)
}

// scanRecord reads the record that b starts with and returns where it ends, or surprise.
func (e *Event) scanRecord(b []byte) int {
	lead := space(b, 0)
	if lead < 0 || b[lead] != '{' {
		return surprise
	}
	b = b[lead:]
	e.plane = planeOf(b)
	if e.plane == 0 {
		return surprise
	}
	e.spans = [slots]span{}
	end := e.scan(b, 0, e.plane.shape())
	if end < 0 {
		return surprise
	}
	e.raw = b[:end:end]
	if e.unfit() != "" {
		return surprise
	}
	return lead + end
}

// unfit is the reason why a well-formed object is not a record that can be judged.
func (e *Event) unfit() string {
	e.percent = false
	if e.plane == CloudTrail {
		e.percent = e.Field(EventSource).Is("eks.amazonaws.com")
		source, name := e.Field(EventSource), e.Field(EventName)
		switch {
		case bytes.HasPrefix(source.raw, []byte(`"aws:`)): // S3's notifications have CloudTrail's names
			return notRecord
		case e.Field(insightDetails).Kind() == Object: // an Insights event is about a rate, not a call
		case source.Kind() != String || name.Kind() != String:
			return "a CloudTrail record without eventSource and eventName"
		}
	} else {
		kind, version := e.Field(auditKind), e.Field(auditVersion)
		switch {
		case kind.Kind() == String && string(kind.raw) != `"Event"` && !kind.Is("Event"), version.Kind() == String && !bytes.HasPrefix(version.raw, []byte(`"audit.k8s.io/`)):
			return notRecord
		case e.Field(Verb).Kind() != String:
			return "an audit event without verb"
		}
	}
	f, text := e.timestamp()
	var err error
	if e.time, err = timeOf(text); err != nil {
		return f.String() + " is not a time"
	}
	if year := e.time.Year(); !e.time.IsZero() && (year < 2000 || year >= 2200) {
		return f.String() + " is not a time of these logs"
	}
	return ""
}

// planeOf tells the plane by the first top-level key that only one of them has; 0 if there is none.
func planeOf(b []byte) Plane {
	switch { // as the API server and CloudTrail write it
	case bytes.HasPrefix(b, []byte(`{"kind":"Event","apiVersion":"audit.k8s.io/`)):
		return Kubernetes
	case bytes.HasPrefix(b, []byte(`{"eventVersion":"`)):
		return CloudTrail
	}
	i := space(b, 1)
	for i >= 0 && b[i] == '"' {
		end := skipString(b, i)
		if end < 0 {
			return 0
		}
		key := b[i+1 : end-1]
		if i = space(b, end); i < 0 || b[i] != ':' {
			return 0
		}
		if i = space(b, i+1); i < 0 {
			return 0
		}
		if b[i] == '[' && isList(borrow(key)) || string(key) == "kind" && bytes.HasPrefix(b[i:], []byte(`"EventList"`)) {
			return 0
		}
		if p := planeOfMember(borrow(key), b[i:]); p != 0 {
			return p
		}
		if i = skip(b, i); i < 0 {
			return 0
		}
		if i = space(b, i); i < 0 || b[i] != ',' {
			return 0
		}
		i = space(b, i+1)
	}
	return 0
}

// planeOfMember tells the plane by one top-level member; value may have more after it.
func planeOfMember(key string, value []byte) Plane {
	switch key {
	case "auditID", "level", "stage", "verb", "objectRef", "requestURI", "stageTimestamp", "requestReceivedTimestamp":
		return Kubernetes
	case "apiVersion":
		if bytes.HasPrefix(value, []byte(`"audit.k8s.io/`)) {
			return Kubernetes
		}
	case "eventVersion", "eventSource", "eventName", "userIdentity", "awsRegion":
		return CloudTrail
	}
	return 0
}

// strict reads a record as read does, with a decoder that follows the letter of JSON. Names are compared with their case,
// as neither log ever writes them otherwise. A name twice is an error where the scanner looks: which one counts would be
// the attacker's choice.
func (e *Event) strict(b []byte) (end int, reason string) {
	e.spans, e.raw = [slots]span{}, nil
	lead := max(0, space(b, 0))
	b = b[lead:]
	d := decoderOf(b)
	if d.PeekKind() != '{' {
		return 0, notRecord
	}
	v, err := d.ReadValue()
	if err != nil {
		return 0, reasonOf(err)
	}
	end = int(d.InputOffset())
	if skip(v, 0) < 0 {
		return lead + end, fmt.Sprintf("nested deeper than %d", maxDepth)
	}
	if e.plane = strictPlane(v); e.plane == 0 {
		return lead + end, notRecord
	}
	e.raw = b[:end:end]
	if _, reason = e.strictObject(decoderOf(b), e.plane.shape(), ""); reason == "" {
		reason = e.unfit()
	}
	return lead + end, reason
}

func decoderOf(b []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(b), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// strictPlane is planeOf for names that are written with escapes, of an object that is known to be well formed.
func strictPlane(object []byte) Plane {
	d := decoderOf(object)
	_, err := d.ReadToken()
	for err == nil && d.PeekKind() != '}' {
		var name jsontext.Token
		if name, err = d.ReadToken(); err != nil {
			break
		}
		key := name.String()
		var v jsontext.Value
		if v, err = d.ReadValue(); err != nil {
			break
		}
		if p := planeOfMember(key, v); p != 0 {
			return p
		}
	}
	return 0
}

// strictObject keeps where the fields of the next object stand, and returns where it stands itself.
func (e *Event) strictObject(d *jsontext.Decoder, s *shape, prefix string) (at span, reason string) {
	if _, err := d.ReadToken(); err != nil {
		return at, reasonOf(err)
	}
	at.start = int32(d.InputOffset()) - 1 //nolint:gosec // 2026-11: G115: a record is never longer than maxRecordLimit
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return at, reasonOf(err)
		}
		key := name.String()
		m := s.other
		if at := s.find([]byte(key)); at >= 0 {
			m = &s.members[at]
		}
		if m == nil {
			if err := d.SkipValue(); err != nil {
				return at, reasonOf(err)
			}
			continue
		}
		value, reason := e.strictMember(d, m, prefix+key)
		if reason != "" {
			return at, reason
		}
		if m.field == 0 {
			continue
		}
		slot := &e.spans[m.field&slotMask]
		if slot.end != 0 {
			return at, prefix + key + " is there twice"
		}
		*slot = value
	}
	if _, err := d.ReadToken(); err != nil {
		return at, reasonOf(err)
	}
	at.end = int32(d.InputOffset()) //nolint:gosec // 2026-11: G115: as above
	return at, ""
}

// strictMember reads the value of a known key and returns where it stands.
func (e *Event) strictMember(d *jsontext.Decoder, m *member, name string) (at span, reason string) {
	kind := kindOf(byte(d.PeekKind()))
	if !m.kinds.has(kind) {
		return at, fmt.Sprintf("%s is %s", name, kind)
	}
	if kind == Object && m.inner != nil {
		return e.strictObject(d, m.inner, name+".")
	}
	v, err := d.ReadValue()
	if err != nil {
		return at, reasonOf(err)
	}
	if kind == List && m.elems != 0 && scanList(v, 0, m.elems) < 0 {
		return at, name + " is not a list of strings"
	}
	end := d.InputOffset()
	return span{int32(end) - int32(len(v)), int32(end)}, "" //nolint:gosec // 2026-11: G115: as above
}

const notJSON = "not JSON: "

// reasonOf says what is wrong with JSON.
func reasonOf(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return truncated
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf(notJSON+"%v at byte %d of the record", syntax.Err, syntax.ByteOffset)
	}
	return notJSON + err.Error()
}
