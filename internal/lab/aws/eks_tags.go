package aws

import "maps"

type tagsInput struct {
	ResourceARN string            `json:"resourceArn"`
	Tags        map[string]string `json:"tags"`
	TagKeys     []string          `json:"tagKeys"`
}

type tagsOutput struct {
	Tags map[string]string `json:"tags"`
}

// tagsOf finds the tags of anything in the region's EKS by its ARN.
func (c *call) tagsOf(arn string) (*map[string]string, error) {
	for _, cluster := range c.reg.eks {
		if cluster.ARN == arn {
			return &cluster.Tags, nil
		}
		for _, e := range cluster.entries {
			if e.AccessEntryARN == arn {
				return &e.Tags, nil
			}
		}
		for _, a := range cluster.associations {
			if a.AssociationARN == arn {
				return &a.Tags, nil
			}
		}
		for _, n := range cluster.nodegroups {
			if n.NodegroupARN == arn {
				return &n.Tags, nil
			}
		}
		for _, f := range cluster.fargate {
			if f.FargateProfileARN == arn {
				return &f.Tags, nil
			}
		}
		for _, a := range cluster.addons {
			if a.AddonARN == arn {
				return &a.Tags, nil
			}
		}
		for _, k := range cluster.capabilities {
			if k.ARN == arn {
				return &k.Tags, nil
			}
		}
	}
	return nil, refuse("NotFoundException", "Resource not found: %s", arn)
}

func listTagsForResource(c *call, in *tagsInput) (tagsOutput, error) {
	tags, err := c.tagsOf(in.ResourceARN)
	if err != nil {
		return tagsOutput{}, err
	}
	return tagsOutput{*tags}, nil
}

func tagResource(c *call, in *tagsInput) (none, error) {
	tags, err := c.tagsOf(in.ResourceARN)
	if err != nil {
		return none{}, err
	}
	next := maps.Clone(*tags)
	if next == nil {
		next = map[string]string{}
	}
	maps.Copy(next, in.Tags)
	if len(next) > 50 {
		return none{}, refuse("BadRequestException", "A resource has at most 50 tags")
	}
	*tags = next
	return none{}, nil
}

func untagResource(c *call, in *tagsInput) (none, error) {
	tags, err := c.tagsOf(in.ResourceARN)
	if err != nil {
		return none{}, err
	}
	next := maps.Clone(*tags)
	for _, key := range in.TagKeys {
		delete(next, key)
	}
	*tags = next
	return none{}, nil
}
