package kube

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	lab "drawbridge/internal/lab/kube"
)

// BenchmarkCollect reads 5,000 pods of 2,000 service accounts from a real API server and reports, besides the time, the
// highest heap while reading and the heap that the cluster takes afterwards:
//
//	go test -run '^$' -bench Collect -benchtime 5x ./internal/source/kube
func BenchmarkCollect(b *testing.B) {
	c := lab.New(b, lab.Options{})
	populate(b, c, 5000, 2000)
	config := configOf(b, c, "admin", "system:masters")
	var peak, kept float64
	for b.Loop() {
		b.StopTimer()
		debug.FreeOSMemory()
		before := heap()
		stop := watchHeap()
		b.StartTimer()
		cluster, gaps, err := Collect(b.Context(), config, Options{})
		b.StopTimer()
		peak = max(peak, stop()-before)
		if err != nil || len(gaps) > 0 || len(cluster.Pods) != 5000 || len(cluster.ServiceAccounts) != 2000 {
			b.Fatal(err, gaps, len(cluster.Pods), len(cluster.ServiceAccounts))
		}
		runtime.GC()
		kept = max(kept, heap()-before)
		runtime.KeepAlive(cluster)
		b.StartTimer()
	}
	b.ReportMetric(peak/1e6, "peak-MB")
	b.ReportMetric(kept/1e6, "kept-MB")
}

// heap is what the heap holds, live and not yet collected, in bytes.
func heap() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64())
}

// watchHeap looks at the heap every millisecond until the function that it returns is called, which gives the maximum.
func watchHeap() func() float64 {
	done, highest := make(chan struct{}), make(chan float64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		var most float64
		for {
			select {
			case <-tick.C:
				most = max(most, heap())
			case <-done:
				highest <- max(most, heap())
				return
			}
		}
	}()
	return func() float64 { close(done); return <-highest }
}

// populate makes pods as they are after the webhooks of EKS: with IRSA's and Kubernetes' tokens, some environment and
// the owner that a Deployment gives them.
func populate(b *testing.B, c *lab.Cluster, pods, accounts int) {
	b.Helper()
	ctx := b.Context()
	const namespaces = 20
	var g errgroup.Group
	g.SetLimit(16)
	for i := range namespaces {
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("team-", i)}}
		if _, err := c.Admin.CoreV1().Namespaces().Create(ctx, n, metav1.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	for i := range accounts {
		g.Go(func() error {
			s := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
				Name:        fmt.Sprint("app-", i),
				Annotations: map[string]string{"eks.amazonaws.com/role-arn": fmt.Sprint("arn:aws:iam::111122223333:role/app-", i)},
			}}
			_, err := c.Admin.CoreV1().ServiceAccounts(fmt.Sprint("team-", i%namespaces)).Create(ctx, s, metav1.CreateOptions{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	for i := range pods {
		g.Go(func() error {
			_, err := c.Admin.CoreV1().Pods(fmt.Sprint("team-", i%accounts%namespaces)).Create(ctx, pod(i, i%accounts), metav1.CreateOptions{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

func pod(i, account int) *corev1.Pod {
	yes, seconds := true, int64(86400)
	token := func(name, audience string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience, Path: "token", ExpirationSeconds: &seconds}},
		}}}}
	}
	container := func(name string) corev1.Container {
		c := corev1.Container{
			Name: name, Image: fmt.Sprintf("111122223333.dkr.ecr.us-east-1.amazonaws.com/%s-%d:v1.2.3", name, account),
			Args:      []string{"serve", "--config=/etc/app/config.yaml", "--verbose"},
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: quantity.MustParse("100m"), corev1.ResourceMemory: quantity.MustParse("128Mi")}},
			VolumeMounts: []corev1.VolumeMount{
				{Name: "aws-iam-token", MountPath: "/var/run/secrets/eks.amazonaws.com/serviceaccount", ReadOnly: true},
				{Name: "kube-api-access", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true},
			},
		}
		for v := range 12 {
			c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprint("SETTING_", v), Value: fmt.Sprintf("the value of setting %d of app %d", v, account)})
		}
		return c
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:        fmt.Sprintf("app-%d-5d4f8c7b9-%05d", account, i),
			Labels:      map[string]string{"app.kubernetes.io/name": fmt.Sprint("app-", account), "app.kubernetes.io/managed-by": "Helm", "pod-template-hash": "5d4f8c7b9"},
			Annotations: map[string]string{"prometheus.io/scrape": "true", "checksum/config": fmt.Sprintf("%064x", i)},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: fmt.Sprintf("app-%d-5d4f8c7b9", account),
				UID: "00000000-0000-0000-0000-000000000001", Controller: &yes, BlockOwnerDeletion: &yes,
			}},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: fmt.Sprint("app-", account),
			NodeName:           fmt.Sprintf("ip-10-0-%d-%d.ec2.internal", i%250/16, i%16),
			InitContainers:     []corev1.Container{container("setup")},
			Containers:         []corev1.Container{container("web"), container("sidecar")},
			Volumes:            []corev1.Volume{token("aws-iam-token", "sts.amazonaws.com"), token("kube-api-access", "")},
		},
	}
}
