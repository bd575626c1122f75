package oracle

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"sigs.k8s.io/aws-iam-authenticator/pkg/arn"
	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/configmap"
	"sigs.k8s.io/aws-iam-authenticator/pkg/metrics"
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"

	"drawbridge/internal/authenticator"
	"drawbridge/oracle/authenticator/real"
)

var (
	cases = flag.Int("cases", 20_000, "aws-auth ConfigMaps to compare, each with several callers")
	seed  = flag.Uint64("seed", 1, "seed of the generator")
)

func TestMain(m *testing.M) {
	flag.Parse()
	metrics.InitMetrics(prometheus.NewRegistry()) // the authenticator panics without
	logrus.SetOutput(io.Discard)
	os.Exit(m.Run())
}

var reserved = []string{"system:", "eks:", "aws:", "amazon:", "iam:"}

// tally counts what was compared, so that a generator that only makes broken data is noticed.
type tally struct {
	rows, dropped, unread, brokenBlocks int
	mapped, notMapped, denied, random   int
	byEntry, byRow, byAccount, dnsIsOut int
}

func TestAgainstTheRealAuthenticator(t *testing.T) {
	var n tally
	bad := 0
	for i := range *cases {
		g := gen{rand.New(rand.NewPCG(*seed, uint64(i)))}
		data, arns := g.data()
		ours := authenticator.ParseConfigMap(data)
		users, roles, accounts, _ := configmap.ParseMap(data)
		n.count(ours)
		if ours.Unread != "" {
			continue
		}
		if d := compareRows(ours, users, roles, accounts); d != "" {
			t.Errorf("case %d: parsing differs (-real +ours):\n%s\n%s", i, d, show(data))
			bad++
		}
		reference := reality{real.ConfigMapMapper(users, roles, accounts), users, roles}
		if d := compareCallers(g, &n, ours, reference, arns); d != "" {
			t.Errorf("case %d: %s\n%s", i, d, show(data))
			bad++
		}
		if bad > 20 {
			t.Fatal("too many mismatches")
		}
	}
	t.Logf("%d mismatches in %d ConfigMaps: %+v", bad, *cases, n)
	if *cases >= 1000 && (n.mapped == 0 || n.denied == 0 || n.byEntry == 0 || n.byRow == 0 || n.byAccount == 0 || n.random == 0 || n.dropped == 0) {
		t.Errorf("the generator misses a kind of case: %+v", n)
	}
}

func (n *tally) count(a *authenticator.AWSAuth) {
	for _, r := range a.Rows {
		n.rows++
		if r.Effective.State == authenticator.Dropped {
			n.dropped++
		}
	}
	for _, p := range a.Problems {
		if strings.HasPrefix(p.Text, "nothing of the block is read") {
			n.brokenBlocks++
		}
	}
	if a.Unread != "" {
		n.unread++
	}
}

// line is one kept row, comparable.
type line struct{ ARN, SSO, Username, Groups string }

func compareRows(ours *authenticator.AWSAuth, users []config.UserMapping, roles []config.RoleMapping, accounts []string) string {
	real, mine := map[string][]line{}, map[string][]line{}
	for _, r := range roles {
		l := line{r.RoleARN, "", r.Username, fmt.Sprintf("%q", r.Groups)}
		if r.SSO != nil {
			l.SSO = fmt.Sprint(*r.SSO)
		}
		real["role"] = append(real["role"], l)
	}
	for _, u := range users {
		real["user"] = append(real["user"], line{u.UserARN, "", u.Username, fmt.Sprintf("%q", u.Groups)})
	}
	for _, a := range accounts {
		real["account"] = append(real["account"], line{ARN: a})
	}
	for _, r := range ours.Rows {
		if r.Effective.State == authenticator.Dropped {
			continue
		}
		l := line{r.Read.ARN, "", r.Read.Username, fmt.Sprintf("%q", r.Read.Groups)}
		if r.Read.SSO != nil {
			l.SSO = fmt.Sprint(*r.Read.SSO)
		}
		mine[string(r.Kind)] = append(mine[string(r.Kind)], l)
	}
	for _, a := range ours.Accounts {
		mine["account"] = append(mine["account"], line{ARN: a.ID})
	}
	return cmp.Diff(real, mine)
}

// reality is the real authenticator's side of one ConfigMap.
type reality struct {
	mapper.Mapper
	users []config.UserMapping
	roles []config.RoleMapping
}

// random reports whether several kept rows that say different things match the caller, so that the real answer
// depends on the order of a map.
func (r reality) random(canonical string) bool {
	canonical = strings.ToLower(canonical)
	found := map[string]string{} // by key, as the mapper keeps them
	for _, m := range r.roles {
		if m.Matches(canonical) {
			found[m.Key()] = fmt.Sprintf("%q %q", m.Username, m.Groups)
		}
	}
	if len(found) == 0 {
		for _, m := range r.users {
			if m.Matches(canonical) {
				found[m.Key()] = fmt.Sprintf("%q %q", m.Username, m.Groups)
			}
		}
	}
	return len(slices.Compact(slices.Sorted(maps.Values(found)))) > 1
}

