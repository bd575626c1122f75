package rbac

import (
	"slices"
	"strings"
	"sync"
)

// Resource is a kind of object that API servers have, by the names under which kubectl takes it.
type Resource struct {
	Name       string // plural, as in rules
	Group      string // "" is the core group
	Namespaced bool
	// Names are the singular and the short names.
	Names []string
	// Subresources are those that rules speak of.
	Subresources []string
}

// FindResource finds a resource by its plural, singular or short name, whatever the case, with or without its group; where
// several groups have the name, the one that kubectl takes.
func FindResource(name, group string) (Resource, bool) {
	for _, r := range byName()[strings.ToLower(name)] {
		if group == "" || r.Group == group {
			return r, true
		}
	}
	return Resource{}, false
}

// HasSubresource says whether the resource has a subresource of that name.
func (r Resource) HasSubresource(n string) bool { return slices.Contains(r.Subresources, n) }

var byName = sync.OnceValue(func() map[string][]Resource {
	by := map[string][]Resource{}
	for _, line := range strings.Split(strings.TrimSpace(resources), "\n") {
		f := strings.Fields(line)
		r := Resource{Name: f[0], Group: strings.TrimPrefix(f[1], "core"), Namespaced: f[2] == "namespaced", Names: strings.Split(f[3], ",")}
		if len(f) > 4 {
			r.Subresources = strings.Split(f[4], ",")
		}
		for _, n := range append([]string{r.Name}, r.Names...) {
			by[n] = append(by[n], r)
		}
	}
	return by
})

