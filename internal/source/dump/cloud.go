package dump

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

func readTrails(p *part, doc *document) error {
	list, err := of[[]struct {
		Name         string `json:"Name"`
		ARN          string `json:"TrailARN"`
		HomeRegion   string `json:"HomeRegion"`
		MultiRegion  bool   `json:"IsMultiRegionTrail"`
		Organization bool   `json:"IsOrganizationTrail"`
	}](doc, "trailList")
	if err != nil {
		return err
	}
	p.listings = append(p.listings, listing{area: model.AreaTrails, truncated: doc.truncated(), loc: doc.loc})
	for _, t := range list {
		// The account in the ARN of an organization's trail is the management account's, wherever the trail is seen.
		account := accountOf(t.ARN)
		if t.Organization {
			account = ""
		}
		p.item(doc, item{area: model.AreaTrails, account: account, key: t.ARN, value: &model.Trail{
			Name: t.Name, ARN: t.ARN, HomeRegion: t.HomeRegion, MultiRegion: t.MultiRegion, Organization: t.Organization,
		}})
	}
	return nil
}

// selectors is what get-event-selectors says of one trail.
type selectors struct {
	basic    []model.EventSelector
	advanced []model.AdvancedSelector
}

func readSelectors(p *part, doc *document) error {
	w, err := whole[struct {
		ARN   string `json:"TrailARN"`
		Basic []struct {
			ReadWriteType    string   `json:"ReadWriteType"`
			ManagementEvents *bool    `json:"IncludeManagementEvents"`
			Excluded         []string `json:"ExcludeManagementEventSources"`
		} `json:"EventSelectors"`
		Advanced []struct {
			Name   string `json:"Name"`
			Fields []struct {
				Field         string   `json:"Field"`
				Equals        []string `json:"Equals"`
				NotEquals     []string `json:"NotEquals"`
				StartsWith    []string `json:"StartsWith"`
				NotStartsWith []string `json:"NotStartsWith"`
				EndsWith      []string `json:"EndsWith"`
				NotEndsWith   []string `json:"NotEndsWith"`
			} `json:"FieldSelectors"`
		} `json:"AdvancedEventSelectors"`
	}](doc)
	if err != nil {
		return err
	}
	s := &selectors{}
	for _, e := range w.Basic {
		s.basic = append(s.basic, model.EventSelector{
			ReadWriteType:    e.ReadWriteType,
			ManagementEvents: e.ManagementEvents == nil || *e.ManagementEvents, // true by default (CloudTrail API, EventSelector, 2026-11)
			ExcludedSources:  sorted(e.Excluded),
		})
	}
	for _, e := range w.Advanced {
		a := model.AdvancedSelector{Name: e.Name}
		for _, f := range e.Fields {
			a.Fields = append(a.Fields, model.FieldSelector(f))
		}
		s.advanced = append(s.advanced, a)
	}
	p.item(doc, item{area: partSelectors, key: w.ARN, value: s})
	return nil
}

// trailStatus is what get-trail-status says of a trail that it does not name.
type trailStatus struct{ logging bool }

func readTrailStatus(p *part, doc *document) error {
	logging, err := of[bool](doc, "IsLogging")
	if err == nil {
		p.item(doc, item{area: partStatus, value: &trailStatus{logging}})
	}
	return err
}

// readLogGroups keeps the log groups of control planes, /aws/eks/NAME/cluster (EKS User Guide, "Send control plane logs to
// CloudWatch Logs", 2026-11).
func readLogGroups(p *part, doc *document) error {
	list, err := of[[]struct {
		Name      string `json:"logGroupName"`
		ARN       string `json:"logGroupArn"`
		ARNStar   string `json:"arn"`
		Retention int    `json:"retentionInDays"`
	}](doc, "logGroups")
	if err != nil {
		return err
	}
	l := listing{area: model.AreaLogGroup, truncated: doc.truncated(), loc: doc.loc, other: len(list) == 0}
	for _, g := range list {
		arn := cmp.Or(g.ARN, strings.TrimSuffix(g.ARNStar, ":*"))
		cluster, ok := clusterOfLogGroup(g.Name)
		if !ok {
			l.other = true
			if a, err := iam.ParseARN(arn); err == nil {
				l.region = a.Region
			}
			continue
		}
		r := ref{name: cluster}
		if a, err := iam.ParseARN(arn); err == nil {
			l.region = a.Region
			r.account, r.region, r.partition = a.Account, a.Region, a.Partition
			r.arn = "arn:" + a.Partition + ":eks:" + a.Region + ":" + a.Account + ":cluster/" + cluster
		}
		p.item(doc, item{area: model.AreaLogGroup, cluster: r, key: g.Name, value: &model.LogGroup{Name: g.Name, ARN: arn, RetentionDays: g.Retention}})
	}
	p.listings = append(p.listings, l)
	return nil
}

