package sigma

import (
	"strings"
	"testing"
	"testing/quick"
	"unicode/utf8"
)

// one reads a rule with one field and gives its Match.
func oneField(t testing.TB, field string) *Match {
	t.Helper()
	rules, err := Parse("test.yml", []byte("title: t\nlogsource: {product: aws}\ndetection:\n  s:\n    "+field+"\n  condition: s\n"))
	if err != nil {
		t.Fatal(err)
	}
	return rules[0].Condition.(*Match)
}

func (m *Match) matches(s string) bool {
	for i := range m.Values {
		if m.Values[i].Matches(m.Op, m.Cased, s) != m.All {
			return !m.All
		}
	}
	return m.All
}

// Statements of the Sigma rules specification 2.0 ("General", "String Wildcard", "Escaping") and of the modifiers appendix 2.1.0.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		name, field string
		yes, no     []string
	}{
		{"without case", `f: Admin`, []string{"admin", "ADMIN", "Admin"}, []string{"", "admins", "adm"}},
		{"without case beyond ASCII", `f: straßeÉ`, []string{"STRAßEé"}, []string{"STRASSEé"}},
		{"kelvin sign", `f|contains: k8s`, []string{"a\u212A8S"}, []string{"a8s"}},
		{"kelvin sign at the end", `f|endswith: 8k`, []string{"a8\u212A"}, []string{"a8"}},
		{"cased", `f|cased: Admin`, []string{"Admin"}, []string{"admin", "ADMIN"}},
		{"cased parts", `f|contains|cased: dmI`, []string{"AdmIn"}, []string{"admin"}},
		{"cased with wildcards", `f|cased: A*n?`, []string{"Admins", "Anx"}, []string{"admins", "Admin"}},
		{"number as text", `f: 201`, []string{"201"}, []string{"2010", "201.0"}},
		{"boolean as text", `f: true`, []string{"true", "TRUE"}, []string{"1"}},
		{"empty", `f: ''`, []string{""}, []string{" "}},
		{"list is or", `f: [a, b]`, []string{"a", "B"}, []string{"c", "ab"}},
		{"all is and", `f|contains|all: [a, b]`, []string{"xbya", "ab"}, []string{"a", "b"}},
		{"question mark", `f: 'prog?.exe'`, []string{"progA.exe", "prog1.exe", "progä.exe"}, []string{"prog.exe", "progAB.exe"}},
		{"star", `f: 'antivirus_V*.exe'`, []string{"antivirus_V1.exe", "antivirus_V21.2.1.exe", "antivirus_V.exe"}, []string{"antivirus_V1.exe2", "xantivirus_V1.exe"}},
		{"star alone", `f: '*'`, []string{"", "x"}, nil},
		{"stars", `f: 'a*b*a'`, []string{"aba", "axbxa", "ABBA"}, []string{"aa", "ab", "abxab"}},
		{"overlap", `f: 'ab*ba'`, []string{"abba"}, []string{"aba"}},
		{"question marks and star", `f: '?*?'`, []string{"ab", "éè", "abc"}, []string{"", "a", "é"}},
		{"arn", `f: 'arn:aws:iam::*:role/*Admin*'`, []string{"arn:aws:iam::111122223333:role/MyAdminRole"}, []string{"arn:aws:iam::111122223333:user/Admin"}},
		{"single backslash is plain", `f: 'C:\Windows\x'`, []string{`C:\Windows\x`, `c:\windows\X`}, []string{`C:Windowsx`}},
		{"double backslash is one", `f: 'C:\\Windows'`, []string{`C:\Windows`}, []string{`C:\\Windows`}},
		{"escaped star", `f: 'a\*b'`, []string{"a*b"}, []string{"axb", `a\*b`}},
		{"escaped question mark", `f: 'a\?b'`, []string{"a?b"}, []string{"axb"}},
		{"backslash before a wildcard", `f: 'a\\*b'`, []string{`a\b`, `a\xxb`}, []string{"a*b", "axb"}},
		{"backslash and star plain", `f: 'a\\\*b'`, []string{`a\*b`}, []string{`a\xb`}},
		{"four backslashes are two", `f: 'a\\\\b'`, []string{`a\\b`}, []string{`a\b`}},
		{"three backslashes are two", `f: 'a\\\b'`, []string{`a\\b`}, []string{`a\b`}},
		{"backslash at the end", `f: 'a\'`, []string{`a\`}, []string{"a"}},
		{"contains", `f|contains: Policy`, []string{"policy", "AmazonEKSClusterAdminPolicy", "xPOLICYx"}, []string{"polic"}},
		{"contains with wildcards", `f|contains: 'a?c*e'`, []string{"xabcde", "abce!"}, []string{"ace"}},
		{"startswith", `f|startswith: 'System:'`, []string{"system:masters", "system:"}, []string{"xsystem:", "syste"}},
		{"startswith with wildcard", `f|startswith: 'a?c'`, []string{"abcd"}, []string{"ac", "xabc"}},
		{"endswith", `f|endswith: '/Admin'`, []string{"role/admin", "/ADMIN"}, []string{"/admins", "min"}},
		{"endswith beyond ASCII", `f|endswith: 'é?'`, []string{"xÉè"}, []string{"éèx", "é"}},
		{"re is cased and unanchored", `f|re: 'A[0-9]+'`, []string{"xA12y"}, []string{"xa12y"}},
		{"re anchored", `f|re: '^a.c$'`, []string{"abc"}, []string{"abcd", "a\nc"}},
		{"re i", `f|re|i: '^a'`, []string{"Abc"}, []string{"ba"}},
		{"re m", `f|re|m: '^b$'`, []string{"a\nb\nc"}, []string{"ab"}},
		{"re s", `f|re|s: 'a.c'`, []string{"a\nc"}, nil},
		{"re i m s", `f|re|i|m|s: '^B.c'`, []string{"a\nb\nC"}, nil},
		{"re keeps backslashes", `f|re: '\d\*'`, []string{"1*"}, []string{"d*", `\d`}},
		{"cidr", `f|cidr: 10.0.0.0/8`, []string{"10.1.2.3", "::ffff:10.1.2.3"}, []string{"11.0.0.1", "eks.amazonaws.com", "AWS Internal", "10.1.2", "", "10.0.0.0/8", "fe80::1%eth0"}},
		{"cidr of IPv6", `f|cidr: '2001:db8::/32'`, []string{"2001:DB8::1"}, []string{"2001:db9::1", "10.0.0.1"}},
		{"several networks", `f|cidr: [10.0.0.0/8, 192.168.0.0/16]`, []string{"192.168.3.4"}, []string{"172.16.0.1"}},
		{"lt", `f|lt: 400`, []string{"399", "-1", "3.5"}, []string{"400", "", "abc", "4e2", "0x10"}},
		{"lte", `f|lte: 400`, []string{"400", "4e2"}, []string{"400.1"}},
		{"gt", `f|gt: 2.5`, []string{"2.6", "3"}, []string{"2.5", "NaN", "Inf", "--3"}},
		{"gte", `f|gte: -1`, []string{"-1", "0"}, []string{"-2", "1e", "."}},
		{"base64", `f|base64: 'curl x'`, []string{"Y3VybCB4"}, []string{"curl x"}},
		{"base64offset", `f|base64offset|contains: 'http://169.254'`, []string{"aHR0cDovLzE2OS4yNTQuMTY5LjI1NA==", "YWh0dHA6Ly8xNjkuMjU0LjE2OS4yNTQ=", "YWFodHRwOi8vMTY5LjI1NC4xNjkuMjU0"}, []string{"aHR0cHM6Ly8xNjkuMjU0"}},
		{"windash", `f|windash|contains: ' -enc'`, []string{"powershell -enc", "powershell /ENC", "powershell –enc", "powershell —enc", "powershell ―enc"}, []string{"powershell +enc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := oneField(t, c.field)
			for _, s := range c.yes {
				if !m.matches(s) {
					t.Errorf("%s does not match %q", c.field, s)
				}
			}
			for _, s := range c.no {
				if m.matches(s) {
					t.Errorf("%s matches %q", c.field, s)
				}
			}
		})
	}
}

func TestLiteral(t *testing.T) {
	for _, c := range []struct {
		field, want string
		ok          bool
	}{
		{`f: abc`, "abc", true},
		{`f: ''`, "", true},
		{`f: 'a\*b\\'`, `a*b\`, true},
		{`f: 7`, "7", true},
		{`f: 'a*'`, "", false},
		{`f: '?'`, "", false},
		{`f|re: abc`, "", false},
		{`f: null`, "", false},
		{`f|cidr: 10.0.0.0/8`, "", false},
	} {
		got, ok := oneField(t, c.field).Values[0].Literal()
		if got != c.want || ok != c.ok {
			t.Errorf("%s: literal %q, %v, want %q, %v", c.field, got, ok, c.want, c.ok)
		}
	}
}

func TestEscape(t *testing.T) {
	f := func(s string) bool {
		s = strings.ToValidUTF8(s, "?")
		v := Value{text: Escape(s)}
		v.compile()
		got, ok := v.Literal()
		return ok && got == s && v.Matches(Equals, true, s)
	}
	for _, s := range []string{"", `\`, `\\*`, `a?b*c\d`, "é"} {
		if !f(s) {
			t.Errorf("%q is not itself when it is escaped", s)
		}
	}
	if err := quick.Check(f, nil); err != nil {
		t.Error(err)
	}
}

func TestMatchesAllocatesNothing(t *testing.T) {
	s := "arn:aws:sts::111122223333:assumed-role/ÉngineerRole/someone-with-a-long-session-name"
	for _, field := range []string{
		`f: abc`, `f|contains: 'engineer'`, `f|contains: 'r?le*name'`, `f|startswith: ARN`, `f|endswith: -NAME`, `f|re: 'r[a-z]+/.*name$'`,
		`f|cidr: 10.0.0.0/8`, `f|lt: 5`, `f|contains|cased: Engineer`, `f: '*:assumed-role/*'`,
	} {
		m := oneField(t, field)
		for _, s := range []string{s, "10.1.2.3", "2001:db8::1", "eks.amazonaws.com", "404"} {
			if n := testing.AllocsPerRun(20, func() { m.matches(s) }); n > 0 {
				t.Errorf("%s on %q: %v allocations", field, s, n)
			}
		}
	}
}

// FuzzMatches compares the matcher with a plain recursive one, and all comparisons with what they mean in terms of Equals.
func FuzzMatches(f *testing.F) {
	f.Add(`a*b?c\*`, "axxbyc*")
	f.Add("*ſ*", "K")
	f.Add(`\\*é`, `\É`)
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 40 || len(s) > 60 || !utf8.ValidString(pattern) || !utf8.ValidString(s) {
			return
		}
		v := Value{text: pattern}
		v.compile()
		for _, cased := range []bool{true, false} {
			for op, around := range map[Op][2]string{Equals: {"", ""}, Contains: {"*", "*"}, StartsWith: {"", "*"}, EndsWith: {"*", ""}} {
				text := around[0] + pattern + around[1]
				if strings.HasSuffix(pattern, `\`) && around[1] != "" {
					continue // the backslash would escape the added wildcard
				}
				if got, want := v.Matches(op, cased, s), plainGlob([]rune(text), []rune(s), cased); got != want {
					t.Errorf("%q %s %q (cased %v): %v, want %v", s, op, pattern, cased, got, want)
				}
			}
		}
	})
}

// plainGlob is the specification's wildcards in the shortest form.
func plainGlob(p, s []rune, cased bool) bool {
	reach := map[int]bool{0: true} // places of s that can be reached
	for i := 0; i < len(p); i++ {
		c, wild := p[i], true
		if c == '\\' && i+1 < len(p) && strings.ContainsRune(`*?\`, p[i+1]) {
			i++
			c, wild = p[i], false
		}
		next := map[int]bool{}
		for at := range reach {
			switch {
			case wild && c == '*':
				for j := at; j <= len(s); j++ {
					next[j] = true
				}
			case at < len(s) && (wild && c == '?' || s[at] == c || !cased && strings.EqualFold(string(s[at]), string(c))):
				next[at+1] = true
			}
		}
		reach = next
	}
	return reach[len(s)]
}

func BenchmarkMatches(b *testing.B) {
	s := "arn:aws:sts::111122223333:assumed-role/EngineerRole/someone-with-a-long-session-name"
	for _, field := range []string{`f: arn:aws:sts`, `f|contains: 'session'`, `f|contains|cased: 'session'`, `f: '*:assumed-role/*x'`, `f|re: 'r[a-z]+/.*name$'`} {
		m := oneField(b, field)
		b.Run(field, func(b *testing.B) {
			for b.Loop() {
				m.matches(s)
			}
		})
	}
}
