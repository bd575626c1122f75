package migrate

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/authenticator"
	"drawbridge/internal/diff"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// Options are what a user decides about a migration.
type Options struct {
	// TrustedAccounts are accounts whose principals may have access entries, besides the cluster's own.
	TrustedAccounts []string
	// Roles are the roles of the cluster's account that service accounts are to get through Pod Identity where their own
	// cannot be: by namespace/name, or cluster/namespace/name.
	Roles map[string]string
	// RoleNames is the naming convention of roles, as ParseRoleNames wants it; empty is DefaultRoleNames.
	RoleNames string
	// ServiceAccountNames is the naming convention of service accounts, as ParseServiceAccountNames wants it; empty is
	// DefaultServiceAccountNames.
	ServiceAccountNames string
	// KeysOf are the IAM users whose access keys pods have, by service account as in Roles: no snapshot tells.
	KeysOf map[string]string
	// TrustPolicyQuota is how many characters the trust policies of the account's roles may have; 0 is what every account has.
	TrustPolicyQuota int
	// NodeUse is what the roles of nodes were used for, or nil where no log was read.
	NodeUse *NodeUse
}

// Migration is a plan in phases, with what stands in its way.
type Migration struct {
	Cluster *access.Cluster
	// Rows are those of aws-auth, Holders the service accounts: a migration is about one or the other.
	Rows    []Row
	Holders []Holder
	Phases  []Phase
	// Unread says that too little was read to plan anything.
	Unread bool
	// Blockers keep the migration from being finished, until somebody decides. What does not depend on them can be done.
	Blockers []string
	Warnings []string
	// RoleNames is the naming convention of roles that the user has, or "".
	RoleNames string
}

// Phase is a part of a migration after which one can stop, look, and go on later or back.
type Phase struct {
	// ID is stable: the user names phases by it.
	ID string
	// Title says what the phase does.
	Title string
	Plan  plan.Plan
	// Wait says what has to be seen before the next phase.
	Wait string
}

// The phases of a migration to access entries.
const (
	PhaseEnable  = "enable-api"
	PhaseCreate  = "create-entries"
	PhaseWatch   = "watch"
	PhaseEmpty   = "empty-aws-auth"
	PhaseAPIOnly = "api-only"
)

// planner plans for one cluster.
type planner struct {
	Options
	snapshot *model.Snapshot
	all      *access.Access
	cluster  *access.Cluster

	agents  map[string][]*access.Unit // kube2iam and kiam, once they were looked for
	nodes   map[string]bool           // roles of the nodes of this cluster alone, once they were looked for
	algebra *diff.AWS                 // once something was compared
}

func (p *planner) partition() string {
	if p.cluster.Partition == "" {
		return "aws"
	}
	return p.cluster.Partition
}

// AccessEntries plans the move of a cluster from aws-auth to access entries: what becomes of each row, in which phases, and
// what stands in the way. It plans nothing that the snapshot does not warrant: where aws-auth, the entries or the mode were
// not read, that is a blocker.
func AccessEntries(s *model.Snapshot, a *access.Access, c *access.Cluster, o Options) *Migration {
	p := &planner{Options: o, snapshot: s, all: a, cluster: c}
	m := &Migration{Cluster: c}
	mode := c.AuthenticationMode()
	if mode == model.ModeAPI || !m.needs(model.AreaCluster, model.AreaAccessEntries, model.AreaPolicyAssociations, model.AreaAWSAuth) {
		return m
	}
	for _, mapping := range c.Mappings() {
		m.Rows = append(m.Rows, p.become(mapping))
	}
	p.blocks(m)
	for i := range m.Rows {
		if r := &m.Rows[i]; r.Outcome == Blocked && p.unparsed(r.Mapping.Kind.Block()) == "" {
			m.Blockers = append(m.Blockers, fmt.Sprintf("%s row %d (%s): %s", r.Mapping.Kind.Block(), r.Mapping.Index+1, r.Mapping.Written.ARN, r.Why))
		}
	}
	p.phases(m, mode)
	return m
}

// needs says whether areas were read in full; what was not is a blocker.
func (m *Migration) needs(areas ...model.Area) bool {
	for _, area := range areas {
		if !m.Cluster.Complete(area) {
			m.Unread = true
			m.Blockers = append(m.Blockers, fmt.Sprintf("%s was not read: nothing can be planned without it", area))
		}
	}
	return !m.Unread
}

