package plan

import (
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Shell makes one command line from its arguments, each quoted for a POSIX shell where it needs to be: names in
// snapshots are chosen by others, and remediation gets pasted. Characters that nobody sees, which no name of AWS or
// Kubernetes has a use for, are replaced.
func Shell(args ...string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = quote(a)
	}
	return strings.Join(quoted, " ")
}

func quote(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r))
	}) < 0
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// eks is a command of `aws eks` about a cluster, which most of them call by --cluster-name.
func eks(command, cluster string, args ...string) string {
	flag := "--cluster-name"
	if command == "update-cluster-config" || command == "describe-cluster" {
		flag = "--name"
	}
	name, region := nameOf(cluster)
	all := []string{"aws", "eks", command, flag, name}
	if region != "" {
		all = append(all, "--region", region)
	}
	return Shell(append(all, args...)...)
}

// nameOf is the name and region of a cluster that is named by its ARN or by its name alone.
func nameOf(cluster string) (name, region string) {
	parts := strings.SplitN(cluster, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return cluster, ""
	}
	return strings.TrimPrefix(parts[5], "cluster/"), parts[3]
}

// kubectl is a command of kubectl about one object. Its kind and name are one word, so that a name like --all is a name.
func kubectl(verb, kind, namespace, name string, args ...string) string {
	all := []string{"kubectl", verb}
	if namespace != "" {
		all = append(all, "-n", namespace)
	}
	return Shell(append(append(all, strings.ToLower(kind)+"/"+name), args...)...)
}

// jsonText is a value as JSON on one line, for an argument of a command.
func jsonText(v any) string {
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return err.Error() // none of the values given here can fail
	}
	return string(b)
}
