package event

import (
	"bytes"
	"strings"
)

// open looks whether the object that begins here is an envelope with a list of records, and if so moves into the list.
func (d *Decoder) open() (found bool) {
	env := envelope{}
	for {
		if found, short := env.read(d.buf[d.pos:]); found {
			d.pos += env.list
			d.list, d.bare, d.control = true, false, env.control
			d.cluster = env.cluster(d.given)
			return true
		} else if !short {
			return false
		}
		if bytes.IndexByte(d.buf[d.pos:], '\n') >= 0 && len(bytes.TrimSpace(firstLine(d.buf[d.pos:]))) > 1 {
			return false // the line is whole, and the object is not
		}
		if d.readErr != nil || len(d.buf)-d.pos > d.max {
			return false
		}
		d.grow()
	}
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return line
}

// envelope is what stands around records.
type envelope struct {
	list     int // where its list's first element is to be found
	control  bool
	owner    string
	logGroup string
}

// read walks the members of the object that b starts with up to a list of records. short says that b ended before.
func (env *envelope) read(b []byte) (found, short bool) {
	i := space(b, 1)
	for i >= 0 && b[i] == '"' {
		end := skipString(b, i)
		if end < 0 {
			return false, true
		}
		key := Value{raw: b[i:end]}.String()
		if i = space(b, end); i < 0 {
			return false, true
		}
		if b[i] != ':' {
			return false, false
		}
		if i = space(b, i+1); i < 0 {
			return false, true
		}
		if key != "apiVersion" && planeOfMember(key, b[i:]) != 0 { // an EventList has that too
			return false, false
		}
		if b[i] == '[' && isList(key) {
			env.list = i + 1
			return true, false
		}
		end = skip(b, i)
		if end < 0 || end == len(b) {
			return false, true
		}
		env.note(key, Value{raw: b[i:end]})
		if i = space(b, end); i < 0 {
			return false, true
		}
		if b[i] != ',' {
			return false, false
		}
		i = space(b, i+1)
	}
	return false, i < 0
}

// isList tells the lists that hold records: of CloudTrail's objects, of an EventList, of cloudtrail lookup-events, of
// CloudWatch Logs' subscriptions and filter-log-events, of Azure's diagnostic settings.
func isList(key string) bool {
	switch key {
	case "Records", "items", "Events", "logEvents", "events", "records":
		return true
	}
	return false
}

// note keeps what an envelope says of its records.
func (env *envelope) note(key string, v Value) {
	switch key {
	case "owner":
		env.owner = strings.Clone(v.String())
	case "logGroup":
		env.logGroup = strings.Clone(v.String())
	case "messageType":
		// CloudWatch Logs User Guide, "Log group-level subscription filters", 2026-11.
		env.control = v.Is("CONTROL_MESSAGE")
	}
}

// cluster returns the cluster that an EKS log group belongs to, else the one given.
func (env *envelope) cluster(given Cluster) Cluster {
	name := ClusterOfLogGroup(env.logGroup)
	if name == "" || name == given.Name {
		return given
	}
	return Cluster{Name: name, Account: env.owner}
}

// ClusterOfLogGroup returns the cluster whose control plane writes into a CloudWatch Logs group, "" if it is no such
// group: /aws/eks/NAME/cluster (EKS User Guide, "Send control plane logs to CloudWatch Logs", 2026-11).
func ClusterOfLogGroup(group string) string {
	rest, ok := strings.CutPrefix(group, "/aws/eks/")
	if !ok {
		return ""
	}
	name, ok := strings.CutSuffix(rest, "/cluster")
	if !ok || strings.Contains(name, "/") {
		return ""
	}
	return name
}

