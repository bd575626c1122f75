package authenticator

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// partitions are the AWS partitions the authenticator knows (pkg/endpoints, v0.7.8).
var partitions = []string{
	"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc",
}

// Canonicalize returns the ARN under which the authenticator looks a caller up, given the
// ARN that STS GetCallerIdentity returned. A session of an IAM role becomes the role's ARN,
// which has no path because STS leaves it out; IAM roles, users, root and federated users
// stay as they are. Anything else is an error.
func Canonicalize(arn string) (string, error) {
	p, err := parseARN(arn)
	if err != nil {
		return "", err
	}
	parts := strings.Split(p.resource, "/")
	switch {
	case p.service == "sts" && parts[0] == "federated-user":
		return arn, nil
	case p.service == "sts" && parts[0] == "assumed-role" && len(parts) < 3:
		return "", fmt.Errorf("assumed-role ARN %q names no session", arn)
	case p.service == "sts" && parts[0] == "assumed-role":
		return roleARN(p, strings.Join(parts[1:len(parts)-1], "/")), nil
	case p.service == "iam" && (parts[0] == "role" || parts[0] == "user" || parts[0] == "root"):
		return arn, nil
	}
	return "", fmt.Errorf("ARN %q is not that of an IAM identity", arn)
}

// StripPath returns an IAM role's ARN without its path and every other ARN unchanged:
// "arn:aws:iam::111122223333:role/team/Dev" becomes "arn:aws:iam::111122223333:role/Dev".
func StripPath(arn string) (string, error) {
	p, err := parseARN(arn)
	if err != nil {
		return "", err
	}
	parts := strings.Split(p.resource, "/")
	if parts[0] == "role" && len(parts) > 2 {
		return roleARN(p, parts[len(parts)-1]), nil
	}
	return arn, nil
}

type parsedARN struct{ partition, service, region, account, resource string }

func parseARN(arn string) (parsedARN, error) {
	s := strings.SplitN(arn, ":", 6)
	if len(s) != 6 || s[0] != "arn" {
		return parsedARN{}, fmt.Errorf("%q is not an ARN", arn)
	}
	if !slices.Contains(partitions, s[1]) {
		return parsedARN{}, fmt.Errorf("ARN %q is of an unknown partition", arn)
	}
	return parsedARN{s[1], s[2], s[3], s[4], s[5]}, nil
}

func roleARN(p parsedARN, role string) string {
	return "arn:" + p.partition + ":iam::" + p.account + ":role/" + role
}

// fold returns a string that is equal for two inputs exactly if strings.EqualFold is true
// for them, so that the authenticator's case-insensitive comparison can be a map lookup.
// It folds more than ASCII: U+017F (ſ) equals s, U+212A (K) equals k.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}

// unmatchable returns why no caller has this ARN as its canonical ARN, or "" if one can.
// A row of aws-auth that carries such an ARN is dead text.
func unmatchable(arn string) string {
	if strings.TrimSpace(arn) != arn {
		return "leading or trailing space is part of the ARN that is compared"
	}
	p, err := parseARN(strings.ToLower(fold(arn)))
	if err != nil {
		return "not an ARN of a known partition"
	}
	kind, name, _ := strings.Cut(p.resource, "/")
	switch {
	case p.region != "":
		return "IAM ARNs have no region"
	case !isAccountID(p.account):
		return "the account is not twelve digits"
	case p.service == "sts" && kind == "assumed-role":
		return "sessions are looked up by the ARN of their IAM role, not in the STS form"
	case p.service == "sts" && kind == "federated-user" && isName(name):
		return ""
	case p.service != "iam":
		return "not the ARN of an IAM identity"
	case p.resource == "root":
		return ""
	case kind == "role" && strings.Contains(name, "/"):
		return "sessions are looked up without the IAM role's path"
	case kind == "role" && isName(name), kind == "user" && isName(name[strings.LastIndex(name, "/")+1:]):
		return ""
	}
	return "not the ARN of an IAM user or role"
}

func isAccountID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// isName reports whether s could name an IAM user or role (IAM API Reference, CreateRole, "RoleName", 2026-11).
func isName(s string) bool {
	for _, c := range []byte(s) {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && !strings.ContainsRune("_+=,.@-", rune(c)) {
			return false
		}
	}
	return s != ""
}
