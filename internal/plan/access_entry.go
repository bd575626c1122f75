package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// CreateAccessEntry makes an access entry for a principal that has none.
type CreateAccessEntry struct {
	Cluster      string `json:"cluster"`
	PrincipalARN string `json:"principalArn"`
	// Type is STANDARD where it is empty.
	Type string `json:"type,omitzero"`
	// Username is EKS's default for the type where it is empty.
	Username string            `json:"username,omitzero"`
	Groups   []string          `json:"groups,omitzero"`
	Tags     map[string]string `json:"tags,omitzero"`
}

// Apply adds the entry. It refuses what EKS refuses: entries while the mode is CONFIG_MAP, reserved usernames and groups,
// service-linked roles, groups for nodes (EKS User Guide, "Create access entries", 2026-11). Groups and usernames of nodes
// are EKS's: of those only what it is known to set is set here.
func (c CreateAccessEntry) Apply(s *model.Snapshot) error {
	k, err := c.find(s)
	if err != nil {
		return err
	}
	k.AccessEntries = added(k.AccessEntries, c.entry())
	return nil
}

// entry is what EKS makes of it.
func (c CreateAccessEntry) entry() *model.AccessEntry {
	e := &model.AccessEntry{
		PrincipalARN: c.PrincipalARN, Type: cmp.Or(c.Type, model.EntryStandard), Username: c.Username, Groups: slices.Clone(c.Groups), Tags: maps.Clone(c.Tags),
	}
	if e.Username == "" {
		e.Username, _ = authenticator.DefaultUsername(e.Type, e.PrincipalARN)
	}
	if e.Type == model.EntryEC2Linux {
		e.Groups = []string{"system:nodes"} // as EKS shows it
	}
	return e
}

// there describes an entry that stands where this one was to be made.
func (c CreateAccessEntry) there(e *model.AccessEntry) string {
	want := c.entry()
	if cmp.Or(e.Type, model.EntryStandard) == want.Type && e.Username == want.Username && slices.Equal(slices.Sorted(slices.Values(e.Groups)), slices.Sorted(slices.Values(want.Groups))) {
		return "one just like it"
	}
	return fmt.Sprintf("one of type %s with username %s and groups %s", cmp.Or(e.Type, model.EntryStandard), cmp.Or(e.Username, "none"), cmp.Or(strings.Join(e.Groups, ", "), "none"))
}

// find finds the cluster and makes sure that the entry can be made there.
func (c CreateAccessEntry) find(s *model.Snapshot) (*model.Cluster, error) {
	k, err := cluster(s, c.Cluster)
	if err != nil {
		return nil, err
	}
	object := "access entry of " + c.PrincipalARN
	if k.AuthenticationMode() == model.ModeConfigMap {
		return nil, &Unmet{object, "an authentication mode with access entries", model.ModeConfigMap}
	}
	if why := c.refused(); why != "" {
		return nil, &Unmet{object, "what EKS accepts", why}
	}
	if i := slices.IndexFunc(k.AccessEntries, entryOf(c.PrincipalARN)); i >= 0 {
		return nil, &Unmet{object, "none", c.there(k.AccessEntries[i])}
	}
	if slices.IndexFunc(k.PolicyAssociations, associationOf(c.PrincipalARN, "")) >= 0 {
		return nil, &Unmet{object, "none", "access policies of one that was not read"}
	}
	return k, nil
}

// refused says why EKS does not make such an entry, or is "".
func (c CreateAccessEntry) refused() string {
	arn, err := iam.ParseARN(c.PrincipalARN)
	node := (&model.AccessEntry{Type: c.Type}).IsNode()
	switch {
	case err != nil || !arn.IsRole() && !arn.IsUser() && !arn.IsRoot():
		return "a principal that is no IAM role or user"
	case strings.HasPrefix(arn.Path(), "/aws-service-role/"):
		return "a service-linked role"
	case node && !arn.IsRole():
		return "nodes without a role"
	case node && (c.Username != "" || len(c.Groups) > 0):
		return "a username or groups for nodes, which EKS sets itself"
	case node:
		return ""
	case c.Type != "" && c.Type != model.EntryStandard:
		return "type " + c.Type
	}
	return refusedNames(c.Username, c.Groups)
}

// refusedNames says why EKS does not take a username and groups for a STANDARD entry, or is "".
func refusedNames(username string, groups []string) string {
	if prefix := authenticator.ReservedPrefix(username); prefix != "" {
		return "a username with the reserved prefix " + prefix
	}
	if before, _, templated := strings.Cut(username, "{{SessionName"); templated && !strings.Contains(before, ":") {
		return "a username without a colon before the session name"
	}
	for _, g := range groups {
		if g == "" || strings.HasPrefix(g, "system:") {
			return "group " + cmp.Or(g, "of an empty name")
		}
	}
	return ""
}

