package event

import (
	"strings"
)

// Name is a namespaced Kubernetes name.
type Name struct{ Namespace, Name string }

// String returns "namespace/name".
func (n Name) String() string {
	if n == (Name{}) {
		return ""
	}
	return n.Namespace + "/" + n.Name
}

// Actor is who acted, as far as the record says. Its strings borrow the record's bytes.
type Actor struct {
	Principal      string // ARN of the IAM role or user; of a role whose path the record does not tell, without it
	SessionARN     string // ARN of the assumed-role session
	Session        string // its name, chosen by the caller: never an identity
	AccessKey      string // id of the access key: joins the two planes
	Account        string
	PrincipalID    string // AROA… or AIDA…, without session
	Service        string // the AWS service that called: pods.eks.amazonaws.com
	Username       string // Kubernetes; in CloudTrail that of a web identity
	Groups         []string
	ServiceAccount Name
	Pod, PodUID    string
	Node           string
	Impersonated   string // the username that Username acted as
	Instance       string // i-… of a node's session
}

// Actor returns who acted.
func (e *Event) Actor() Actor { return e.ActorIn(nil) }

// ActorIn is Actor with its groups in memory that the caller has.
func (e *Event) ActorIn(groups []string) Actor {
	if e.plane == Kubernetes {
		return e.auditActor(groups)
	}
	return e.cloudTrailActor()
}

// auditActor reads user as EKS' authenticator and the API server fill it (aws-iam-authenticator pkg/server/server.go,
// 2026-07; Kubernetes API reference, "UserInfo", 2026-11).
func (e *Event) auditActor(groups []string) Actor {
	a := Actor{Username: e.Field(Username).String(), Groups: groups, Impersonated: e.Field(ImpersonatedUser).Find("username").First().String()}
	e.Field(UserGroups).Find("").Each(func(g Value) bool {
		if g.Kind() == String {
			a.Groups = append(a.Groups, g.String())
		}
		return true
	})
	for c := e.Field(UserExtra).cursor(); ; {
		key, value, ok := c.member()
		if !ok {
			break
		}
		text := value.Find("").First()
		if text.Kind() != String {
			continue
		}
		var to *string
		switch key.String() {
		case "accessKeyId":
			to = &a.AccessKey
		case "arn":
			to = &a.SessionARN
		case "canonicalArn":
			to = &a.Principal
		case "sessionName":
			to = &a.Session
		case "principalId", "sigs.k8s.io/aws-iam-authenticator/principalId":
			to = &a.PrincipalID
		case "authentication.kubernetes.io/pod-name", "authentication.k8s.io/pod-name":
			to = &a.Pod
		case "authentication.kubernetes.io/pod-uid", "authentication.k8s.io/pod-uid":
			to = &a.PodUID
		case "authentication.kubernetes.io/node-name", "authentication.k8s.io/node-name":
			to = &a.Node
		default:
			continue
		}
		if *to == "" {
			*to = text.String()
		}
	}
	if !strings.Contains(a.SessionARN, ":assumed-role/") {
		a.SessionARN = ""
	}
	a.Account = accountOf(a.Principal)
	if rest, ok := strings.CutPrefix(e.Field(User).Find("uid").First().String(), "aws-iam-authenticator:"); ok {
		account, id, _ := strings.Cut(rest, ":")
		if a.Account == "" {
			a.Account = account
		}
		if a.PrincipalID == "" {
			a.PrincipalID = id
		}
	}
	a.ServiceAccount = serviceAccountOf(a.Username)
	if node, ok := strings.CutPrefix(a.Username, "system:node:"); ok {
		a.Node = node
		a.Instance = instanceOf(a.Session)
	}
	return a
}

// cloudTrailActor reads userIdentity (CloudTrail User Guide, "CloudTrail userIdentity element", 2026-11).
func (e *Event) cloudTrailActor() Actor {
	a := Actor{
		AccessKey: e.Field(AccessKeyID).String(),
		Account:   e.Field(AccountID).String(),
		Service:   e.Field(InvokedBy).String(),
	}
	a.PrincipalID, _, _ = strings.Cut(e.Field(PrincipalID).String(), ":")
	switch arn := e.Field(UserARN).String(); {
	case strings.Contains(arn, ":assumed-role/"):
		a.SessionARN = arn
		role, session := roleOfSession(arn)
		a.Principal, a.Session = role, session
		if issuer := e.Field(SessionContext).Find("sessionIssuer.arn").First().String(); issuer != "" {
			a.Principal = issuer
		}
		a.Instance = instanceOf(session)
	default:
		a.Principal = arn
	}
	if a.Account == "" {
		a.Account = accountOf(a.Principal)
	}
	if e.Field(UserType).Is("WebIdentityUser") {
		a.PrincipalID = ""
		a.Username = e.Field(UserIdentity).Find("userName").First().String()
		a.ServiceAccount = serviceAccountOf(a.Username)
	}
	return a
}

// roleOfSession returns the role of an assumed-role session, without the path that such an ARN does not tell, and the
// session's name.
func roleOfSession(arn string) (role, session string) {
	prefix, name, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return "", ""
	}
	name, session, _ = strings.Cut(name, "/")
	prefix, account, _ := cutLast(prefix, ":")
	prefix, _, _ = cutLast(prefix, ":") // the region, empty
	prefix = strings.TrimSuffix(prefix, ":sts")
	return prefix + ":iam::" + account + ":role/" + name, session
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// accountOf returns the account of an ARN, "" if it names none.
func accountOf(arn string) string {
	for range 4 {
		var ok bool
		if _, arn, ok = strings.Cut(arn, ":"); !ok {
			return ""
		}
	}
	account, _, ok := strings.Cut(arn, ":")
	if !ok {
		return ""
	}
	return account
}

func serviceAccountOf(username string) Name {
	rest, ok := strings.CutPrefix(username, "system:serviceaccount:")
	if !ok {
		return Name{}
	}
	namespace, name, ok := strings.Cut(rest, ":")
	if !ok {
		return Name{}
	}
	return Name{namespace, name}
}

// instanceOf returns a session's name if it is that of an EC2 instance's own credentials.
func instanceOf(session string) string {
	id, ok := strings.CutPrefix(session, "i-")
	if !ok || len(id) != 8 && len(id) != 17 || strings.Trim(id, "0123456789abcdef") != "" {
		return ""
	}
	return session
}
