package authenticator

// Kind says which block of aws-auth a row stands in.
type Kind string

// The two kinds of rows.
const (
	KindRole Kind = "role" // mapRoles
	KindUser Kind = "user" // mapUsers
)

// Block names the ConfigMap key of the rows of this kind.
func (k Kind) Block() string {
	if k == KindUser {
		return "mapUsers"
	}
	return "mapRoles"
}

// AWSAuth is the content of the ConfigMap kube-system/aws-auth: what is written, what the
// authenticator reads of it, and what is wrong with it.
type AWSAuth struct {
	Rows     []Row     `json:"rows,omitempty"` // mapRoles in order, then mapUsers in order
	Accounts []Account `json:"accounts,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
	// Unread says why a block was not evaluated although the authenticator might read it (it is
	// too large). Nothing can then be concluded from the absence of a row.
	Unread string `json:"unread,omitempty"`
}

// Row is one item of mapRoles or mapUsers.
type Row struct {
	Kind  Kind `json:"kind"`
	Index int  `json:"index"`          // position within its block, from 0
	Line  int  `json:"line,omitempty"` // within the block, from 1; 0 if not known
	// Written is the text in the block, scalars untouched: "n" stays "n".
	Written Fields `json:"written"`
	// Read is what the authenticator makes of it: an unquoted n is a boolean, hence no username.
	Read Fields `json:"read"`
	// Effective says whether a caller can be mapped by this row.
	Effective Effective `json:"effective"`
}

// Fields are the parts of a row that matter to authentication.
type Fields struct {
	ARN      string   `json:"arn,omitempty"`
	Username string   `json:"username,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	// SSO is set if the row has an "sso" block. The authenticator matches those only behind a feature
	// gate that is off by default; whether EKS sets it is not published.
	SSO *SSO `json:"sso,omitempty"`
}

// SSO is the matcher for IAM Identity Center roles in a row.
type SSO struct {
	PermissionSetName string `json:"permissionSetName,omitempty"`
	AccountID         string `json:"accountID,omitempty"`
	Partition         string `json:"partition,omitempty"`
}

// State is what became of a row.
type State string

// The states of a row.
const (
	// Live: a caller is mapped as the row reads.
	Live State = "live"
	// EmptyUsername: live, but with an empty username; its groups are granted.
	EmptyUsername State = "empty-username"
	// Dropped: the authenticator skips the row.
	Dropped State = "dropped"
	// NeverMatches: the authenticator keeps the row, but no caller has such an ARN.
	NeverMatches State = "never-matches"
	// Shadowed: another row catches every caller of this one.
	Shadowed State = "shadowed"
	// Undetermined: another row matches the same callers and which one wins is random.
	Undetermined State = "undetermined"
)

// Effective is the state of a row and its reason.
type Effective struct {
	State State   `json:"state"`
	Why   string  `json:"why,omitempty"`
	By    *RowRef `json:"by,omitempty"` // the row that shadows or competes
}

// RowRef points to a row.
type RowRef struct {
	Kind  Kind `json:"kind"`
	Index int  `json:"index"`
}

// Account is one item of mapAccounts: any principal of the account authenticates with its
// canonical ARN as username and without groups.
type Account struct {
	ID    string `json:"id"`
	Line  int    `json:"line,omitempty"` // within the block, from 1; 0 if not known
	Valid bool   `json:"valid"`          // twelve digits, so that an account can match
}

// Problem is something wrong in aws-auth: text that does not parse, a key that is not read, a
// value that reads otherwise than it looks.
type Problem struct {
	Block string `json:"block,omitempty"` // ConfigMap key
	Index int    `json:"index"`           // row in the block, -1 if the whole block is meant
	Line  int    `json:"line,omitempty"`  // within the block, from 1; 0 if not known
	Text  string `json:"text"`
}

// Row returns the row that ref points to, or nil.
func (a *AWSAuth) Row(ref RowRef) *Row {
	for i := range a.Rows {
		if a.Rows[i].Kind == ref.Kind && a.Rows[i].Index == ref.Index {
			return &a.Rows[i]
		}
	}
	return nil
}

// Ref returns a reference to the row, which outlives a copy of the AWSAuth.
func (r *Row) Ref() *RowRef { return &RowRef{r.Kind, r.Index} }

// CanMap reports whether a caller may be mapped by the row.
func (r *Row) CanMap() bool {
	s := r.Effective.State
	return s == Live || s == EmptyUsername || s == Undetermined
}

// ReadsOtherwise reports whether the authenticator reads the row differently from how it is written.
func (r *Row) ReadsOtherwise() bool {
	if r.Written.ARN != r.Read.ARN || r.Written.Username != r.Read.Username || len(r.Written.Groups) != len(r.Read.Groups) {
		return true
	}
	for i, g := range r.Written.Groups {
		if g != r.Read.Groups[i] {
			return true
		}
	}
	return false
}
