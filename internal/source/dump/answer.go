package dump

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// Parts of areas that answers of their own tell.
const (
	partSubscriptions model.Area = "logGroup/subscriptions"
	partSelectors     model.Area = "trails/selectors"
	partStatus        model.Area = "trails/status"
)

// answerOf is an answer of the AWS command line, recognised by its member.
type answerOf struct {
	member  string
	command string
	areas   []model.Area
	read    func(p *part, doc *document) error
}

// answers are all answers that are recognised. The EKS API writes its members in camel case, the others in Pascal case.
var answers = []answerOf{
	{member: "cluster", command: "eks describe-cluster", areas: []model.Area{model.AreaCluster}, read: readCluster},
	{member: "clusters", command: "eks list-clusters", areas: []model.Area{model.AreaCluster}, read: names("clusters", model.AreaCluster)},
	{member: "accessEntries", command: "eks list-access-entries", areas: []model.Area{model.AreaAccessEntries, model.AreaPolicyAssociations}, read: names("accessEntries", model.AreaAccessEntries)},
	{member: "accessEntry", command: "eks describe-access-entry", areas: []model.Area{model.AreaAccessEntries}, read: readAccessEntry},
	{member: "associatedAccessPolicies", command: "eks list-associated-access-policies", areas: []model.Area{model.AreaPolicyAssociations}, read: readAssociatedPolicies},
	{member: "associations", command: "eks list-pod-identity-associations", areas: []model.Area{model.AreaPodIdentityAssociations}, read: readAssociations},
	{member: "association", command: "eks describe-pod-identity-association", areas: []model.Area{model.AreaPodIdentityAssociations}, read: readAssociation},
	{member: "nodegroups", command: "eks list-nodegroups", areas: []model.Area{model.AreaNodegroups}, read: names("nodegroups", model.AreaNodegroups)},
	{member: "nodegroup", command: "eks describe-nodegroup", areas: []model.Area{model.AreaNodegroups}, read: readNodegroup},
	{member: "fargateProfileNames", command: "eks list-fargate-profiles", areas: []model.Area{model.AreaFargateProfiles}, read: names("fargateProfileNames", model.AreaFargateProfiles)},
	{member: "fargateProfile", command: "eks describe-fargate-profile", areas: []model.Area{model.AreaFargateProfiles}, read: readFargateProfile},
	{member: "addons", command: "eks list-addons", areas: []model.Area{model.AreaAddons}, read: names("addons", model.AreaAddons)},
	{member: "addon", command: "eks describe-addon", areas: []model.Area{model.AreaAddons}, read: readAddon},
	{member: "capabilities", command: "eks list-capabilities", areas: []model.Area{model.AreaCapabilities}, read: readCapabilities},
	{member: "capability", command: "eks describe-capability", areas: []model.Area{model.AreaCapabilities}, read: readCapability},
	{member: "identityProviderConfigs", command: "eks list-identity-provider-configs", areas: []model.Area{model.AreaIdentityProviders}, read: readIdentityProviders},
	{member: "identityProviderConfig", command: "eks describe-identity-provider-config", areas: []model.Area{model.AreaIdentityProviders}, read: readIdentityProvider},
	{member: "accessPolicies", command: "eks list-access-policies", areas: []model.Area{model.AreaAccessPolicies}, read: readAccessPolicies},
	{member: "RoleDetailList", command: "iam get-account-authorization-details", areas: []model.Area{model.AreaIAMRoles}},
	{member: "UserDetailList", command: "iam get-account-authorization-details", areas: []model.Area{model.AreaIAMUsers}},
	{member: "GroupDetailList", command: "iam get-account-authorization-details", areas: []model.Area{model.AreaIAMGroups}},
	{member: "Policies", command: "iam get-account-authorization-details", areas: []model.Area{model.AreaIAMPolicies}},
	{member: "Role", command: "iam get-role", areas: []model.Area{model.AreaIAMRoles}, read: readRole},
	{member: "OpenIDConnectProviderList", command: "iam list-open-id-connect-providers", areas: []model.Area{model.AreaOIDCProviders}, read: readOIDCProviders},
	{member: "ClientIDList", command: "iam get-open-id-connect-provider", areas: []model.Area{model.AreaOIDCProviders}, read: readOIDCProvider},
	{member: "trailList", command: "cloudtrail describe-trails", areas: []model.Area{model.AreaTrails}, read: readTrails},
	{member: "EventSelectors", command: "cloudtrail get-event-selectors", areas: []model.Area{model.AreaTrails}, read: readSelectors},
	{member: "AdvancedEventSelectors", command: "cloudtrail get-event-selectors", areas: []model.Area{model.AreaTrails}, read: readSelectors},
	{member: "IsLogging", command: "cloudtrail get-trail-status", areas: []model.Area{model.AreaTrails}, read: readTrailStatus},
	{member: "Organization", command: "organizations describe-organization", areas: []model.Area{model.AreaOrganization}, read: readOrganization},
	{member: "logGroups", command: "logs describe-log-groups", areas: []model.Area{model.AreaLogGroup}, read: readLogGroups},
	{member: "subscriptionFilters", command: "logs describe-subscription-filters", areas: []model.Area{model.AreaLogGroup}, read: readSubscriptionFilters},
	{member: "Reservations", command: "ec2 describe-instances", areas: []model.Area{model.AreaInstances}},
	{member: "LaunchTemplateVersions", command: "ec2 describe-launch-template-versions", areas: []model.Area{model.AreaLaunchTemplates}},
}

