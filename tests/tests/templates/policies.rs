//! The policies of the stack bootstrap, judged as IAM judges them.

use std::collections::{BTreeMap, BTreeSet};

use firefly_functions::ALL;
use firefly_templates::{FunctionTemplate, Policy, Request, Source};
use serde_yaml_ng::Value;

use super::document::{Document, root};

const BOUNDARY: &str = "arn:aws:iam::000000000000:policy/firefly-function-boundary";
const FUNCTION_ROLE: &str = "arn:aws:iam::000000000000:role/firefly-func-api-things-get-role";
const BUCKET: &str = "firefly-device-backups-000000000000-us-east-1";
/// The resources of the boundary that have no name of ours, and the reasons.
const WITHOUT_OUR_NAME: [(&str, &str); 1] = [(
    "arn:aws:appconfig:us-east-1:000000000000:application/*/environment/*/configuration/*",
    "AppConfig makes up the ids of applications, environments and profiles",
)];
/// The most characters of all policies of a role, and of a managed policy, without white space. Source: IAM User Guide,
/// "IAM and AWS STS quotas".
const ROLE_CHARACTERS: usize = 10_240;
const MANAGED_CHARACTERS: usize = 6_144;

/// A policy of bootstrap, with this name of the bucket.
fn policy_for(id: &str, bucket: &str) -> Policy {
    let text = std::fs::read_to_string(root().join("stacks/bootstrap.yaml")).unwrap();
    let given = [
        ("BackupBucketName", bucket),
        ("Environment", "production"),
        ("HostedZoneId", "Z1"),
        ("OidcSubjects", "repo:OWNER/FORK:environment:production"),
    ];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Policy::parse(Source { name: "bootstrap", text: &text }, id, &given).unwrap()
}

fn policy(id: &str) -> Policy {
    policy_for(id, "")
}

fn allows(policy: &Policy, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
    policy.allows(Request { action, resource, context })
}

#[test]
fn a_function_role_is_made_and_changed_only_with_the_boundary() {
    let role = policy("CloudFormationRole");
    for action in ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"] {
        assert!(allows(&role, action, FUNCTION_ROLE, &[("iam:PermissionsBoundary", BOUNDARY)]), "{action}");
        assert!(!allows(&role, action, FUNCTION_ROLE, &[]), "{action} without a boundary");
        for other in ["arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::000000000000:policy/firefly-other"] {
            let context = [("iam:PermissionsBoundary", other)];
            assert!(!allows(&role, action, FUNCTION_ROLE, &context), "{action} with {other}");
        }
    }
    for action in ["iam:DeleteRolePermissionsBoundary", "iam:AttachRolePolicy"] {
        for context in [&[][..], &[("iam:PermissionsBoundary", BOUNDARY)]] {
            assert!(!allows(&role, action, FUNCTION_ROLE, context), "{action}");
        }
    }
    // A role of an earlier deployment, which has no boundary, can still be deleted.
    assert!(
        allows(&role, "iam:DeleteRolePolicy", FUNCTION_ROLE, &[])
            && allows(&role, "iam:DeleteRole", FUNCTION_ROLE, &[])
    );
}

#[test]
fn ci_changes_neither_the_boundary_nor_its_own_roles_nor_anybody_else() {
    let writes = [
        "iam:AddUserToGroup",
        "iam:AttachRolePolicy",
        "iam:AttachUserPolicy",
        "iam:CreateAccessKey",
        "iam:CreateLoginProfile",
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:CreateRole",
        "iam:CreateUser",
        "iam:DeletePolicy",
        "iam:DeletePolicyVersion",
        "iam:DeleteRole",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:PutUserPolicy",
        "iam:SetDefaultPolicyVersion",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole",
        "sts:AssumeRole",
    ];
    let others = [
        BOUNDARY,
        "arn:aws:iam::000000000000:role/firefly-deploy",
        "arn:aws:iam::000000000000:role/firefly-cloudformation",
        "arn:aws:iam::000000000000:role/administrator",
        "arn:aws:iam::000000000000:user/somebody",
    ];
    for id in ["CloudFormationRole", "DeployRole"] {
        let policy = policy(id);
        for (action, resource) in writes.iter().flat_map(|action| others.map(|other| (action, other))) {
            for context in [&[][..], &[("iam:PermissionsBoundary", BOUNDARY)]] {
                assert!(!allows(&policy, action, resource, context), "{id}: {action} on {resource}");
            }
        }
    }
    // Each role is passed to one service alone.
    for (id, passed, service) in [
        ("DeployRole", "arn:aws:iam::000000000000:role/firefly-cloudformation", "cloudformation.amazonaws.com"),
        ("CloudFormationRole", FUNCTION_ROLE, "lambda.amazonaws.com"),
    ] {
        let policy = policy(id);
        assert!(allows(&policy, "iam:PassRole", passed, &[("iam:PassedToService", service)]), "{id}");
        for other in ["ec2.amazonaws.com", "states.amazonaws.com", ""] {
            assert!(!allows(&policy, "iam:PassRole", passed, &[("iam:PassedToService", other)]), "{id}: {other}");
        }
        assert!(!allows(
            &policy,
            "iam:PassRole",
            "arn:aws:iam::000000000000:role/administrator",
            &[("iam:PassedToService", service)]
        ));
    }
}

