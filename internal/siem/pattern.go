package siem

import (
	"regexp"
	"strings"
	"unicode"

	"drawbridge/internal/sigma"
)

// pattern is a value with its comparison: pieces of text with a wildcard * between each two.
type pattern struct {
	parts [][]rune // -1 stands for the wildcard ?
	cased bool
}

// patternOf is what a comparison of strings asks for. Where a pattern has no letters, case does not matter.
func patternOf(m *sigma.Match, v *sigma.Value) pattern {
	p := pattern{parts: v.Pattern(), cased: m.Cased}
	if m.Op == sigma.Contains || m.Op == sigma.EndsWith {
		p.parts = append([][]rune{nil}, p.parts...)
	}
	if m.Op == sigma.Contains || m.Op == sigma.StartsWith {
		p.parts = append(p.parts[:len(p.parts):len(p.parts)], nil)
	}
	var joined [][]rune // two wildcards * side by side are one
	for i, part := range p.parts {
		if len(part) > 0 || i == 0 || i == len(p.parts)-1 {
			joined = append(joined, part)
		}
	}
	p.parts = joined
	letters := false
	for _, part := range p.parts {
		for _, c := range part {
			letters = letters || unicode.ToLower(c) != c || unicode.ToUpper(c) != c
		}
	}
	p.cased = p.cased || !letters
	return p
}

// any is the pattern of every string.
func (p pattern) any() bool { return len(p.parts) == 2 && len(p.parts[0])+len(p.parts[1]) == 0 }

// numeric says whether a pattern with wildcards can match the text of a number or a boolean, which some systems keep as such.
func (p pattern) numeric() bool {
	digits := true
	for _, part := range p.parts {
		for _, c := range part {
			digits = digits && (c < 0 || strings.ContainsRune("0123456789.-+eE", c))
		}
	}
	re, err := regexp.Compile(p.regex())
	return digits || err != nil || re.MatchString("true") || re.MatchString("false")
}

// literal is the string that the pattern means, if it has no wildcards.
func (p pattern) literal() (string, bool) { return text(p.parts[0], len(p.parts) == 1) }

// prefix is the string that the pattern wants at the start, if it wants nothing else; suffix likewise.
func (p pattern) prefix() (string, bool) {
	return text(p.parts[0], len(p.parts) == 2 && len(p.parts[1]) == 0)
}

func (p pattern) suffix() (string, bool) {
	return text(p.parts[len(p.parts)-1], len(p.parts) == 2 && len(p.parts[0]) == 0)
}

func text(part []rune, ok bool) (string, bool) {
	for _, c := range part {
		ok = ok && c >= 0
	}
	if !ok {
		return "", false
	}
	return string(part), true
}

// write spells the pattern with a target's wildcards; escape writes characters that mean something else there.
func (p pattern) write(many, one string, escape func(rune) string) string {
	var b strings.Builder
	for i, part := range p.parts {
		if i > 0 {
			b.WriteString(many)
		}
		for _, c := range part {
			if c < 0 {
				b.WriteString(one)
			} else {
				b.WriteString(escape(c))
			}
		}
	}
	return b.String()
}

// singles says whether the pattern has the wildcard ?.
func (p pattern) singles() bool {
	for _, part := range p.parts {
		for _, c := range part {
			if c < 0 {
				return true
			}
		}
	}
	return false
}

// regex is the pattern as a regular expression that most dialects read alike, for the whole of a string.
func (p pattern) regex() string {
	flags := "(?s)"
	if !p.cased {
		flags = "(?is)"
	}
	return flags + "^" + p.write(".*", ".", func(c rune) string { return regexp.QuoteMeta(string(c)) }) + "$"
}

func escape(special string) func(rune) string {
	return func(c rune) string {
		if strings.ContainsRune(special, c) {
			return `\` + string(c)
		}
		return string(c)
	}
}

// segments cuts a field into keys. Where keys are chosen by people or are domain names, what follows is one key.
func segments(field string) []string {
	all := strings.Split(field, ".")
	for i, s := range all[:len(all)-1] {
		switch s {
		case "annotations", "labels", "matchLabels", "nodeSelector", "extra", "data", "stringData":
			return append(all[:i+1:i+1], strings.Join(all[i+1:], "."))
		}
	}
	return all
}

// lists are keys whose values are lists, in CloudTrail's records of EKS, STS and IAM, and in Kubernetes' objects and audit
// events (EKS API Reference; Kubernetes API reference, 2026-11). For targets that have other names for fields in lists.
var lists = words(`kubernetesGroups namespaces types clusterLogging publicAccessCidrs subnetIds securityGroupIds groups sourceIPs
	subjects rules verbs apiGroups resources resourceNames nonResourceURLs containers initContainers
	ephemeralContainers volumes sources add drop webhooks audiences command args
	env usages podIdentityAssociations encryptionConfig tags policies matchExpressions ownerReferences imagePullSecrets
	secrets clusterRoleSelectors policyArns transitiveTagKeys thumbprintList clientIDList`)

func words(s string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		set[w] = true
	}
	return set
}

// listAt are the places of lists among a field's keys: by their names, and each of user.extra.
func listAt(keys []string) []int {
	var at []int
	for i, k := range keys {
		if lists[k] || i > 0 && keys[i-1] == "extra" {
			at = append(at, i)
		}
	}
	return at
}
