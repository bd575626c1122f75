package event

import (
	"encoding/binary"
	"strings"
)

// Field is one of the fields that the scanner finds in its one pass over a record.
type Field uint8

// Fields of the Kubernetes audit log.
const (
	AuditID Field = iota + 1
	Stage
	Verb
	Username
	UserGroups
	UserExtra
	ImpersonatedUser
	SourceIPs
	UserAgent
	APIGroup
	Resource
	Subresource
	Namespace
	ObjectName
	ResponseCode
	RequestURI
	Decision
	Reason
	RequestObject
	ResponseObject
	RequestReceived
	StageTimestamp
	User
	AccessKeyIDs  // user.extra.accessKeyId: a list
	CanonicalARNs // user.extra.canonicalArn: a list
	objectRef
	responseStatus
	annotations
	auditKind
	auditVersion
)

// Fields of CloudTrail.
const (
	EventID Field = iota + 1 + slots
	EventTime
	EventSource
	EventName
	Region
	EventUserAgent
	SourceIP
	ErrorCode
	ReadOnly
	UserType
	UserARN
	PrincipalID
	AccessKeyID
	AccountID
	InvokedBy
	SessionContext
	RequestParameters
	ResponseElements
	RecipientAccount
	SharedEventID
	AdditionalEventData
	VPCEndpointID
	VPCEndpointAccount
	UserIdentity
	eventVersion
	insightDetails
)

const (
	slots    = 32 // of one plane's fields
	slotMask = slots - 1
)

func (f Field) plane() Plane {
	if f < slots {
		return Kubernetes
	}
	return CloudTrail
}

// String returns the field as the log names it: "objectRef.resource".
func (f Field) String() string { return fieldNames[f] }

// kinds is a set of JSON kinds. Null is always one of those that a member may have, as both logs leave fields empty so.
type kinds uint8

func (k kinds) has(kind Kind) bool { return k&(1<<kind) != 0 }

// kindsOf is, by its first byte, what kind a value is, as a set of one.
var kindsOf = func() (of [256]kinds) {
	for c := range of {
		of[c] = 1 << kindOf(byte(c))
	}
	return of
}()

const (
	aString kinds = 1 << String
	aNumber kinds = 1 << Number
	aBool   kinds = 1 << Bool
	aList   kinds = 1 << List
	object  kinds = 1 << Object
	anyKind kinds = aString | aNumber | aBool | aList | object
)

// member is one key that the scanner knows in an object.
type member struct {
	name  string
	field Field  // 0 if only what is inside counts
	kinds kinds  // anything else is a type-confused field, and the record is unparsed
	inner *shape // of an object
	elems kinds  // of a list
	key   key
}

// key is a member's name as it stands before its value, "name":, in the form in which it is compared fastest.
type key struct {
	text  string
	first uint64 // its first eight bytes
	mask  uint64 // which of them count
	last  uint64 // its last eight, if it is longer
}

func newKey(name string) key {
	k := key{text: `"` + name + `":`, mask: ^uint64(0)}
	padded := []byte(k.text + "\x00\x00\x00\x00\x00\x00\x00\x00")
	k.first = binary.LittleEndian.Uint64(padded)
	if n := len(k.text); n < 8 {
		k.mask >>= 8 * (8 - n)
	} else {
		k.last = binary.LittleEndian.Uint64(padded[n-8:])
	}
	return k
}

// at says whether the key stands at b[i], which has at least as many bytes more as a key may be long.
func (k *key) at(b []byte, i int) bool {
	if (binary.LittleEndian.Uint64(b[i:])^k.first)&k.mask != 0 {
		return false
	}
	n := len(k.text)
	return n <= 8 || binary.LittleEndian.Uint64(b[i+n-8:]) == k.last && (n <= 16 || string(b[i+8:i+n-8]) == k.text[8:n-8])
}

// maxKey is longer than every key that is guessed.
const maxKey = 64

// shape is the members that the scanner knows in an object, in the order in which the log writes them: most keys are found
// by guessing the next one, the others by a hash without collisions.
type shape struct {
	members []member
	slots   [64]uint8 // index in members + 1
	mul     uint32
	other   *member // what the members must be whose names are not known; nil for anything
}

