package detect

import (
	"bytes"
	"cmp"
	"net/url"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
)

// templates say where a pod's specification stands in an object, by its resource.
var templates = map[string]string{
	"pods":                   "",
	"podtemplates":           "template",
	"deployments":            "spec.template",
	"daemonsets":             "spec.template",
	"statefulsets":           "spec.template",
	"replicasets":            "spec.template",
	"replicationcontrollers": "spec.template",
	"jobs":                   "spec.template",
	"cronjobs":               "spec.jobTemplate.spec.template",
}

// podTemplateOf is the pod in an object: itself, or its template. It is absent for other objects.
func podTemplateOf(o event.Value, resource string) event.Value {
	at, ok := templates[resource]
	switch {
	case !ok:
		return event.Value{}
	case at == "":
		return o
	}
	return o.Find(at).First()
}

func podSpecOf(o event.Value, resource string) event.Value {
	return podTemplateOf(o, resource).Find("spec").First()
}

// podSpec is the specification of the pod in the object of the event, or of its template.
func (l *look) podSpec() event.Value {
	if !l.read.hasPod {
		l.read.pod, l.read.hasPod = podSpecOf(l.object(), l.Field(event.Resource).String()), true
	}
	return l.read.pod
}

// owned says that a controller made the object for another, which was judged when somebody made that.
func (l *look) owned() bool {
	if l.part() != partController && l.part() != partControlPlane {
		return false
	}
	for o := range l.object().Find("metadata.ownerReferences").All() {
		if o.Find("controller").First().String() == "true" {
			return true
		}
	}
	return false
}

// credentials are the IAM roles and the ways to them that a pod was given when it was made, as its specification tells:
// the ARN for IRSA, for Pod Identity, whose role is not in the pod, only the way.
func credentials(o event.Value) (role, via string) {
	spec := o.Find("spec").First()
	if raw := spec.Raw(); !bytes.Contains(raw, []byte("AWS_")) && !bytes.Contains(raw, []byte("audience")) && bytes.IndexByte(raw, '\\') < 0 {
		return "", ""
	}
	for c := range spec.Find("containers.env").All() {
		switch value := c.Find("value").First().String(); c.Find("name").First().String() {
		case "AWS_CONTAINER_CREDENTIALS_FULL_URI":
			if via == "" {
				via = viaPodIdentity
			}
		case "AWS_ROLE_ARN":
			role, via = strings.Clone(value), viaIRSA
		}
	}
	for a := range spec.Find("volumes.projected.sources.serviceAccountToken.audience").All() {
		if via == "" && cloudAudience(a.String()) {
			via = viaIRSA
			if a.Is(access.PodIdentityAudience) {
				via = viaPodIdentity
			}
		}
	}
	return role, via
}

// annotationFacts are the changes of one service account's role annotation: cluster, namespace, name.
type annotationFacts struct{ Changes []roleAnnotation }

// roleAnnotation is eks.amazonaws.com/role-arn as one request left it; empty where there was none.
type roleAnnotation struct {
	Fact
	Role string
}

const annotationRole = "metadata.annotations." + access.RoleAnnotation

// noteAnnotation takes the roles that service accounts are annotated with.
func (g *objects) noteAnnotation(l *look, limit int) {
	if l.Field(event.Subresource).String() != "" || !l.done() {
		return
	}
	role := ""
	switch l.Field(event.Verb).String() {
	case "create", "update", "patch":
		if l.Field(event.Verb).Is("patch") && l.Field(event.ResponseObject).Kind() != event.Object {
			return
		}
		role = strings.Clone(l.object().Find(annotationRole).First().String())
	case "delete":
	default:
		return
	}
	f := g.Annotations.at(key(clusterOf(l.Event), l.text(event.Namespace), strings.Clone(l.name())), limit)
	f.Changes = note(f.Changes, roleAnnotation{l.fact(), role}, func(r *roleAnnotation) Fact { return r.Fact })
}

// annotated is the role that a service account was annotated with before a time; false where nothing tells.
func (l *look) annotated(namespace, name string, before Fact) (string, bool) {
	if f := l.ledger.Objects.Annotations.get(key(clusterOf(l.Event), namespace, name)); f != nil {
		for _, c := range slices.Backward(f.Changes) {
			if c.before(before) {
				return c.Role, true
			}
		}
	}
	if c := l.snapshotCluster(); c != nil && !l.ctx.Access.Time().After(before.At) {
		if sa, presence := c.ServiceAccount(namespace, name); presence == access.Present {
			return access.IRSARole(sa), true
		}
	}
	return "", false
}

// awsRoles are the IAM roles that the pod of an event holds, and the way where only that is known. known is false where
// nothing tells whether it holds any. A pod was given what it has when it was made: what its service account got later does
// not count for it.
func (l *look) awsRoles() (roles []string, via string, known bool) {
	namespace, sa := l.podServiceAccount()
	if role, given, ok := l.given(); ok {
		if given == "" || role != "" {
			return some(role), given, true
		}
		known, via = true, given
	}
	if sa != "" {
		roles = l.rolesOf(clusterOf(l.Event), namespace, sa)
		if r, ok := l.annotated(namespace, sa, l.now()); ok && r != "" && !slices.Contains(roles, r) && via != viaPodIdentity {
			roles = append(roles, r)
		}
	}
	if len(roles) > 0 {
		return roles, cmp.Or(via, "its service account"), true
	}
	return nil, via, known || l.snapshotPod(namespace, l.name()) != nil
}

// given is what the pod of an event was given of AWS when it was made, as that event or this one's answer shows it.
func (l *look) given() (role, via string, ok bool) {
	if p := l.pod(); p != nil && p.Specified {
		return p.Role, p.Via, true
	}
	if o := l.Field(event.ResponseObject); l.Field(event.Resource).Is("pods") && o.Find("spec.containers").First().Kind() == event.Object {
		role, via = credentials(o)
		return role, via, true
	}
	return "", "", false
}

// bears says whether the pod of an event holds AWS credentials of its own: yes, no, or unknown.
func (l *look) bears() string {
	roles, via, known := l.awsRoles()
	switch {
	case len(roles) > 0 || via != "":
		return "yes"
	case known:
		return "no"
	}
	return "unknown"
}

// command is what an exec or attach asks to run, as the URL has it.
func (l *look) command() []string {
	_, query, ok := strings.Cut(l.Field(event.RequestURI).String(), "?")
	if !ok {
		return nil
	}
	values, _ := url.ParseQuery(query) // what it could not read is left out
	return some(strings.Join(values["command"], " "))
}

// credentialPlaces are words in a command that reaches for credentials: the endpoints that hand them out, and the files and
// variables by which a pod gets them (EKS User Guide, "Learn how EKS Pod Identity grants pods access" and "IAM roles for
// service accounts"; EC2 User Guide, "Instance metadata"; 2026-11).
var credentialPlaces = []string{
	"169.254.169.254", "169.254.170.2", "fd00:ec2::", "/var/run/secrets/", "/run/secrets/", "eks-pod-identity-token", "aws_web_identity_token_file",
	"aws_container_", "aws_role_arn", "aws_secret_access_key", "aws_session_token", ".aws/credentials", "/proc/self/environ", "/proc/1/environ",
	"assume-role", "get-caller-identity", "export-credentials",
}

// reachesForCredentials says that a command names a place of credentials. One that hides it, or a shell into which it is
// typed, does not.
func reachesForCredentials(command []string) bool {
	return slices.ContainsFunc(command, func(c string) bool {
		c = strings.ToLower(c)
		return slices.ContainsFunc(credentialPlaces, func(p string) bool { return strings.Contains(c, p) })
	})
}
