package aws

import "fmt"

// fault is an error of a service's own, with its code and text. A status of 0 leaves the status to the
// service's model.
type fault struct {
	code, message string
	status        int
}

func (f *fault) Error() string { return f.code + ": " + f.message }

func refuse(code, format string, args ...any) error {
	return &fault{code: code, message: fmt.Sprintf(format, args...)}
}

// problem is an error that every service has, each with its own code and status.
type problem struct {
	kind    problemKind
	message string
}

type problemKind int

const (
	unsigned      problemKind = iota // no Signature Version 4 header
	unknownKey                       // an access key of nobody, or of another partition
	notAllowed                       // injected by Deny
	throttled                        // injected by ThrottleEvery
	unknownAction                    // not an operation of this service, or none that the lab has
	badInput                         // the request does not fit the service's model
	internal                         // a defect of the lab
)

func (p *problem) Error() string { return p.message }

func invalid(format string, args ...any) error {
	return &problem{kind: badInput, message: fmt.Sprintf(format, args...)}
}