#[test]
fn the_deploy_role_changes_every_stack_but_bootstrap() {
    let (policy, role) = (policy("DeployRole"), policy("CloudFormationRole"));
    let reads = |action: &str| ["Describe", "Get", "List"].iter().any(|verb| action.contains(&format!(":{verb}")));
    let stack = |name: &str| format!("arn:aws:cloudformation:us-east-1:000000000000:stack/{name}/0a1b");
    let granted =
        policy.allowed().filter(|(action, on)| action.starts_with("cloudformation:") && on.contains(":stack/"));
    let changes: BTreeSet<_> = granted.map(|(action, _)| action).filter(|action| !reads(action)).collect();
    assert!(changes.contains("cloudformation:UpdateStack") && changes.len() > 5, "{changes:?}");
    for action in changes {
        assert!(allows(&policy, action, &stack("firefly-cognito"), &[]), "{action}");
        assert!(!allows(&policy, action, &stack("firefly-bootstrap"), &[]), "{action}");
        assert!(!allows(&policy, action, &stack("payroll"), &[]), "{action}");
    }
    assert!(allows(&policy, "cloudformation:DescribeStacks", &stack("firefly-bootstrap"), &[]));
    // CloudFormation's own role does not lead there, either.
    assert!(!allows(&role, "cloudformation:UpdateStack", &stack("firefly-bootstrap"), &[]));
}

