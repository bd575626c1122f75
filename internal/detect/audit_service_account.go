package detect

import (
	"bytes"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
)

// roleChange is how a request changed the role annotation of a service account.
type roleChange struct {
	now, was string
	// known says that the role before is known.
	known bool
}

// roleChange is false for an event that does not change the annotation, as far as is known.
func (l *look) roleChange() (roleChange, bool) {
	var c roleChange
	if !l.Field(event.Resource).Is("serviceaccounts") || l.Field(event.Subresource).String() != "" || !l.done() {
		return c, false
	}
	c.now = l.object().Find(annotationRole).First().String()
	if l.creates() {
		c.known = true
		return c, c.now != ""
	}
	c.was, c.known = l.annotated(l.text(event.Namespace), strings.Clone(l.name()), l.now())
	if c.known {
		return c, c.was != c.now
	}
	// A patch says what it changes; of an update without its past only that the annotation is there is known.
	if l.Field(event.Verb).Is("patch") {
		return c, bytes.Contains(l.Field(event.RequestObject).Raw(), []byte("eks.amazonaws.com")) && l.names(access.RoleAnnotation)
	}
	return c, c.now != ""
}

// names says that the request's object, in whatever form of patch it is, names an annotation: as a key, or in the path of a
// JSON patch, where a slash is written ~1 (RFC 6901).
func (l *look) names(annotation string) bool {
	o := l.Field(event.RequestObject)
	if o.Find("metadata.annotations."+annotation).First().Kind() != event.Absent {
		return true
	}
	if o.Kind() != event.List {
		return false
	}
	pointer := "/metadata/annotations/" + strings.ReplaceAll(annotation, "/", "~1")
	for op := range o.Find("").All() {
		path := op.Find("path").First().String()
		switch {
		case path == pointer:
			return true
		case path == "/metadata/annotations" && op.Find("value."+annotation).First().Kind() != event.Absent:
			return true
		}
	}
	return false
}

// annotationFields are about changes of service accounts.
var annotationFields = []enrichment{
	{
		Name: "drawbridge.service_account.role", Text: "the role that the request leaves a service account annotated with; `none` where it takes the annotation away; absent where it does not change it", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			c, ok := l.roleChange()
			switch {
			case !ok:
				return nil
			case c.now == "":
				return some("none")
			}
			return some(c.now)
		},
	},
	{
		Name: "drawbridge.service_account.role_before", Text: "the role that the service account was annotated with before: `none`, or `unknown` where nothing tells", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			c, ok := l.roleChange()
			switch {
			case !ok:
				return nil
			case !c.known:
				return some("unknown")
			case c.was == "":
				return some("none")
			}
			return some(c.was)
		},
	},
}
