package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

const keyRules = `title: Outside
id: 00000000-0000-4000-8000-000000000001
name: outside
description: a key used outside
logsource: {product: aws, service: cloudtrail}
detection:
  use:
    drawbridge.key|startswith: ASIA
    drawbridge.source.outside: "true"
    drawbridge.key.via: Pod Identity
  condition: use
level: high
drawbridge:
  message: "{drawbridge.key} of {drawbridge.key.holder} from {drawbridge.source}"
  once: [drawbridge.key, sourceIPAddress]
`

func program(t testing.TB) *Program {
	t.Helper()
	p, err := Load(fstest.MapFS{"outside.yml": {Data: []byte(keyRules)}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func issueOf(n int, key, pod, cluster string) string {
	return fmt.Sprintf(`{"eventVersion":"1.11","userIdentity":{"type":"AWSService","invokedBy":"pods.eks.amazonaws.com"},"eventTime":"2026-11-01T10:00:00Z","eventSource":"sts.amazonaws.com","eventName":"AssumeRole","awsRegion":"us-east-1","sourceIPAddress":"pods.eks.amazonaws.com","requestParameters":{"roleArn":"arn:aws:iam::111122223333:role/shop","tags":[{"key":"eks-cluster-arn","value":"arn:aws:eks:us-east-1:111122223333:cluster/%s"},{"key":"kubernetes-namespace","value":"shop"},{"key":"kubernetes-pod-name","value":%q}]},"responseElements":{"credentials":{"accessKeyId":%q}},"eventID":"i%d","recipientAccountId":"111122223333"}`, cluster, pod, key, n)
}

func useOf(n, second int, key, address string) string {
	return fmt.Sprintf(`{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/shop/eks-prod-api-1","accountId":"111122223333","accessKeyId":%q},"eventTime":"2026-11-01T10:%02d:%02dZ","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","sourceIPAddress":%q,"userAgent":"Boto3/1","eventID":"u%06d","recipientAccountId":"111122223333"}`,
		key, second/60%60, second%60, address, n)
}

func add(t testing.TB, g *Engine, lines ...string) {
	t.Helper()
	d := event.NewDecoder(strings.NewReader(strings.Join(lines, "\n")+"\n"), event.Options{})
	var e event.Event
	for {
		err := d.Next(&e)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		g.Add(&e)
	}
}

// TestManyCallsOfAKey: ten thousand calls of one key before its issue is known wait as a few, and are one finding, that
// of the first call, in whatever order they come.
func TestManyCallsOfAKey(t *testing.T) {
	p := program(t)
	egress := &Context{Egress: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}
	var calls []string
	for i := range 10_000 {
		calls = append(calls, useOf(i, i/20, "ASIAEXAMPLE000000001", "198.51.100.9"))
	}
	random := rand.New(rand.NewPCG(1, 1))
	for _, order := range []string{"in order", "backwards", "shuffled"} {
		t.Run(order, func(t *testing.T) {
			lines := slices.Clone(calls)
			switch order {
			case "backwards":
				slices.Reverse(lines)
			case "shuffled":
				random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			}
			var found []string
			g := New(p, egress, Options{}, func(f finding.Finding) { found = append(found, f.Time.Format("15:04:05")+" "+f.Message) })
			add(t, g, lines...)
			if order == "in order" && len(g.pending) > 9 {
				t.Errorf("%d events wait, of nine minutes", len(g.pending))
			}
			// Backwards each is earlier than those that wait: nothing can be left out.
			if order == "shuffled" && len(g.pending) > len(lines)/10 {
				t.Errorf("%d events of %d wait", len(g.pending), len(lines))
			}
			add(t, g, issueOf(1, "ASIAEXAMPLE000000001", "api-1", "prod"))
			g.Flush()
			want := []string{"10:00:00 ASIAEXAMPLE000000001 of pod shop/api-1 from 198.51.100.9"}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOtherKeysDoNotWait: calls of keys that were issued otherwise, or do not look like Pod Identity's, are not kept.
func TestOtherKeysDoNotWait(t *testing.T) {
	g := New(program(t), &Context{Egress: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}, Options{}, func(finding.Finding) {})
	add(t, g,
		strings.Replace(issueOf(1, "ASIAEXAMPLE000000002", "api-1", "prod"), `"type":"AWSService","invokedBy":"pods.eks.amazonaws.com"`, `"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/ci/ci","accessKeyId":"ASIAEXAMPLE000000009"`, 1),
		useOf(1, 1, "ASIAEXAMPLE000000002", "198.51.100.9"),
		strings.Replace(useOf(2, 2, "ASIAEXAMPLE000000003", "198.51.100.9"), "eks-prod-api-1", "ci", 1))
	if len(g.pending) != 0 {
		t.Errorf("%d events wait", len(g.pending))
	}
}

// TestAddresses: who else used an address is the same whether keys were issued before they were used or after, and clusters
// are apart.
func TestAddresses(t *testing.T) {
	lines := []string{
		issueOf(1, "ASIAEXAMPLE000000001", "a", "prod"), useOf(1, 1, "ASIAEXAMPLE000000001", "203.0.113.1"), useOf(2, 2, "ASIAEXAMPLE000000001", "198.51.100.9"),
		issueOf(2, "ASIAEXAMPLE000000002", "b", "prod"), useOf(3, 3, "ASIAEXAMPLE000000002", "203.0.113.1"),
		issueOf(3, "ASIAEXAMPLE000000003", "c", "prod"), useOf(4, 4, "ASIAEXAMPLE000000003", "203.0.113.1"),
		issueOf(4, "ASIAEXAMPLE000000004", "d", "test"), useOf(5, 5, "ASIAEXAMPLE000000004", "198.51.100.9"),
	}
	const prod, test = "arn:aws:eks:us-east-1:111122223333:cluster/prod", "arn:aws:eks:us-east-1:111122223333:cluster/test"
	tests := []struct {
		key, address, cluster string
		alone, known          bool
	}{
		{"ASIAEXAMPLE000000001", "203.0.113.1", prod, false, true},
		{"ASIAEXAMPLE000000001", "198.51.100.9", prod, true, true},
		{"ASIAEXAMPLE000000001", "192.0.2.1", prod, true, true},
		{"ASIAEXAMPLE000000004", "198.51.100.9", test, true, false},
	}
	random := rand.New(rand.NewPCG(2, 2))
	for range 20 {
		random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		g := New(program(t), &Context{}, Options{}, func(finding.Finding) {})
		add(t, g, lines...)
		for _, tt := range tests {
			if alone, known := g.ledger.alone(tt.key, tt.address, []string{tt.cluster}); alone != tt.alone || known != tt.known {
				t.Errorf("%s from %s: alone %v, known %v; want %v, %v", tt.key, tt.address, alone, known, tt.alone, tt.known)
			}
		}
	}
}

// TestKeysAreRestored: what is known of keys goes with the saved state.
func TestKeysAreRestored(t *testing.T) {
	p, known := program(t), &Context{Egress: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}
	g := New(p, known, Options{}, func(finding.Finding) {})
	add(t, g, issueOf(1, "ASIAEXAMPLE000000001", "api-1", "prod"), useOf(1, 1, "ASIAEXAMPLE000000001", "203.0.113.1"))
	var saved bytes.Buffer
	if err := g.Save(&saved); err != nil {
		t.Fatal(err)
	}
	var found []string
	g, err := Restore(&saved, p, known, Options{}, func(f finding.Finding) { found = append(found, f.Message) })
	if err != nil {
		t.Fatal(err)
	}
	add(t, g, useOf(2, 2, "ASIAEXAMPLE000000001", "198.51.100.9"))
	if want := []string{"ASIAEXAMPLE000000001 of pod shop/api-1 from 198.51.100.9"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
}

func TestAgents(t *testing.T) {
	tests := []struct{ text, agent, system string }{
		{"Boto3/1.40.55 md/Botocore#1.40.55 ua/2.1 os/linux#6.1.155 lang/python#3.13.7", "Boto3", "linux"},
		{"Botocore/1.40.55 ua/2.1 os/macos#24.6.0", "Boto3", "macos"},
		{"[aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/windows#11]", "aws-cli", "windows"},
		{"aws-sdk-go-v2/1.41.1 ua/2.1 os/linux lang/go#1.25.7", "aws-sdk-go-v2", "linux"},
		{"aws-sdk-go/1.55.0 (go1.22; darwin; arm64)", "aws-sdk-go", ""},
		{"aws-sdk-java/1.12 Linux/5.10 OpenJDK", "aws-sdk-java", "linux"},
		{"curl", "curl", ""},
		{"athena.amazonaws.com", "", ""},
		{"AWS Internal", "", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		if agent, system := agentOf(tt.text), systemOf(tt.text); agent != tt.agent || system != tt.system {
			t.Errorf("%q: %q on %q, want %q on %q", tt.text, agent, system, tt.agent, tt.system)
		}
	}
}
