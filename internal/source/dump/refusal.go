package dump

import (
	"fmt"
	"regexp"
	"strings"

	"drawbridge/internal/model"
)

var (
	// awsError is what the AWS command line prints when a call fails (aws-cli, awscli/errorhandler.py, 2026-08).
	awsError = regexp.MustCompile(`^\s*(?:aws: \[ERROR\]: )?An error occurred \((\w+)\) when calling the (\w+) operation`)
	// kubeError is what kubectl prints when the API server refuses.
	kubeError = regexp.MustCompile(`^\s*Error from server \((\w+)\): ([^\n]*)`)
	// resourceIn finds the resource in such a refusal.
	resourceIn = regexp.MustCompile(`resource "(\w+)"|^(\w+)[ .]`)
)

// refusal recognises the error that a command printed where its answer should be, as `… > file 2>&1` keeps it, and says
// which areas the answer would have told. It returns nil for every other text.
func refusal(head []byte) (areas []model.Area, err error) {
	if m := awsError.FindSubmatch(head); m != nil {
		return areasOfOperation(string(m[2])), fmt.Errorf("AWS answered %s with %s", m[2], m[1])
	}
	if m := kubeError.FindSubmatch(head); m != nil {
		return areasOfResource(string(m[2])), fmt.Errorf("the Kubernetes API answered with %s", m[1])
	}
	return nil, nil
}

// noOrganization recognises the error by which AWS says that an account is in no organization.
func noOrganization(head []byte) bool {
	m := awsError.FindSubmatch(head)
	return m != nil && string(m[1]) == "AWSOrganizationsNotInUseException"
}

// areasOfOperation are the areas that an operation of AWS tells: ListAccessEntries is list-access-entries.
func areasOfOperation(operation string) []model.Area {
	for _, a := range answers {
		_, command, _ := strings.Cut(a.command, " ")
		if strings.EqualFold(strings.ReplaceAll(command, "-", ""), operation) {
			if strings.HasPrefix(a.command, "iam get-account") {
				return iamAreas
			}
			return a.areas
		}
	}
	return nil
}

// areasOfResource are the areas of the resource that a message of the Kubernetes API names.
func areasOfResource(message string) []model.Area {
	for _, m := range resourceIn.FindAllStringSubmatch(message, 10) {
		for _, k := range append(kubeKinds, kubeKind{kind: "ConfigMap"}) {
			if plural := strings.ToLower(k.kind); m[1]+m[2] == plural+"s" || m[1]+m[2] == plural+"es" || strings.TrimSuffix(plural, "y")+"ies" == m[1]+m[2] {
				return areasOfKind(k.kind)
			}
		}
	}
	return nil
}