// elements decode one element each of the lists that can be long: they never stand in memory as a whole.
var elements = map[string]func(b *batch, value []byte) error{
	"items":                  kubeElement,
	"associations":           associationElement,
	"RoleDetailList":         roleElement,
	"UserDetailList":         userElement,
	"GroupDetailList":        groupElement,
	"Policies":               policyElement,
	"Reservations":           reservationElement,
	"LaunchTemplateVersions": launchTemplateElement,
}

// areaOfKey are the areas of an answer by its member.
var areaOfKey = func() map[string][]model.Area {
	m := map[string][]model.Area{}
	for _, a := range answers {
		m[a.member] = a.areas
	}
	return m
}()

// common are members that other documents have too: Helm values, configuration. An answer that has one of them has no
// members but those of answers.
var common = map[string]bool{
	"cluster": true, "clusters": true, "addon": true, "addons": true, "nodegroup": true, "nodegroups": true, "association": true,
	"associations": true, "capability": true, "capabilities": true, "Role": true, "Policies": true, "Organization": true,
}

// foreign says whether the document has common members, but is none of ours.
func (doc *document) foreign() bool {
	shared, strange := false, false
	for _, key := range doc.keys() {
		shared = shared || common[key]
		switch key {
		case "nextToken", "NextToken", "Marker", "IsTruncated", "ResponseMetadata":
		default:
			strange = strange || areaOfKey[key] == nil
		}
	}
	return shared && strange || doc.has("cluster") && !isCluster(doc.members["cluster"])
}

// isCluster says whether a value looks like what describe-cluster prints: not only a name.
func isCluster(v jsontext.Value) bool {
	var fields map[string]jsontext.Value
	if v.Kind() != '{' || json.Unmarshal(v, &fields) != nil {
		return false
	}
	for _, key := range []string{"arn", "accessConfig", "resourcesVpcConfig", "roleArn", "platformVersion"} {
		if fields[key] != nil {
			return true
		}
	}
	return false
}

// has says whether the document has a member that is not null.
func (doc *document) has(key string) bool {
	if _, ok := doc.streamed[key]; ok {
		return true
	}
	v, ok := doc.members[key]
	return ok && v.Kind() != 'n'
}

// answer takes in an answer of AWS and returns the commands that gave it; none where the document is no answer.
func (f *fileReader) answer(p *part, doc *document) (known []string, err error) {
	if doc.foreign() {
		return nil, nil
	}
	swept := false
	for _, a := range answers {
		if a.member == "AdvancedEventSelectors" && doc.has("EventSelectors") {
			continue // the same answer, read already
		}
		if !doc.has(a.member) || a.member == "ClientIDList" && !doc.has("Url") {
			continue
		}
		if !slices.Contains(known, a.command) {
			known = append(known, a.command)
		}
		if _, isList := doc.streamed[a.member]; elements[a.member] != nil && !isList {
			return known, errNotAList(a.member)
		}
		switch {
		case a.command == "iam get-account-authorization-details":
			swept = true
		case a.read != nil:
			if err := a.read(p, doc); err != nil {
				return known, err
			}
		default:
			p.listings = append(p.listings, listing{area: a.areas[0], truncated: doc.truncated(), loc: doc.loc})
		}
	}
	if swept {
		p.sweeps = append(p.sweeps, sweepOf(doc))
	}
	return known, nil
}

