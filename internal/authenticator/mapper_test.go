package authenticator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const chain = ModeAPIAndConfigMap

func sessionOf(role, name string) string {
	return "arn:aws:sts::" + acct + ":assumed-role/" + role + "/" + name
}

func TestMap(t *testing.T) {
	auth := map[string]string{
		"mapRoles": `
- {rolearn: "` + roleOf("Dev") + `", username: "dev:{{SessionName}}", groups: [dev, "{{AccountID}}"]}
- {rolearn: "` + roleOf("Node") + `", username: "system:node:{{EC2PrivateDNSName}}", groups: [system:nodes]}
- {rolearn: "` + roleOf("Raw") + `", username: "{{SessionNameRaw}}/{{AccessKeyID}}"}
- {rolearn: "` + roleOf("Twice") + `", username: first}
- {rolearn: "` + roleOf("TWICE") + `", username: second}
- {rolearn: "` + roleOf("Empty") + `", username: y, groups: [system:masters]}
- {rolearn: "` + roleOf("team/Path") + `", username: path}
- {rolearn: "` + userOf("Max") + `", username: first-of-roles}
- {rolearn: "` + roleOf("Opſ") + `", username: long-s}
`,
		"mapUsers": `
- {userarn: "` + userOf("team/bob") + `", username: bob, groups: [ops]}
- {userarn: "` + userOf("max") + `", username: max, groups: [never]}
- {userarn: "` + userOf("eve") + `", username: eve1}
- {userarn: "` + userOf("Eve") + `", username: eve2}
`,
		"mapAccounts": `["444455556666"]`,
	}
	entries := []Entry{
		{PrincipalARN: roleOf("team/Admin"), UserID: "AROAADMIN", Username: "admin:{{SessionName}}", Groups: []string{"admins"}},
		{PrincipalARN: roleOf("Dev"), UserID: "AROAOLD", Username: "shadow"},
		{PrincipalARN: roleOf("Bad"), UserID: "AROABAD", Username: "system:{{SessionName}}"},
		{PrincipalARN: roleOf("Slr"), UserID: "AROASLR", Type: TypeEC2Linux},
		{PrincipalARN: roleOf("aws-service-role/eks.amazonaws.com/Svc"), UserID: "AROASVC", Username: "eks:managed"},
		{PrincipalARN: roleOf("Auto"), UserID: "AROAAUTO", Type: TypeEC2},
		{PrincipalARN: userOf("ann"), UserID: "AIDAANN"},
		{PrincipalARN: roleOf("Sly"), UserID: "AROASLY", Username: "sys{{SessionNameRaw}}:x"},
		{PrincipalARN: "nonsense", UserID: "AROAODD", Username: "odd"},
		{PrincipalARN: roleOf("Two"), UserID: "TWO", Username: "two-role"},
		{PrincipalARN: userOf("two"), UserID: "TWO", Username: "two-user"},
	}
	for name, tc := range map[string]struct {
		mode Mode
		id   Identity
		want Result // Entry and Row are not compared
	}{
		"role": {
			ModeConfigMap,
			Identity{ARN: sessionOf("Dev", "a@b")},
			Result{Outcome: Mapped, Store: StoreRow, Username: "dev:a-b", Groups: []string{"dev", acct}},
		},
		"an ARN with too many parts": {ModeConfigMap, Identity{ARN: sessionOf("path/Dev", "x"), SessionName: "x"}, Result{Outcome: NotMapped}},
		"other case": {
			ModeConfigMap,
			Identity{ARN: sessionOf("dEV", "x")},
			Result{Outcome: Mapped, Store: StoreRow, Username: "dev:x", Groups: []string{"dev", acct}},
		},
		"other partition": {ModeConfigMap, Identity{ARN: "arn:aws-cn:sts::" + acct + ":assumed-role/Dev/x"}, Result{Outcome: NotMapped}},
		"raw session name": {
			ModeConfigMap,
			Identity{ARN: sessionOf("Raw", "a@b"), AccessKeyID: "ASIA1"},
			Result{Outcome: Mapped, Store: StoreRow, Username: "a@b/ASIA1", Groups: []string{}},
		},
		"duplicate role": {
			ModeConfigMap,
			Identity{ARN: sessionOf("Twice", "x")},
			Result{Outcome: Mapped, Store: StoreRow, Username: "second", Groups: []string{}},
		},
		"empty username": {
			ModeConfigMap,
			Identity{ARN: sessionOf("Empty", "x")},
			Result{Outcome: Mapped, Store: StoreRow, Groups: []string{"system:masters"}},
		},
		"role with path": {ModeConfigMap, Identity{ARN: sessionOf("Path", "x")}, Result{Outcome: NotMapped}},
		"user": {
			ModeConfigMap,
			Identity{ARN: userOf("TEAM/bob")},
			Result{Outcome: Mapped, Store: StoreRow, Username: "bob", Groups: []string{"ops"}},
		},
		"role mappings are searched first": {
			ModeConfigMap,
			Identity{ARN: userOf("max")},
			Result{Outcome: Mapped, Store: StoreRow, Username: "first-of-roles", Groups: []string{}},
		},
		"letters that fold to ASCII": {
			ModeConfigMap,
			Identity{ARN: sessionOf("ops", "x")},
			Result{Outcome: Mapped, Store: StoreRow, Username: "long-s", Groups: []string{}},
		},
		"session of a mapped account": {
			ModeConfigMap,
			Identity{ARN: "arn:aws:sts::444455556666:assumed-role/Any/x", SessionName: "x"},
			Result{Outcome: Mapped, Store: StoreAccount, Username: "arn:aws:iam::444455556666:role/Any", Groups: []string{}},
		},
		"instance ID of a wrong length": {
			ModeConfigMap,
			Identity{ARN: sessionOf("Node", "i-123456789"), EC2PrivateDNSName: "x"},
			Result{Outcome: Denied, Store: StoreRow, Why: `render "system:node:{{EC2PrivateDNSName}}": the session name is not an instance ID`},
		},
		"a prefix is reserved after rendering": {
			chain,
			Identity{ARN: sessionOf("Sly", "tem"), UserID: "AROASLY"},
			Result{Outcome: Denied, Store: StoreEntry, Why: `the username "system:x" begins with the reserved prefix system:`},
		},
		"an entry whose ARN is nonsense counts by its ID": {
			ModeAPI,
			Identity{ARN: sessionOf("Any", "x"), UserID: "AROAODD"},
			Result{Outcome: Mapped, Store: StoreEntry, Username: "odd", Groups: []string{}},
		},
		"of two entries with one ID the IAM role's counts": {
			ModeAPI,
			Identity{ARN: sessionOf("Two", "x"), UserID: "TWO"},
			Result{Outcome: Mapped, Store: StoreEntry, Username: "two-role", Groups: []string{}},
		},
		"user with other path": {ModeConfigMap, Identity{ARN: userOf("bob")}, Result{Outcome: NotMapped}},
		"case twins": {
			ModeConfigMap,
			Identity{ARN: userOf("eve")},
			Result{Outcome: Unknown, Store: StoreRow, Why: "several items of mapUsers match in other letters; which one is found is random"},
		},
		"account": {
			ModeConfigMap,
			Identity{ARN: "arn:aws:iam::444455556666:user/Zoe"},
			Result{Outcome: Mapped, Store: StoreAccount, Username: "arn:aws:iam::444455556666:user/Zoe", Groups: []string{}},
		},
		"no identity": {ModeConfigMap, Identity{ARN: "arn:aws:s3:::b"}, Result{Outcome: Denied, Why: `ARN "arn:aws:s3:::b" is not that of an IAM identity`}},
		"node without instance": {
			ModeConfigMap,
			Identity{ARN: sessionOf("Node", "me"), SessionName: "me"},
			Result{Outcome: Denied, Store: StoreRow, Why: `render "system:node:{{EC2PrivateDNSName}}": the session name is not an instance ID`},
		},
		"node with unknown name": {
			ModeConfigMap,
			Identity{ARN: sessionOf("Node", "i-12345678")},
			Result{Outcome: Unknown, Store: StoreRow, Why: "the instance's private DNS name is not known"},
		},
		"node": {
			ModeConfigMap,
			Identity{ARN: sessionOf("Node", "i-12345678"), EC2PrivateDNSName: "ip-10-0-0-1.ec2.internal"},
			Result{Outcome: Mapped, Store: StoreRow, Username: "system:node:ip-10-0-0-1.ec2.internal", Groups: []string{"system:nodes"}},
		},
		"entries count for nothing in CONFIG_MAP": {ModeConfigMap, Identity{ARN: sessionOf("Admin", "x"), UserID: "AROAADMIN"}, Result{Outcome: NotMapped}},
		"entry by unique ID, path stripped": {
			chain,
			Identity{ARN: sessionOf("Admin", "x"), UserID: "AROAADMIN"},
			Result{Outcome: Mapped, Store: StoreEntry, Username: "admin:x", Groups: []string{"admins"}},
		},
		"entry by ARN alone": {
			chain,
			Identity{ARN: sessionOf("admin", "x")},
			Result{Outcome: Mapped, Store: StoreEntry, Username: "admin:x", Groups: []string{"admins"}, IDAssumed: true},
		},
		"entry overrides aws-auth": {
			chain,
			Identity{ARN: sessionOf("Dev", "x"), UserID: "AROAOLD"},
			Result{Outcome: Mapped, Store: StoreEntry, Username: "shadow", Groups: []string{}},
		},
		"recreated role falls through to aws-auth": {
			chain,
			Identity{ARN: sessionOf("Dev", "x"), UserID: "AROANEW"},
			Result{Outcome: Mapped, Store: StoreRow, Username: "dev:x", Groups: []string{"dev", acct}, Why: "the access entry of this ARN is bound to another unique ID"},
		},
		"recreated role in API": {
			ModeAPI,
			Identity{ARN: sessionOf("Dev", "x"), UserID: "AROANEW"},
			Result{Outcome: NotMapped, Why: "the access entry of this ARN is bound to another unique ID"},
		},
		"renamed role falls through": {
			chain,
			Identity{ARN: sessionOf("Dev", "x"), UserID: "AROAADMIN"},
			Result{Outcome: Mapped, Store: StoreRow, Username: "dev:x", Groups: []string{"dev", acct}, Why: "the access entry of this unique ID is for " + roleOf("team/Admin")},
		},
		"aws-auth counts for nothing in API": {ModeAPI, Identity{ARN: sessionOf("Node", "x"), UserID: "AROAX"}, Result{Outcome: NotMapped}},
		"reserved prefix denies": {
			chain,
			Identity{ARN: sessionOf("Bad", "masters"), UserID: "AROABAD"},
			Result{Outcome: Denied, Store: StoreEntry, Why: `the username "system:masters" begins with the reserved prefix system:`},
		},
		"node entry without instance denies": {
			chain,
			Identity{ARN: sessionOf("Slr", "x"), UserID: "AROASLR"},
			Result{Outcome: Denied, Store: StoreEntry, Why: `render "system:node:{{EC2PrivateDNSName}}": the session name is not an instance ID`},
		},
		"reserved prefix of a service-linked role": {
			ModeAPI,
			Identity{ARN: sessionOf("Svc", "x"), UserID: "AROASVC"},
			Result{Outcome: Mapped, Store: StoreEntry, Username: "eks:managed", Groups: []string{}},
		},
		"type without published username": {
			ModeAPI,
			Identity{ARN: sessionOf("Auto", "x"), UserID: "AROAAUTO"},
			Result{Outcome: Unknown, Store: StoreEntry, Why: "AWS does not publish the username of entries of type EC2"},
		},
		"user entry": {
			ModeAPI,
			Identity{ARN: userOf("ann"), UserID: "AIDAANN"},
			Result{Outcome: Mapped, Store: StoreEntry, Username: userOf("ann"), Groups: []string{}},
		},
		"unknown mode": {"", Identity{ARN: userOf("ann")}, Result{Outcome: Unknown, Why: `the authentication mode "" is not known`}},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMapper(Stores{Mode: tc.mode, Entries: entries, AWSAuth: ParseConfigMap(auth)})
			if tc.id.SessionName == "" {
				tc.id.SessionName = sessionIn(tc.id.ARN)
			}
			got := m.Map(tc.id)
			if (got.Entry != nil) != (got.Store == StoreEntry) {
				t.Errorf("store %q with entry %v", got.Store, got.Entry)
			}
			got.Entry, got.Row = nil, nil
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// sessionIn returns the session name at the end of an assumed-role ARN.
func sessionIn(arn string) string {
	id, err := CallerIdentity(arn, "", "", "")
	if err != nil || id.CanonicalARN == arn {
		return ""
	}
	return arn[len("arn:aws:sts::111122223333:assumed-role/")+len(id.CanonicalARN[len("arn:aws:iam::111122223333:role/"):])+1:]
}

func TestUnreadStoresAreUnknown(t *testing.T) {
	id := Identity{ARN: userOf("ann"), UserID: "AIDAANN"}
	ann := []Entry{{PrincipalARN: userOf("ann"), UserID: "AIDAANN"}}
	for name, tc := range map[string]struct {
		stores Stores
		want   Outcome
	}{
		"entries":                       {Stores{Mode: ModeAPI, EntriesUnread: true}, Unknown},
		"entries but one":               {Stores{Mode: chain, EntriesUnread: true, Entries: ann}, Mapped},
		"entries before aws-auth":       {Stores{Mode: chain, EntriesUnread: true, AWSAuth: ParseConfigMap(nil)}, Unknown},
		"entries do not matter":         {Stores{Mode: ModeConfigMap, EntriesUnread: true, AWSAuth: ParseConfigMap(nil)}, NotMapped},
		"aws-auth":                      {Stores{Mode: chain}, Unknown},
		"aws-auth does not matter":      {Stores{Mode: ModeAPI}, NotMapped},
		"aws-auth behind a found entry": {Stores{Mode: chain, Entries: ann}, Mapped},
	} {
		t.Run(name, func(t *testing.T) {
			if got := NewMapper(tc.stores).Map(id); got.Outcome != tc.want {
				t.Errorf("got %+v, want %s", got, tc.want)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	auth := ParseConfigMap(map[string]string{
		"mapRoles": `[{rolearn: "` + roleOf("Dev") + `", username: "{{AccountID}}:{{SessionName}}", groups: ["{{SessionName}}"]}]`,
		"mapUsers": `[{userarn: "` + userOf("bob") + `", username: "bob{{SessionName}}", groups: [ops]},
			{userarn: "` + userOf("dns") + `", username: "{{EC2PrivateDNSName}}"}]`,
	})
	m := NewMapper(Stores{Mode: chain, AWSAuth: auth, Entries: []Entry{{PrincipalARN: roleOf("team/Admin")}}})
	admin := "arn:aws:sts::" + acct + ":assumed-role/Admin/{{SessionName}}"
	for name, tc := range map[string]struct {
		arn  string
		want Result
	}{
		"role in aws-auth": {roleOf("any/path/Dev"), Result{Outcome: Mapped, Store: StoreRow, Username: acct + ":{{SessionName}}", Groups: []string{"{{SessionName}}"}}},
		"user":             {userOf("bob"), Result{Outcome: Mapped, Store: StoreRow, Username: "bob", Groups: []string{"ops"}}},
		"user on a node row": {userOf("dns"), Result{
			Outcome: Denied, Store: StoreRow,
			Why: `render "{{EC2PrivateDNSName}}": the principal has no session name`,
		}},
		"entry": {roleOf("team/Admin"), Result{Outcome: Mapped, Store: StoreEntry, Username: admin, Groups: []string{}, IDAssumed: true}},
		"entry of another path": {roleOf("Admin"), Result{
			Outcome: Mapped, Store: StoreEntry, Username: admin, Groups: []string{}, IDAssumed: true,
			Why: "the access entry has the same name and another path: it may be bound to a deleted principal",
		}},
		"nobody":   {roleOf("Nobody"), Result{Outcome: NotMapped}},
		"nonsense": {"Admin", Result{Outcome: NotMapped, Why: `"Admin" is not an ARN`}},
	} {
		t.Run(name, func(t *testing.T) {
			got := m.Resolve(tc.arn, "")
			got.Entry, got.Row = nil, nil
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestCallerChooses(t *testing.T) {
	for name, tc := range map[string]struct {
		template, principal string
		username, group     bool
	}{
		"plain":               {"dev", roleOf("Dev"), false, false},
		"session":             {"dev:{{SessionName}}", roleOf("Dev"), true, true},
		"raw session":         {"{{SessionNameRaw}}", roleOf("Dev"), true, true},
		"AWS's own":           {"arn:aws:sts::" + acct + ":assumed-role/Dev/{{SessionName}}", roleOf("team/Dev"), false, true},
		"another role's name": {"arn:aws:sts::" + acct + ":assumed-role/Other/{{SessionName}}", roleOf("Dev"), true, true},
		"account":             {"{{AccountID}}", roleOf("Dev"), false, false},
		"user":                {"{{SessionName}}", userOf("bob"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CallerChoosesUsername(tc.template, tc.principal); got != tc.username {
				t.Errorf("username: %v", got)
			}
			if got := CallerChoosesGroup(tc.template, tc.principal); got != tc.group {
				t.Errorf("group: %v", got)
			}
		})
	}
}

func TestCallerIdentity(t *testing.T) {
	got, err := CallerIdentity(sessionOf("Dev", "a@b"), "AROA1:a@b", acct, "ASIA1")
	want := Identity{ARN: sessionOf("Dev", "a@b"), CanonicalARN: roleOf("Dev"), UserID: "AROA1", AccountID: acct, SessionName: "a@b", AccessKeyID: "ASIA1"}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	got, _ = CallerIdentity("arn:aws:sts::"+acct+":federated-user/bob", acct+":bob", acct, "")
	if got.UserID != acct+":bob" || got.SessionName != "" {
		t.Errorf("federated user: %+v", got)
	}
	for _, arn := range []string{"", "arn:aws:sts::" + acct + ":assumed-role/Dev", "arn:aws:iam::" + acct + ":group/x", "arn:moon:iam::" + acct + ":root"} {
		if _, err := CallerIdentity(arn, "", "", ""); err == nil {
			t.Errorf("%q passes for an identity", arn)
		}
	}
	if _, err := CallerIdentity(userOf("a"), "a:b:c", "", ""); err == nil {
		t.Error("malformed user ID passes")
	}
}