// resources are those of Kubernetes 1.36 (kubectl api-resources; the subresources of its OpenAPI document, and those that
// are asked for without being served: kubelet's of nodes, names that may be impersonated, signers), and those of the
// controllers of EKS that bear on identity. Columns: plural, group, scope, singular and short names, subresources.
const resources = `
bindings                          core                          namespaced binding
componentstatuses                 core                          cluster    componentstatus,cs
configmaps                        core                          namespaced configmap,cm
endpoints                         core                          namespaced endpoint,ep
events                            core                          namespaced event,ev
limitranges                       core                          namespaced limitrange,limits
namespaces                        core                          cluster    namespace,ns                     finalize,status
nodes                             core                          cluster    node,no                          proxy,status,log,metrics,stats,spec,configz,healthz,pods,checkpoint
persistentvolumeclaims            core                          namespaced persistentvolumeclaim,pvc        status
persistentvolumes                 core                          cluster    persistentvolume,pv              status
pods                              core                          namespaced pod,po                           exec,attach,portforward,proxy,log,binding,ephemeralcontainers,eviction,resize,status
podtemplates                      core                          namespaced podtemplate
replicationcontrollers            core                          namespaced replicationcontroller,rc         scale,status
resourcequotas                    core                          namespaced resourcequota,quota              status
secrets                           core                          namespaced secret
serviceaccounts                   core                          namespaced serviceaccount,sa                token
services                          core                          namespaced service,svc                      proxy,status
users                             core                          cluster    user
groups                            core                          cluster    group
users                             authentication.k8s.io         cluster    user
groups                            authentication.k8s.io         cluster    group
serviceaccounts                   authentication.k8s.io         namespaced serviceaccount
nodes                             authentication.k8s.io         cluster    node
userextras                        authentication.k8s.io         cluster    userextra
uids                              authentication.k8s.io         cluster    uid
tokenreviews                      authentication.k8s.io         cluster    tokenreview
selfsubjectreviews                authentication.k8s.io         cluster    selfsubjectreview
localsubjectaccessreviews         authorization.k8s.io          namespaced localsubjectaccessreview
selfsubjectaccessreviews          authorization.k8s.io          cluster    selfsubjectaccessreview
selfsubjectrulesreviews           authorization.k8s.io          cluster    selfsubjectrulesreview
subjectaccessreviews              authorization.k8s.io          cluster    subjectaccessreview
mutatingadmissionpolicies         admissionregistration.k8s.io  cluster    mutatingadmissionpolicy
mutatingadmissionpolicybindings   admissionregistration.k8s.io  cluster    mutatingadmissionpolicybinding
mutatingwebhookconfigurations     admissionregistration.k8s.io  cluster    mutatingwebhookconfiguration
validatingadmissionpolicies       admissionregistration.k8s.io  cluster    validatingadmissionpolicy        status
validatingadmissionpolicybindings admissionregistration.k8s.io  cluster    validatingadmissionpolicybinding
validatingwebhookconfigurations   admissionregistration.k8s.io  cluster    validatingwebhookconfiguration
customresourcedefinitions         apiextensions.k8s.io          cluster    customresourcedefinition,crd,crds status
apiservices                       apiregistration.k8s.io        cluster    apiservice                       status
controllerrevisions               apps                          namespaced controllerrevision
daemonsets                        apps                          namespaced daemonset,ds                     status
deployments                       apps                          namespaced deployment,deploy                scale,status
replicasets                       apps                          namespaced replicaset,rs                    scale,status
statefulsets                      apps                          namespaced statefulset,sts                  scale,status
horizontalpodautoscalers          autoscaling                   namespaced horizontalpodautoscaler,hpa      status
cronjobs                          batch                         namespaced cronjob,cj                       status
jobs                              batch                         namespaced job                              status
certificatesigningrequests        certificates.k8s.io           cluster    certificatesigningrequest,csr    approval,status
clustertrustbundles               certificates.k8s.io           cluster    clustertrustbundle
podcertificaterequests            certificates.k8s.io           namespaced podcertificaterequest            status
signers                           certificates.k8s.io           cluster    signer
leases                            coordination.k8s.io           namespaced lease
endpointslices                    discovery.k8s.io              namespaced endpointslice
events                            events.k8s.io                 namespaced event,ev
flowschemas                       flowcontrol.apiserver.k8s.io  cluster    flowschema                       status
prioritylevelconfigurations       flowcontrol.apiserver.k8s.io  cluster    prioritylevelconfiguration       status
nodes                             metrics.k8s.io                cluster    node
pods                              metrics.k8s.io                namespaced pod
ingressclasses                    networking.k8s.io             cluster    ingressclass
ingresses                         networking.k8s.io             namespaced ingress,ing                      status
ipaddresses                       networking.k8s.io             cluster    ipaddress,ip
networkpolicies                   networking.k8s.io             namespaced networkpolicy,netpol
servicecidrs                      networking.k8s.io             cluster    servicecidr                      status
runtimeclasses                    node.k8s.io                   cluster    runtimeclass
poddisruptionbudgets              policy                        namespaced poddisruptionbudget,pdb          status
clusterrolebindings               rbac.authorization.k8s.io     cluster    clusterrolebinding
clusterroles                      rbac.authorization.k8s.io     cluster    clusterrole
rolebindings                      rbac.authorization.k8s.io     namespaced rolebinding
roles                             rbac.authorization.k8s.io     namespaced role
deviceclasses                     resource.k8s.io               cluster    deviceclass
resourceclaims                    resource.k8s.io               namespaced resourceclaim                    status,binding
resourceclaimtemplates            resource.k8s.io               namespaced resourceclaimtemplate
resourceslices                    resource.k8s.io               cluster    resourceslice
priorityclasses                   scheduling.k8s.io             cluster    priorityclass,pc
csidrivers                        storage.k8s.io                cluster    csidriver
csinodes                          storage.k8s.io                cluster    csinode
csistoragecapacities              storage.k8s.io                namespaced csistoragecapacity
storageclasses                    storage.k8s.io                cluster    storageclass,sc
volumeattachments                 storage.k8s.io                cluster    volumeattachment                 status
volumeattributesclasses           storage.k8s.io                cluster    volumeattributesclass,vac
nodeclasses                       eks.amazonaws.com             cluster    nodeclass
ec2nodeclasses                    karpenter.k8s.aws             cluster    ec2nodeclass,ec2nc
nodepools                         karpenter.sh                  cluster    nodepool
nodeclaims                        karpenter.sh                  cluster    nodeclaim
accessentries                     eks.services.k8s.aws          namespaced accessentry
podidentityassociations           eks.services.k8s.aws          namespaced podidentityassociation
resourcegraphdefinitions          kro.run                       cluster    resourcegraphdefinition,rgd
`