// element reads the next element of an envelope's list, or leaves the list.
func (d *Decoder) element(e *Event) (done bool, err error) {
	if !d.next(",") {
		d.list = false
		return false, d.unparsed(d.Offset(), "truncated: the list of records ends in the middle")
	}
	at := d.Offset()
	switch d.buf[d.pos] {
	case ']':
		d.pos++
		d.list = false
		if !d.bare {
			d.leave()
		}
		return false, nil
	case '{':
		if end := e.scanRecord(d.buf[d.pos:]); end > 0 && end <= d.max && !d.control {
			d.pos += end
			d.emit(e)
			return true, nil
		}
	}
	n, reason := d.value()
	switch c := d.buf[d.pos]; {
	case reason == "":
	case c != '{' && c != '[' && c != '"': // what JSON does not have here
		d.pos++
		return false, d.unparsed(at, notRecord)
	case reason == truncated:
		d.resume(len(d.buf))
		return false, d.unparsed(at, reason)
	default:
		if !d.skipValue() {
			reason += ", and does not end"
		}
		return false, d.unparsed(at, reason)
	}
	b := d.buf[d.pos : d.pos+n]
	d.pos += n
	if d.control {
		return false, nil
	}
	if _, reason = d.record(e, b, 0); reason == "" {
		return true, nil
	}
	if strings.HasPrefix(reason, notJSON) && bytes.IndexByte(b, '\n') >= 0 { // a record that was cut off has eaten the next line
		d.pos -= n
		d.resume(d.pos + n)
	}
	return false, d.unparsed(at, reason)
}

// leave passes over what follows the list in its envelope.
func (d *Decoder) leave() {
	for d.next("") && d.buf[d.pos] == ',' {
		d.pos++
		if !d.next("") || d.buf[d.pos] != '"' {
			return
		}
		n, reason := d.value()
		if reason != "" {
			return
		}
		d.pos += n
		if !d.next("") || d.buf[d.pos] != ':' {
			return
		}
		d.pos++
		if !d.next("") {
			return
		}
		if n, reason = d.value(); reason != "" {
			return
		}
		d.pos += n
	}
	if d.pos < len(d.buf) && d.buf[d.pos] == '}' {
		d.pos++
	}
}

// maxWraps is how many envelopes of one record may be around each other.
const maxWraps = 4

// record reads the record that b starts with, or that stands in it: as a JSON string or an object of one of the names that
// log shippers use. end is where b's first value ends.
func (d *Decoder) record(e *Event, b []byte, wraps int) (end int, reason string) {
	if b[0] == '"' {
		if end = skipString(b, 0); end < 0 {
			return 0, truncated
		}
		return end, d.text(e, b[:end], wraps)
	}
	if end, reason = e.read(b); reason != notRecord {
		if reason == "" {
			d.emit(e)
		}
		return end, reason
	}
	if end = skip(b, 0); end < 0 || wraps == maxWraps {
		return end, notRecord
	}
	for key, value := range (Value{raw: b[:end]}).members() {
		if !isWrap(key.String()) {
			continue
		}
		switch value.Kind() {
		case String:
			if reason = d.text(e, value.raw, wraps); reason != notRecord {
				return end, reason
			}
		case Object:
			if _, reason = d.record(e, value.raw, wraps+1); reason != notRecord {
				return end, reason
			}
		}
	}
	return end, notRecord
}

// text reads the record in a JSON string, which may follow a timestamp.
func (d *Decoder) text(e *Event, quoted []byte, wraps int) (reason string) {
	if wraps == maxWraps {
		return notRecord
	}
	text := unescape(d.room(), quoted[1:len(quoted)-1])
	d.scratch = nil // what is deeper has its own
	defer func() { d.scratch = text }()
	open := bytes.IndexByte(text, '{')
	if open < 0 {
		return notRecord
	}
	_, reason = d.record(e, text[open:], wraps+1)
	return reason
}

// isWrap tells the members that hold one record: CloudWatch Logs' message, lookup-events' CloudTrailEvent, EventBridge's
// detail, Azure's properties.log, SNS' Message, SQS' body, and what shippers name them.
func isWrap(key string) bool {
	switch key {
	case "message", "Message", "CloudTrailEvent", "detail", "properties", "log", "body", "Body", "event":
		return true
	}
	return false
}