func newShape(members ...member) *shape {
	s := &shape{members: members, mul: 2654435761}
	for i := range members {
		members[i].key = newKey(members[i].name)
		members[i].kinds |= 1 << Null
	}
search:
	for ; ; s.mul += 2 {
		s.slots = [64]uint8{}
		for i, m := range members {
			slot := &s.slots[s.hash([]byte(m.name))]
			if *slot != 0 {
				continue search
			}
			*slot = uint8(i + 1)
		}
		return s
	}
}

func (s *shape) hash(key []byte) uint32 {
	n := len(key)
	if n < 3 {
		return 0
	}
	return ((uint32(key[0]) | uint32(key[n-3])<<8 | uint32(key[n-1])<<16 | uint32(n)<<24) * s.mul) >> 26 //nolint:gosec // 2026-11: G115: only the low bits count
}

// find returns the index of a member; -1 if it is not known.
func (s *shape) find(key []byte) int {
	if i := int(s.slots[s.hash(key)]) - 1; i >= 0 && s.members[i].name == string(key) {
		return i
	}
	return -1
}

// auditShape is audit.k8s.io/v1 Event (Kubernetes API reference, 2026-11).
var auditShape = newShape(
	member{name: "kind", field: auditKind, kinds: aString},
	member{name: "apiVersion", field: auditVersion, kinds: aString},
	member{name: "level", kinds: anyKind},
	member{name: "auditID", field: AuditID, kinds: aString},
	member{name: "stage", field: Stage, kinds: aString},
	member{name: "requestURI", field: RequestURI, kinds: aString},
	member{name: "verb", field: Verb, kinds: aString},
	member{name: "user", field: User, kinds: object, inner: newShape(
		member{name: "username", field: Username, kinds: aString},
		member{name: "uid", kinds: anyKind},
		member{name: "groups", field: UserGroups, kinds: aList, elems: aString},
		member{name: "extra", field: UserExtra, kinds: object, inner: extraShape(
			member{name: "accessKeyId", field: AccessKeyIDs, kinds: aList, elems: aString},
			member{name: "canonicalArn", field: CanonicalARNs, kinds: aList, elems: aString},
		)},
	)},
	member{name: "impersonatedUser", field: ImpersonatedUser, kinds: object, inner: newShape(
		member{name: "username", kinds: aString},
		member{name: "groups", kinds: aList, elems: aString},
		member{name: "extra", kinds: object, inner: extraShape()},
	)},
	member{name: "sourceIPs", field: SourceIPs, kinds: aList, elems: aString},
	member{name: "userAgent", field: UserAgent, kinds: aString},
	member{name: "objectRef", field: objectRef, kinds: object, inner: newShape(
		member{name: "resource", field: Resource, kinds: aString},
		member{name: "namespace", field: Namespace, kinds: aString},
		member{name: "name", field: ObjectName, kinds: aString},
		member{name: "uid", kinds: anyKind},
		member{name: "apiGroup", field: APIGroup, kinds: aString},
		member{name: "apiVersion", kinds: anyKind},
		member{name: "resourceVersion", kinds: anyKind},
		member{name: "subresource", field: Subresource, kinds: aString},
	)},
	member{name: "responseStatus", field: responseStatus, kinds: object, inner: newShape(
		member{name: "metadata", kinds: anyKind},
		member{name: "status", kinds: anyKind},
		member{name: "message", kinds: anyKind},
		member{name: "reason", kinds: anyKind},
		member{name: "details", kinds: anyKind},
		member{name: "code", field: ResponseCode, kinds: aNumber},
	)},
	member{name: "requestObject", field: RequestObject, kinds: anyKind},
	member{name: "responseObject", field: ResponseObject, kinds: anyKind},
	member{name: "requestReceivedTimestamp", field: RequestReceived, kinds: aString},
	member{name: "stageTimestamp", field: StageTimestamp, kinds: aString},
	member{name: "annotations", field: annotations, kinds: object, inner: newShape(
		member{name: "authorization.k8s.io/decision", field: Decision, kinds: aString},
		member{name: "authorization.k8s.io/reason", field: Reason, kinds: aString},
	)},
)

