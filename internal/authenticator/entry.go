package authenticator

import "strings"

// Types of access entries (EKS API Reference, CreateAccessEntry, "type", 2026-11).
const (
	TypeStandard     = "STANDARD"
	TypeEC2          = "EC2" // nodes of EKS Auto Mode
	TypeEC2Linux     = "EC2_LINUX"
	TypeEC2Windows   = "EC2_WINDOWS"
	TypeFargateLinux = "FARGATE_LINUX"
	TypeHybridLinux  = "HYBRID_LINUX"
	TypeHyperPod     = "HYPERPOD_LINUX"
)

// Entry is an access entry as EKS holds it, as far as authentication needs it.
type Entry struct {
	PrincipalARN string `json:"principalArn"`
	// UserID is the unique ID (AROA…, AIDA…) the entry is bound to. No EKS API shows it, so it is
	// often unknown and then empty.
	UserID   string   `json:"userId,omitempty"`
	Type     string   `json:"type,omitempty"` // empty means STANDARD
	Username string   `json:"username,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

// DefaultUsername returns the username template that EKS gives an access entry of the type for
// the principal when none is set (EKS User Guide, "Create access entries", 2026-11). It returns
// false where AWS publishes none: EC2 and HYPERPOD_LINUX, and principals that are neither user nor role.
func DefaultUsername(entryType, principalARN string) (string, bool) {
	switch entryType {
	case TypeEC2Linux, TypeEC2Windows:
		return "system:node:{{EC2PrivateDNSName}}", true
	case TypeFargateLinux, TypeHybridLinux:
		return "system:node:{{SessionName}}", true
	case TypeStandard, "":
		return standardUsername(principalARN)
	}
	return "", false
}

func standardUsername(principalARN string) (string, bool) {
	p, err := parseARN(principalARN)
	if err != nil || p.service != "iam" {
		return "", false
	}
	kind, name, _ := strings.Cut(p.resource, "/")
	switch kind {
	case "user":
		return principalARN, true
	case "role":
		name = name[strings.LastIndex(name, "/")+1:]
		return "arn:" + p.partition + ":sts::" + p.account + ":assumed-role/" + name + "/{{SessionName}}", true
	}
	return "", false
}

// username returns the template in force: the one set, or the type's default.
func (e *Entry) username() (string, bool) {
	if e.Username != "" {
		return e.Username, true
	}
	return DefaultUsername(e.Type, e.PrincipalARN)
}

// checksPrefix reports whether a reserved prefix of the username denies. EKS itself writes
// reserved usernames for node types and for service-linked roles, and those work.
func (e *Entry) checksPrefix() bool {
	if e.Type != TypeStandard && e.Type != "" {
		return false
	}
	p, err := parseARN(e.PrincipalARN)
	return err != nil || !strings.HasPrefix(p.resource, "role/aws-service-role/")
}