// blocks says what there is to say of aws-auth as a whole. It refuses mapAccounts, which has no counterpart among access
// entries, and blocks that cannot be read: they let nobody in today, but somebody meant them to, and there is no way back from
// the end of a migration.
func (p *planner) blocks(m *Migration) {
	aws := p.cluster.ParsedAWSAuth()
	if aws == nil {
		m.Warnings = append(m.Warnings, "there is no ConfigMap aws-auth: nobody comes in by it, and nothing is to be moved")
		return
	}
	if len(aws.Rows)+len(aws.Accounts)+len(aws.Problems) == 0 && aws.Unread == "" {
		m.Warnings = append(m.Warnings, "aws-auth is empty: nobody comes in by it, and nothing is to be moved")
	}
	if aws.Unread != "" {
		m.Blockers = append(m.Blockers, "aws-auth could not be evaluated: "+aws.Unread)
	}
	for _, a := range aws.Accounts {
		if a.Valid {
			m.Blockers = append(m.Blockers, fmt.Sprintf("mapAccounts lets in every principal of account %s; access entries name principals: make entries for those who need it and take the account out", a.ID))
		}
	}
	for _, block := range []string{authenticator.KindRole.Block(), authenticator.KindUser.Block(), mapAccounts} {
		if why := p.unparsed(block); why != "" && aws.Unread == "" {
			m.Blockers = append(m.Blockers, fmt.Sprintf("aws-auth %s: %s; whom it is meant to let in cannot be told: mend the block, or take it out", block, why))
		}
	}
	for _, problem := range aws.Problems {
		if problem.Text != p.unparsed(problem.Block) {
			m.Warnings = append(m.Warnings, fmt.Sprintf("aws-auth %s: %s", problem.Block, problem.Text))
		}
	}
}

const mapAccounts = "mapAccounts"

// unparsed says why a block that the authenticator reads cannot be read as a whole, or is "".
func (p *planner) unparsed(block string) string {
	if !slices.Contains([]string{authenticator.KindRole.Block(), authenticator.KindUser.Block(), mapAccounts}, block) {
		return ""
	}
	for _, problem := range p.cluster.ParsedAWSAuth().Problems {
		if problem.Block == block && problem.Index < 0 {
			return problem.Text
		}
	}
	return ""
}

// phases puts the changes in order: node entries go first, because every later step rests on nodes that stay.
func (p *planner) phases(m *Migration, mode string) {
	id := p.cluster.ID()
	if mode == model.ModeConfigMap {
		m.Phases = append(m.Phases, Phase{
			ID: PhaseEnable, Title: "let access entries count beside aws-auth",
			Plan: plan.Plan{plan.SetAuthenticationMode{Cluster: id, Mode: model.ModeAPIConfigMap}},
			Wait: "EKS shows an access entry for the principal that created the cluster, who was system:masters unseen until now; it cannot go back to CONFIG_MAP",
		})
	}
	var nodes, others, empty plan.Plan
	for i := range m.Rows {
		switch r := &m.Rows[i]; r.Outcome {
		case BecomesNode:
			nodes = append(nodes, without(nodes, r.Changes)...)
		case BecomesEntry, BecomesPolicy:
			others = append(others, r.Changes...)
		}
	}
	if create := slices.Concat(nodes, others); len(create) > 0 {
		m.Phases = append(m.Phases, Phase{
			ID: PhaseCreate, Title: "make access entries, those of nodes first", Plan: create,
			Wait: "every entry is read back, those of nodes before anything else is done; nodes stay Ready",
		})
	}
	for _, kind := range []authenticator.Kind{authenticator.KindUser, authenticator.KindRole} {
		for i := len(m.Rows) - 1; i >= 0; i-- { // from the end, so that places stay true
			r := &m.Rows[i]
			if r.Mapping.Kind != kind || r.Outcome == Blocked {
				continue
			}
			w := r.Mapping.Written
			empty = append(empty, plan.RemoveAWSAuthRow{Cluster: id, Kind: kind, Index: r.Mapping.Index, ARN: w.ARN, Username: w.Username, Groups: w.Groups})
		}
	}
	if len(empty) > 0 {
		m.Phases = append(m.Phases,
			Phase{ID: PhaseWatch, Title: "watch who is still let in by aws-auth", Wait: "days of audit logs in which nobody comes in through a row that is to go"},
			Phase{ID: PhaseEmpty, Title: "take the rows out of aws-auth, one by one", Plan: empty, Wait: "nobody is refused who was not before"})
	}
	if len(m.Blockers) == 0 {
		m.Phases = append(m.Phases, Phase{
			ID: PhaseAPIOnly, Title: "let aws-auth count no longer, for good",
			Plan: plan.Plan{plan.SetAuthenticationMode{Cluster: id, Mode: model.ModeAPI}}, Wait: "nothing: there is no way back",
		})
	}
}

// without returns the changes that are not planned yet: rows of one principal in both blocks make one entry.
func without(planned plan.Plan, changes []plan.Change) []plan.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c plan.Change) bool {
		return slices.ContainsFunc(planned, func(other plan.Change) bool { return strings.EqualFold(other.String(), c.String()) })
	})
}