// Inverse deletes the entry.
func (c CreateAccessEntry) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{DeleteAccessEntry{c.Cluster, c.PrincipalARN}}, nil
}

func (c CreateAccessEntry) String() string {
	text := "create an access entry for " + c.PrincipalARN
	if c.Type != "" && c.Type != model.EntryStandard {
		text += " of type " + c.Type
	}
	if c.Username != "" {
		text += " with username " + c.Username
	}
	if len(c.Groups) > 0 {
		text += " in groups " + listed(c.Groups)
	}
	return text
}

func (c CreateAccessEntry) details() details {
	args := []string{"--principal-arn", c.PrincipalARN}
	if c.Type != "" && c.Type != model.EntryStandard {
		args = append(args, "--type", c.Type)
	}
	args = append(args, identityArguments(c.Username, c.Groups)...)
	if len(c.Tags) > 0 {
		args = append(args, "--tags", jsonText(c.Tags))
	}
	return details{
		target: entryTarget(c.Cluster, c.PrincipalARN), command: eks("create-access-entry", c.Cluster, args...),
		precondition: "the principal has no access entry, and the authentication mode has access entries",
		verify:       describeEntry(c.Cluster, c.PrincipalARN),
	}
}

// identityArguments are a username and groups as arguments of the AWS CLI. It reads a file instead of what begins with file://,
// asks the network for what begins with https://, and takes for an option what begins with a hyphen (AWS CLI User Guide,
// "Load a parameter from a file", 2026-11): such names go as JSON.
func identityArguments(username string, groups []string) []string {
	plain := func(s string) bool {
		return !strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "[") && !strings.Contains(s, "://")
	}
	var args []string
	input := map[string]any{}
	switch {
	case username == "":
	case plain(username):
		args = append(args, "--username", username)
	default:
		input["username"] = username
	}
	switch {
	case len(groups) == 0:
	case !slices.ContainsFunc(groups, func(g string) bool { return !plain(g) }):
		args = append(append(args, "--kubernetes-groups"), groups...)
	default:
		input["kubernetesGroups"] = groups
	}
	if len(input) > 0 {
		args = append(args, "--cli-input-json", jsonText(input))
	}
	return args
}

// UpdateAccessEntry changes what Kubernetes takes a principal for. Nil groups and an empty username stay as they are.
type UpdateAccessEntry struct {
	Cluster      string   `json:"cluster"`
	PrincipalARN string   `json:"principalArn"`
	Groups       []string `json:"groups,omitzero"`
	Username     string   `json:"username,omitzero"`
}

// Apply replaces the whole list of groups, and the username (EKS API Reference, UpdateAccessEntry, 2026-11).
func (c UpdateAccessEntry) Apply(s *model.Snapshot) error {
	k, i, err := c.find(s)
	if err != nil {
		return err
	}
	e := *k.AccessEntries[i]
	if c.Groups != nil {
		e.Groups = slices.Clone(c.Groups)
	}
	e.Username = cmp.Or(c.Username, e.Username)
	k.AccessEntries = replaced(k.AccessEntries, i, &e)
	return nil
}

// find finds the entry and makes sure that the update is one, and one that EKS takes.
func (c UpdateAccessEntry) find(s *model.Snapshot) (*model.Cluster, int, error) {
	k, i, err := findEntry(s, c.Cluster, c.PrincipalARN)
	if err != nil {
		return nil, 0, err
	}
	e, object := k.AccessEntries[i], "access entry of "+c.PrincipalARN
	if e.IsNode() {
		return nil, 0, &Unmet{object, "one of people or programs", "type " + e.Type}
	}
	if why := refusedNames(c.Username, c.Groups); why != "" {
		return nil, 0, &Unmet{object, "what EKS accepts", why}
	}
	if (c.Groups == nil || slices.Equal(c.Groups, e.Groups)) && (c.Username == "" || c.Username == e.Username) {
		return nil, 0, &Unmet{object, "other groups or another username", "those already"}
	}
	return k, i, nil
}

// Inverse puts the groups and the username back.
func (c UpdateAccessEntry) Inverse(before *model.Snapshot) ([]Change, error) {
	k, i, err := c.find(before)
	if err != nil {
		return nil, err
	}
	e := k.AccessEntries[i]
	back := UpdateAccessEntry{Cluster: c.Cluster, PrincipalARN: c.PrincipalARN}
	if c.Groups != nil && !slices.Equal(c.Groups, e.Groups) {
		back.Groups = append([]string{}, e.Groups...)
	}
	if c.Username != "" && c.Username != e.Username {
		if back.Username = e.Username; e.Username == "" {
			back.Username, _ = authenticator.DefaultUsername(e.Type, e.PrincipalARN)
		}
		if back.Username == "" {
			return nil, &Irreversible{"the username before is not known"}
		}
	}
	return undoing(before, c, back)
}

