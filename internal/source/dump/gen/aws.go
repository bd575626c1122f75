package main

import "fmt"

const (
	account = "111122223333"
	region  = "eu-west-1"
	created = "2026-03-01T09:00:00.000000+00:00"
	issuer  = "oidc.eks.eu-west-1.amazonaws.com/id/5D1E0000000000000000000000000001"
)

// cluster is the name of the cluster.
var cluster = "synthetic"

func roleARN(name string) string { return "arn:aws:iam::" + account + ":role/" + name }

func eksARN(kind, rest string) string {
	return "arn:aws:eks:" + region + ":" + account + ":" + kind + "/" + cluster + rest
}

// awsFiles are the answers of the AWS command line.
func awsFiles(s size) []file {
	files := []file{
		answer("cluster.json", object{"cluster": object{
			"name": cluster, "arn": eksARN("cluster", ""), "createdAt": created, "version": "1.36", "platformVersion": "eks.7",
			"status": "ACTIVE", "roleArn": roleARN("cluster-role"), "endpoint": "https://5D1E.gr7.eu-west-1.eks.amazonaws.com",
			"accessConfig":       object{"bootstrapClusterCreatorAdminPermissions": false, "authenticationMode": "API_AND_CONFIG_MAP"},
			"identity":           object{"oidc": object{"issuer": "https://" + issuer}},
			"logging":            object{"clusterLogging": []any{object{"types": []string{"api", "audit", "authenticator"}, "enabled": true}}},
			"resourcesVpcConfig": object{"endpointPublicAccess": true, "endpointPrivateAccess": true, "publicAccessCidrs": []string{"203.0.113.0/24"}},
		}}),
		answer("trails.json", object{"trailList": []any{object{
			"Name": "all", "HomeRegion": region, "IsMultiRegionTrail": true, "IsOrganizationTrail": false,
			"TrailARN": "arn:aws:cloudtrail:" + region + ":" + account + ":trail/all",
		}}}, object{
			"TrailARN":       "arn:aws:cloudtrail:" + region + ":" + account + ":trail/all",
			"EventSelectors": []any{object{"ReadWriteType": "All", "IncludeManagementEvents": true}},
		}),
		answer("oidc.json",
			object{"OpenIDConnectProviderList": []any{object{"Arn": "arn:aws:iam::" + account + ":oidc-provider/" + issuer}}},
			object{"Url": issuer, "ClientIDList": []string{"sts.amazonaws.com"}, "ThumbprintList": []string{"9e99a48a9960b14926bb7f3b02e22da2b0ab7280"}, "CreateDate": created}),
	}
	files = append(files, entries(s.entries)...)
	files = append(files, associations(s.associations)...)
	return append(files,
		list("iam.json", "{\n    \"UserDetailList\": [],\n    \"GroupDetailList\": [],\n    \"RoleDetailList\": [", "\n    ],\n    \"Policies\": ["+policies+"]\n}\n", s.iamRoles, func(i int) any { return iamRole(i, s.ways && i == 0) }),
		list("instances.json", "{\n    \"Reservations\": [", "\n    ]\n}\n", s.nodes, reservation))
}

func entries(n int) []file {
	var arns []string
	var described, policies []any
	for i := range n {
		arn := roleARN(fmt.Sprintf("team-%04d", i))
		arns = append(arns, arn)
		described = append(described, object{"accessEntry": object{
			"clusterName": cluster, "principalArn": arn, "kubernetesGroups": []string{fmt.Sprintf("team-%04d", i)},
			"accessEntryArn": eksARN("access-entry", fmt.Sprintf("/role/%s/team-%04d/0000", account, i)), "createdAt": created, "modifiedAt": created,
			"tags": object{}, "username": "arn:aws:sts::" + account + ":assumed-role/" + fmt.Sprintf("team-%04d", i) + "/{{SessionName}}", "type": "STANDARD",
		}})
		policies = append(policies, object{"associatedAccessPolicies": []any{object{
			"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy", "associatedAt": created, "modifiedAt": created,
			"accessScope": object{"type": "namespace", "namespaces": []string{namespace(i)}},
		}}, "clusterName": cluster, "principalArn": arn})
	}
	return []file{
		answer("entries.json", object{"accessEntries": arns}),
		answer("entries-described.json", described...),
		answer("entries-policies.json", policies...),
	}
}

