package detect

import (
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// snapshotCluster is the cluster of the snapshot that an event is about: by ARN, else by name where only one has it, else
// the only cluster there is. It is nil without a snapshot.
func (l *look) snapshotCluster() *access.Cluster {
	if l.ctx.Access == nil {
		return nil
	}
	want := l.Cluster()
	all := l.ctx.Access.Clusters()
	var found *access.Cluster
	for _, c := range all {
		if arn := want.ARN(); arn != "" && arn == c.ARN {
			return c
		}
		if want.Name == c.Name && want.Account == "" {
			if found != nil {
				return nil
			}
			found = c
		}
	}
	if want.Name == "" && len(all) == 1 {
		return all[0]
	}
	return found
}

// snapshotPod is a pod of the snapshot.
func (l *look) snapshotPod(namespace, name string) *model.Pod {
	c := l.snapshotCluster()
	if c == nil {
		return nil
	}
	return l.ctx.pod(c, namespace, name)
}

// Facts is what the snapshot says of a cluster, named by ARN or name; without it only that name is known.
func (c *Context) Facts(name string) finding.Cluster {
	if c.Access != nil {
		for _, k := range c.Access.Clusters() {
			if k.ARN == name || k.Name == name {
				return k.Cluster.Facts()
			}
		}
	}
	parsed := event.ParseCluster(name)
	out := finding.Cluster{Name: parsed.Name, Account: parsed.Account, Region: parsed.Region}
	if parsed.ARN() != "" {
		out.ARN, out.Partition = name, strings.Split(name, ":")[1]
	}
	return out
}