// extraShape is user.extra: lists of strings.
func extraShape(known ...member) *shape {
	s := newShape(known...)
	s.other = &member{kinds: aList | 1<<Null, elems: aString}
	return s
}

// cloudTrailShape is a record (CloudTrail User Guide, "CloudTrail record contents", 2026-11).
var cloudTrailShape = newShape(
	member{name: "eventVersion", field: eventVersion, kinds: aString},
	member{name: "userIdentity", field: UserIdentity, kinds: object, inner: newShape(
		member{name: "type", field: UserType, kinds: aString},
		member{name: "principalId", field: PrincipalID, kinds: aString},
		member{name: "arn", field: UserARN, kinds: aString},
		member{name: "accountId", field: AccountID, kinds: aString},
		member{name: "accessKeyId", field: AccessKeyID, kinds: aString},
		member{name: "userName", kinds: anyKind},
		member{name: "sessionContext", field: SessionContext, kinds: object},
		member{name: "invokedBy", field: InvokedBy, kinds: aString},
	)},
	member{name: "eventTime", field: EventTime, kinds: aString},
	member{name: "eventSource", field: EventSource, kinds: aString},
	member{name: "eventName", field: EventName, kinds: aString},
	member{name: "awsRegion", field: Region, kinds: aString},
	member{name: "sourceIPAddress", field: SourceIP, kinds: aString},
	member{name: "userAgent", field: EventUserAgent, kinds: aString},
	member{name: "errorCode", field: ErrorCode, kinds: aString},
	member{name: "errorMessage", kinds: anyKind},
	member{name: "requestParameters", field: RequestParameters, kinds: object},
	member{name: "responseElements", field: ResponseElements, kinds: object},
	member{name: "additionalEventData", field: AdditionalEventData, kinds: anyKind},
	member{name: "requestID", kinds: anyKind},
	member{name: "eventID", field: EventID, kinds: aString},
	member{name: "readOnly", field: ReadOnly, kinds: aBool | aString},
	member{name: "resources", kinds: anyKind},
	member{name: "eventType", kinds: anyKind},
	member{name: "managementEvent", kinds: anyKind},
	member{name: "recipientAccountId", field: RecipientAccount, kinds: aString},
	member{name: "sharedEventID", field: SharedEventID, kinds: aString},
	member{name: "vpcEndpointId", field: VPCEndpointID, kinds: anyKind},
	member{name: "vpcEndpointAccountId", field: VPCEndpointAccount, kinds: anyKind},
	member{name: "eventCategory", kinds: anyKind},
	member{name: "tlsDetails", kinds: anyKind},
	member{name: "insightDetails", field: insightDetails, kinds: object},
)

func (p Plane) shape() *shape {
	if p == Kubernetes {
		return auditShape
	}
	return cloudTrailShape
}

// fieldNames is each field's path in the log.
var fieldNames = func() (names [2 * slots]string) {
	var walk func(prefix string, s *shape)
	walk = func(prefix string, s *shape) {
		for _, m := range s.members {
			if m.field != 0 {
				names[m.field] = prefix + m.name
			}
			if m.inner != nil {
				walk(prefix+m.name+".", m.inner)
			}
		}
	}
	walk("", auditShape)
	walk("", cloudTrailShape)
	return names
}()

// fieldOf returns the field whose name is the longest beginning of a path, and the rest of the path; without one, 0 and
// the whole path.
func fieldOf(p Plane, path string) (f Field, rest string) {
	best := 0
	rest = path
	for i, name := range fieldNames {
		if name == "" || Field(i).plane() != p || len(name) <= best || !strings.HasPrefix(path, name) {
			continue
		}
		if tail := path[len(name):]; tail == "" || tail[0] == '.' {
			f, rest, best = Field(i), strings.TrimPrefix(tail, "."), len(name)
		}
	}
	return f, rest
}
