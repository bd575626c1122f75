package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"drawbridge/internal/siem"
	"drawbridge/internal/sigma"
)

// correlations over access entries and refused requests of one person: %s is a type with its condition.
const correlations = `title: correlation
name: alone
level: low
correlation:
%s
  group-by: [who]
  timespan: 5m
  aliases: {who: {alone.entry: requestParameters.principalArn, alone.policy: requestParameters.principalArn, alone.refused: user.extra.canonicalArn}}
---
title: entry
name: alone.entry
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventSource: eks.amazonaws.com, eventName: CreateAccessEntry, errorCode: null}
  condition: s
---
title: policy
name: alone.policy
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventSource: eks.amazonaws.com, eventName: AssociateAccessPolicy}
  condition: s
---
title: refused
name: alone.refused
logsource: {product: kubernetes, service: audit}
detection:
  s: {responseStatus.code: 403}
  condition: s
`

// TestCorrelations compares whether a correlation is found at all in random events of a quarter of an hour.
func TestCorrelations(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(*seed, 11))}
	a := newAthena(t)
	for _, kind := range []string{
		"  type: event_count\n  rules: [alone.refused]\n  condition: {gte: 2}", "  type: event_count\n  rules: [alone.entry, alone.refused]\n  condition: {gt: 2}",
		"  type: value_count\n  rules: [alone.entry, alone.policy]\n  condition: {gte: 2, field: requestParameters.name}",
		"  type: temporal\n  rules: [alone.entry, alone.policy, alone.refused]", "  type: temporal_ordered\n  rules: [alone.entry, alone.refused]",
		"  type: temporal_ordered\n  rules: [alone.entry, alone.policy, alone.refused]",
	} {
		rules, err := sigma.Parse("alone.yml", fmt.Appendf(nil, correlations, kind))
		if err != nil {
			t.Fatal(err)
		}
		e := exported(t, rules, "athena")
		if e.Verdict != siem.Exact {
			t.Fatalf("%s: %s %v", kind, e.Verdict, e.Losses)
		}
		p, found := compile(t, rules), 0
		const rounds = 40
		for range rounds {
			var records []record
			minutes := m.Perm(15)[:4+m.IntN(10)]
			slices.Sort(minutes)
			for i, minute := range minutes {
				records = append(records, recordOf(t, m.step(i, minute)))
			}
			a.load(t, records)
			want, got := run(t, p, records...) > 0, len(a.ids(t, e.Text)) > 0
			if want != got {
				t.Errorf("%s: drawbridge finds it: %v, the SQL: %v\n%s", kind, want, got, e.Text)
				for _, r := range records {
					t.Logf("%s", r.line)
				}
				return
			}
			if want {
				found++
			}
		}
		if found == 0 || found == rounds {
			t.Errorf("%s: found %d times of %d: nothing is compared", kind, found, rounds)
		}
	}
}

// step is a random event of the correlations; no two are at the same second, for their order would be anybody's.
func (m maker) step(i, minute int) []byte {
	at := fmt.Sprintf("2026-11-01T10:%02d:%02d", minute, m.IntN(60))
	who := m.of("arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b")
	switch m.IntN(3) {
	case 0:
		return fmt.Appendf(nil, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a-%d","stage":"ResponseComplete","verb":"get","requestReceivedTimestamp":"%s.000000Z","user":{"username":"u","extra":{"canonicalArn":[%q]}},"objectRef":{"resource":"pods"},"responseStatus":{"code":%s}}`,
			i%2, at, who, m.of("403", "403", "200")) // an audit ID is what the client sends
	case 1:
		return fmt.Appendf(nil, `{"eventVersion":"1.10","eventID":"c-%d","eventTime":"%sZ","eventSource":"eks.amazonaws.com","eventName":"CreateAccessEntry","requestParameters":{"name":%q,"principalArn":%q}}`,
			i, at, m.of("prod", "test"), who)
	default:
		return fmt.Appendf(nil, `{"eventVersion":"1.10","eventID":"c-%d","eventTime":"%sZ","eventSource":"eks.amazonaws.com","eventName":"AssociateAccessPolicy","requestParameters":{"name":%q,"principalArn":%q}}`,
			i, at, m.of("prod", "test"), m.of(who, "arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fa"))
	}
}