func (c UpdateAccessEntry) String() string {
	text := "give the access entry of " + c.PrincipalARN
	if c.Groups != nil {
		text += " groups " + listed(c.Groups)
	}
	if c.Username != "" {
		text += " username " + c.Username
	}
	return text
}

func (c UpdateAccessEntry) details() details {
	args := append([]string{"--principal-arn", c.PrincipalARN}, identityArguments(c.Username, c.Groups)...)
	if c.Groups != nil && len(c.Groups) == 0 {
		args = append(args, "--kubernetes-groups", "[]")
	}
	return details{
		target: entryTarget(c.Cluster, c.PrincipalARN), command: eks("update-access-entry", c.Cluster, args...),
		precondition: "the access entry is there and differs", verify: describeEntry(c.Cluster, c.PrincipalARN),
	}
}

// DeleteAccessEntry deletes an access entry and with it its policy associations. A row of aws-auth for the principal counts
// again from then on.
type DeleteAccessEntry struct {
	Cluster      string `json:"cluster"`
	PrincipalARN string `json:"principalArn"`
}

// Apply removes the entry and its policy associations (EKS User Guide, "Delete access entries", 2026-11).
func (c DeleteAccessEntry) Apply(s *model.Snapshot) error {
	k, i, err := findEntry(s, c.Cluster, c.PrincipalARN)
	if err != nil {
		return err
	}
	k.AccessEntries = without(k.AccessEntries, i)
	if slices.IndexFunc(k.PolicyAssociations, associationOf(c.PrincipalARN, "")) >= 0 {
		k.PolicyAssociations = slices.DeleteFunc(slices.Clone(k.PolicyAssociations), associationOf(c.PrincipalARN, ""))
	}
	return nil
}

// Inverse makes the entry again, then its policy associations. Entries are bound to the unique id of their principal (EKS
// User Guide, "Create access entries", 2026-11): one whose principal is gone or was recreated cannot come back, since a new
// one would let in whoever has the name now.
func (c DeleteAccessEntry) Inverse(before *model.Snapshot) ([]Change, error) {
	k, i, err := findEntry(before, c.Cluster, c.PrincipalARN)
	if err != nil {
		return nil, err
	}
	e := k.AccessEntries[i]
	create := CreateAccessEntry{Cluster: c.Cluster, PrincipalARN: c.PrincipalARN, Type: e.Type, Tags: e.Tags}
	if !e.IsNode() {
		create.Username, create.Groups = e.Username, e.Groups
	}
	if why := principalGone(before, e); why != "" {
		return nil, &Irreversible{why}
	}
	back := []Change{create}
	for _, a := range k.PolicyAssociations {
		if associationOf(c.PrincipalARN, "")(a) {
			back = append(back, AssociateAccessPolicy{c.Cluster, a.PrincipalARN, a.PolicyARN, a.Scope})
		}
	}
	return undoing(before, c, back...)
}

// principalGone says why a new entry would not be for the same principal, or is "".
func principalGone(s *model.Snapshot, e *model.AccessEntry) string {
	acct, err := account(s, e.PrincipalARN)
	if err != nil {
		return "" // whether it is there was not read
	}
	created, found, read := principalOf(acct, e.PrincipalARN)
	switch {
	case !found && read && len(gapsOf(s, acct)) == 0:
		return "the principal is gone, and EKS binds an entry to the principal that exists"
	case found && !e.Created.IsZero() && created.After(e.Created):
		return "the principal was recreated, and a new entry would let in the one of today"
	}
	return ""
}

func (c DeleteAccessEntry) String() string { return "delete the access entry of " + c.PrincipalARN }

func (c DeleteAccessEntry) details() details {
	return details{
		target:       entryTarget(c.Cluster, c.PrincipalARN),
		command:      eks("delete-access-entry", c.Cluster, "--principal-arn", c.PrincipalARN),
		precondition: "the access entry is there", verify: describeEntry(c.Cluster, c.PrincipalARN),
	}
}

func entryTarget(cluster, principal string) finding.Target {
	return finding.Target{Cluster: cluster, Subject: finding.Subject{Kind: "AccessEntry", Name: principal}}
}

func describeEntry(cluster, principal string) string {
	return eks("describe-access-entry", cluster, "--principal-arn", principal)
}

func entryOf(principal string) func(*model.AccessEntry) bool {
	return func(e *model.AccessEntry) bool { return e.PrincipalARN == principal }
}

// findEntry finds an access entry and its cluster.
func findEntry(s *model.Snapshot, id, principal string) (*model.Cluster, int, error) {
	k, err := cluster(s, id)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(k.AccessEntries, entryOf(principal))
	if i < 0 {
		return nil, 0, &Unmet{"access entry of " + principal, "one", "none"}
	}
	return k, i, nil
}
