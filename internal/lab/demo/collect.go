package main

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	lab "drawbridge/internal/lab/aws"
	labkube "drawbridge/internal/lab/kube"
	"drawbridge/internal/model"
	"drawbridge/internal/source/aws"
	"drawbridge/internal/source/kube"
)

const (
	org     = "111122223333" // the organisation's account
	partner = "444455556666" // a company that it works with; nobody reads this account
	region  = "us-east-1"
)

// now is the time of the snapshot.
var now = lab.Epoch

// cluster is the seed of one cluster.
type cluster struct {
	name    string
	created time.Time
	// aws seeds what AWS holds about it.
	aws func(*lab.Account, *lab.Region)
	// associations are seeded into EKS and obeyed by the pod identity webhook.
	associations []lab.PodIdentityAssociation
	nodes        []nodeGroup
	// eks is what EKS installs, without nodes; manifests is what people deployed.
	eks       labkube.EKS
	manifests string
	// change alters what EKS installed before the first pod is made; tamper does so after the last one.
	change, tamper func(context.Context, *labkube.Cluster) error
}

// fleet are the clusters, in the order in which they are collected.
func fleet() []cluster { return []cluster{legacy(), transition(), platform()} }

// collect seeds the lab, one API server after the other, and reads it as `drawbridge collect` does.
func collect(ctx context.Context) (*model.Snapshot, error) {
	srv := lab.New(lab.Options{Clock: func() time.Time { return now }, Seed: "demo"})
	stop, err := srv.Listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer stop()
	account := srv.Account(org, "aws")
	at := account.Region(region)
	seedAccount(account)
	var parts []*model.Snapshot
	for _, c := range fleet() {
		c.aws(account, at)
		for _, a := range c.associations {
			at.PutPodIdentityAssociation(a)
		}
		for _, i := range c.instances() {
			at.PutInstance(i)
		}
	}
	read, err := awsHalf(ctx, srv)
	if err != nil {
		return nil, err
	}
	parts = append(parts, read...)
	for _, c := range fleet() {
		half, err := kubeHalf(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", c.name, err)
		}
		half.Clusters[0].ARN = "arn:aws:eks:" + region + ":" + org + ":cluster/" + c.name
		parts = append(parts, half)
	}
	if defects := srv.Defects(); len(defects) > 0 {
		return nil, fmt.Errorf("the lab has defects: %v", defects)
	}
	s := model.Merge(parts...)
	s.Time, s.Tool = now, "drawbridge demo"
	return s, nil
}

// awsHalf reads the account twice. The first time one call is refused, so that the demo shows what could not be assessed;
// the second time it is not, but one cluster is left out, so that the gap remains for that one.
func awsHalf(ctx context.Context, srv *lab.Server) ([]*model.Snapshot, error) {
	options := aws.Options{
		Regions: []string{region},
		Now:     func() time.Time { return now },
		Config: func(_ context.Context, r string) (awssdk.Config, error) {
			return srv.ConfigAs("arn:aws:sts::"+org+":assumed-role/security-audit/drawbridge", r), nil
		},
	}
	all, most := options, options
	all.AllClusters = true
	most.Clusters = []string{"legacy", "transition"}
	srv.Deny("logs:DescribeLogGroups")
	first, err := aws.Collect(ctx, all)
	if err != nil {
		return nil, err
	}
	srv.Allow()
	second, err := aws.Collect(ctx, most)
	return []*model.Snapshot{first, second}, err
}

// kubeHalf runs the cluster's API server, deploys what is on it, and reads it.
func kubeHalf(ctx context.Context, c cluster) (*model.Snapshot, error) {
	run, err := start(ctx, c)
	if err != nil {
		return nil, err
	}
	defer run.Stop()
	config, err := run.Config("reader", "system:masters")
	if err != nil {
		return nil, err
	}
	created, err := run.podTimes(ctx)
	if err != nil {
		return nil, err
	}
	m, gaps, err := kube.Collect(ctx, config, kube.Options{Cluster: c.name})
	if err != nil {
		return nil, err
	}
	normalise(m, c.created, created)
	return &model.Snapshot{Time: now, Clusters: []*model.Cluster{m}, Gaps: gaps}, nil
}

// date is a morning in UTC.
func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 8, 0, 0, 0, time.UTC)
}
