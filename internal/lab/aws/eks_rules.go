package aws

import (
	"encoding/json"
	"slices"
	"strings"
)

// The types of access entries (EKS User Guide, "Create access entries"; CreateAccessEntry, 2026-11).
const (
	typeStandard = "STANDARD"
	typeEC2      = "EC2"
)

var entryTypes = []string{typeStandard, "FARGATE_LINUX", "EC2_LINUX", "EC2_WINDOWS", typeEC2, "HYBRID_LINUX", "HYPERPOD_LINUX"}

// takesGroups tells whether an entry's groups and username are the caller's to set.
func takesGroups(entryType string) bool { return entryType == typeStandard }

// takesPolicies tells whether access policies may be associated: node types take none, except EC2 of Auto Mode.
func takesPolicies(entryType string) bool { return entryType == typeStandard || entryType == typeEC2 }

// defaultUsername is what EKS writes when the caller gives none. For EC2 and HYPERPOD_LINUX nobody
// publishes it, so it stays empty.
func defaultUsername(entryType, principal string) string {
	p, _ := parsePrincipal(principal)
	switch {
	case entryType == "EC2_LINUX" || entryType == "EC2_WINDOWS":
		return "system:node:{{EC2PrivateDNSName}}"
	case entryType == "FARGATE_LINUX" || entryType == "HYBRID_LINUX":
		return "system:node:{{SessionName}}"
	case entryType != typeStandard:
		return ""
	case p.kind == "role":
		return "arn:" + p.partition + ":sts::" + p.account + ":assumed-role/" + p.name + "/{{SessionName}}"
	}
	return principal
}

// typeGroups are the groups EKS shows for a type; only EC2_LINUX's are known from captures.
func typeGroups(entryType string) []string {
	if entryType == "EC2_LINUX" {
		return []string{"system:nodes"}
	}
	return []string{}
}

var reservedPrefixes = []string{"system:", "eks:", "aws:", "amazon:", "iam:"}

// checkUsername: a username must not start with a reserved prefix, and a session template needs a colon
// before it (EKS User Guide, "Create access entries", 2026-11).
func checkUsername(username string) error {
	for _, prefix := range reservedPrefixes {
		if strings.HasPrefix(username, prefix) {
			return refuse("InvalidParameterException", "The username must not begin with %s", prefix)
		}
	}
	at := strings.Index(username, "{{SessionName")
	if at >= 0 && !strings.Contains(username[:at], ":") {
		return refuse("InvalidParameterException", "The username must have a colon before {{SessionName}}")
	}
	return nil
}

func checkGroups(groups []string) error {
	for _, g := range groups {
		if strings.HasPrefix(g, "system:") {
			return refuse("InvalidParameterException", "The kubernetes group name %s is invalid, it cannot start with system:", g)
		}
	}
	return nil
}

// checkPrincipal: an entry's principal is an IAM user or role that exists and is not service-linked. Of
// accounts that the lab does not have, every principal exists.
func (c *call) checkPrincipal(arn, entryType string) error {
	p, ok := parsePrincipal(arn)
	if !ok || p.service != "iam" || p.partition != c.acct.Partition || !slices.Contains([]string{"user", "role"}, p.kind) {
		return refuse("InvalidParameterException", "The principalArn parameter format is not valid")
	}
	if strings.HasPrefix(p.path, "/aws-service-role/") {
		return refuse("InvalidParameterException", "The principalArn parameter is a service-linked role, which is not supported")
	}
	if entryType != typeStandard && (p.kind != "role" || p.account != c.acct.ID) {
		return refuse("InvalidParameterException", "An access entry of type %s needs an IAM role of the cluster's account", entryType)
	}
	if a, known := c.srv.accounts[p.account]; known && a.iam.uniqueIDOf(p) == "" {
		return refuse("InvalidParameterException", "The specified principalArn is invalid: invalid principal.")
	}
	return nil
}

func checkScope(s AccessScope) error {
	switch {
	case s.Type == "cluster" && len(s.Namespaces) > 0:
		return refuse("InvalidParameterException", "The accessScope of type cluster must not have namespaces")
	case s.Type == "namespace" && len(s.Namespaces) == 0:
		return refuse("InvalidParameterException", "The accessScope of type namespace must have namespaces")
	case s.Type != "cluster" && s.Type != "namespace":
		return refuse("InvalidParameterException", "The accessScope must have a type")
	}
	return nil
}

// usesAccessEntries refuses every access entry call on a CONFIG_MAP cluster.
func (s *clusterState) usesAccessEntries() error {
	if s.mode() == "CONFIG_MAP" {
		return refuse("InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
	}
	return nil
}

func (s *clusterState) mode() string {
	if s.AccessConfig == nil {
		return "CONFIG_MAP"
	}
	return s.AccessConfig.AuthenticationMode
}

// modeSteps: the mode moves forward only, one step at a time (EKS Best Practices Guide, "Identity and
// Access Management"; EKS User Guide, "Change authentication mode", 2026-11).
var modeSteps = map[string]string{"CONFIG_MAP": "API_AND_CONFIG_MAP", "API_AND_CONFIG_MAP": "API"}

// checkAssociation holds the rules that creating and updating a Pod Identity association share.
func (c *call) checkAssociation(a *PodIdentityAssociation) error {
	role, ok := parsePrincipal(a.RoleARN)
	if !ok || role.kind != "role" || role.service != "iam" {
		return refuse("InvalidParameterException", "The roleArn parameter format is not valid")
	}
	if role.account != c.acct.ID {
		return refuse("InvalidParameterException", "The role of an association must be in the cluster's account; use targetRoleArn for another account")
	}
	if err := c.acct.iam.trustsPodIdentity(role); err != nil {
		return err
	}
	if a.TargetRoleARN != "" {
		if t, ok := parsePrincipal(a.TargetRoleARN); !ok || t.kind != "role" {
			return refuse("InvalidParameterException", "The targetRoleArn parameter format is not valid")
		}
	}
	if err := c.pass(a.RoleARN); err != nil || a.Policy == "" {
		return err
	}
	// UpdatePodIdentityAssociation and CreatePodIdentityAssociation, member policy (EKS API Reference, 2026-11).
	if a.DisableSessionTags == nil || !*a.DisableSessionTags {
		return refuse("InvalidParameterException", "A policy requires disableSessionTags to be true")
	}
	if !json.Valid([]byte(a.Policy)) {
		return refuse("InvalidParameterException", "The policy is not a valid JSON document")
	}
	return nil
}
