package event

import "strings"

// Cluster is an EKS cluster, as far as it is known.
type Cluster struct{ Name, Account, Region string }

// ARN returns the cluster's ARN, "" unless all of it is known.
func (c Cluster) ARN() string {
	if c.Name == "" || c.Account == "" || c.Region == "" {
		return ""
	}
	return "arn:" + partitionOf(c.Region) + ":eks:" + c.Region + ":" + c.Account + ":cluster/" + c.Name
}

// partitionOf tells the partition by a region's name (AWS General Reference, "Amazon Resource Names", 2026-11).
func partitionOf(region string) string {
	for _, p := range [...][2]string{{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-isob-", "aws-iso-b"}, {"us-iso-", "aws-iso"}} {
		if strings.HasPrefix(region, p[0]) {
			return p[1]
		}
	}
	return "aws"
}

// ParseCluster reads a cluster's name, or any ARN of EKS that names one.
func ParseCluster(s string) Cluster {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[2] != "eks" {
		return Cluster{Name: s}
	}
	_, name, _ := strings.Cut(parts[5], "/")
	name, _, _ = strings.Cut(name, "/")
	return Cluster{Name: name, Account: parts[4], Region: parts[3]}
}

// Cluster returns the cluster that the record is about: of an audit event the one whose log it was read from, of a
// CloudTrail record the one that the request names. It is empty where neither tells.
func (e *Event) Cluster() Cluster {
	if e.plane != CloudTrail {
		return e.cluster
	}
	c := Cluster{Account: e.Field(RecipientAccount).String(), Region: e.Field(Region).String()}
	params := e.Field(RequestParameters)
	switch e.Field(EventSource).String() {
	case "eks.amazonaws.com", "eks-auth.amazonaws.com":
		// EKS calls the path's label name, later models clusterName (records of Stratus Red Team, 2026-08).
		for _, key := range [...]string{"name", "clusterName"} {
			if v := params.Find(key).First(); v.Kind() == String {
				c.Name = v.String()
				return c
			}
		}
		if v := params.Find("resourceArn").First(); v.Kind() == String {
			return ParseCluster(v.String())
		}
	case "sts.amazonaws.com":
		// The session tags of Pod Identity (EKS User Guide, "Grant Pods access to AWS resources based on tags", 2026-11).
		for tag := range params.Find("tags").All() {
			switch value := tag.Find("value").First().String(); tag.Find("key").First().String() {
			case "eks-cluster-arn":
				return ParseCluster(value)
			case "eks-cluster-name":
				c.Name = value
			}
		}
		if c.Name != "" {
			return c
		}
	}
	return Cluster{}
}
