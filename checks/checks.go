// Package checks is the knowledge of what can be wrong in a snapshot: one check a file, with its page and its cases
// beside it. How checks run is package check's business; which framework asks for them is package controls'.
package checks

import (
	"embed"
	"strings"

	"drawbridge/internal/check"
)

// All lists every check by its id.
var All = []*check.Check{
	accessEntryClusterAdmin,
	accessEntryExternalAccount,
	accessEntryGhostPrincipal,
	accessEntryGroupPrivileged,
	accessEntryIAMUser,
	accessEntryNodeTypeMismatch,
	accessEntryReadsSecrets,
	accessEntrySessionNameTemplate,
	accessEntrySystemNamespaceWrite,
	accessEntryUnknownPolicy,
	accessEntryWithoutPermissions,
	authenticationModeConfigMap,
	authenticationModeTransitional,
	awsAuthDuplicate,
	awsAuthGhostPrincipal,
	awsAuthIneffective,
	awsAuthInvalid,
	awsAuthMapAccounts,
	awsAuthSessionNameTemplate,
	awsAuthShadowedByAccessEntry,
	awsAuthSystemMasters,
	awsAuthWritable,
	clusterCreatorAdmin,
	clusterEndpointPublic,
	controlPlaneLogNotForwarded,
	controlPlaneLoggingIncomplete,
	iamAttachesPodIdentity,
	iamGrantsClusterAccess,
	irsaDefaultServiceAccount,
	irsaPodIdentityCandidate,
	irsaProviderStale,
	irsaRolePrivileged,
	irsaTrustMismatch,
	irsaTrustWildcardSubject,
	irsaTrustWithoutAudience,
	nodeRolePrivileged,
	nodeRoleReachable,
	oidcIdentityProviderAssociated,
	podIdentityAgentMetricsExposed,
	podIdentityAgentMissing,
	podIdentityAgentUnexpected,
	podIdentityDangling,
	podIdentityDefaultServiceAccount,
	podIdentityPodsPredateAssociation,
	podIdentityRolePrivileged,
	podIdentitySessionTagsDisabled,
	podIdentityShadowsIRSA,
	podIdentitySharedRole,
	podIdentityTargetRole,
	podIdentityTrustUnconditioned,
	podIdentityUnsupportedNode,
	podIdentityWebhookUnexpected,
	rbacAnonymousPrivileged,
	rbacDefaultServiceAccountPrivileged,
	rbacMintsAWSTokens,
	rbacRunsAsAWSIdentity,
	serviceAccountTokenAutomounted,
	trailMissesReadEvents,
	workloadDefaultServiceAccount,
	workloadHostNetworkNearAgent,
	workloadIdentityShared,
	workloadStaticAWSCredentials,
}

//go:embed *.md
var pages embed.FS

// Page returns the Markdown page of a check, or false if there is no such check.
func Page(id string) (string, bool) {
	b, err := pages.ReadFile(strings.ReplaceAll(id, "-", "_") + ".md")
	return string(b), err == nil
}

// ByID finds a check by its id or by one of its aliases, or returns nil.
func ByID(id string) *check.Check {
	for _, c := range All {
		if c.ID == id {
			return c
		}
		for _, alias := range c.Aliases {
			if alias == id {
				return c
			}
		}
	}
	return nil
}
