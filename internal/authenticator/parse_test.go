package authenticator

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const acct = "111122223333"

func roleOf(name string) string { return "arn:aws:iam::" + acct + ":role/" + name }
func userOf(name string) string { return "arn:aws:iam::" + acct + ":user/" + name }

// short is what the tables compare of a row.
type short struct {
	Written, Read Fields
	State         State
	Line          int
}

func shorten(a *AWSAuth) []short {
	var out []short
	for _, r := range a.Rows {
		out = append(out, short{r.Written, r.Read, r.Effective.State, r.Line})
	}
	return out
}

func TestRowsReadAsTheAuthenticatorReads(t *testing.T) {
	plain := func(f Fields, s State, line int) []short { return []short{{f, f, s, line}} }
	dev := Fields{ARN: roleOf("Dev"), Username: "dev", Groups: []string{"team"}}
	for name, tc := range map[string]struct {
		roles, users string
		want         []short
		problem      string // a substring of one problem, "" for none at all
	}{
		"a row": {
			roles: "- rolearn: " + dev.ARN + "\n  username: dev\n  groups: [team]\n",
			want:  plain(dev, Live, 1),
		},
		"CRLF and comments": {
			roles: "# head\r\n- rolearn: " + dev.ARN + " # who\r\n  username: dev\r\n  groups:\r\n  - team\r\n",
			want:  plain(dev, Live, 2),
		},
		"JSON in YAML": {
			roles: `[{"rolearn":"` + dev.ARN + `","username":"dev","groups":["team"]}]`,
			want:  plain(dev, Live, 1),
		},
		"inner keys regardless of case": {
			roles:   "- RoleArn: " + dev.ARN + "\n  USERNAME: dev\n  groups: [team]\n",
			want:    plain(dev, Live, 1),
			problem: `"RoleArn" is read as rolearn`,
		},
		"two spellings, the last in byte order is read": {
			roles:   "- rolearn: " + dev.ARN + "\n  username: dev\n  USERNAME: root\n  groups: [team]\n",
			want:    plain(dev, Live, 1),
			problem: `username is given as "USERNAME" and as "username"`,
		},
		"same key twice, the last is read": {
			roles:   "- rolearn: " + roleOf("Other") + "\n  rolearn: " + dev.ARN + "\n  username: dev\n  groups: [team]\n",
			want:    plain(dev, Live, 1),
			problem: "rolearn stands twice",
		},
		"YAML 1.1 boolean is no username": {
			roles:   "- rolearn: " + dev.ARN + "\n  username: n\n  groups: [team]\n",
			want:    []short{{Fields{ARN: dev.ARN, Username: "n", Groups: dev.Groups}, Fields{ARN: dev.ARN, Groups: dev.Groups}, EmptyUsername, 1}},
			problem: "username is a boolean",
		},
		"number is no username": {
			users:   "- userarn: " + userOf("a") + "\n  username: 123\n",
			want:    []short{{Fields{ARN: userOf("a"), Username: "123"}, Fields{ARN: userOf("a")}, EmptyUsername, 1}},
			problem: "username is a number",
		},
		"boolean group": {
			roles:   "- rolearn: " + dev.ARN + "\n  username: dev\n  groups: [yes, team]\n",
			want:    []short{{Fields{dev.ARN, "dev", []string{"yes", "team"}, nil}, Fields{dev.ARN, "dev", []string{"", "team"}, nil}, Live, 1}},
			problem: "group 1 is a boolean",
		},
		"groups not a list": {
			roles:   "- rolearn: " + dev.ARN + "\n  username: dev\n  groups: team\n",
			want:    []short{{dev, Fields{ARN: dev.ARN, Username: "dev"}, Live, 1}},
			problem: "groups is text, not a list",
		},
		"anchors and merge": {
			roles: "- &a\n  rolearn: " + roleOf("A") + "\n  username: dev\n  groups: [team]\n- <<: *a\n  rolearn: " + dev.ARN + "\n",
			want: []short{
				{Fields{roleOf("A"), "dev", []string{"team"}, nil}, Fields{roleOf("A"), "dev", []string{"team"}, nil}, Live, 1},
				{dev, dev, Live, 5},
			},
		},
		"no ARN": {
			roles:   "- username: dev\n",
			want:    plain(Fields{Username: "dev"}, Dropped, 1),
			problem: "it has no rolearn",
		},
		"a row that is text": {
			roles:   "- dev\n",
			want:    plain(Fields{}, Dropped, 1),
			problem: "it is not a mapping",
		},
		"broken YAML": {
			roles:   "- rolearn: " + dev.ARN + "\n\tusername: dev\n",
			problem: "nothing of the block is read",
		},
		"not a number for JSON": {
			roles:   "- rolearn: " + dev.ARN + "\n  username: dev\n  groups: [team]\n  x: .nan\n",
			want:    []short{{Written: dev, State: Dropped, Line: 1}},
			problem: "nothing of the block is read",
		},
		"null key": {
			roles:   "- rolearn: " + dev.ARN + "\n  username: dev\n  groups: [team]\n  ~: x\n",
			want:    []short{{Written: dev, State: Dropped, Line: 1}},
			problem: "a key of type <nil> is not possible",
		},
		"mapping":       {roles: "{}", problem: "a list of rows is expected, not a mapping"},
		"block mapping": {roles: "rolearn: x\n", problem: "a list of rows is expected, not a mapping"},
		"empty list":    {roles: "[]"},
		"quotes":        {roles: `""`},
		"backquotes":    {roles: "``"},
		"single quotes": {roles: "''"},
		"null":          {roles: "null"},
		"blank":         {roles: " \n\t"},
		// The authenticator's YAML reader stops at the end of the list; the one with line numbers does not accept more.
		"text after the list": {roles: "[{rolearn: \"" + dev.ARN + "\", username: dev, groups: [team]}]] *", want: plain(dev, Live, 0)},
		"second document":     {roles: "- rolearn: " + dev.ARN + "\n  username: dev\n  groups: [team]\n---\n- rolearn: x\n", want: plain(dev, Live, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			a := ParseConfigMap(map[string]string{"mapRoles": tc.roles, "mapUsers": tc.users})
			if d := cmp.Diff(tc.want, shorten(a)); d != "" {
				t.Errorf("rows (-want +got):\n%s", d)
			}
			wantProblem(t, a, tc.problem)
		})
	}
}

