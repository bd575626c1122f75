package oracle

import (
	"fmt"
	"strings"
)

// rows writes mapRoles or mapUsers in one of the many ways YAML allows and returns the ARNs used.
func (g gen) rows(block string) (string, []string) {
	if g.chance(25) {
		return pick(g, "", " ", "``", `""`, "''", "{}", "[]", "null", "~", "rolearn: x\n", "- - a\n", "text", "[{}]", "- null\n- 1\n- yes\n", "-", "- ~"), nil
	}
	field := "rolearn"
	if block == "mapUsers" {
		field = "userarn"
	}
	var b strings.Builder
	var arns []string
	flow := g.chance(6)
	for i := range g.IntN(6) {
		arn := g.arn()
		if len(arns) > 0 && g.chance(3) {
			arn = g.cases(pick(g, arns...)) // a duplicate, or a twin
		}
		arns = append(arns, arn)
		if flow {
			b.WriteString(g.flowRow(field, arn, i))
		} else {
			row := g.blockRow(field, arn, i)
			if !strings.Contains(b.String()+row, "&row\n") && !g.chance(20) {
				row = strings.ReplaceAll(row, "<<: *row", "x: y")
			}
			if !strings.Contains(b.String(), "&u ") && !g.chance(20) {
				row = strings.ReplaceAll(row, ": *u", ": u")
			}
			b.WriteString(row)
		}
	}
	if flow {
		return "[" + strings.TrimSuffix(b.String(), ",") + "]", arns
	}
	return b.String(), arns
}

// key writes a field's name, at times in another case, quoted, or misspelt.
func (g gen) key(name string) string {
	switch g.IntN(14) {
	case 0:
		return g.cases(name)
	case 1:
		return `"` + name + `"`
	case 2:
		if g.chance(3) {
			return pick(g, name+"x", "? "+name+"\n  ", "!!str "+name, "'"+g.cases(name)+"'")
		}
	}
	return name
}

func (g gen) quoted(s string) string {
	switch g.IntN(5) {
	case 0:
		return `"` + s + `"`
	case 1:
		return "'" + s + "'"
	case 2:
		if s != "" && strings.TrimSpace(s) == s && !strings.ContainsAny(s[:1], "{[*&!|>'\"%@`") {
			return s
		}
	}
	return fmt.Sprintf("%q", s)
}

// username writes a username; a tenth of them is something that YAML 1.1 takes for no text.
func (g gen) username() string {
	if g.chance(12) {
		return pick(g, "n", "y", "yes", "No", "ON", "off", "true", "123", "0o17", "0x1F", "1_000", "1e3", ".5", ".inf", "-.INF", ".nan", "~", "null", "", "2001-01-01", "12:30:45",
			"!!str 12", "!!int 12", "!!binary aGVsbG8=", "!!binary gIE=", "!custom x", "!!float 1", "[a]", "{a: b}", "|\n    two\n    lines", ">-\n    folded\n    text", "\"\\u0041\\x42\"", "'it''s'", "*u", "=", "<<", "- a",
			"9223372036854775808", "0b11", "+1", "1.", "190:20:30", "!!bool yes", "!!null x", "!!timestamp 2001-01-01", "{}", "[]")
	}
	return g.quoted(pick(g, templates...))
}

func (g gen) group() string {
	if g.chance(10) {
		return g.username()
	}
	return g.quoted(pick(g, "system:masters", "dev", "{{SessionName}}", "{{AccountID}}", "é", ""))
}

func (g gen) flowGroups() string {
	if g.chance(12) {
		return pick(g, "dev", "null", "{}", "1", "yes", "[[a]]", "", "{a: b}", `"[]"`)
	}
	var list []string
	for range g.IntN(4) {
		s := g.group()
		if strings.ContainsAny(s, "\n|>") {
			s = "x"
		}
		list = append(list, s)
	}
	if len(list) > 0 && g.chance(6) {
		list[len(list)-1] += ","
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func (g gen) flowRow(field, arn string, i int) string {
	s := "{" + g.key(field) + ": " + g.quoted(arn) + ", " + g.key("username") + ": " + strings.ReplaceAll(g.username(), "\n", " ")
	if !g.chance(5) {
		s += ", " + g.key("groups") + ": " + g.flowGroups()
	}
	if g.chance(10) {
		s += pick(g, fmt.Sprintf(", x%d: &x%d 1", i, i), ", 1: 2", ", yes: no", ", ~: 1", ", 1.5: 2", ", a: .nan", ", [a]: b", ", {a: b}: c")
	}
	return s + "}" + pick(g, ",", ", ", ",\n")
}

// blockRow writes a row over several lines in one of several indentations, with its fields in any order.
func (g gen) blockRow(field, arn string, i int) string {
	if g.chance(12) {
		return pick(g, "- {}\n", "- text\n", "- null\n", "- [a, b]\n", "-\n", "- 1\n", "-   \n")
	}
	indent := pick(g, "  ", "  ", "  ", "    ")
	var fields []string
	switch {
	case !g.chance(10):
		fields = append(fields, g.key(field)+": "+g.quoted(arn))
	case !g.chance(3):
		fields = append(fields, g.sso())
	}
	if !g.chance(10) {
		fields = append(fields, g.key("username")+": "+g.username())
	}
	if !g.chance(6) {
		fields = append(fields, g.key("groups")+":"+g.blockGroups(indent))
	}
	if g.chance(8) {
		fields = append(fields, g.extra(field, i, arn))
	}
	g.Shuffle(len(fields), func(a, b int) { fields[a], fields[b] = fields[b], fields[a] })
	head := "-" + indent[1:]
	if g.chance(6) && i == 0 {
		head = "- &row" + "\n" + indent
	}
	if g.chance(6) && i > 0 {
		fields = append(fields, "<<: *row")
	}
	if len(fields) == 0 {
		return "- {}\n"
	}
	return head + strings.Join(fields, "\n"+indent) + pick(g, "\n", "\n", " # why\n", "\n\n", "\n# note\n")
}

func (g gen) blockGroups(indent string) string {
	if g.chance(3) {
		return " " + g.flowGroups()
	}
	var b strings.Builder
	bullet := pick(g, "- ", "- ", "  - ")
	for range g.IntN(4) {
		if g.chance(40) {
			bullet = "    - "
		}
		b.WriteString("\n" + indent + bullet + strings.ReplaceAll(g.group(), "\n", "\n  "))
	}
	return b.String()
}

// extra is a field that makes trouble: doubled, of a wrong type, unknown, or the rare sso.
func (g gen) extra(field string, i int, arn string) string {
	return pick(g,
		g.cases(field)+": "+g.quoted(g.arn()),
		field+": "+g.quoted(arn),
		field+": 12",
		g.cases("username")+": other",
		g.cases("groups")+": [other, 1]",
		g.cases("groups")+": [~, other]",
		"userid: AROA1",
		"userid: 12",
		"1: 2", "yes: no", "~: null", "1.5: x", ".inf: x", "x: .nan", "? [a]\n  : b",
		fmt.Sprintf("x: &u %d", i),
		"x: &u text",
		g.sso(),
		"sso: null", "sso: {}", "sso: text",
	)
}

func (g gen) sso() string {
	return pick(g, "sso", "SSO") + ": {" + pick(g, "permissionSetName", "PermissionSetName") + ": " + pick(g, "Dev", "Dev", "'a b'", "12") +
		", accountID: " + pick(g, "'111122223333'", "'111122223333'", "111122223333", "'1'") + pick(g, "", ", partition: "+g.partition(), ", partition: moon") + "}"
}
