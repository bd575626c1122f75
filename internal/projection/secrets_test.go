package projection

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stuff puts a marker with its own path into every string and byte slice that an object has room for, one element into
// every list and map, and something behind every pointer: a field that Kubernetes adds tomorrow is stuffed as well.
func stuff(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("{{" + path + "}}")
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		stuff(v.Elem(), path)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("{{" + path + "}}"))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		stuff(v.Index(0), path)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		stuff(key, path+"#key")
		stuff(value, path)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[metav1.Time]() {
			v.Set(reflect.ValueOf(metav1.Unix(1, 0)))
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				at := strings.TrimPrefix(path+"."+strings.Split(f.Tag.Get("json"), ",")[0], ".")
				stuff(v.Field(i), strings.TrimSuffix(at, "."))
			}
		}
	}
}

var marker = regexp.MustCompile(`\{\{[^{}]*\}\}`)

// left returns the paths whose markers are in the JSON of a projection.
func left(t *testing.T, projected any) []string {
	t.Helper()
	b, err := json.Marshal(projected)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), `"e3t`) { // a marker in base64
		t.Errorf("bytes are left in %s", b)
	}
	var paths []string
	for _, m := range marker.FindAllString(string(b), -1) {
		paths = append(paths, strings.Trim(m, "{}"))
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// under prefixes paths.
func under(prefix string, paths []string) []string {
	var all []string
	for _, p := range paths {
		all = append(all, prefix+p)
	}
	return all
}

var metaPaths = []string{
	"metadata.labels", "metadata.labels#key", "metadata.name", "metadata.namespace", "metadata.ownerReferences.name",
	"metadata.ownerreferences.kind", // in lower case
	"metadata.uid",
}

// keptOf are the paths that survive of a pod's specification.
func keptOf() []string {
	paths := []string{
		"nodeName", "nodeSelector", "nodeSelector#key", "os.name", "serviceAccountName",
		"volumes.name", "volumes.hostPath.path",
	}
	for _, c := range []string{"containers.", "initContainers.", "ephemeralContainers."} {
		paths = append(paths, under(c, []string{
			"name", "image", "env.name",
			"env.valueFrom.secretKeyRef.name", "env.valueFrom.secretKeyRef.key",
			"envFrom.configMapRef.name", "envFrom.secretRef.name",
			"securityContext.capabilities.add", "securityContext.capabilities.drop",
			"volumeMounts.mountPath", "volumeMounts.name",
		})...)
	}
	return paths
}

func of[T, R any](project func(*T) R) func() any {
	return func() any {
		o := new(T)
		stuff(reflect.ValueOf(o).Elem(), "")
		return project(o)
	}
}

func TestNothingElseIsKept(t *testing.T) {
	template := slices.Concat(under("spec.template.metadata.", []string{"labels", "labels#key"}), under("spec.template.spec.", keptOf()))
	webhookRule := []string{"apiGroups", "apiVersions", "operations", "resources", "scope"}
	selector := []string{"matchExpressions.key", "matchExpressions.operator", "matchExpressions.values", "matchLabels", "matchLabels#key"}
	roleRules := under("rules.", []string{"apiGroups", "nonResourceURLs", "resourceNames", "resources", "verbs"})
	binding := []string{"roleRef.apiGroup", "roleRef.kind", "roleRef.name", "subjects.apiGroup", "subjects.kind", "subjects.name", "subjects.namespace"}
	for name, tt := range map[string]struct {
		project func() any
		want    []string
	}{
		"pod":                    {of(Pod), append(under("spec.", keptOf()), "status.phase")},
		"deployment":             {of(Deployment), template},
		"daemon set":             {of(DaemonSet), template},
		"stateful set":           {of(StatefulSet), template},
		"replica set":            {of(ReplicaSet), template},
		"replication controller": {of(ReplicationController), template},
		"job":                    {of(Job), template},
		"cron job":               {of(CronJob), under("spec.jobTemplate.", template)},
		"namespace":              {of(Namespace), nil},
		"service account":        {of(ServiceAccount), nil},
		"node":                   {of(Node), []string{"spec.providerID", "status.nodeInfo.operatingSystem"}},
		"role":                   {of(Role), roleRules},
		"cluster role":           {of(ClusterRole), append(under("aggregationRule.clusterRoleSelectors.", selector), roleRules...)},
		"role binding":           {of(RoleBinding), binding},
		"cluster role binding":   {of(ClusterRoleBinding), binding},
		"mutating webhooks": {of(MutatingWebhooks), slices.Concat(
			under("webhooks.", []string{
				"name", "failurePolicy", "matchConditions.expression",
				"clientConfig.service.name", "clientConfig.service.namespace", "clientConfig.service.path",
			}),
			under("webhooks.rules.", webhookRule), under("webhooks.namespaceSelector.", selector), under("webhooks.objectSelector.", selector))},
		"admission policy": {of(ValidatingAdmissionPolicy), []string{"spec.failurePolicy", "spec.validations.expression"}},
		"policy binding": {of(ValidatingAdmissionPolicyBinding), append(under("spec.matchResources.namespaceSelector.", selector),
			"spec.policyName", "spec.validationActions")},
	} {
		t.Run(name, func(t *testing.T) {
			want := slices.Sorted(slices.Values(append(slices.Clone(metaPaths), tt.want...)))
			if diff := cmp.Diff(want, left(t, tt.project())); diff != "" {
				t.Errorf("paths kept (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSecretsOfAPod says in words what the stuffed objects above say in paths.
func TestSecretsOfAPod(t *testing.T) {
	const secret = "AKIAIOSFODNN7EXAMPLE"
	c := corev1.Container{
		Name: "web", Image: "registry.example/web:1",
		Command: []string{"serve", "--token=" + secret}, Args: []string{secret},
		Env: []corev1.EnvVar{
			{Name: "AWS_SECRET_ACCESS_KEY", Value: secret},
			{Name: "DB", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password"}}},
		},
		WorkingDir:    "/" + secret,
		LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{HTTPHeaders: []corev1.HTTPHeader{{Name: "Authorization", Value: secret}}}}},
		Lifecycle:     &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{secret}}}},
	}
	init := c
	init.Name = "init"
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-0",
			Annotations: map[string]string{
				corev1.LastAppliedConfigAnnotation: `{"env":"` + secret + `"}`,
				"vault.hashicorp.com/token":        secret,
				"iam.amazonaws.com/external-id":    secret,
				"eks.amazonaws.com/role-arn":       "arn:aws:iam::111122223333:role/web",
			},
			ManagedFields: []metav1.ManagedFieldsEntry{{FieldsV1: metav1.NewFieldsV1(secret)}},
		},
		Spec: corev1.PodSpec{
			InitContainers:      []corev1.Container{init},
			Containers:          []corev1.Container{c},
			EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon(c)}},
			Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{
				VolumeAttributes: map[string]string{"key": secret},
			}}}},
		},
		Status: corev1.PodStatus{Message: secret, ContainerStatuses: []corev1.ContainerStatus{{
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: secret}},
		}}},
	}
	b, err := json.Marshal(Pod(p))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), secret) {
		t.Errorf("the secret is in %s", b)
	}
	for _, want := range []string{"AWS_SECRET_ACCESS_KEY", "secret/db/password", "arn:aws:iam::111122223333:role/web"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is missing in %s", want, b)
		}
	}
}

