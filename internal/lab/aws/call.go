package aws

import (
	"strings"
	"time"
)

// Call is one request that the server answered.
type Call struct {
	Time      time.Time
	Action    string // as in IAM: "eks:ListAccessEntries"
	Account   string // "" if the access key is nobody's
	Region    string
	Principal string
	Resource  string // ARN the action is about, or "*"
	Error     string // the code of the answer's error, "" for success
	UserAgent string

	// Parameters is what was asked, by wire name: numbers are json.Number for EKS, Logs and CloudTrail; for
	// the query services every value is text and a list's items have their own names ("Tags.member.1.Key").
	Parameters map[string]any
}

// ReadOnly tells whether the call's action cannot change anything.
func (c Call) ReadOnly() bool {
	_, op, _ := strings.Cut(c.Action, ":")
	for _, prefix := range []string{"List", "Describe", "Get", "Filter", "Lookup", "Simulate", "AssumeRole"} {
		if strings.HasPrefix(op, prefix) {
			return true
		}
	}
	return false
}

// Calls returns all calls since the start or the last ForgetCalls, in order.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Writes returns the calls that are not read-only.
func (s *Server) Writes() []Call {
	var writes []Call
	for _, c := range s.Calls() {
		if !c.ReadOnly() {
			writes = append(writes, c)
		}
	}
	return writes
}

// ForgetCalls empties the list of calls; ThrottleEvery counts on.
func (s *Server) ForgetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// call is the request in hand. Handlers run one at a time, under the server's lock.
type call struct {
	srv       *Server
	acct      *Account
	reg       *Region
	service   string
	operation string
	principal string
	userID    string
	keyID     string
	requestID string
}

func (c *call) action() string { return c.service + ":" + c.operation }

func (c *call) now() time.Time { return c.srv.now() }
