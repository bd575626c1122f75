package aws

import (
	"slices"
	"strings"
)

// Deny makes every account refuse the actions as a missing IAM permission would. An action is spelt as in
// IAM, "eks:ListAccessEntries"; a "*" at its end stands for any rest.
func (s *Server) Deny(actions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = append(s.denied, actions...)
}

// Deny is Server.Deny for one account.
func (a *Account) Deny(actions ...string) {
	a.srv.mu.Lock()
	defer a.srv.mu.Unlock()
	a.denied = append(a.denied, actions...)
}

// Allow takes back every Deny, of the server and of its accounts.
func (s *Server) Allow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = nil
	for _, a := range s.accounts {
		a.denied = nil
	}
}

// ThrottleEvery makes every n-th call fail as AWS throttles; 0 turns it off. Retries are calls.
func (s *Server) ThrottleEvery(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttle = n
}

// allowed refuses an action that Deny named.
func (c *call) allowed(action, resource string) error {
	match := func(pattern string) bool {
		if rest, ok := strings.CutSuffix(pattern, "*"); ok {
			return strings.HasPrefix(action, rest)
		}
		return pattern == action
	}
	if !slices.ContainsFunc(c.srv.denied, match) && (c.acct == nil || !slices.ContainsFunc(c.acct.denied, match)) {
		return nil
	}
	return &problem{notAllowed, "User: " + c.principal + " is not authorized to perform: " + action + " on resource: " + resource +
		" because no identity-based policy allows the " + action + " action"}
}

// pass refuses a role that the caller may not pass, when Deny named iam:PassRole.
func (c *call) pass(role string) error { return c.allowed("iam:PassRole", role) }