// compareCallers maps a few callers with both sides, with and without access entries in front.
func compareCallers(g gen, n *tally, auth *authenticator.AWSAuth, reference reality, arns []string) string {
	mode := pick(g, authenticator.ModeConfigMap, authenticator.ModeAPIAndConfigMap, authenticator.ModeAPIAndConfigMap, authenticator.ModeAPI)
	guard := g.chance(2)
	h, entries := &real.Handler{}, []authenticator.Entry(nil)
	if mode != authenticator.ModeConfigMap {
		entries = g.entries(guard)
		front, err := frontMapper(entries, guard)
		if err != nil {
			return err.Error()
		}
		h.Mappers = append(h.Mappers, front)
	}
	if mode != authenticator.ModeAPI {
		h.Mappers = append(h.Mappers, reference)
	}
	m := authenticator.NewMapper(authenticator.Stores{Mode: mode, Entries: entries, AWSAuth: auth})
	for range 6 {
		id, ok := g.identity(arns, entries)
		if !ok {
			continue
		}
		known := real.Instances{}
		if strings.HasPrefix(id.SessionName, "i-") && g.chance(2) {
			id.EC2PrivateDNSName = "ip-10-0-0-1.ec2.internal"
			known[id.SessionName] = id.EC2PrivateDNSName
		}
		h.EC2 = known
		if d := compareCaller(n, m, h, reference, id); d != "" {
			return fmt.Sprintf("mode %s entries %+v caller %+v: %s", mode, entries, id, d)
		}
	}
	return ""
}

func frontMapper(entries []authenticator.Entry, guard bool) (mapper.Mapper, error) {
	var users []config.UserMapping
	var roles []config.RoleMapping
	for _, e := range entries {
		if kind, _, _ := arn.Canonicalize(e.PrincipalARN); kind == arn.USER || kind == arn.ROOT {
			users = append(users, config.UserMapping{UserARN: e.PrincipalARN, UserId: e.UserID, Username: e.Username, Groups: e.Groups})
		} else {
			roles = append(roles, config.RoleMapping{RoleARN: e.PrincipalARN, UserId: e.UserID, Username: e.Username, Groups: e.Groups})
		}
	}
	if !guard {
		return real.EntryMapper(users, roles, nil)
	}
	return real.EntryMapper(users, roles, reserved)
}

// answer is the common form of both sides' results.
type answer struct {
	Outcome  authenticator.Outcome
	Username string
	Groups   []string
}

func compareCaller(n *tally, m *authenticator.Mapper, h *real.Handler, reference reality, id authenticator.Identity) string {
	got := m.Map(id)
	if got.Outcome == authenticator.Unknown {
		switch {
		case strings.Contains(got.Why, "private DNS name"):
			n.dnsIsOut++
		case reference.random(id.CanonicalARN):
			n.random++
		default:
			return "unknown, though the real answer is certain: " + got.Why
		}
		return ""
	}
	if got.Store == authenticator.StoreRow && reference.random(id.CanonicalARN) {
		return "certain, though the real answer is random"
	}
	want := realAnswer(h, id)
	n.tally(got)
	return cmp.Diff(want, answer{got.Outcome, got.Username, slices.Clone(got.Groups)})
}

func (n *tally) tally(r authenticator.Result) {
	switch r.Outcome {
	case authenticator.NotMapped:
		n.notMapped++
		return
	case authenticator.Denied:
		n.denied++
		return
	}
	n.mapped++
	switch r.Store {
	case authenticator.StoreEntry:
		n.byEntry++
	case authenticator.StoreRow:
		n.byRow++
	case authenticator.StoreAccount:
		n.byAccount++
	}
}

func realAnswer(h *real.Handler, id authenticator.Identity) answer {
	username, groups, err := h.Map(&token.Identity{
		ARN: id.ARN, CanonicalARN: id.CanonicalARN,
		AccountID: id.AccountID, UserID: id.UserID, SessionName: id.SessionName, AccessKeyID: id.AccessKeyID,
	})
	switch {
	case err == nil:
		return answer{authenticator.Mapped, username, groups}
	case real.NotMapped(err):
		return answer{Outcome: authenticator.NotMapped}
	}
	return answer{Outcome: authenticator.Denied}
}

func show(data map[string]string) string {
	var b strings.Builder
	for k, v := range data {
		fmt.Fprintf(&b, "--- %s (%q)\n%s\n", k, v, v)
	}
	return b.String()
}

// TestCanonicalARNs compares the reading of ARNs alone.
func TestCanonicalARNs(t *testing.T) {
	g := gen{rand.New(rand.NewPCG(*seed, 0))}
	for range *cases {
		a := g.cases(g.arn())
		if i := g.IntN(len(a) + 1); g.chance(4) {
			a = a[:i] + pick(g, ":", "/", "", "x") + a[i:]
		}
		_, want, wantErr := arn.Canonicalize(a)
		got, err := authenticator.Canonicalize(a)
		if want != got || (wantErr == nil) != (err == nil) {
			t.Errorf("Canonicalize(%q): real %q %v, ours %q %v", a, want, wantErr, got, err)
		}
		want, wantErr = arn.StripPath(a)
		got, err = authenticator.StripPath(a)
		if want != got || (wantErr == nil) != (err == nil) {
			t.Errorf("StripPath(%q): real %q %v, ours %q %v", a, want, wantErr, got, err)
		}
	}
}
