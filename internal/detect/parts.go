package detect

import "slices"

// Parts are the usernames by which drawbridge.actor.part knows the control plane, and the service accounts in kube-system of
// its controllers: for those who say it in another system's language.
func Parts() (usernames, serviceAccounts []string) {
	return slices.Clone(controlPlane), slices.Clone(controllers)
}
