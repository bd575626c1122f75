package access

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/model"
)

// What hides a gain or loss, or only looks like one.
func TestDiffInCluster(t *testing.T) {
	t.Parallel()
	dev := roleARN("dev")
	row := func(arn, username, group string) map[string]string {
		return map[string]string{"mapRoles": "- {rolearn: '" + arn + "', username: '" + username + "', groups: ['" + group + "']}\n"}
	}
	for name, tc := range map[string]struct {
		before, after func(*world)
		want          []string
	}{
		"system:masters and AmazonEKSClusterAdminPolicy": {
			func(w *world) { w.role("dev", longAgo); w.awsAuth(row(dev, "admin", "system:masters")) },
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "admin")
				w.policy(dev, "AmazonEKSClusterAdminPolicy")
			}, nil,
		},
		"a row that becomes an entry with the same groups": {
			func(w *world) {
				w.role("dev", longAgo)
				w.awsAuth(row(dev, "dev", "devs"))
				w.bind("a", "r", group("devs"))
			},
			func(w *world) { w.role("dev", longAgo); w.entry(dev, "dev", "devs"); w.bind("a", "r", group("devs")) }, nil,
		},
		"another username with the same rules": {
			func(w *world) { w.role("dev", longAgo); w.entry(dev, "x:dev"); w.bind("a", "r", user("x:dev")) },
			func(w *world) { w.role("dev", longAgo); w.entry(dev, "y:dev"); w.bind("a", "r", user("y:dev")) },
			[]string{"+ user:y:dev get on secrets", "- user:x:dev get on secrets"},
		},
		"another group that somebody else's binding names": {
			func(w *world) { w.role("dev", longAgo); w.entry(dev, "dev", "devs"); w.bind("a", "r", group("admins")) },
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "dev", "admins")
				w.bind("a", "r", group("admins"))
			},
			[]string{"+ " + dev + " get on secrets"},
		},
		"an entry goes, and a row of aws-auth comes to count": {
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "dev")
				w.awsAuth(row(dev, "dev", "devs"))
				w.bind("a", "r", group("devs"))
			},
			func(w *world) {
				w.role("dev", longAgo)
				w.awsAuth(row(dev, "dev", "devs"))
				w.bind("a", "r", group("devs"))
			},
			[]string{"+ " + dev + " get on secrets"},
		},
		"what one session name gave, and every session has now": {
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "x:{{SessionName}}")
				w.bind("a", "r", user("x:alice"))
			},
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "x:{{SessionName}}", "devs")
				w.bind("a", "r", user("x:alice"), group("devs"))
			},
			[]string{"+ " + dev + " get on secrets", "+ group:devs get on secrets"},
		},
		"what every session had, and one session name gives now": {
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "x:{{SessionName}}", "devs")
				w.bind("a", "r", group("devs"), user("x:alice"))
			},
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "x:{{SessionName}}")
				w.bind("a", "r", group("devs"), user("x:alice"))
			},
			[]string{"- " + dev + " get on secrets"},
		},
		"two session names change places": {
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "x:{{SessionName}}")
				w.bind("a", "r", user("x:alice"))
			},
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "x:{{SessionName}}")
				w.bind("a", "r", user("x:bob"))
			},
			[]string{"+ " + dev + " get on secrets", "+ user:x:bob get on secrets", "- " + dev + " get on secrets", "- user:x:alice get on secrets"},
		},
		"an access policy on more namespaces": {
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "dev")
				w.policy(dev, "AmazonEKSSecretReaderPolicy", "a", "b")
			},
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "dev")
				w.policy(dev, "AmazonEKSSecretReaderPolicy", "a", "b*")
			},
			[]string{"+ " + dev + " get, list, watch on secrets"},
		},
		"and the same, written otherwise": {
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "dev")
				w.policy(dev, "AmazonEKSSecretReaderPolicy", "a", "b*")
			},
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "dev")
				w.policy(dev, "AmazonEKSSecretReaderPolicy", "b*", "bc", "a")
			}, nil,
		},
		"a policy whose rules AWS does not publish": {
			func(w *world) { w.role("dev", longAgo); w.entry(dev, "dev") },
			func(w *world) { w.role("dev", longAgo); w.entry(dev, "dev"); w.policy(dev, "AmazonEKSComputePolicy") },
			[]string{"? " + dev + " gained : the rules of access policy AmazonEKSComputePolicy, which AWS does not publish"},
		},
		"a binding to a role that is not there": {
			func(*world) {}, func(w *world) { w.bind("", "ghost", user("u")) },
			[]string{"? user:u gained : the rules of ClusterRole ghost, which is not in the input and which ClusterRoleBinding ghost-u binds"},
		},
		"a username that AWS fills in may be one that is bound": {
			func(w *world) { w.role("dev", longAgo); w.entry(dev, "x:{{AccessKeyID}}") },
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "x:{{AccessKeyID}}")
				w.bind("a", "r", user("x:AKIA1"))
			},
			[]string{"+ user:x:AKIA1 get on secrets", "? " + dev + " gained : whether it is ever x:AKIA1 in group system:authenticated"},
		},
		"a grant beside a policy that may have held it": {
			func(w *world) {
				w.role("dev", longAgo)
				w.entry(dev, "dev", "devs")
				w.policy(dev, "AmazonEKSComputePolicy")
			},
			func(w *world) { w.role("dev", longAgo); w.entry(dev, "dev", "devs"); w.bind("a", "r", group("devs")) },
			[]string{
				"+ group:devs get on secrets",
				"? " + dev + " gained get on secrets: the rules of access policy AmazonEKSComputePolicy, which AWS does not publish",
				"? " + dev + " lost : the rules of access policy AmazonEKSComputePolicy, which AWS does not publish",
			},
		},
		"bindings that were read on one side only": {
			func(w *world) { w.fail(model.AreaRoleBindings) }, func(w *world) { w.bind("a", "r", user("u")) },
			[]string{"? user:u gained get on secrets: the RoleBindings, which were not all read"},
		},
		"bindings that were read on neither side": {
			func(w *world) { w.fail(model.AreaRoleBindings) }, func(w *world) { w.fail(model.AreaRoleBindings); w.bind("", "r", user("u")) },
			[]string{"+ user:u get on secrets"},
		},
		"from everywhere to one namespace": {
			func(w *world) { w.bind("", "r", user("u")) }, func(w *world) { w.bind("a", "r", user("u")) },
			[]string{"- user:u get on secrets"},
		},
		"a service account of another namespace": {
			func(w *world) { w.bind("a", "r", sa("a", "s")) }, func(w *world) { w.bind("a", "r", sa("b", "s")) },
			[]string{"+ sa/b/s get on secrets", "- sa/a/s get on secrets"},
		},
		"mode API leaves out aws-auth": {
			func(w *world) {
				w.role("dev", longAgo)
				w.awsAuth(row(dev, "dev", "devs"))
				w.bind("a", "r", group("devs"))
			},
			func(w *world) {
				w.role("dev", longAgo)
				w.awsAuth(row(dev, "dev", "devs"))
				w.bind("a", "r", group("devs"))
				w.c.Description.AuthenticationMode = model.ModeAPI
			},
			[]string{"- " + dev + " get on secrets"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after := newWorld(), newWorld()
			for _, side := range []struct {
				w  *world
				do func(*world)
			}{{before, tc.before}, {after, tc.after}} {
				side.w.clusterRole("r", rule("get", "secrets"))
				side.do(side.w)
			}
			if x := cmp.Diff(tc.want, lines(Diff(New(before.Snapshot), New(after.Snapshot)))); x != "" {
				t.Error(x)
			}
		})
	}
}