func clusterOfLogGroup(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "/aws/eks/")
	cluster, end := strings.CutSuffix(rest, "/cluster")
	return cluster, ok && end && cluster != "" && !strings.Contains(cluster, "/")
}

// subscription is a filter on a log group.
type subscription struct{ model.SubscriptionFilter }

func readSubscriptionFilters(p *part, doc *document) error {
	list, err := of[[]struct {
		Group       string `json:"logGroupName"`
		Name        string `json:"filterName"`
		Destination string `json:"destinationArn"`
		Pattern     string `json:"filterPattern"`
	}](doc, "subscriptionFilters")
	if err != nil {
		return err
	}
	l := listing{area: partSubscriptions, truncated: doc.truncated(), loc: doc.loc}
	for _, s := range list {
		cluster, ok := clusterOfLogGroup(s.Group)
		if !ok {
			l.other = true
			continue
		}
		l.cluster = ref{name: cluster} // the command answers for one log group
		p.item(doc, item{area: partSubscriptions, cluster: l.cluster, key: s.Name, value: &subscription{model.SubscriptionFilter{Name: s.Name, DestinationARN: s.Destination, Pattern: s.Pattern}}})
	}
	if !l.other {
		p.listings = append(p.listings, l)
	}
	return nil
}

type wireMetadata struct {
	Tokens   string `json:"HttpTokens"`
	Endpoint string `json:"HttpEndpoint"`
	HopLimit int    `json:"HttpPutResponseHopLimit"`
}

func (m wireMetadata) options() model.MetadataOptions {
	return model.MetadataOptions{HTTPTokens: m.Tokens, HTTPEndpoint: m.Endpoint, HopLimit: m.HopLimit}
}

type wireProfile struct {
	ARN string `json:"Arn"`
}

// instance is an EC2 instance and the clusters that its tags name.
type instance struct {
	*model.Instance
	clusters []string
}

func reservationElement(b *batch, value []byte) error {
	w, err := element[struct {
		Owner     string `json:"OwnerId"`
		Instances []struct {
			ID         string       `json:"InstanceId"`
			Profile    wireProfile  `json:"IamInstanceProfile"`
			PrivateDNS string       `json:"PrivateDnsName"`
			Metadata   wireMetadata `json:"MetadataOptions"`
			Tags       []tag        `json:"Tags"`
			State      struct {
				Name string `json:"Name"`
			} `json:"State"`
		} `json:"Instances"`
	}](value)
	if err != nil {
		return err
	}
	for _, i := range w.Instances {
		if i.ID == "" {
			return errors.New("an instance without InstanceId")
		}
		if i.State.Name == "terminated" || i.State.Name == "shutting-down" {
			continue
		}
		n := instance{Instance: &model.Instance{ID: i.ID, InstanceProfileARN: i.Profile.ARN, PrivateDNS: i.PrivateDNS, MetadataOptions: i.Metadata.options()}}
		for _, t := range i.Tags {
			switch name, ok := strings.CutPrefix(t.Key, "kubernetes.io/cluster/"); {
			case ok:
				n.clusters = append(n.clusters, name)
			case t.Key == "eks:cluster-name" || t.Key == "aws:eks:cluster-name":
				n.clusters = append(n.clusters, t.Value)
			case t.Key == "eks:nodegroup-name":
				n.Nodegroup = t.Value
			}
		}
		slices.Sort(n.clusters)
		n.clusters = slices.Compact(n.clusters)
		place(n.Instance, b.loc)
		b.item(item{area: model.AreaInstances, account: w.Owner, key: i.ID, value: &n})
	}
	return nil
}

func launchTemplateElement(b *batch, value []byte) error {
	w, err := element[struct {
		ID      string `json:"LaunchTemplateId"`
		Name    string `json:"LaunchTemplateName"`
		Version int64  `json:"VersionNumber"`
		Default bool   `json:"DefaultVersion"`
		Data    struct {
			Profile  wireProfile  `json:"IamInstanceProfile"`
			Metadata wireMetadata `json:"MetadataOptions"`
		} `json:"LaunchTemplateData"`
	}](value)
	if err != nil {
		return err
	}
	if w.ID == "" {
		return errors.New("a launch template version without LaunchTemplateId")
	}
	version := strconv.FormatInt(w.Version, 10)
	b.item(item{area: model.AreaLaunchTemplates, key: w.ID + " " + version, value: &model.LaunchTemplate{
		ID: w.ID, Name: w.Name, Version: version, Default: w.Default, InstanceProfileARN: w.Data.Profile.ARN, MetadataOptions: w.Data.Metadata.options(),
	}})
	return nil
}
