package aws

import (
	"slices"

	"drawbridge/internal/lab/aws/wire"
)

// labAuthority stands for a certificate where nobody gave one: base64 of "lab". The AWS half has no API
// server to vouch for.
const labAuthority = "bGFi"

type authorityInput struct {
	ClusterName            string `json:"clusterName"`
	CertificateAuthorityID string `json:"certificateAuthorityId"`
	ClientRequestToken     string `json:"clientRequestToken"`
}

type authoritySummary struct {
	ID                 string     `json:"id"`
	CreatedAt          *wire.Time `json:"createdAt,omitempty"`
	CreatedBy          string     `json:"createdBy,omitempty"`
	ActivatedAt        *wire.Time `json:"activatedAt,omitempty"`
	ActivatedBy        string     `json:"activatedBy,omitempty"`
	SigningStatus      string     `json:"signingStatus,omitempty"`
	DistributionStatus string     `json:"distributionStatus,omitempty"`
}

func (a *CertificateAuthority) summary() authoritySummary {
	return authoritySummary{a.ID, a.CreatedAt, a.CreatedBy, a.ActivatedAt, a.ActivatedBy, a.SigningStatus, a.DistributionStatus}
}

type listAuthoritiesOutput struct {
	CertificateAuthorities []authoritySummary `json:"certificateAuthorities"`
	NextToken              string             `json:"nextToken,omitempty"`
}

func listCertificateAuthorities(c *call, in *listInput) (listAuthoritiesOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return listAuthoritiesOutput{}, err
	}
	all := []authoritySummary{}
	for _, a := range cluster.authorities {
		all = append(all, a.summary())
	}
	items, next, err := page(c, all, in.ClusterName, in.NextToken, in.MaxResults, eksPages)
	return listAuthoritiesOutput{items, next}, err
}

type authorityOutput struct {
	CertificateAuthority CertificateAuthority `json:"certificateAuthority"`
}

type authorityUpdateOutput struct {
	CertificateAuthority authoritySummary `json:"certificateAuthority"`
	Update               Update           `json:"update"`
}

func (c *call) authority(in *authorityInput) (*clusterState, *CertificateAuthority, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range cluster.authorities {
		if a.ID == in.CertificateAuthorityID {
			return cluster, a, nil
		}
	}
	return nil, nil, refuse("ResourceNotFoundException", "No certificate authority found for id: %s", in.CertificateAuthorityID)
}

func describeCertificateAuthority(c *call, in *authorityInput) (authorityOutput, error) {
	_, a, err := c.authority(in)
	if err != nil {
		return authorityOutput{}, err
	}
	return authorityOutput{*a}, nil
}

// createCertificateAuthority appends the successor; a cluster has two authorities at most
// (CreateCertificateAuthority, EKS API Reference, 2026-11).
func createCertificateAuthority(c *call, in *authorityInput) (authorityUpdateOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return authorityUpdateOutput{}, err
	}
	if err := cluster.settled(); err != nil {
		return authorityUpdateOutput{}, err
	}
	if len(cluster.authorities) >= 2 {
		return authorityUpdateOutput{}, refuse("InvalidRequestException", "Cluster %s has a successor certificate authority", in.ClusterName)
	}
	a := &CertificateAuthority{
		ID: c.srv.uuid("authority", cluster.ARN), CreatedAt: c.time(), CreatedBy: "CUSTOMER", SigningStatus: "NOT_USED",
		DistributionStatus: "IN_PROGRESS", Data: labAuthority,
	}
	cluster.authorities = append(cluster.authorities, a)
	out := authorityUpdateOutput{CertificateAuthority: a.summary()}
	out.Update = cluster.update(c, "", change{"CertificateAuthorityUpdate", nil, func() { a.DistributionStatus = "COMPLETE" }}, &cluster.Status)
	return out, nil
}

// activateCertificateAuthority makes the successor the signer and retires the other.
func activateCertificateAuthority(c *call, in *authorityInput) (authorityUpdateOutput, error) {
	cluster, a, err := c.authority(in)
	if err != nil {
		return authorityUpdateOutput{}, err
	}
	if err := cluster.settled(); err != nil {
		return authorityUpdateOutput{}, err
	}
	if a.DistributionStatus != "COMPLETE" || a.SigningStatus != "NOT_USED" {
		return authorityUpdateOutput{}, refuse("InvalidRequestException", "The certificate authority is %s and its distribution %s", a.SigningStatus, a.DistributionStatus)
	}
	a.SigningStatus = "ACTIVATING"
	out := authorityUpdateOutput{CertificateAuthority: a.summary()}
	out.Update = cluster.update(c, "", change{"CertificateAuthorityUpdate", nil, func() {
		for _, other := range cluster.authorities {
			other.SigningStatus = "NOT_USED"
		}
		a.SigningStatus, a.ActivatedAt, a.ActivatedBy = "IN_USE", c.time(), "CUSTOMER"
		cluster.CertificateAuthority = &Certificate{Data: a.Data, Active: &ActiveAuthority{a.ID, "CUSTOMER"}}
	}}, &cluster.Status)
	return out, nil
}

func deleteCertificateAuthority(c *call, in *authorityInput) (authorityUpdateOutput, error) {
	cluster, a, err := c.authority(in)
	if err != nil {
		return authorityUpdateOutput{}, err
	}
	if err := cluster.settled(); err != nil {
		return authorityUpdateOutput{}, err
	}
	if a.SigningStatus != "NOT_USED" {
		return authorityUpdateOutput{}, refuse("InvalidRequestException", "The certificate authority is %s", a.SigningStatus)
	}
	a.DistributionStatus = "DELETING"
	out := authorityUpdateOutput{CertificateAuthority: a.summary()}
	out.Update = cluster.update(c, "", change{"CertificateAuthorityUpdate", nil, func() {
		cluster.authorities = slices.DeleteFunc(cluster.authorities, func(o *CertificateAuthority) bool { return o == a })
	}}, &cluster.Status)
	return out, nil
}
