// Package oracle compares internal/authenticator with the real aws-iam-authenticator.
//
// It is a module of its own because the authenticator is built with older Kubernetes and AWS
// libraries than drawbridge. Nothing imports it; it holds only the reference side and tests.
package oracle

import (
	"context"
	"errors"
	"net/http"
	_ "unsafe" // for go:linkname

	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/ec2provider"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/configmap"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/dynamicfile"
	_ "sigs.k8s.io/aws-iam-authenticator/pkg/server" // for doMapping
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

// handler has the memory layout of server.handler in v0.7.8, which is not exported. Going through its
// doMapping rather than through HTTP compares precedence, templates and reserved prefixes without
// tokens, STS and waiting.
type handler struct {
	http.ServeMux
	verifier  token.Verifier
	ec2       ec2provider.EC2Provider
	clusterID string
	backend   struct {
		mappers []mapper.Mapper
		stop    chan struct{}
		modes   string
	}
	initDone bool
	scrubbed []string
	cfg      config.Config
}

//go:linkname doMapping sigs.k8s.io/aws-iam-authenticator/pkg/server.(*handler).doMapping
func doMapping(h *handler, ctx context.Context, id *token.Identity) (string, []string, error)

//go:linkname saveConfigMap sigs.k8s.io/aws-iam-authenticator/pkg/mapper/configmap.(*MapStore).saveMap
func saveConfigMap(ms *configmap.MapStore, users []config.UserMapping, roles []config.RoleMapping, accounts []string)

//go:linkname saveDynamicFile sigs.k8s.io/aws-iam-authenticator/pkg/mapper/dynamicfile.(*DynamicFileMapStore).saveMap
func saveDynamicFile(ms *dynamicfile.DynamicFileMapStore, users []config.UserMapping, roles []config.RoleMapping, accounts []string)

// instances answers for EC2: instance ID to private DNS name.
type instances map[string]string

func (i instances) GetPrivateDNSName(_ context.Context, id string) (string, error) {
	if name, ok := i[id]; ok {
		return name, nil
	}
	return "", errors.New("no such instance")
}

func (instances) StartEc2DescribeBatchProcessing(context.Context) {}

// configMapMapper returns the real mapper of aws-auth, loaded as its watch would load it.
func configMapMapper(users []config.UserMapping, roles []config.RoleMapping, accounts []string) mapper.Mapper {
	ms := &configmap.MapStore{}
	saveConfigMap(ms, users, roles, accounts)
	return &configmap.ConfigMapMapper{MapStore: ms}
}

// entryMapper returns the real mapper that binds ARNs to unique IDs, as EKS uses it for access entries.
func entryMapper(users []config.UserMapping, roles []config.RoleMapping, reserved []string) (mapper.Mapper, error) {
	m, err := dynamicfile.NewDynamicFileMapper(config.Config{
		DynamicFileUserIDStrict: true,
		ReservedPrefixConfig: map[string]config.ReservedPrefixConfig{
			mapper.ModeDynamicFile: {BackendMode: mapper.ModeDynamicFile, UsernamePrefixReserveList: reserved},
		},
	})
	if err != nil {
		return nil, err
	}
	saveDynamicFile(m.DynamicFileMapStore, users, roles, nil)
	return m, nil
}
