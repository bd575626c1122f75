package authenticator

import (
	"fmt"
	"strings"
)

// Resolve returns what catches the sessions of an IAM principal, given its ARN with path and, if known,
// its unique ID ("" if not). Templates that depend on the session stay as they are: the username
// of a Result may contain {{SessionName}}. An IAM user has no session name, so its templates are rendered.
func (m *Mapper) Resolve(principalARN, userID string) Result {
	canonical, err := Canonicalize(principalARN)
	if err == nil {
		canonical, err = StripPath(canonical)
	}
	if err != nil {
		return Result{Outcome: NotMapped, Why: err.Error()}
	}
	p, _ := parseARN(canonical)
	id := Identity{ARN: principalARN, CanonicalARN: canonical, UserID: userID, AccountID: p.account}
	r := m.find(id, symbolic(p))
	if r.Entry != nil && r.IDAssumed && !strings.EqualFold(r.Entry.PrincipalARN, principalARN) && r.Why == "" {
		r.Why = "the access entry has the same name and another path: it may be bound to a deleted principal"
	}
	return r
}

// symbolic renders only what is the same for every session of the principal.
func symbolic(p parsedARN) renderer {
	if strings.HasPrefix(p.resource, "role/") {
		return func(t string) (string, error) { return strings.ReplaceAll(t, accountID, p.account), nil }
	}
	return func(t string) (string, error) {
		if strings.Contains(t, ec2PrivateDNSName) {
			return "", fmt.Errorf("render %q: the principal has no session name", t)
		}
		return strings.NewReplacer(accountID, p.account, sessionName, "", sessionNameRaw, "").Replace(t), nil
	}
}

// CallerIdentity builds an Identity from the answer of STS GetCallerIdentity and the access key that
// signed the request. The session name is the part of userID after the colon, save for federated users,
// whose userID is kept whole (aws-iam-authenticator v0.7.8, pkg/token).
func CallerIdentity(arn, userID, account, accessKey string) (Identity, error) {
	canonical, err := Canonicalize(arn)
	if err != nil {
		return Identity{}, fmt.Errorf("read caller identity: %w", err)
	}
	id := Identity{ARN: arn, CanonicalARN: canonical, UserID: userID, AccountID: account, AccessKeyID: accessKey}
	if p, _ := parseARN(arn); p.service == "sts" && strings.HasPrefix(p.resource, "federated-user") {
		return id, nil
	}
	unique, session, _ := strings.Cut(userID, ":")
	if strings.Contains(session, ":") {
		return Identity{}, fmt.Errorf("read caller identity: malformed user ID %q", userID)
	}
	id.UserID, id.SessionName = unique, session
	return id, nil
}
