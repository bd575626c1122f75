package graph

import (
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// What it costs others to take a grant away: nothing else is known than how much it serves, so that what one identity loses
// counts less than what many lose, and closing a hole less than taking a right away. The numbers only order.
const (
	costSubject     = 2 // a subject of a binding; a whole binding costs one more than it has subjects
	costHardening   = 2 // a setting that nobody should miss
	costAssociation = 3 // the role of a workload
	costStatement   = 3 // a statement of an IAM policy
	costTrust       = 3
	costEntry       = 4 // somebody's way into a cluster
)

func removeBinding(bind *model.Binding) Removal {
	s := bind.Subject()
	return Removal{Object: s, Text: fmt.Sprintf("delete %s, which gives %s %s to %d subjects", s, bind.RoleRef.Kind, bind.RoleRef.Name, len(bind.Subjects))}
}

func removeSubject(bind *model.Binding, of *rbacv1.Subject) Removal {
	s := bind.Subject()
	if len(bind.Subjects) == 1 {
		return Removal{Object: s, Text: fmt.Sprintf("delete %s, which gives %s %s to %s", s, bind.RoleRef.Kind, bind.RoleRef.Name, access.SubjectText(*of))}
	}
	return Removal{Object: s, Text: fmt.Sprintf("take %s out of %s, which gives it %s %s", access.SubjectText(*of), s, bind.RoleRef.Kind, bind.RoleRef.Name)}
}