func TestAnnotations(t *testing.T) {
	for key, want := range map[string]bool{
		"eks.amazonaws.com/role-arn":                       true,
		"eks.amazonaws.com/skip-containers":                true,
		"rbac.authorization.kubernetes.io/autoupdate":      true,
		"iam.amazonaws.com/role":                           true,
		"iam.amazonaws.com/allowed-roles":                  true,
		"iam.amazonaws.com/permitted":                      true,
		"services.k8s.aws/owner-account-id":                true,
		"services.k8s.aws/team-id":                         true,
		"kubernetes.io/enforce-mountable-secrets":          true,
		"iam.amazonaws.com/external-id":                    false,
		"iam.amazonaws.com/role-of-nobody":                 false,
		"eks.amazonaws.com.evil.example/role-arn":          false,
		"my.eks.amazonaws.com/role-arn":                    false,
		"kubectl.kubernetes.io/last-applied-configuration": false,
		"": false,
	} {
		if got := annotations(map[string]string{key: "v"})[key] == "v"; got != want {
			t.Errorf("annotation %q kept: %t, want %t", key, got, want)
		}
	}
}

func TestAWSAuth(t *testing.T) {
	c := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "aws-auth", ResourceVersion: "7", CreationTimestamp: metav1.Unix(60, 0)},
		Data:       map[string]string{"mapRoles": "[]", "mapUsers": "u", "mapAccounts": "a", "maproles": "hidden", "note": "hidden"},
		BinaryData: map[string][]byte{"blob": []byte("hidden"), "mapRoles": []byte("hidden")},
	}
	got := AWSAuth(c)
	want := map[string]string{"mapRoles": "[]", "mapUsers": "u", "mapAccounts": "a", "maproles": "", "note": "", "blob": ""}
	if diff := cmp.Diff(want, got.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if got.ResourceVersion != "7" || !got.Created.Equal(time.Unix(60, 0)) {
		t.Errorf("resource version %q of %s", got.ResourceVersion, got.Created)
	}
	for _, other := range []metav1.ObjectMeta{{Namespace: "default", Name: "aws-auth"}, {Namespace: "kube-system", Name: "coredns"}} {
		if a := AWSAuth(&corev1.ConfigMap{ObjectMeta: other, Data: c.Data}); a != nil {
			t.Errorf("ConfigMap %s/%s was kept", other.Namespace, other.Name)
		}
	}
}
