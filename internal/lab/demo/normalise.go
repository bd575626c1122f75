package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/model"
)

// createdAnnotation is when a pod was made, as RFC 3339: in the lab every pod is minutes old. It stands in pod templates,
// is obeyed by the webhook and by normalise, and never gets into a snapshot.
const createdAnnotation = "lab.drawbridge/created"

// podAge is how old pods are that say nothing.
const podAge = 52 * time.Hour

// normalise replaces what a real API server makes up anew in every run: creation times, UIDs, the resource version of
// aws-auth, the random parts of pods' names and of their token volumes. Objects become as old as their cluster, pods as
// podTimes says; everything else is made from names, so that the same seed gives the same snapshot. No check looks at
// any of it but at the age of pods and of what AWS dates.
func normalise(c *model.Cluster, created time.Time, pods map[string]time.Time) {
	for _, p := range c.Pods {
		p.Created = pods[p.Namespace+"/"+p.Name]
		p.Started = p.Created.Add(9 * time.Second)
	}
	renamePods(c)
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Kind() == reflect.Slice:
			for j := range f.Len() {
				normaliseMeta(c.Name, created, f.Index(j))
			}
		case f.Kind() == reflect.Pointer && !f.IsNil():
			normaliseMeta(c.Name, created, f)
		}
	}
	if c.AWSAuth != nil {
		c.AWSAuth.ResourceVersion = "1"
	}
}

// normaliseMeta gives an object of Kubernetes the UID and the time that its names ask for.
func normaliseMeta(cluster string, created time.Time, object reflect.Value) {
	if object.Kind() != reflect.Pointer || object.Elem().Kind() != reflect.Struct {
		return
	}
	field := object.Elem().FieldByName("Meta")
	if !field.IsValid() {
		return
	}
	meta := field.Addr().Interface().(*model.Meta)
	kind := object.Elem().Type().Name()
	meta.UID = uid(cluster, kind, meta.Namespace, meta.Name)
	if kind != "Pod" {
		meta.Created = created.Add(time.Hour)
	}
}

// renamePods gives pods of the same owner names that tell them apart by their nodes, as these are what differs.
func renamePods(c *model.Cluster) {
	slices.SortFunc(c.Pods, func(a, b *model.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.NodeName, b.NodeName), cmp.Compare(a.Name, b.Name))
	})
	seen := map[string]int{}
	for _, p := range c.Pods {
		kind, owner, _ := strings.Cut(p.Owner, "/")
		if kind == "replicaset" || kind == "daemonset" {
			key := p.Namespace + "/" + p.Owner
			p.Name = owner + "-" + suffix(c.Name, key, fmt.Sprint(seen[key]))
			seen[key]++
		}
		renameTokenVolume(p, "kube-api-access-"+suffix(c.Name, p.Namespace, p.Name))
	}
	slices.SortFunc(c.Pods, func(a, b *model.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

func renameTokenVolume(p *model.Pod, name string) {
	for i := range p.Volumes {
		if strings.HasPrefix(p.Volumes[i].Name, "kube-api-access-") {
			p.Volumes[i].Name = name
		}
	}
	for _, k := range p.Containers {
		for i := range k.Mounts {
			if strings.HasPrefix(k.Mounts[i].Volume, "kube-api-access-") {
				k.Mounts[i].Volume = name
			}
		}
	}
}

func hash(parts ...string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(parts, "\x00")))
}

// suffix makes the five letters at the end of a generated name, in Kubernetes' alphabet.
func suffix(parts ...string) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	sum := hash(parts...)
	b := make([]byte, 5)
	for i := range b {
		b[i] = alphabet[int(sum[i])%len(alphabet)]
	}
	return string(b)
}

func uid(parts ...string) string {
	h := fmt.Sprintf("%x", hash(parts...))
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
}
