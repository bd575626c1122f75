package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"drawbridge/internal/authenticator"
)

// gen makes aws-auth data, access entries and callers that are likely to meet.
type gen struct{ *rand.Rand }

func pick[T any](g gen, list ...T) T { return list[g.IntN(len(list))] }

// chance is true once in n.
func (g gen) chance(n int) bool { return g.IntN(n) == 0 }

var (
	accounts   = []string{"111122223333", "444455556666", "012345678901"}
	partitions = []string{"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"}
	names      = []string{"Dev", "Ops", "Kube", "NodeRole", "a+b=c,d.e@f-g_h"}
	sessions   = []string{"bob", "jane@example.com", "i-0123456789abcdef0", "i-12345678", "i-1234567", "i-123456789", "tem", "a=b,c.d_e-f", "{{AccessKeyID}}"}
)

func (g gen) partition() string {
	if g.chance(4) {
		return pick(g, partitions...)
	}
	return "aws"
}

func (g gen) path() string { return pick(g, "", "", "", "team/", "a/b/c/") }

// cases changes the case of some letters, and sometimes swaps in letters that fold to ASCII.
func (g gen) cases(s string) string {
	switch g.IntN(8) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToLower(s)
	case 2:
		return strings.NewReplacer("s", "ſ", "K", "\u212a").Replace(s)
	case 3:
		return strings.Map(func(r rune) rune {
			if g.chance(3) {
				return []rune(strings.ToUpper(string(r)))[0]
			}
			return r
		}, s)
	}
	return s
}

// arn makes an ARN that may stand in a row.
func (g gen) arn() string {
	iam := "arn:" + g.partition() + ":iam::" + pick(g, accounts...) + ":"
	switch g.IntN(16) {
	case 0:
		return iam + "root"
	case 1:
		return strings.Replace(iam, ":iam:", ":sts:", 1) + "assumed-role/" + pick(g, names...) + "/" + pick(g, sessions...)
	case 2:
		return strings.Replace(iam, ":iam:", ":sts:", 1) + "federated-user/" + pick(g, names...)
	case 3:
		return pick(g, " "+iam+"role/Dev", iam+"role/Dev ", "Dev", "", "arn:aws", "arn:moon:iam::111122223333:role/Dev", iam+"role/*", iam+"role/", "*")
	case 4, 5, 6, 7:
		return iam + "user/" + g.path() + pick(g, names...)
	}
	return iam + "role/" + g.path() + pick(g, names...)
}

// identity makes a caller as STS would describe it, now and then one that STS never would. It likes to be
// somebody who is in one of the stores.
func (g gen) identity(rows []string, entries []authenticator.Entry) (authenticator.Identity, bool) {
	arn, unique := g.arn(), g.uniqueID()
	switch {
	case len(entries) > 0 && g.chance(2):
		e := pick(g, entries...)
		if arn = e.PrincipalARN; !g.chance(4) {
			unique = e.UserID
		}
	case len(rows) > 0 && !g.chance(5):
		arn = g.cases(pick(g, rows...))
	}
	id := unique
	if kind, name, ok := strings.Cut(arn, ":role/"); ok && !g.chance(6) {
		name = name[strings.LastIndex(name, "/")+1:]
		session := pick(g, sessions...)
		arn = strings.Replace(kind, ":iam:", ":sts:", 1) + ":assumed-role/" + name + "/" + session
		id = unique + ":" + session
	}
	account := pick(g, accounts...)
	if parts := strings.Split(arn, ":"); len(parts) > 5 {
		account = parts[4]
	}
	who, err := authenticator.CallerIdentity(arn, id, account, "ASIA"+fmt.Sprint(g.IntN(99)))
	return who, err == nil
}

var templates = []string{
	"dev", "system:node:{{EC2PrivateDNSName}}", "u:{{SessionName}}", "{{SessionNameRaw}}", "{{AccountID}}:{{AccessKeyID}}",
	"{{SessionName}}{{SessionName}}", "{{ SessionName }}", "{{SessionName", "{{Account{{AccountID}}ID}}", "system:{{SessionName}}", "eks:x", "sys{{SessionName}}:x", "ünï",
}

// uniqueID is one of few, so that two entries share one now and then.
func (g gen) uniqueID() string { return "ID" + fmt.Sprint(g.IntN(12)) }

// entries makes access entries; node types only if no prefix is reserved, as EKS writes those itself.
func (g gen) entries(reserved bool) []authenticator.Entry {
	var list []authenticator.Entry
	for range g.IntN(5) {
		e := authenticator.Entry{
			PrincipalARN: g.arn(), UserID: g.uniqueID(), Type: authenticator.TypeStandard,
			Username: pick(g, templates...),
		}
		if !reserved {
			e.Type = pick(g, authenticator.TypeEC2Linux, authenticator.TypeFargateLinux, authenticator.TypeHybridLinux)
		}
		for range g.IntN(3) {
			e.Groups = append(e.Groups, pick(g, templates...))
		}
		list = append(list, e)
	}
	return list
}

// data makes the ConfigMap and returns the ARNs in it.
func (g gen) data() (map[string]string, []string) {
	var arns []string
	data := map[string]string{}
	for _, key := range []string{"mapRoles", "mapUsers"} {
		if g.chance(6) {
			continue
		}
		name := key
		if g.chance(30) {
			name = g.cases(key)
		}
		text, used := g.rows(key)
		data[name], arns = g.damage(text), append(arns, used...)
	}
	if g.chance(2) {
		data["mapAccounts"] = g.damage(g.accountList())
	}
	return data, arns
}

func (g gen) accountList() string {
	if g.chance(10) {
		return pick(g, "", "``", "[]", "{}", "null", "111122223333", "- [a]\n- 111122223333\n", "- null\n- 444455556666\n", "- yes\n- 0x10\n- 1e3\n")
	}
	var b strings.Builder
	for range g.IntN(4) {
		b.WriteString("- " + pick(g, "%s", `"%s"`, "'%s'", "!!str %s") + "\n")
	}
	out := b.String()
	for strings.Contains(out, "%s") {
		out = strings.Replace(out, "%s", pick(g, accounts...), 1)
	}
	return out
}

// damage breaks text now and then: a byte here, a line there, other line ends.
func (g gen) damage(text string) string {
	if g.chance(8) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if g.chance(12) {
		text = pick(g, "---\n", "# comment\n", "%YAML 1.1\n---\n", "\ufeff", "\n\n", "--- # x\n") + text
	}
	if g.chance(20) {
		text += pick(g, "---\n- rolearn: x\n", "...\n", "# end", "\n\t", "- ", "]")
	}
	for g.chance(8) && len(text) > 0 {
		i := g.IntN(len(text))
		switch g.IntN(3) {
		case 0:
			text = text[:i] + text[i+1:]
		case 1:
			text = text[:i] + pick(g, "\t", " ", "\n", ":", "- ", "{", "}", "[", "]", "&", "*", "!", "|", ">", "'", "\"", "%", "@", "\x00", "\x80", "é", "?", "#", ",", "<<: ") + text[i:]
		case 2:
			lines := strings.SplitAfter(text, "\n")
			n := g.IntN(len(lines))
			lines[n] = pick(g, "", "  "+lines[n], "\t"+lines[n], lines[n]+lines[n])
			text = strings.Join(lines, "")
		}
	}
	return text
}
