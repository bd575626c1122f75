package access

// The catalogue of what makes an IAM principal privileged. The actions are AWS's (Service Authorization Reference, 2026-11);
// that the combinations escalate is common knowledge of the field, checked against AWS's description of the actions: whoever
// changes policies or credentials of principals becomes them, and whoever runs code where a role is held acts as that role.
// Each is asked for on a resource whose name nobody gives to anything, so that only a grant that reaches all resources of
// the kind passes.

// Names that nobody gives to anything, in the forms that AWS has.
const (
	anyName     = "drawbridge-asks"
	anyAction   = "DrawbridgeAsks"
	anyInstance = "arn:$p:ec2:$r:$a:instance/i-0d0a0b0r0i0d0g0e0"
	anyRole     = "arn:$p:iam::$a:role/" + anyName
	anyUser     = "arn:$p:iam::$a:user/" + anyName
	anyGroup    = "arn:$p:iam::$a:group/" + anyName
	anyPolicy   = "arn:$p:iam::$a:policy/" + anyName
	anyFunction = "arn:$p:lambda:$r:$a:function:" + anyName
	anyProject  = "arn:$p:codebuild:$r:$a:project/" + anyName
	anyStack    = "arn:$p:cloudformation:$r:$a:stack/" + anyName + "/" + anyName
	anyTask     = "arn:$p:ecs:$r:$a:task-definition/" + anyName + ":1"
	anyNotebook = "arn:$p:sagemaker:$r:$a:notebook-instance/" + anyName
	anyJob      = "arn:$p:glue:$r:$a:job/" + anyName
	anyDocument = "arn:$p:ssm:$r::document/AWS-RunShellScript"
	anyMachine  = "arn:$p:states:$r:$a:stateMachine:" + anyName
	anyPipeline = "arn:$p:datapipeline:$r:$a:pipeline/" + anyName
	everywhere  = "*"
)

const administrator = "administrator"

// do is an action on a resource, pass is iam:PassRole of any role to a service.
func do(action, resource string) need { return need{action: action, resource: resource} }

func pass(service string) need {
	return need{action: "iam:PassRole", resource: anyRole, passedTo: service}
}

func one(needs ...need) [][]need { return [][]need{needs} }

