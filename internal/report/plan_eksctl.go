package report

import (
	"bytes"
	"fmt"
	"io"

	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// The types of eksctl's configuration file (eksctl User Guide, "Config file schema", "EKS Access Entries" and "EKS Pod
// Identity Associations", 2026-11).
type (
	eksctlConfig struct {
		APIVersion   string         `json:"apiVersion"`
		Kind         string         `json:"kind"`
		Metadata     eksctlMetadata `json:"metadata"`
		AccessConfig *eksctlAccess  `json:"accessConfig,omitempty"`
		IAM          *eksctlIAM     `json:"iam,omitempty"`
	}
	eksctlMetadata struct {
		Name   string `json:"name"`
		Region string `json:"region"`
	}
	eksctlAccess struct {
		AccessEntries []eksctlEntry `json:"accessEntries"`
	}
	eksctlEntry struct {
		PrincipalARN       string         `json:"principalARN"`
		Type               string         `json:"type,omitempty"`
		KubernetesGroups   []string       `json:"kubernetesGroups,omitempty"`
		KubernetesUsername string         `json:"kubernetesUsername,omitempty"`
		AccessPolicies     []eksctlPolicy `json:"accessPolicies,omitempty"`
	}
	eksctlPolicy struct {
		PolicyARN   string            `json:"policyARN"`
		AccessScope model.AccessScope `json:"accessScope"`
	}
	eksctlIAM struct {
		PodIdentityAssociations []eksctlAssociation `json:"podIdentityAssociations"`
	}
	eksctlAssociation struct {
		Namespace          string            `json:"namespace"`
		ServiceAccountName string            `json:"serviceAccountName"`
		RoleARN            string            `json:"roleARN"`
		Tags               map[string]string `json:"tags,omitempty"`
		TargetRoleARN      string            `json:"targetRoleARN,omitempty"`
		DisableSessionTags bool              `json:"disableSessionTags,omitzero"`
		Policy             string            `json:"policy,omitempty"`
	}
)

// eksctlTypes are the types of access entries that eksctl documents.
var eksctlTypes = map[string]bool{"": true, model.EntryStandard: true, model.EntryEC2Linux: true, model.EntryEC2Windows: true, model.EntryFargate: true}

func writePlanEksctl(w io.Writer, r *migrate.Result, _ Options) error {
	f, err := newForm(r)
	if err != nil {
		return err
	}
	head := append(f.head("eksctl", eksctlInstead), "",
		"eksctl create accessentry -f FILE, eksctl create podidentityassociation -f FILE. eksctl makes a CloudFormation stack of each",
		"and cannot take over what exists: leave that out of the file you give it.")
	if len(f.clusters) > 1 {
		head = append(head, "", fmt.Sprintf("%d configurations follow, one for each cluster: put each into a file of its own.", len(f.clusters)))
	}
	out := bytes.NewBufferString(hashes(head))
	for i, c := range f.clusters {
		if i > 0 {
			out.WriteString("---\n")
		}
		config, notes := eksctlOf(c)
		out.WriteString(hashes(append([]string{""}, notes...)))
		if err := encodeYAML(out, config); err != nil {
			return err
		}
	}
	_, err = w.Write(out.Bytes())
	return err
}

func eksctlInstead(s planStep) []string {
	if c, ok := s.change.(plan.SetAuthenticationMode); ok {
		name, region := clusterPlace(c.Cluster)
		return []string{plan.Shell("eksctl", "utils", "update-authentication-mode", "--cluster", name, "--region", region, "--authentication-mode", c.Mode)}
	}
	return nil
}

// eksctlOf is the configuration of a cluster, with what is to be said of it.
func eksctlOf(c formCluster) (eksctlConfig, []string) {
	config := eksctlConfig{APIVersion: "eksctl.io/v1alpha5", Kind: "ClusterConfig", Metadata: eksctlMetadata{c.Name, c.Region}}
	notes := []string{"Cluster " + c.label + "."}
	for _, e := range c.entries {
		if !eksctlTypes[e.Type] {
			notes = append(notes, "NOT HERE, because eksctl documents no type "+e.Type+": the access entry of "+e.PrincipalARN+".")
			continue
		}
		if e.exists {
			notes = append(notes, "Exists: the access entry of "+e.PrincipalARN+".")
		}
		if len(e.Tags) > 0 {
			notes = append(notes, "Without its tags, of which eksctl has none: the access entry of "+e.PrincipalARN+".")
		}
		entry := eksctlEntry{PrincipalARN: e.PrincipalARN, Type: e.Type, KubernetesGroups: e.groups, KubernetesUsername: e.username}
		for _, p := range e.policies {
			entry.AccessPolicies = append(entry.AccessPolicies, eksctlPolicy{p.PolicyARN, p.Scope})
		}
		if config.AccessConfig == nil {
			config.AccessConfig = &eksctlAccess{}
		}
		config.AccessConfig.AccessEntries = append(config.AccessConfig.AccessEntries, entry)
	}
	for _, a := range c.associations {
		if a.exists {
			notes = append(notes, "Exists: the association of "+a.Namespace+"/"+a.ServiceAccount+".")
		}
		if config.IAM == nil {
			config.IAM = &eksctlIAM{}
		}
		config.IAM.PodIdentityAssociations = append(config.IAM.PodIdentityAssociations, eksctlAssociation{
			a.Namespace, a.ServiceAccount, a.RoleARN, a.Tags, a.TargetRoleARN, a.DisableSessionTags, string(a.Policy),
		})
	}
	return config, notes
}
