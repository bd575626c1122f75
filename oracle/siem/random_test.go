package oracle

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"drawbridge/internal/sigma"
)

// maker makes random rules and events from one small vocabulary, so that they meet often.
type maker struct{ *rand.Rand }

func (m maker) of(words ...string) string { return words[m.IntN(len(words))] }

var vocabulary = map[bool]map[string][]string{
	false: {
		"eventSource": {"eks.amazonaws.com", "sts.amazonaws.com"}, "eventName": {"CreateAccessEntry", "createaccessentry", "AssumeRole", "AssociateAccessPolicy"},
		"errorCode": {"AccessDenied", "Throttling"}, "userAgent": {"aws-cli/2.31", "Go/eks*x", `a\b?c`, "eksctl", "GO/EKS", "100%_real", "it's", "ÉKS"},
		"readOnly": {"true", "false"}, "userIdentity.type": {"AssumedRole", "AWSService", "IAMUser"}, "userIdentity.invokedBy": {"null", "pods.eks.amazonaws.com", "eks.amazonaws.com"},
		"userIdentity.sessionContext.sessionIssuer.arn": {"arn:aws:iam::111122223333:role/Admin", "arn:aws:iam::111122223333:role/ci"},
		"sourceIPAddress":                    {"10.1.2.3", "203.0.113.7", "eks.amazonaws.com", "2001:db8::1", "::ffff:10.1.2.3"},
		"requestParameters.principalArn":     {"arn:aws:iam::111122223333:role/ci", "arn:aws:iam::111122223333:role/CI", "arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fci"},
		"requestParameters.kubernetesGroups": {"system:masters", "viewers", "System:Masters", ""}, "requestParameters.name": {"prod", "test"},
		"requestParameters.resourcesVpcConfig.endpointPublicAccess": {"true", "false"}, "requestParameters.maxResults": {"5", "50", "7"},
	},
	true: {
		"verb": {"create", "GET", "get", "list"}, "stage": {"RequestReceived", "ResponseComplete"}, "user.username": {"system:serviceaccount:a:default", "system:anonymous", "joe", "Joe"},
		"user.groups": {"system:masters", "system:authenticated"}, "objectRef.resource": {"secrets", "pods"}, "objectRef.subresource": {"exec", ""},
		"responseStatus.code": {"200", "403", "201", "404"}, "sourceIPs": {"10.1.2.3", "203.0.113.7", "fd00::1"}, "annotations.authorization.k8s.io/reason": {"", `EKS Access Policy: allowed by "x"`},
		"requestObject.subjects.name": {"system:anonymous", "joe", "x*y"}, "impersonatedUser.username": {"joe", "system:masters"}, "user.extra.accessKeyId": {"AKIA1", "ASIA2"},
		"requestObject.rules.verbs": {"*", "get"},
	},
}

// values of a field that is a list, or below one.
var many = map[string]bool{"requestParameters.kubernetesGroups": true, "user.groups": true, "sourceIPs": true, "user.extra.accessKeyId": true, "requestObject.rules.verbs": true}

func (m maker) fields(audit bool) []string {
	return slices.Sorted(maps.Keys(vocabulary[audit])) // a map's order is not the seed's
}

// event is a random record.
func (m maker) event(id int, audit bool) []byte {
	root := map[string]any{}
	if audit {
		root["kind"], root["apiVersion"], root["auditID"] = "Event", "audit.k8s.io/v1", fmt.Sprintf("a-%d", id)
		root["requestReceivedTimestamp"] = fmt.Sprintf("2026-11-01T10:%02d:%02d.000000Z", m.IntN(20), m.IntN(60))
		root["stage"] = "ResponseComplete"
	} else {
		root["eventVersion"], root["eventID"] = "1.10", fmt.Sprintf("c-%d", id)
		root["eventTime"] = fmt.Sprintf("2026-11-01T10:%02d:%02dZ", m.IntN(20), m.IntN(60))
		root["recipientAccountId"] = "111122223333"
	}
	for _, f := range m.fields(audit) {
		if m.IntN(4) == 0 && !slices.Contains([]string{"eventSource", "eventName", "verb", "stage"}, f) { // a record without these is none
			continue
		}
		v := m.value(f, vocabulary[audit][f])
		if f == "requestObject.subjects.name" || f == "requestObject.rules.verbs" {
			keys := strings.Split(f, ".")
			var list []any
			for range 1 + m.IntN(2) {
				list = append(list, map[string]any{keys[2]: m.value(f, vocabulary[audit][f])})
			}
			set(root, keys[:2], list)
			continue
		}
		if name, ok := strings.CutPrefix(f, "annotations."); ok {
			set(root, []string{"annotations", name}, v)
			continue
		}
		set(root, strings.Split(f, "."), v)
	}
	b, err := json.Marshal(root)
	if err != nil {
		panic(err) // a mistake in the vocabulary
	}
	return b
}

