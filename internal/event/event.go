// Package event is one log record, normalised from CloudTrail and from Kubernetes audit logs: what the two planes of an
// EKS cluster write about who did what. A Decoder finds the records in every envelope they travel in; an Event answers for
// one of them, from its bytes, in the log's own field names. It is not a detection, keeps no state and reads no files: an
// io.Reader is all it touches. What cannot be read is an *Unparsed, never a record that is silently missing.
package event

import (
	"time"
)

// Plane is where a record was written.
type Plane uint8

// The planes.
const (
	Kubernetes Plane = iota + 1 // the API server's audit log
	CloudTrail
)

// String returns "kubernetes" or "cloudtrail".
func (p Plane) String() string {
	switch p {
	case Kubernetes:
		return "kubernetes"
	case CloudTrail:
		return "cloudtrail"
	}
	return "unknown"
}

// Event is one record. It borrows the decoder's bytes, and so does every Value and string that comes from it: they hold
// until the decoder's next Next. Keep copies what has to live longer.
type Event struct {
	plane   Plane
	raw     []byte
	input   string
	cluster Cluster // as the transport tells it
	time    time.Time
	// percent says that the strings of requestParameters may be percent-encoded: those of EKS that are part of the request's path are
	// logged as they stand there (CloudTrail records of AssociateAccessPolicy, Stratus Red Team, 2026-08).
	percent bool
	spans   [slots]span
}

// span is where a field's value stands in the record; the zero span is a field that is absent.
type span struct{ start, end int32 }

// Plane returns where the record was written.
func (e *Event) Plane() Plane { return e.plane }

// Raw returns the record's JSON as it was logged, credentials included: Keep has a copy without them.
func (e *Event) Raw() []byte { return e.raw }

// Input returns where the record was read: a file, an object, a stream.
func (e *Event) Input() string { return e.input }

// ID returns the auditID or eventID. Both stages of a request to the API server have the same auditID.
func (e *Event) ID() string {
	if e.plane == Kubernetes {
		return e.Field(AuditID).String()
	}
	return e.Field(EventID).String()
}

// Time returns when the request was received (audit: else when the stage was reached) or made (CloudTrail), in UTC; the
// zero time where the record does not say.
func (e *Event) Time() time.Time { return e.time }

// timestamp returns the field that tells the event's time, and its value.
func (e *Event) timestamp() (Field, Value) {
	if e.plane == CloudTrail {
		return EventTime, e.Field(EventTime)
	}
	if v := e.Field(RequestReceived); v.Kind() == String {
		return RequestReceived, v
	}
	return StageTimestamp, e.Field(StageTimestamp)
}

// Field returns one of the fields found by the scanner's one pass, without allocation: absent if the record has none, or
// if the field is one of the other plane.
func (e *Event) Field(f Field) Value {
	if f.plane() != e.plane {
		return Value{}
	}
	s := e.spans[f&slotMask]
	return Value{e.raw[s.start:s.end], f == RequestParameters && e.percent}
}