func associations(n int) []file {
	var summaries, described []any
	for i := range n {
		id := fmt.Sprintf("a-%017d", i)
		summary := object{
			"clusterName": cluster, "namespace": namespace(i), "serviceAccount": serviceAccount(i),
			"associationArn": eksARN("podidentityassociation", "/"+id), "associationId": id,
		}
		summaries = append(summaries, summary)
		full := object{"roleArn": roleARN(fmt.Sprintf("app-%05d", i)), "tags": object{}, "createdAt": created, "modifiedAt": created, "disableSessionTags": false}
		for k, v := range summary {
			full[k] = v
		}
		described = append(described, object{"association": full})
	}
	return []file{
		answer("associations.json", object{"associations": summaries}),
		answer("associations-described.json", described...),
	}
}

const policies = `
        {
            "PolicyName": "read-config",
            "PolicyId": "ANPA0000000000000001",
            "Arn": "arn:aws:iam::` + account + `:policy/read-config",
            "Path": "/",
            "DefaultVersionId": "v1",
            "AttachmentCount": 1,
            "IsAttachable": true,
            "PolicyVersionList": [
                {
                    "Document": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:GetParameter*", "Resource": "*"}]},
                    "VersionId": "v1",
                    "IsDefaultVersion": true,
                    "CreateDate": "2026-03-01T09:00:00+00:00"
                }
            ]
        }
    `

func iamRole(i int, administrator bool) any {
	name := fmt.Sprintf("app-%05d", i)
	own := []any{
		object{
			"Sid": "Bucket", "Effect": "Allow", "Action": []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket"},
			"Resource": []string{"arn:aws:s3:::data-" + name, "arn:aws:s3:::data-" + name + "/*"},
		},
		object{"Sid": "Queue", "Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:" + region + ":" + account + ":" + name},
	}
	if administrator {
		own = append(own, object{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"})
	}
	return object{
		"Path": "/", "RoleName": name, "RoleId": fmt.Sprintf("AROA%016d", i), "Arn": roleARN(name), "CreateDate": "2026-03-01T09:00:00+00:00",
		"AssumeRolePolicyDocument": object{"Version": "2012-10-17", "Statement": []any{
			object{
				"Effect": "Allow", "Principal": object{"Service": "pods.eks.amazonaws.com"}, "Action": []string{"sts:AssumeRole", "sts:TagSession"},
				"Condition": object{"StringEquals": object{"aws:RequestTag/kubernetes-namespace": namespace(i), "aws:RequestTag/kubernetes-service-account": serviceAccount(i)}},
			},
			object{
				"Effect": "Allow", "Principal": object{"Federated": "arn:aws:iam::" + account + ":oidc-provider/" + issuer}, "Action": "sts:AssumeRoleWithWebIdentity",
				"Condition": object{"StringEquals": object{issuer + ":sub": "system:serviceaccount:" + namespace(i) + ":" + serviceAccount(i), issuer + ":aud": "sts.amazonaws.com"}},
			},
		}},
		"InstanceProfileList":     []any{},
		"RolePolicyList":          []any{object{"PolicyName": "own", "PolicyDocument": object{"Version": "2012-10-17", "Statement": own}}},
		"AttachedManagedPolicies": []any{object{"PolicyName": "read-config", "PolicyArn": "arn:aws:iam::" + account + ":policy/read-config"}},
		"Tags":                    []any{object{"Key": "team", "Value": fmt.Sprintf("team-%03d", i%100)}},
		"RoleLastUsed":            object{"LastUsedDate": "2026-10-01T12:00:00+00:00", "Region": region},
	}
}

func reservation(i int) any {
	return object{"OwnerId": account, "ReservationId": fmt.Sprintf("r-%017d", i), "Groups": []any{}, "Instances": []any{object{
		"InstanceId": instanceID(i), "InstanceType": "m7g.2xlarge", "ImageId": "ami-00000000000000001", "LaunchTime": created,
		"PrivateDnsName": nodeName(i), "PrivateIpAddress": nodeIP(i), "State": object{"Code": 16, "Name": "running"},
		"IamInstanceProfile": object{"Arn": "arn:aws:iam::" + account + ":instance-profile/nodes", "Id": "AIPA00000000000000001"},
		"MetadataOptions":    object{"State": "applied", "HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
		"Tags":               []any{object{"Key": "eks:cluster-name", "Value": cluster}, object{"Key": "eks:nodegroup-name", "Value": "general"}},
	}}}
}
