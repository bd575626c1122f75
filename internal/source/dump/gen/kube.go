package main

import (
	"fmt"
	"strings"
)

const (
	when = "2026-10-20T07:30:00Z"
	head = "{\n    \"apiVersion\": \"v1\",\n    \"items\": ["
	tail = "\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n"
)

func namespace(i int) string      { return fmt.Sprintf("team-%03d", i%100) }
func serviceAccount(i int) string { return fmt.Sprintf("app-%05d", i) }
func nodeIP(i int) string         { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }
func nodeName(i int) string {
	return fmt.Sprintf("ip-10-%d-%d-%d.%s.compute.internal", i>>16&255, i>>8&255, i&255, region)
}
func instanceID(i int) string { return fmt.Sprintf("i-%017d", i) }

// kubeFiles are lists as `kubectl get … -o json --show-managed-fields` prints them.
func kubeFiles(s size) []file {
	files := []file{
		list("namespaces.json", head, tail, 100, func(i int) any { return kubeObject("v1", "Namespace", "", namespace(i), i, nil) }),
		list("serviceaccounts.json", head, tail, s.serviceAccounts, func(i int) any {
			o := kubeObject("v1", "ServiceAccount", namespace(i), serviceAccount(i), i, object{"automountServiceAccountToken": false})
			if i < s.irsa {
				o["metadata"].(object)["annotations"] = object{"eks.amazonaws.com/role-arn": roleARN(fmt.Sprintf("app-%05d", i))}
			}
			return o
		}),
		list("roles.json", head, tail, s.roles, func(i int) any {
			rules := []any{
				object{"apiGroups": []string{""}, "resources": []string{"configmaps", "secrets"}, "verbs": []string{"get", "list", "watch"}},
				object{"apiGroups": []string{"apps"}, "resources": []string{"deployments"}, "verbs": []string{"get", "patch"}},
			}
			if s.ways {
				rules = rules[:1]
				if i%50 == 0 {
					rules = append(rules, object{"apiGroups": []string{""}, "resources": []string{"pods", "pods/exec"}, "verbs": []string{"create"}})
				}
			}
			return kubeObject("rbac.authorization.k8s.io/v1", "Role", namespace(i), fmt.Sprintf("app-%05d", i), i, object{"rules": rules})
		}),
		list("rolebindings.json", head, tail, s.bindings, func(i int) any {
			return kubeObject("rbac.authorization.k8s.io/v1", "RoleBinding", namespace(i), fmt.Sprintf("app-%05d", i), i, object{
				"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": fmt.Sprintf("app-%05d", i)},
				"subjects": []any{object{"kind": "ServiceAccount", "name": serviceAccount(i), "namespace": namespace(i)}},
			})
		}),
		list("nodes.json", head, tail, s.nodes, func(i int) any {
			return kubeObject("v1", "Node", "", nodeName(i), i, object{
				"spec":   object{"providerID": "aws:///eu-west-1a/" + instanceID(i)},
				"status": object{"addresses": []any{object{"type": "InternalIP", "address": nodeIP(i)}}, "nodeInfo": object{"operatingSystem": "linux"}},
			})
		}),
		list("pods.json", head, tail, s.pods, func(i int) any { return pod(i, s) }),
	}
	if s.rows > 0 {
		files = append(files, awsAuth(s.rows))
	}
	if s.ways { // that there are none of these is known
		for _, kind := range []string{"ClusterRoleList", "ClusterRoleBindingList"} {
			files = append(files, answer(strings.ToLower(kind)+".json", object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "items": []any{}}))
		}
	}
	return files
}

// awsAuth maps a role in each row.
func awsAuth(n int) file {
	var rows strings.Builder
	for i := range n {
		fmt.Fprintf(&rows, "- rolearn: %s\n  username: app-%05d:{{SessionName}}\n  groups: [%s]\n", roleARN(fmt.Sprintf("app-%05d", i)), i, namespace(i))
	}
	return answer("aws-auth.json", kubeObject("v1", "ConfigMap", "kube-system", "aws-auth", 0, object{"data": object{"mapRoles": rows.String()}}))
}

