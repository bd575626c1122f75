package oracle

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/oracle/kubebin/accesspolicy/decide"
)

// state is what decides who comes in and what access policies allow: what a migration changes.
type state struct {
	mode     string
	entries  []entry
	policies []decide.Association
	awsAuth  map[string]string
}

// entry is an access entry as EKS keeps it: bound to the principal of that time.
type entry struct {
	arn, unique, kind, username string
	groups                      []string
}

// reserved may not begin the username of an entry, after rendering (EKS User Guide, "Create access entries", 2026-11).
var reserved = []string{"system:", "eks:", "aws:", "amazon:", "iam:"}

const (
	cluster      = "arn:aws:eks:us-east-1:" + home + ":cluster/prod"
	policyPrefix = "arn:aws:eks::aws:cluster-access-policy/"
)

func (s state) entryOf(arn string) int {
	return slices.IndexFunc(s.entries, func(e entry) bool { return e.arn == arn })
}

// apply does what EKS and Kubernetes do when a step is carried out, or refuses it as they do.
func (s state) apply(c plan.Change, all []*principal) (state, error) {
	s.entries, s.policies = slices.Clone(s.entries), slices.Clone(s.policies)
	switch c := c.(type) {
	case plan.SetAuthenticationMode:
		order := []string{model.ModeConfigMap, model.ModeAPIConfigMap, model.ModeAPI}
		if slices.Index(order, c.Mode) != slices.Index(order, s.mode)+1 {
			return s, fmt.Errorf("the mode goes from %s to %s", s.mode, c.Mode)
		}
		s.mode = c.Mode
		return s, nil
	case plan.CreateAccessEntry:
		return s, s.create(c, all)
	case plan.AssociateAccessPolicy:
		i := s.entryOf(c.PrincipalARN)
		if s.mode == model.ModeConfigMap || i < 0 {
			return s, fmt.Errorf("there is no entry of %s", c.PrincipalARN)
		}
		s.policies = append(s.policies, decide.Association{PrincipalARN: c.PrincipalARN, UniqueID: s.entries[i].unique, PolicyARN: c.PolicyARN, Namespaces: c.Scope.Namespaces})
		return s, nil
	case plan.RemoveAWSAuthRow:
		if s.mode == model.ModeAPI {
			return s, fmt.Errorf("rows are taken out of an aws-auth that counts no longer")
		}
		k := &model.Cluster{Name: "prod", ARN: cluster, Description: &model.Description{AuthenticationMode: s.mode}, AWSAuth: &model.AWSAuth{Data: s.awsAuth}}
		k.MarkRead(model.AreaAWSAuth, model.AreaCluster)
		after, err := (plan.Plan{c}).Simulate(&model.Snapshot{Clusters: []*model.Cluster{k}})
		if err == nil {
			s.awsAuth = after.Clusters[0].AWSAuth.Data
		}
		return s, err
	}
	return s, fmt.Errorf("a migration to access entries does not %s", c)
}

// create makes an access entry (EKS User Guide, "Create access entries", 2026-11).
func (s *state) create(c plan.CreateAccessEntry, all []*principal) error {
	i := slices.IndexFunc(all, func(p *principal) bool { return p.arn == c.PrincipalARN })
	switch {
	case s.mode == model.ModeConfigMap:
		return fmt.Errorf("the mode has no entries")
	case i < 0:
		return fmt.Errorf("invalid principal %s", c.PrincipalARN)
	case s.entryOf(c.PrincipalARN) >= 0:
		return fmt.Errorf("there is an entry of %s", c.PrincipalARN)
	}
	e := entry{arn: c.PrincipalARN, unique: all[i].unique, kind: c.Type, username: c.Username, groups: c.Groups}
	switch c.Type {
	case "", "STANDARD":
		if slices.ContainsFunc(c.Groups, func(g string) bool { return strings.HasPrefix(g, "system:") }) {
			return fmt.Errorf("invalid groups %q", c.Groups)
		}
		if slices.ContainsFunc(reserved, func(prefix string) bool { return strings.HasPrefix(c.Username, prefix) }) {
			return fmt.Errorf("invalid username %q", c.Username)
		}
		if before, _, found := strings.Cut(c.Username, "{{SessionName"); found && !strings.Contains(before, ":") {
			return fmt.Errorf("invalid username %q", c.Username)
		}
		if e.username == "" {
			e.username = all[i].sts("{{SessionName}}")
		}
	case "EC2_LINUX", "EC2_WINDOWS":
		e.username, e.groups = "system:node:{{EC2PrivateDNSName}}", []string{"system:nodes"}
	default:
		e.username, e.groups = "system:node:{{SessionName}}", []string{"system:nodes"}
	}
	if c.Type != "" && c.Type != "STANDARD" && (c.Username != "" || len(c.Groups) > 0) {
		return fmt.Errorf("an entry of type %s has neither username nor groups of its own", c.Type)
	}
	s.entries = append(s.entries, e)
	return nil
}
