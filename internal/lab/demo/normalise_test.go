package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/model"
)

// TestNormalise wants two runs that differ in what an API server makes up to become the same cluster.
func TestNormalise(t *testing.T) {
	run := func(names [2]string, volume, uid string, at time.Time) *model.Cluster {
		pod := func(name, node string) *model.Pod {
			return &model.Pod{
				Meta: model.Meta{Namespace: "shop", Name: name, UID: uid + name, Owner: "replicaset/cart-5d4", Created: at},
				PodSpec: model.PodSpec{
					NodeName: node, Volumes: []model.Volume{{Name: "kube-api-access-" + volume}, {Name: "data"}},
					Containers: []model.Container{{Name: "cart", Mounts: []model.Mount{{Volume: "kube-api-access-" + volume}, {Volume: "data"}}}},
				},
				Started: at,
			}
		}
		c := &model.Cluster{
			Name: "legacy", Pods: []*model.Pod{pod(names[0], "node-a"), pod(names[1], "node-b")},
			Namespaces: []*model.Namespace{{Meta: model.Meta{Name: "shop", UID: uid, Created: at}}},
			AWSAuth:    &model.AWSAuth{Meta: model.Meta{Name: "aws-auth", UID: uid}, ResourceVersion: uid},
		}
		normalise(c, date(2021, 3, 9), map[string]time.Time{"shop/" + names[0]: date(2026, 10, 6), "shop/" + names[1]: date(2026, 10, 6)})
		return c
	}
	first := run([2]string{"cart-5d4-aaaaa", "cart-5d4-zzzzz"}, "x7k2p", "1", now)
	second := run([2]string{"cart-5d4-mmmmm", "cart-5d4-bbbbb"}, "q9w8e", "2", now.Add(time.Hour))
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("two runs differ (-first +second):\n%s", d)
	}
	a, b := first.Pods[0], first.Pods[1]
	if a.Name == b.Name || a.UID == b.UID || a.Volumes[0].Name != a.Containers[0].Mounts[0].Volume || a.Volumes[1].Name != "data" {
		t.Errorf("pods %+v and %+v: want names, UIDs and token volumes of their own", a, b)
	}
	if a.Created != date(2026, 10, 6) || first.Namespaces[0].Created.Year() != 2021 {
		t.Errorf("pod made %s, namespace %s: want the annotation's time and the cluster's", a.Created, first.Namespaces[0].Created)
	}
}
