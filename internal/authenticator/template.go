package authenticator

import (
	"fmt"
	"regexp"
	"strings"
)

// Templates that the authenticator renders in usernames and groups.
const (
	accountID         = "{{AccountID}}"
	sessionName       = "{{SessionName}}"
	sessionNameRaw    = "{{SessionNameRaw}}"
	ec2PrivateDNSName = "{{EC2PrivateDNSName}}"
	accessKeyID       = "{{AccessKeyID}}"
)

// reservedPrefixes may not begin the username of a STANDARD access entry, after rendering
// (EKS User Guide, "Create access entries", 2026-11). aws-auth has no such limit.
var reservedPrefixes = []string{"system:", "eks:", "aws:", "amazon:", "iam:"}

// ReservedPrefix returns the prefix reserved by EKS that the username begins with, or "".
func ReservedPrefix(username string) string {
	for _, p := range reservedPrefixes {
		if strings.HasPrefix(username, p) {
			return p
		}
	}
	return ""
}

// instanceID is what the authenticator takes for an EC2 instance ID.
var instanceID = regexp.MustCompile(`^i-(\w{8}|\w{17})$`)

// Renders reports whether the authenticator fills in a part of the template. Any other braces stay as they are.
func Renders(template string) bool {
	for _, t := range []string{accountID, sessionName, sessionNameRaw, ec2PrivateDNSName, accessKeyID} {
		if strings.Contains(template, t) {
			return true
		}
	}
	return false
}

// render fills a template in the authenticator's order. It returns an error where the authenticator
// denies, and errDNSUnknown where the answer depends on a name only EC2 knows. An access key that is not known stays as it
// is written in the template.
func render(template string, id Identity) (string, error) {
	if strings.Contains(template, ec2PrivateDNSName) {
		if !instanceID.MatchString(id.SessionName) {
			return "", fmt.Errorf("render %q: the session name is not an instance ID", template)
		}
		if id.EC2PrivateDNSName == "" {
			return "", errDNSUnknown
		}
		template = strings.ReplaceAll(template, ec2PrivateDNSName, id.EC2PrivateDNSName)
	}
	template = strings.ReplaceAll(template, accountID, id.AccountID)
	template = strings.ReplaceAll(template, sessionName, strings.ReplaceAll(id.SessionName, "@", "-"))
	template = strings.ReplaceAll(template, sessionNameRaw, id.SessionName)
	if id.AccessKeyID == "" {
		return template, nil
	}
	return strings.ReplaceAll(template, accessKeyID, id.AccessKeyID), nil
}

var errDNSUnknown = fmt.Errorf("the instance's private DNS name is not known")

// NamesSession reports whether the template contains the session name, which whoever assumes
// the IAM role chooses.
func NamesSession(template string) bool {
	return strings.Contains(template, sessionName) || strings.Contains(template, sessionNameRaw)
}

// CallerChoosesUsername reports whether a session of the principal chooses the username it gets.
// AWS's own default, the role's STS ARN with the session name at its end, is not counted: the
// whole ARN before the session name names the role, also with {{AccountID}} or {{SessionNameRaw}} in it. IAM users have
// no session name.
func CallerChoosesUsername(template, principalARN string) bool {
	if !NamesSession(template) || isUserARN(principalARN) {
		return false
	}
	own, ok := standardUsername(principalARN)
	p, _ := parseARN(principalARN)
	template = strings.NewReplacer(accountID, p.account, sessionNameRaw, sessionName).Replace(template)
	return !ok || !strings.EqualFold(template, own)
}

// CallerChoosesGroup reports whether a session of the principal chooses the Kubernetes group it gets.
func CallerChoosesGroup(template, principalARN string) bool {
	return NamesSession(template) && !isUserARN(principalARN)
}

func isUserARN(arn string) bool {
	p, err := parseARN(strings.ToLower(arn))
	return err == nil && p.service == "iam" && (strings.HasPrefix(p.resource, "user/") || p.resource == "root")
}