type errNotAList string

func (e errNotAList) Error() string { return "wrong type at /" + string(e) + ": a list is expected" }

// truncated says that the answer ends with a token for the rest: the command was told to stop early.
func (doc *document) truncated() bool {
	for _, token := range []string{"nextToken", "NextToken", "Marker"} {
		if doc.text(token) != "" {
			return true
		}
	}
	return string(doc.members["IsTruncated"]) == "true"
}

// of decodes one member of the answer.
func of[T any](doc *document, member string) (T, error) {
	var v T
	err := json.Unmarshal(doc.members[member], &v)
	return v, at(err, member)
}

// at puts the member into the place that a type error names.
func at(err error, member string) error {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		e.JSONPointer = jsontext.Pointer("/"+member) + e.JSONPointer
	}
	return err
}

// whole decodes the answer itself.
func whole[T any](doc *document) (T, error) {
	var v T
	err := doc.decode(&v)
	return v, err
}

// names reads a list answer that holds nothing but names.
func names(member string, area model.Area) func(*part, *document) error {
	return func(p *part, doc *document) error {
		list, err := of[[]string](doc, member)
		if err == nil {
			p.listings = append(p.listings, listing{area: area, names: list, truncated: doc.truncated(), loc: doc.loc})
		}
		return err
	}
}

// refOf names a cluster by what an answer says: its name, and the ARN of the cluster or of something in it.
func refOf(name, arn string) ref {
	r := ref{name: name}
	a, err := iam.ParseARN(arn)
	if err != nil || a.Service != "eks" {
		return r
	}
	parts := strings.SplitN(a.Resource, "/", 3)
	if len(parts) < 2 || r.name != "" && r.name != parts[1] {
		return r
	}
	r.name, r.account, r.region, r.partition = parts[1], a.Account, a.Region, a.Partition
	r.arn = iam.ARN{Partition: a.Partition, Service: "eks", Region: a.Region, Account: a.Account, Resource: "cluster/" + r.name}.String()
	return r
}

// instant is a time as the AWS command line prints it: ISO 8601 text, or seconds since 1970 where it is told to, or is
// of version 1.
type instant struct{ time.Time }

func (t *instant) UnmarshalJSON(b []byte) error {
	switch jsontext.Value(b).Kind() {
	case 'n':
		return nil
	case '0':
		var seconds float64
		if err := json.Unmarshal(b, &seconds); err != nil {
			return err
		}
		if seconds > -1e11 && seconds < 1e11 {
			t.Time = time.UnixMilli(int64(seconds * 1000)).UTC()
		}
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return err
	}
	t.Time = v.UTC()
	return nil
}

// policy is a policy document: an object as the command line prints it, or percent-encoded text as IAM sends it (IAM
// API, GetAccountAuthorizationDetails, "URL-encoded compliant with RFC 3986", 2026-11), where a plus is a plus.
type policy struct{ model.Document }

func (p *policy) UnmarshalJSON(b []byte) error {
	v := jsontext.Value(b).Clone()
	switch v.Kind() {
	case 'n':
		return nil
	case '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		if plain, err := url.PathUnescape(s); err == nil && !strings.HasPrefix(strings.TrimSpace(s), "{") {
			s = plain
		}
		p.Document = model.Document(s)
		return nil
	}
	if err := v.Compact(); err != nil {
		return err
	}
	p.Document = model.Document(v)
	return nil
}

// sorted returns the strings in order; nil for none.
func sorted(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return slices.Sorted(slices.Values(s))
}

// labels returns tags or labels; nil for none.
func labels(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

type tag struct{ Key, Value string }

func tags(list []tag) map[string]string {
	m := make(map[string]string, len(list))
	for _, t := range list {
		m[t.Key] = t.Value
	}
	return labels(m)
}

// Commands lists the commands of the AWS command line whose answers are recognised, sorted, without "aws".
func Commands() []string {
	var all []string
	for _, a := range answers {
		all = append(all, a.command)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
