package projection

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"drawbridge/internal/model"
)

// Pod keeps who a pod runs as, where, and which credentials it can reach.
func Pod(p *corev1.Pod) *model.Pod {
	pod := &model.Pod{Meta: meta(p), PodSpec: podSpec(&p.Spec), Phase: string(p.Status.Phase)}
	if p.Status.StartTime != nil {
		pod.Started = p.Status.StartTime.UTC()
	}
	return pod
}

func podSpec(s *corev1.PodSpec) model.PodSpec {
	spec := model.PodSpec{
		ServiceAccount: intern(s.ServiceAccountName),
		Automount:      s.AutomountServiceAccountToken,
		NodeName:       intern(s.NodeName),
		NodeSelector:   internMap(s.NodeSelector),
		HostNetwork:    s.HostNetwork,
		HostPID:        s.HostPID,
		Containers:     containers(s),
		Volumes:        volumes(s.Volumes),
	}
	if spec.ServiceAccount == "" {
		spec.ServiceAccount = intern(s.DeprecatedServiceAccount)
	}
	if s.OS != nil {
		spec.OS = string(s.OS.Name)
	}
	return spec
}

func containers(s *corev1.PodSpec) []model.Container {
	n := len(s.InitContainers) + len(s.Containers) + len(s.EphemeralContainers)
	if n == 0 {
		return nil
	}
	hostProcess := s.SecurityContext != nil && isHostProcess(s.SecurityContext.WindowsOptions)
	all := make([]model.Container, 0, n)
	for i := range s.InitContainers {
		all = append(all, container("init", &s.InitContainers[i], hostProcess))
	}
	for i := range s.Containers {
		all = append(all, container("", &s.Containers[i], hostProcess))
	}
	for i := range s.EphemeralContainers {
		all = append(all, container("ephemeral", (*corev1.Container)(&s.EphemeralContainers[i].EphemeralContainerCommon), hostProcess))
	}
	return all
}

func container(kind string, c *corev1.Container, hostProcess bool) model.Container {
	k := model.Container{
		Name:    intern(c.Name),
		Kind:    kind,
		Image:   intern(c.Image),
		Env:     env(c.Env),
		EnvFrom: envFrom(c.EnvFrom),
	}
	if sc := c.SecurityContext; sc != nil {
		if sc.WindowsOptions != nil && sc.WindowsOptions.HostProcess != nil {
			hostProcess = *sc.WindowsOptions.HostProcess
		}
		k.Privileged = sc.Privileged != nil && *sc.Privileged
		if sc.Capabilities != nil {
			k.Capabilities = capabilities(sc.Capabilities.Add)
			k.Dropped = capabilities(sc.Capabilities.Drop)
		}
	}
	// A Windows HostProcess container runs on the host itself: what privileged is on Linux (Kubernetes documentation,
	// "Create a Windows HostProcess Pod", 2026-11).
	k.Privileged = k.Privileged || hostProcess
	if isAgent(c.Image) {
		k.Flags = append(append(k.Flags, c.Command...), c.Args...)
	}
	for _, m := range c.VolumeMounts {
		k.Mounts = append(k.Mounts, model.Mount{Volume: intern(m.Name), Path: intern(m.MountPath)})
	}
	return k
}

func isHostProcess(w *corev1.WindowsSecurityContextOptions) bool {
	return w != nil && w.HostProcess != nil && *w.HostProcess
}

func capabilities(cs []corev1.Capability) []string {
	var s []string
	for _, c := range cs {
		s = append(s, intern(string(c)))
	}
	return s
}

// isAgent says whether an image is that of the Pod Identity agent, from EKS's registries or a mirror. Only of its
// containers, the init container among them, are the arguments kept: they say where the agent listens.
func isAgent(image string) bool {
	image, _, _ = strings.Cut(image, "@")
	if tag := strings.LastIndexByte(image, ':'); tag > strings.LastIndexByte(image, '/') {
		image = image[:tag]
	}
	return strings.HasSuffix(image, "eks-pod-identity-agent")
}

// env keeps the names of variables and where their values come from.
func env(vars []corev1.EnvVar) []model.EnvVar {
	if len(vars) == 0 {
		return nil
	}
	kept := make([]model.EnvVar, len(vars))
	for i := range vars {
		kept[i] = model.EnvVar{Name: intern(vars[i].Name), From: intern(envSource(vars[i].ValueFrom))}
	}
	return kept
}

func envSource(s *corev1.EnvVarSource) string {
	switch {
	case s == nil:
		return ""
	case s.SecretKeyRef != nil:
		return "secret/" + s.SecretKeyRef.Name + "/" + s.SecretKeyRef.Key
	case s.ConfigMapKeyRef != nil:
		return "configmap/" + s.ConfigMapKeyRef.Name + "/" + s.ConfigMapKeyRef.Key
	case s.FieldRef != nil:
		return "field/" + s.FieldRef.FieldPath
	case s.ResourceFieldRef != nil:
		return "field/" + s.ResourceFieldRef.Resource
	case s.FileKeyRef != nil:
		return "file/" + s.FileKeyRef.VolumeName + "/" + s.FileKeyRef.Key
	}
	return ""
}

func envFrom(sources []corev1.EnvFromSource) []model.EnvFrom {
	var all []model.EnvFrom
	for _, s := range sources {
		if s.SecretRef != nil {
			all = append(all, model.EnvFrom(intern("secret/"+s.SecretRef.Name)))
		}
		if s.ConfigMapRef != nil {
			all = append(all, model.EnvFrom(intern("configmap/"+s.ConfigMapRef.Name)))
		}
	}
	return all
}

// volumes keeps what of each volume bears on identity. A projected volume with several Secrets becomes one volume for
// each of them, all of the same name.
func volumes(vs []corev1.Volume) []model.Volume {
	if len(vs) == 0 {
		return nil
	}
	all := make([]model.Volume, 0, len(vs))
	for i := range vs {
		v := &vs[i]
		k := model.Volume{Name: intern(v.Name)}
		var more []string
		switch {
		case v.HostPath != nil:
			k.HostPath = intern(v.HostPath.Path)
		case v.Secret != nil:
			k.Secret = intern(v.Secret.SecretName)
		case v.Projected != nil:
			more = projected(&k, v.Projected.Sources)
		}
		all = append(all, k)
		for _, secret := range more {
			all = append(all, model.Volume{Name: k.Name, Secret: secret})
		}
	}
	return all
}

// projected fills in the tokens and the first Secret of a projected volume and returns the other Secrets.
func projected(v *model.Volume, sources []corev1.VolumeProjection) (more []string) {
	for _, s := range sources {
		if t := s.ServiceAccountToken; t != nil {
			v.Tokens = append(v.Tokens, model.TokenProjection{Audience: intern(t.Audience), Path: intern(t.Path)})
		}
		switch {
		case s.Secret == nil:
		case v.Secret == "":
			v.Secret = intern(s.Secret.Name)
		default:
			more = append(more, intern(s.Secret.Name))
		}
	}
	return more
}