#[test]
fn the_boundary_allows_what_functions_use() {
    for bucket in ["", "firefly-own"] {
        let boundary = policy_for("FunctionBoundary", bucket);
        let parameters: BTreeMap<_, _> = [("ApiId", "a"), ("AuthorizerId", "b"), ("BackupBucketName", bucket)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for function in &ALL {
            for grant in FunctionTemplate::parse(function.template, &parameters).unwrap().actions {
                let allowed = allows(&boundary, &grant.action, &grant.resource, &[]);
                assert!(allowed, "{}: {} on {}", function.name, grant.action, grant.resource);
            }
        }
    }
}

#[test]
fn the_boundary_keeps_an_administrator_to_our_data() {
    let boundary = policy("FunctionBoundary");
    let objects = format!("arn:aws:s3:::{BUCKET}/0f7a");
    assert!(allows(&boundary, "s3:GetObject", &objects, &[]));
    for (action, resource) in [
        ("iam:CreateUser", "arn:aws:iam::000000000000:user/x"),
        ("iam:PassRole", "arn:aws:iam::000000000000:role/administrator"),
        ("sts:AssumeRole", "arn:aws:iam::000000000000:role/administrator"),
        ("organizations:LeaveOrganization", "*"),
        ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:000000000000:table/payroll"),
        ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:111111111111:table/firefly-devices"),
        ("dynamodb:DeleteTable", "arn:aws:dynamodb:us-east-1:000000000000:table/firefly-devices"),
        ("dynamodb:UpdateTable", "arn:aws:dynamodb:us-east-1:000000000000:table/firefly-devices"),
        ("s3:GetObject", "arn:aws:s3:::payroll/x"),
        ("s3:GetObject", "arn:aws:s3:::firefly-artifacts-000000000000-us-east-1/x"),
        ("s3:DeleteBucket", &format!("arn:aws:s3:::{BUCKET}")),
        ("s3:PutBucketPolicy", &format!("arn:aws:s3:::{BUCKET}")),
        ("logs:PutLogEvents", "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/payroll:*"),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:us-east-1:000000000000:function:firefly-func-api-health-get"),
        ("cloudformation:UpdateStack", "arn:aws:cloudformation:us-east-1:000000000000:stack/firefly-bootstrap/0a1b"),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:000000000000:secret:firefly-x"),
        ("*", "*"),
    ] {
        assert!(!allows(&boundary, action, resource, &[]), "{action} on {resource}");
    }
    // Another bucket is meant once bootstrap names it.
    let own = policy_for("FunctionBoundary", "firefly-own");
    assert!(allows(&own, "s3:GetObject", "arn:aws:s3:::firefly-own/0f7a", &[]));
    assert!(!allows(&own, "s3:GetObject", &objects, &[]));
}

#[test]
fn every_resource_of_the_boundary_has_our_name_or_a_reason() {
    let boundary = policy("FunctionBoundary");
    let without: BTreeSet<_> =
        boundary.allowed().map(|(_, resource)| resource).filter(|resource| !resource.contains("firefly-")).collect();
    assert_eq!(without, WITHOUT_OUR_NAME.map(|(resource, _)| resource).into());
    assert!(boundary.allowed().all(|(action, _)| !action.contains('*')));
    // An explicit denial stands against whatever is added later.
    for action in ["iam:CreateUser", "organizations:LeaveOrganization", "sts:AssumeRole"] {
        let document = Document::of_file("stacks/bootstrap.yaml");
        let statements = document.resource("FunctionBoundary")["Properties"]["PolicyDocument"]["Statement"].clone();
        let denies = |statement: &Value| {
            let service = format!("{}:*", action.split(':').next().unwrap());
            statement["Effect"] == "Deny"
                && statement["Resource"] == "*"
                && firefly_templates::texts(&statement["Action"]).contains(&service.as_str())
        };
        assert!(statements.as_sequence().unwrap().iter().any(denies), "{action}");
    }
}

/// The length of a policy in JSON. A name such as `${AWS::Region}` is no shorter than the value that replaces it.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Sequence(items) => items.iter().map(|item| length(item) + 1).sum::<usize>() + 1,
        Value::Mapping(members) => {
            members.iter().map(|(name, member)| length(name) + length(member) + 2).sum::<usize>() + 1
        }
        Value::Tagged(tagged) => length(&tagged.value),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_policies_are_no_longer_than_iam_allows() {
    let document = Document::of_file("stacks/bootstrap.yaml");
    for id in ["CloudFormationRole", "DeployRole"] {
        let policies = document.resource(id)["Properties"]["Policies"].as_sequence().unwrap();
        let characters: usize = policies.iter().map(|policy| length(&policy["PolicyDocument"])).sum();
        assert!(characters <= ROLE_CHARACTERS, "{id}: {characters}");
    }
    let characters = length(&document.resource("FunctionBoundary")["Properties"]["PolicyDocument"]);
    assert!(characters <= MANAGED_CHARACTERS, "{characters}");
}

/// Ids of pools and APIs are random, and every one that the house makes has a tag.
#[test]
fn ci_reaches_the_pools_apis_and_domains_that_have_our_tag() {
    const OURS: [(&str, &str); 1] = [("aws:ResourceTag/Application", "firefly")];
    const NEW: [(&str, &str); 1] = [("aws:RequestTag/Application", "firefly")];
    let (pool, api) =
        ("arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_X", "arn:aws:apigateway:us-east-1::");
    for (id, action, resource, context) in [
        ("CloudFormationRole", "cognito-idp:CreateUserPool", "*", NEW),
        ("CloudFormationRole", "cognito-idp:UpdateUserPool", pool, OURS),
        ("CloudFormationRole", "cognito-idp:DeleteUserPool", pool, OURS),
        ("CloudFormationRole", "cognito-idp:TagResource", pool, OURS),
        ("CloudFormationRole", "apigateway:POST", &format!("{api}/apis"), NEW),
        ("CloudFormationRole", "apigateway:POST", &format!("{api}/domainnames"), NEW),
        ("CloudFormationRole", "apigateway:POST", &format!("{api}/apis/a1/routes"), OURS),
        ("CloudFormationRole", "apigateway:DELETE", &format!("{api}/apis/a1"), OURS),
        ("CloudFormationRole", "apigateway:PATCH", &format!("{api}/apis/a1/stages/$default"), OURS),
        ("CloudFormationRole", "apigateway:DELETE", &format!("{api}/domainnames/api.example.com/apimappings/x"), OURS),
        ("DeployRole", "cognito-idp:AdminCreateUser", pool, OURS),
        ("DeployRole", "cognito-idp:AdminSetUserPassword", pool, OURS),
    ] {
        let policy = policy(id);
        assert!(allows(&policy, action, resource, &context), "{id}: {action} on {resource}");
        let other = [(context[0].0, "payroll")];
        for context in [&[][..], &other] {
            assert!(!allows(&policy, action, resource, context), "{id}: {action} on {resource} with {context:?}");
        }
    }
    // Whoever may tag an API can reach it.
    for action in ["apigateway:POST", "apigateway:PUT", "apigateway:PATCH", "apigateway:DELETE"] {
        for context in [NEW, OURS] {
            assert!(
                !allows(&policy("CloudFormationRole"), action, &format!("{api}/tags/arn%3Aaws"), &context),
                "{action}"
            );
        }
    }
    for (stack, resource, tags) in [
        ("cognito", "UserPool", "UserPoolTags"),
        ("api-gateway", "Api", "Tags"),
        ("api-gateway", "Domain", "Tags"),
        ("api-gateway", "Stage", "Tags"),
    ] {
        let document = Document::of_stack(stack);
        let tags = &document.resource(resource)["Properties"][tags];
        assert_eq!(tags["Application"].as_str(), Some("firefly"), "{stack}: {resource}");
    }
}
