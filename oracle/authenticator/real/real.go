// Package real is the real aws-iam-authenticator as a library: its mappers, and the server's way through them.
package real

import (
	"context"
	"errors"
	"net/http"
	"strings"
	_ "unsafe" // for go:linkname

	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/ec2provider"
	"sigs.k8s.io/aws-iam-authenticator/pkg/errutil"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/configmap"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/dynamicfile"
	_ "sigs.k8s.io/aws-iam-authenticator/pkg/server" // for doMapping
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

// Handler maps callers as the server does that has its Mappers, in their order, and asks EC2 for names of instances.
type Handler struct {
	Mappers []mapper.Mapper
	EC2     Instances
}

// Map says as whom a caller comes in.
func (h *Handler) Map(id *token.Identity) (username string, groups []string, err error) {
	inner := &handler{ec2: h.EC2}
	inner.backend.mappers = h.Mappers
	return doMapping(inner, context.Background(), id)
}

// NotMapped says that an error means that nobody knows the caller: it is in no store, or an entry is for another principal of
// its ARN.
func NotMapped(err error) bool {
	return errors.Is(err, errutil.ErrNotMapped) || strings.Contains(err.Error(), errutil.ErrIDAndARNMismatch.Error())
}

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

// Instances answers for EC2: instance ID to private DNS name.
type Instances map[string]string

// GetPrivateDNSName is the name of an instance.
func (i Instances) GetPrivateDNSName(_ context.Context, id string) (string, error) {
	if name, ok := i[id]; ok {
		return name, nil
	}
	return "", errors.New("no such instance")
}

// StartEc2DescribeBatchProcessing has nothing to do.
func (Instances) StartEc2DescribeBatchProcessing(context.Context) {}

// ConfigMapMapper returns the real mapper of aws-auth, loaded as its watch would load it.
func ConfigMapMapper(users []config.UserMapping, roles []config.RoleMapping, accounts []string) mapper.Mapper {
	ms := &configmap.MapStore{}
	saveConfigMap(ms, users, roles, accounts)
	return &configmap.ConfigMapMapper{MapStore: ms}
}

// EntryMapper returns the real mapper that binds ARNs to unique IDs, as EKS uses it for access entries. What a
// rendered username may not begin with is reserved.
func EntryMapper(users []config.UserMapping, roles []config.RoleMapping, reserved []string) (mapper.Mapper, error) {
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