// privileges in the order in which they are reported. An action named DrawbridgeAsks does not exist: only a statement that
// takes every action of the service, or leaves some out, passes it.
var privileges = []privilege{
	{administrator, Administers, "do everything in the account", "", one(
		do("drawbridge:"+anyAction, everywhere), do("iam:"+anyAction, anyRole), do("sts:"+anyAction, anyRole), do("iam:AttachRolePolicy", anyRole),
		do("iam:PutRolePolicy", anyRole), do("iam:CreatePolicyVersion", anyPolicy), need{"iam:PassRole", anyRole, "ec2.amazonaws.com"})},

	{"iam:*", WritesIAM, "do everything in IAM", "", one(do("iam:"+anyAction, anyRole), do("iam:AttachRolePolicy", anyRole))},
	{"iam:AttachRolePolicy", WritesIAM, "attach any policy to any role", "iam:*", one(do("iam:AttachRolePolicy", anyRole))},
	{"iam:PutRolePolicy", WritesIAM, "write policies into any role", "iam:*", one(do("iam:PutRolePolicy", anyRole))},
	{"iam:AttachUserPolicy", WritesIAM, "attach any policy to any user", "iam:*", one(do("iam:AttachUserPolicy", anyUser))},
	{"iam:PutUserPolicy", WritesIAM, "write policies into any user", "iam:*", one(do("iam:PutUserPolicy", anyUser))},
	{"iam:AttachGroupPolicy", WritesIAM, "attach any policy to any group", "iam:*", one(do("iam:AttachGroupPolicy", anyGroup))},
	{"iam:PutGroupPolicy", WritesIAM, "write policies into any group", "iam:*", one(do("iam:PutGroupPolicy", anyGroup))},
	{"iam:AddUserToGroup", WritesIAM, "put users into any group", "iam:*", one(do("iam:AddUserToGroup", anyGroup))},
	{"iam:CreatePolicyVersion", WritesIAM, "rewrite any customer managed policy", "iam:*", one(do("iam:CreatePolicyVersion", anyPolicy))},
	{"iam:SetDefaultPolicyVersion", WritesIAM, "bring back any version of any customer managed policy", "iam:*", one(do("iam:SetDefaultPolicyVersion", anyPolicy))},
	{"iam:UpdateAssumeRolePolicy", WritesIAM, "change who may take any role", "iam:*", one(do("iam:UpdateAssumeRolePolicy", anyRole))},
	{"iam:CreateAccessKey", WritesIAM, "make access keys for any user", "iam:*", one(do("iam:CreateAccessKey", anyUser))},
	{"iam:CreateLoginProfile", WritesIAM, "give any user a console password", "iam:*", one(do("iam:CreateLoginProfile", anyUser))},
	{"iam:UpdateLoginProfile", WritesIAM, "change any user's console password", "iam:*", one(do("iam:UpdateLoginProfile", anyUser))},
	{
		"iam:UpdateSAMLProvider", WritesIAM, "let an identity provider of its choice vouch for whoever trusts a SAML provider", "iam:*",
		one(do("iam:UpdateSAMLProvider", "arn:$p:iam::$a:saml-provider/"+anyName)),
	},
	{"own-inline-policy", WritesIAM, "write its own permissions", "iam:PutRolePolicy", [][]need{{do("iam:PutRolePolicy", ownRole)}, {do("iam:PutUserPolicy", ownUser)}}},
	{"own-attached-policy", WritesIAM, "attach any policy to itself", "iam:AttachRolePolicy", [][]need{{do("iam:AttachRolePolicy", ownRole)}, {do("iam:AttachUserPolicy", ownUser)}}},
	{"own-managed-policy", WritesIAM, "rewrite a policy that is attached to itself", "iam:CreatePolicyVersion", one(do("iam:CreatePolicyVersion", ownPolicy))},

	{"assume-any-role", Escalates, "take any role whose trust policy lets the account in", "", one(do("sts:AssumeRole", anyRole))},
	{"pass-role-lambda", Escalates, "run Lambda functions with any role that Lambda may take", "", withEach(
		[]need{pass("lambda.amazonaws.com"), do("lambda:CreateFunction", anyFunction)},
		do("lambda:InvokeFunction", anyFunction), do("lambda:CreateEventSourceMapping", everywhere), do("lambda:AddPermission", anyFunction),
		do("lambda:CreateFunctionUrlConfig", anyFunction))},
	{"pass-role-ec2", Escalates, "start EC2 instances with any role that has an instance profile", "", one(pass("ec2.amazonaws.com"), do("ec2:RunInstances", anyInstance))},
	{"pass-role-ecs", Escalates, "run ECS tasks with any role that ECS may take", "", withEach(
		[]need{pass("ecs-tasks.amazonaws.com"), do("ecs:RegisterTaskDefinition", anyTask)},
		do("ecs:RunTask", anyTask), do("ecs:StartTask", anyTask), do("ecs:CreateService", "arn:$p:ecs:$r:$a:service/"+anyName+"/"+anyName),
		do("ecs:UpdateService", "arn:$p:ecs:$r:$a:service/"+anyName+"/"+anyName))},
	{"pass-role-batch", Escalates, "run Batch jobs with any role that ECS may take", "", one(pass("ecs-tasks.amazonaws.com"),
		do("batch:RegisterJobDefinition", "arn:$p:batch:$r:$a:job-definition/"+anyName), do("batch:SubmitJob", "arn:$p:batch:$r:$a:job-definition/"+anyName))},
	{"pass-role-glue", Escalates, "run Glue jobs with any role that Glue may take", "", [][]need{
		{pass("glue.amazonaws.com"), do("glue:CreateDevEndpoint", everywhere)},
		{pass("glue.amazonaws.com"), do("glue:CreateJob", anyJob), do("glue:StartJobRun", anyJob)},
		{pass("glue.amazonaws.com"), do("glue:UpdateJob", anyJob), do("glue:StartJobRun", anyJob)},
		{pass("glue.amazonaws.com"), do("glue:CreateJob", anyJob), do("glue:CreateTrigger", "arn:$p:glue:$r:$a:trigger/"+anyName)},
	}},
	{"pass-role-sagemaker", Escalates, "run SageMaker notebooks or jobs with any role that SageMaker may take", "", [][]need{
		{pass("sagemaker.amazonaws.com"), do("sagemaker:CreateNotebookInstance", anyNotebook)},
		{pass("sagemaker.amazonaws.com"), do("sagemaker:CreateTrainingJob", "arn:$p:sagemaker:$r:$a:training-job/"+anyName)},
		{pass("sagemaker.amazonaws.com"), do("sagemaker:CreateProcessingJob", "arn:$p:sagemaker:$r:$a:processing-job/"+anyName)},
	}},
	{"pass-role-cloudformation", Escalates, "create or update CloudFormation stacks with any role that CloudFormation may take", "", [][]need{
		{pass("cloudformation.amazonaws.com"), do("cloudformation:CreateStack", anyStack)},
		{pass("cloudformation.amazonaws.com"), do("cloudformation:UpdateStack", anyStack)},
		{pass("cloudformation.amazonaws.com"), do("cloudformation:CreateChangeSet", anyStack), do("cloudformation:ExecuteChangeSet", anyStack)},
	}},
	{"pass-role-codebuild", Escalates, "run CodeBuild builds with any role that CodeBuild may take", "", [][]need{
		{pass("codebuild.amazonaws.com"), do("codebuild:CreateProject", anyProject), do("codebuild:StartBuild", anyProject)},
		{pass("codebuild.amazonaws.com"), do("codebuild:UpdateProject", anyProject), do("codebuild:StartBuild", anyProject)},
	}},
	{"pass-role-datapipeline", Escalates, "run pipelines of Data Pipeline with any role that it may take", "", one(pass("datapipeline.amazonaws.com"),
		do("datapipeline:CreatePipeline", everywhere), do("datapipeline:PutPipelineDefinition", anyPipeline), do("datapipeline:ActivatePipeline", anyPipeline))},
	{"pass-role-apprunner", Escalates, "run App Runner services with any role that App Runner may take", "", one(pass("tasks.apprunner.amazonaws.com"),
		do("apprunner:CreateService", "arn:$p:apprunner:$r:$a:service/"+anyName+"/"+anyName))},
	{"pass-role-states", Escalates, "run state machines with any role that Step Functions may take", "", one(pass("states.amazonaws.com"),
		do("states:CreateStateMachine", anyMachine), do("states:StartExecution", anyMachine))},
	{"pass-role-scheduler", Escalates, "call AWS on a schedule with any role that EventBridge Scheduler may take", "", one(pass("scheduler.amazonaws.com"),
		do("scheduler:CreateSchedule", "arn:$p:scheduler:$r:$a:schedule/default/"+anyName))},
	{"pass-role-ssm", Escalates, "run automations with any role that Systems Manager may take", "", one(pass("ssm.amazonaws.com"),
		do("ssm:StartAutomationExecution", "arn:$p:ssm:$r:$a:automation-definition/"+anyName+":1"))},
	{"pass-role-emr", Escalates, "start EMR clusters with any role that EC2 may take", "", one(pass("ec2.amazonaws.com"), pass("elasticmapreduce.amazonaws.com"),
		do("elasticmapreduce:RunJobFlow", everywhere))},
	{"lambda:UpdateFunctionCode", Escalates, "change the code of any Lambda function and act as its role", "", one(do("lambda:UpdateFunctionCode", anyFunction))},
	{"ssm:SendCommand", Escalates, "run commands on any instance and act as its role", "", one(do("ssm:SendCommand", anyInstance), do("ssm:SendCommand", anyDocument))},
	{"ssm:StartSession", Escalates, "open a shell on any instance and act as its role", "", one(do("ssm:StartSession", anyInstance))},
	{"ec2:ModifyInstanceAttribute", Escalates, "change the start script of any instance and act as its role", "", one(do("ec2:ModifyInstanceAttribute", anyInstance),
		do("ec2:StopInstances", anyInstance), do("ec2:StartInstances", anyInstance))},
	{"ecs:ExecuteCommand", Escalates, "enter any ECS task that allows it and act as its role", "", one(do("ecs:ExecuteCommand", "arn:$p:ecs:$r:$a:cluster/"+anyName),
		do("ecs:ExecuteCommand", "arn:$p:ecs:$r:$a:task/"+anyName+"/"+anyName))},
	{"codebuild:StartBuild", Escalates, "run builds of its own in any CodeBuild project and act as its role", "pass-role-codebuild", one(do("codebuild:StartBuild", anyProject))},
	{"cloudformation:UpdateStack", Escalates, "change any CloudFormation stack, with the role that the stack already has", "pass-role-cloudformation", [][]need{
		{do("cloudformation:UpdateStack", anyStack)},
		{do("cloudformation:CreateChangeSet", anyStack), do("cloudformation:ExecuteChangeSet", anyStack)},
	}},
	{
		"sagemaker:CreatePresignedNotebookInstanceUrl", Escalates, "open any SageMaker notebook and act as its role", "pass-role-sagemaker",
		one(do("sagemaker:CreatePresignedNotebookInstanceUrl", anyNotebook)),
	},
	{
		"glue:UpdateDevEndpoint", Escalates, "put an SSH key on any Glue endpoint and act as its role", "pass-role-glue",
		one(do("glue:UpdateDevEndpoint", "arn:$p:glue:$r:$a:devEndpoint/"+anyName)),
	},

	whole("s3", "S3", "arn:$p:s3:::"+anyName+"/"+anyName),
	whole("secretsmanager", "Secrets Manager", "arn:$p:secretsmanager:$r:$a:secret:"+anyName),
	whole("kms", "KMS", "arn:$p:kms:$r:$a:key/"+anyName),
	whole("ssm", "Systems Manager", "arn:$p:ssm:$r:$a:parameter/"+anyName),
	whole("sts", "STS", anyRole),
	whole("organizations", "Organizations", everywhere),
	whole("account", "account management", everywhere),
	whole("sso", "IAM Identity Center", everywhere),
	whole("identitystore", "the store of IAM Identity Center", everywhere),
	whole("dynamodb", "DynamoDB", "arn:$p:dynamodb:$r:$a:table/"+anyName),
	whole("rds", "RDS", "arn:$p:rds:$r:$a:db:"+anyName),
	whole("redshift", "Redshift", "arn:$p:redshift:$r:$a:cluster:"+anyName),
	whole("backup", "AWS Backup", "arn:$p:backup:$r:$a:backup-vault:"+anyName),
	whole("ec2", "EC2", anyInstance),
	whole("ecr", "ECR", "arn:$p:ecr:$r:$a:repository/"+anyName),
	whole("ecs", "ECS", "arn:$p:ecs:$r:$a:cluster/"+anyName),
	whole("eks", "EKS", "arn:$p:eks:$r:$a:cluster/"+anyName),
	whole("lambda", "Lambda", anyFunction),
	whole("cloudformation", "CloudFormation", anyStack),
	whole("codebuild", "CodeBuild", anyProject),
	whole("cloudtrail", "CloudTrail", "arn:$p:cloudtrail:$r:$a:trail/"+anyName),
	whole("config", "AWS Config", everywhere),
	whole("guardduty", "GuardDuty", "arn:$p:guardduty:$r:$a:detector/"+anyName),
	whole("logs", "CloudWatch Logs", "arn:$p:logs:$r:$a:log-group:"+anyName),

	{
		"secretsmanager:GetSecretValue", ReadsAll, "read every secret of Secrets Manager", "secretsmanager:*",
		one(do("secretsmanager:GetSecretValue", "arn:$p:secretsmanager:$r:$a:secret:"+anyName)),
	},
}

// whole is every action of a service on all of its resources. The services are those that hold data and credentials, that run
// code with roles, or that record what happens.
func whole(service, title, resource string) privilege {
	return privilege{service + ":*", HasService, "do everything in " + title, "", one(do(service+":"+anyAction, resource))}
}

// withEach makes one way of each last need, with those that all of them need.
func withEach(needs []need, last ...need) [][]need {
	var ways [][]need
	for _, l := range last {
		ways = append(ways, append(needs[:len(needs):len(needs)], l))
	}
	return ways
}
