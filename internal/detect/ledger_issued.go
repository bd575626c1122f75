package detect

import (
	"cmp"
	"slices"
	"strings"

	"drawbridge/internal/event"
)

// issuedFields are about the access key that an event of STS hands out.
var issuedFields = []enrichment{
	{
		Name: "drawbridge.issued.workload", Text: "the service account that STS issues a key to: namespace/name", Planes: onCloudTrail,
		Of: func(l *look) []string {
			if is := l.issued(); is != nil && is.ServiceAccount != "" {
				return some(is.Namespace + "/" + is.ServiceAccount)
			}
			return nil
		},
	},
	{
		Name: "drawbridge.issued.namespace", Text: "namespace of the pod that STS issues a key to", Planes: onCloudTrail,
		Of: func(l *look) []string { return ofIssued(l, func(is *issue) string { return is.Namespace }) },
	},
	{
		Name: "drawbridge.issued.service_account", Text: "name of the service account that STS issues a key to", Planes: onCloudTrail,
		Of: func(l *look) []string { return ofIssued(l, func(is *issue) string { return is.ServiceAccount }) },
	},
	{
		Name: "drawbridge.issued.pod", Text: "that pod's name", Planes: onCloudTrail,
		Of: func(l *look) []string { return ofIssued(l, func(is *issue) string { return is.Pod }) },
	},
	{
		Name: "drawbridge.issued.first_use", Text: "what the key that STS issues was used for first, and from where; absent until nothing more can tell", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string {
			if !l.final {
				return nil
			}
			f := l.ledger.Keys.get(l.Find(pathIssuedKey).First().String())
			if f == nil || len(f.Uses) == 0 {
				return nil
			}
			u := &f.Uses[0]
			return some(u.Action + " from " + u.Address + " at " + stamp(u.First.At))
		},
	},
	{
		Name: "drawbridge.issued.node", Text: "node of the pod that STS issues a key to", Planes: onCloudTrail, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return ofIssued(l, l.nodeOfPod) },
	},
	{
		Name: "drawbridge.issued.other_callers", Text: "who asked EKS Auth for credentials about when STS issued a pod's key, if none of them is the pod's node; absent until nothing more can tell",
		Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: otherCallers,
	},
}

// issued is the issue of a key that the event tells of, and nil if it is none.
func (l *look) issued() *issue {
	if !l.Field(event.EventSource).Is("sts.amazonaws.com") {
		return nil
	}
	f := l.ledger.Keys.get(l.Find(pathIssuedKey).First().String())
	if f == nil || f.Issue == nil {
		return nil
	}
	return f.Issue
}

func ofIssued(l *look, text func(*issue) string) []string {
	if is := l.issued(); is != nil {
		return some(text(is))
	}
	return nil
}

// nodeOfPod is the node of the pod that a key was issued to: by the pod's uid only, because names are used again.
func (l *look) nodeOfPod(is *issue) string {
	if is.PodUID == "" {
		return ""
	}
	if p := l.ledger.podOf(is.PodUID); p != nil && p.Node != "" {
		return p.Node
	}
	if c := l.snapshotOf(is.Cluster); c != nil {
		if p := l.ctx.pod(c, is.Namespace, is.Pod); p != nil && p.UID == is.PodUID {
			return p.NodeName
		}
	}
	return ""
}

func otherCallers(l *look) []string {
	is := l.issued()
	if is == nil || is.Via != viaPodIdentity || !l.final {
		return nil
	}
	home := l.instanceNamed(is.Cluster, l.nodeOfPod(is))
	callers := l.ledger.callers(is.Cluster, l.Time())
	if home == "" || len(callers) == 0 || slices.ContainsFunc(callers, func(c caller) bool { return c.Instance == home }) {
		return nil
	}
	var who []string
	for _, c := range callers {
		who = append(who, cmp.Or(c.Instance, c.Who))
	}
	slices.Sort(who)
	return some(strings.Join(slices.Compact(who), ", "))
}

// agentOf is the program that a user agent begins with, without its version: empty for AWS services, which act for
// whoever has the key, and for one that says nothing. The SDKs write NAME/VERSION first (AWS SDKs and Tools Reference Guide,
// "User agent", 2026-11).
func agentOf(s string) string {
	s = strings.TrimPrefix(s, "[")
	name, _, _ := strings.Cut(s, "/")
	name, _, _ = strings.Cut(name, " ")
	name = strings.TrimSuffix(name, "]")
	if strings.HasSuffix(name, ".amazonaws.com") || name == "AWS" {
		return ""
	}
	// Boto3 and the Botocore below it are one program.
	if strings.EqualFold(name, "botocore") {
		return "Boto3"
	}
	return name
}

// systemOf is the operating system of a user agent of the AWS SDKs, which write os/NAME, or older ones NAME/VERSION; empty
// where it names none.
func systemOf(s string) string {
	s = strings.ToLower(s)
	for _, known := range [...]struct{ sign, name string }{
		{"os/linux", "linux"},
		{"os/macos", "macos"},
		{"os/windows", "windows"},
		{"os/android", "android"},
		{"os/ios", "ios"},
		{"md/goos#linux", "linux"},
		{"md/goos#darwin", "macos"},
		{"md/goos#windows", "windows"},
		{" linux/", "linux"},
		{" darwin/", "macos"},
		{" windows/", "windows"},
	} {
		if strings.Contains(s, known.sign) {
			return known.name
		}
	}
	return ""
}