func (m maker) value(field string, words []string) any {
	one := func() any {
		switch w := m.of(words...); {
		case field == "responseStatus.code" || field == "requestParameters.maxResults":
			return json.Number(w)
		case w == "true" || w == "false":
			return w == "true"
		case w == "null":
			return nil
		default:
			return w
		}
	}
	if !many[field] {
		return one()
	}
	list := []any{one()}
	for m.IntN(2) == 0 {
		list = append(list, one())
	}
	return list
}

func set(at map[string]any, keys []string, v any) {
	for _, k := range keys[:len(keys)-1] {
		inner, ok := at[k].(map[string]any)
		if !ok {
			inner = map[string]any{}
			at[k] = inner
		}
		at = inner
	}
	at[keys[len(keys)-1]] = v
}

// rule is the text of a random rule.
func (m maker) rule(audit bool) string {
	var b strings.Builder
	b.WriteString("title: random\nname: alone\nlevel: low\nlogsource: " + map[bool]string{false: "{product: aws, service: cloudtrail}", true: "{product: kubernetes, service: audit}"}[audit] + "\ndetection:\n")
	n := 1 + m.IntN(3)
	for i := range n {
		fmt.Fprintf(&b, "  s%d:\n", i)
		used := map[string]bool{}
		for range 1 + m.IntN(2) {
			field, line := m.match(audit)
			if !used[field] {
				used[field] = true
				b.WriteString("    " + line + "\n")
			}
		}
	}
	cond := []string{"s0"}
	for i := 1; i < n; i++ {
		cond = append(cond, m.of("and", "or", "and not", "or not"), fmt.Sprintf("s%d", i))
	}
	text := strings.Join(cond, " ")
	if m.IntN(6) == 0 {
		text = "not (" + text + ")"
	}
	b.WriteString("  condition: " + text + "\n")
	return b.String()
}

func (m maker) match(audit bool) (key, line string) {
	field := m.of(m.fields(audit)...)
	words := vocabulary[audit][field]
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	word := func() string {
		if w := m.of(words...); w != "" && w != "null" {
			return w
		}
		return "eks"
	}
	number := field == "responseStatus.code" || field == "requestParameters.maxResults"
	switch m.IntN(14) {
	case 0:
		return field, field + "|exists: " + m.of("true", "false")
	case 1:
		return field, field + ": null"
	case 2:
		w := []rune(sigma.Escape(word()))
		at := m.IntN(len(w) + 1)
		return field, field + ": " + quoted(string(w[:at])+m.of("*", "?", "**")+string(w[at:]))
	case 3:
		w := []rune(word())
		return field + "|contains", field + "|contains: " + quoted(sigma.Escape(string(w[len(w)/3:])))
	case 4:
		w := []rune(word())
		return field + "|startswith", field + "|startswith" + m.of("", "|cased") + ": " + quoted(sigma.Escape(string(w[:1+len(w)/2])))
	case 5:
		w := []rune(word())
		return field + "|endswith", field + "|endswith" + m.of("", "|cased") + ": " + quoted(sigma.Escape(string(w[len(w)/2:])))
	case 6:
		if number {
			return field + "|gte", field + "|" + m.of("gt", "gte", "lt", "lte") + ": " + m.of("5", "7.5", "201", "403")
		}
		return field + "|re", field + "|re" + m.of("", "|i") + ": " + quoted(m.of("^[a-z]+$", "[0-9]{3}", "eks|aws", "^sys.*s$"))
	case 7:
		if field == "sourceIPs" || field == "sourceIPAddress" {
			return field + "|cidr", field + "|cidr: " + m.of("10.0.0.0/8", "'fd00::/8'", "[203.0.113.0/24, 10.1.0.0/16]")
		}
		return field, field + "|cased: " + quoted(sigma.Escape(word()))
	case 8:
		return field, field + ": [" + quoted(sigma.Escape(word())) + ", null]"
	case 9:
		a, c := word(), word()
		if a == c {
			c += "x"
		}
		return field + "|all", field + "|contains|all: [" + quoted(sigma.Escape(a)) + ", " + quoted(sigma.Escape(c)) + "]"
	case 10:
		return field, field + ": [" + quoted(sigma.Escape(word())) + ", " + quoted(sigma.Escape(word())) + "]"
	default:
		return field, field + ": " + quoted(sigma.Escape(strings.ToUpper(word())))
	}
}