func wantProblem(t testing.TB, a *AWSAuth, text string) {
	t.Helper()
	if text == "" && len(a.Problems) > 0 {
		t.Errorf("problems where none are expected: %+v", a.Problems)
	}
	for _, p := range a.Problems {
		if strings.Contains(p.Text, text) {
			return
		}
	}
	if text != "" {
		t.Errorf("no problem says %q: %+v", text, a.Problems)
	}
}

func TestStates(t *testing.T) {
	row := func(arn, username string) string { return "- " + arn + "\n  username: " + username + "\n" }
	for name, tc := range map[string]struct {
		roles, users []string // ARNs as YAML values; usernames are their positions
		want         []State
	}{
		"role":                         {roles: []string{roleOf("A")}, want: []State{Live}},
		"role with path":               {roles: []string{roleOf("team/A")}, want: []State{NeverMatches}},
		"session":                      {roles: []string{"arn:aws:sts::" + acct + ":assumed-role/A/s"}, want: []State{NeverMatches}},
		"leading space":                {roles: []string{`" ` + roleOf("A") + `"`}, want: []State{NeverMatches}},
		"trailing space":               {roles: []string{`"` + roleOf("A") + ` "`}, want: []State{NeverMatches}},
		"nonsense":                     {roles: []string{"Admin"}, want: []State{NeverMatches}},
		"wildcard":                     {roles: []string{roleOf(`"*"`)}, want: []State{NeverMatches}},
		"unknown partition":            {roles: []string{"arn:gcp:iam::" + acct + ":role/A"}, want: []State{NeverMatches}},
		"short account":                {roles: []string{"arn:aws:iam::1:role/A"}, want: []State{NeverMatches}},
		"region":                       {roles: []string{"arn:aws:iam:us-east-1:" + acct + ":role/A"}, want: []State{NeverMatches}},
		"other service":                {roles: []string{"arn:aws:s3:::bucket"}, want: []State{NeverMatches}},
		"root":                         {users: []string{"arn:aws:iam::" + acct + ":root"}, want: []State{Live}},
		"federated user":               {users: []string{"arn:aws:sts::" + acct + ":federated-user/bob"}, want: []State{Live}},
		"user with path":               {users: []string{userOf("team/bob")}, want: []State{Live}},
		"user among the roles":         {roles: []string{userOf("bob")}, want: []State{Live}},
		"role again, other case":       {roles: []string{roleOf("A"), roleOf("a")}, want: []State{Shadowed, Live}},
		"role again, long s":           {roles: []string{roleOf("Ops"), roleOf("Opſ")}, want: []State{Undetermined, Undetermined}},
		"user again":                   {users: []string{userOf("a"), userOf("a")}, want: []State{Shadowed, Live}},
		"user again, other case":       {users: []string{userOf("a"), userOf("A")}, want: []State{Undetermined, Undetermined}},
		"user shadowed by a role row":  {roles: []string{userOf("A")}, users: []string{userOf("a")}, want: []State{Live, Shadowed}},
		"dead row does not cast shade": {roles: []string{roleOf("A"), roleOf("x/A")}, want: []State{Live, NeverMatches}},
	} {
		t.Run(name, func(t *testing.T) {
			var roles, users strings.Builder
			for i, a := range tc.roles {
				roles.WriteString(row("rolearn: "+strings.ReplaceAll(a, `"*"`, "*"), "r"+string(rune('0'+i))))
			}
			for i, a := range tc.users {
				users.WriteString(row("userarn: "+a, "u"+string(rune('0'+i))))
			}
			a := ParseConfigMap(map[string]string{"mapRoles": roles.String(), "mapUsers": users.String()})
			var got []State
			for _, r := range a.Rows {
				got = append(got, r.Effective.State)
				if (r.Effective.State == Shadowed || r.Effective.State == Undetermined) != (r.Effective.By != nil) {
					t.Errorf("row %d: %+v names the other row wrongly", r.Index, r.Effective)
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("states (-want +got):\n%s", d)
			}
		})
	}
}

func TestSSORows(t *testing.T) {
	for name, tc := range map[string]struct {
		sso  string
		want State
	}{
		"valid":         {"permissionSetName: Admin, accountID: '111122223333'", NeverMatches},
		"number":        {"permissionSetName: Admin, accountID: 111122223333", Dropped},
		"short account": {"permissionSetName: Admin, accountID: '1111'", Dropped},
		"bad set name":  {"permissionSetName: 'A B', accountID: '111122223333'", Dropped},
		"bad partition": {"permissionSetName: Admin, accountID: '111122223333', partition: moon", Dropped},
	} {
		t.Run(name, func(t *testing.T) {
			a := ParseConfigMap(map[string]string{"mapRoles": "- sso: {" + tc.sso + "}\n  username: u\n"})
			if len(a.Rows) != 1 || a.Rows[0].Effective.State != tc.want {
				t.Errorf("want one row %s, got %+v", tc.want, a.Rows)
			}
			wantProblem(t, a, "feature gate")
		})
	}
}

func TestAccounts(t *testing.T) {
	a := ParseConfigMap(map[string]string{"mapAccounts": "- \"444455556666\"\n- 012345678901\n- 12\n- [x]\n"})
	want := []Account{{ID: "444455556666", Valid: true}, {ID: "012345678901", Valid: true}, {ID: "12"}}
	if d := cmp.Diff(want, a.Accounts); d != "" {
		t.Errorf("accounts (-want +got):\n%s", d)
	}
	wantProblem(t, a, "not all of the block is read")
	wantProblem(t, a, `"12" is not an account ID`)

	a = ParseConfigMap(map[string]string{"mapAccounts": "- \"444455556666\"\n- 012345678901\n"})
	want = []Account{{ID: "444455556666", Valid: true, Line: 1}, {ID: "012345678901", Valid: true, Line: 2}}
	if d := cmp.Diff(want, a.Accounts); d != "" {
		t.Errorf("accounts with lines (-want +got):\n%s", d)
	}
}

func TestTopLevelKeysAreExact(t *testing.T) {
	a := ParseConfigMap(map[string]string{"maproles": "- rolearn: " + roleOf("A") + "\n", "notes": "x"})
	want := []Problem{
		{Block: "maproles", Index: -1, Text: "the key is ignored because its case differs"},
		{Block: "notes", Index: -1, Text: "the key is ignored: only mapRoles, mapUsers and mapAccounts are read"},
	}
	if d := cmp.Diff(&AWSAuth{Problems: want}, a); d != "" {
		t.Error(d)
	}
}

// TestBombs feeds text that would grow beyond bounds; the rows of other blocks are still read.
func TestBombs(t *testing.T) {
	lots := strings.Repeat("x", 200<<10)
	nested := "- &a [" + strings.TrimSuffix(strings.Repeat("lol,", 10), ",") + "]\n"
	for _, n := range []string{"b:a", "c:b", "d:c", "e:d", "f:e", "g:f", "h:g", "i:h"} {
		name, of, _ := strings.Cut(n, ":")
		nested += "- &" + name + " [" + strings.TrimSuffix(strings.Repeat("*"+of+",", 10), ",") + "]\n"
	}
	for name, text := range map[string]string{
		"too large":     strings.Repeat("- a\n", 1<<20/4+1),
		"wide aliases":  "- &a " + lots + "\n" + strings.Repeat("- *a\n", 100_000),
		"binary":        "- &a !!binary " + strings.Repeat("aaaa", 50<<10) + "\n" + strings.Repeat("- *a\n", 100_000),
		"digits":        "- &a " + strings.Repeat("1_", 100<<10) + "1\n" + strings.Repeat("- *a\n", 100_000),
		"billion laugh": nested,
		"unbounded":     "[" + strings.Repeat("a*,", 100) + "]]",
	} {
		t.Run(name, func(t *testing.T) {
			a := ParseConfigMap(map[string]string{"mapRoles": text, "mapUsers": "- userarn: " + userOf("a") + "\n  username: a\n"})
			wantProblem(t, a, "not evaluated")
			if a.Unread == "" || len(a.Rows) != 1 {
				t.Errorf("unread %q with %d rows", a.Unread, len(a.Rows))
			}
			r := NewMapper(Stores{Mode: ModeConfigMap, AWSAuth: a}).Map(Identity{ARN: userOf("a")})
			if r.Outcome != Unknown {
				t.Errorf("outcome %s, want unknown: a block was not evaluated", r.Outcome)
			}
		})
	}
}