func kubeObject(apiVersion, kind, ns, name string, i int, rest object) object {
	meta := object{
		"name": name, "uid": uid(i), "creationTimestamp": when, "resourceVersion": fmt.Sprint(100000 + i),
		"labels": object{"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "Helm"},
		"managedFields": []any{object{
			"apiVersion": apiVersion, "fieldsType": "FieldsV1", "manager": "helm", "operation": "Update", "time": when,
			"fieldsV1": object{"f:metadata": object{"f:labels": object{".": object{}, "f:app.kubernetes.io/name": object{}}}},
		}},
	}
	if ns != "" {
		meta["namespace"] = ns
	}
	o := object{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
	for k, v := range rest {
		o[k] = v
	}
	return o
}

func uid(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

// pod is a pod with one container as the API server shows it while it runs.
func pod(i int, s size) any {
	nodes := s.nodes
	security := object{"allowPrivilegeEscalation": false, "capabilities": object{"drop": []string{"ALL"}}}
	if s.ways && i%1000 == 0 {
		security = object{"privileged": true}
	}
	app := fmt.Sprintf("app-%05d", i%5000)
	image := "111122223333.dkr.ecr.eu-west-1.amazonaws.com/" + app + ":1.4.2"
	token := fmt.Sprintf("kube-api-access-%05d", i%100000)
	p := kubeObject("v1", "Pod", namespace(i), fmt.Sprintf("%s-6d4cf56db6-%05d", app, i), i, object{
		"spec": object{
			"containers": []any{object{
				"name": "app", "image": image, "imagePullPolicy": "IfNotPresent",
				"env": []any{
					object{"name": "LOG_LEVEL", "value": "info"},
					object{"name": "DB_PASSWORD", "valueFrom": object{"secretKeyRef": object{"name": app, "key": "password"}}},
					object{"name": "POD_NAME", "valueFrom": object{"fieldRef": object{"apiVersion": "v1", "fieldPath": "metadata.name"}}},
				},
				"ports":           []any{object{"containerPort": 8080, "name": "http", "protocol": "TCP"}},
				"livenessProbe":   object{"httpGet": object{"path": "/healthz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10, "failureThreshold": 3},
				"resources":       object{"limits": object{"cpu": "1", "memory": "512Mi"}, "requests": object{"cpu": "100m", "memory": "256Mi"}},
				"securityContext": security,
				"volumeMounts": []any{
					object{"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": token, "readOnly": true},
				},
			}},
			"dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "nodeName": nodeName(i % max(nodes, 1)), "priority": 0,
			"restartPolicy": "Always", "schedulerName": "default-scheduler", "securityContext": object{"runAsNonRoot": true},
			"serviceAccount": serviceAccount(i), "serviceAccountName": serviceAccount(i), "terminationGracePeriodSeconds": 30,
			"tolerations": []any{object{"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300}},
			"volumes": []any{object{"name": token, "projected": object{"defaultMode": 420, "sources": []any{
				object{"serviceAccountToken": object{"expirationSeconds": 3607, "path": "token"}},
				object{"configMap": object{"name": "kube-root-ca.crt", "items": []any{object{"key": "ca.crt", "path": "ca.crt"}}}},
			}}}},
		},
		"status": object{
			"phase": "Running", "hostIP": nodeIP(i % max(nodes, 1)), "podIP": nodeIP(i + 4096), "qosClass": "Burstable", "startTime": when,
			"conditions": []any{
				object{"type": "Ready", "status": "True", "lastProbeTime": nil, "lastTransitionTime": when},
				object{"type": "PodScheduled", "status": "True", "lastProbeTime": nil, "lastTransitionTime": when},
			},
			"containerStatuses": []any{object{
				"containerID": fmt.Sprintf("containerd://%064d", i), "image": image, "imageID": image, "name": "app", "ready": true, "restartCount": 0,
				"started": true, "lastState": object{}, "state": object{"running": object{"startedAt": when}},
			}},
		},
	})
	p["metadata"].(object)["ownerReferences"] = []any{object{
		"apiVersion": "apps/v1", "blockOwnerDeletion": true, "controller": true, "kind": "ReplicaSet", "name": app + "-6d4cf56db6", "uid": uid(i % 5000),
	}}
	return p
}
