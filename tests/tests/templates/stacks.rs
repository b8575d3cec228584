use firefly_templates::{Source, Template, tagged, texts};
use std::collections::BTreeSet;

use firefly_core::group::SUPER_USERS;
use firefly_deploy::graph::STACKS;
use serde_yaml_ng::Value;

use super::document::{Document, root};
use super::routes;

/// The outputs that other stacks, workflows and people look up. One that may be empty is conditional: absence reads as
/// empty.
const OUTPUTS: [(&str, &[&str], &[&str]); 6] = [
    ("api-gateway", &["ApiId", "ApiUrl", "AuthorizerId"], &["OriginDomainName"]),
    ("cognito", &["UserPoolClientId", "UserPoolId"], &["HostedUiUrl"]),
    ("dynamodb-devices", &["TableArn", "TableName"], &[]),
    ("dynamodb-registration-keys", &["TableArn", "TableName"], &[]),
    ("s3-device-backups", &["BackupBucketArn", "BackupBucketName"], &[]),
    ("shared-layer", &["SharedLayerArn"], &["AppConfigExtensionLayerArn"]),
];

fn outputs(stack: &str, conditional: bool) -> BTreeSet<String> {
    let document = Document::of_stack(stack);
    let outputs = document.section("Outputs").filter(|(_, output)| output.get("Condition").is_some() == conditional);
    outputs.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_stack_has_the_outputs_that_are_looked_up() {
    for (stack, always, sometimes) in OUTPUTS {
        assert!(outputs(stack, false).iter().eq(always), "{stack}: {:?}", outputs(stack, false));
        assert!(outputs(stack, true).iter().eq(sometimes), "{stack}: {:?}", outputs(stack, true));
    }
    for stack in &STACKS {
        for need in stack.needs {
            let declared = &outputs(need.stack, false) | &outputs(need.stack, true);
            for output in need.purpose.outputs() {
                assert!(declared.contains(*output), "{} needs {output} of {}", stack.name, need.stack);
                let document = Document::of_stack(stack.name);
                assert!(document.section("Parameters").any(|(name, _)| name == *output), "{}: {output}", stack.name);
            }
        }
    }
}

#[test]
fn stacks_deploy_independently() {
    for stack in &STACKS {
        let document = Document::of_stack(stack.name);
        assert!(document.functions().iter().all(|(function, _)| function != "ImportValue"), "{}", stack.name);
        assert!(document.section("Outputs").all(|(_, output)| output.get("Export").is_none()), "{}", stack.name);
    }
}

#[test]
fn the_api_is_declared_so_that_no_deploy_of_it_takes_routes_away() {
    let document = Document::of_stack("api-gateway");
    for (id, resource) in document.resources() {
        let kind = resource["Type"].as_str().unwrap();
        let allowed =
            ["Api", "ApiMapping", "Authorizer", "DomainName", "Stage"].map(|name| format!("AWS::ApiGatewayV2::{name}"));
        let others = ["AWS::Logs::LogGroup", "AWS::Route53::RecordSet"];
        assert!(allowed.iter().any(|allowed| allowed == kind) || others.contains(&kind), "{id} is a {kind}");
    }
    assert!(!document.has_section("Transform"));
    assert!(document.resource("Api")["Properties"].get("Body").is_none());
    let stage = &document.resource("Stage")["Properties"];
    assert_eq!((stage["StageName"].as_str(), stage["AutoDeploy"].as_bool()), (Some("$default"), Some(true)));
    assert!(stage.get("RouteSettings").is_none());
    for limit in ["ThrottlingBurstLimit", "ThrottlingRateLimit"] {
        assert!(stage["DefaultRouteSettings"].get(limit).is_some(), "{limit}");
    }
    let routes = routes();
    let methods: BTreeSet<_> = routes.iter().map(|route| route.key.split_once(' ').unwrap().0).collect();
    let cors = &document.resource("Api")["Properties"]["CorsConfiguration"];
    assert_eq!(texts(&cors["AllowMethods"]).into_iter().collect::<BTreeSet<_>>(), methods);
    // API Gateway answers OPTIONS itself; ANY and $default would take it away from that.
    assert!(methods.is_subset(&BTreeSet::from(["DELETE", "GET", "POST", "PUT", "PATCH"])));
    let log = document.resource("AccessLogGroup");
    assert_eq!(log["Properties"]["LogGroupName"].as_str(), Some("/aws/vendedlogs/firefly-api-gateway"));
    assert_eq!(tagged(&log["Properties"]["RetentionInDays"], "!Ref").and_then(Value::as_str), Some("LogRetentionDays"));
    assert_eq!(document.entry("Parameters", "LogRetentionDays").unwrap()["Default"].as_u64(), Some(30));
    // All that belongs to the custom domain is there with it.
    for id in ["Domain", "DomainMapping", "DomainRecord"] {
        assert_eq!(document.resource(id)["Condition"].as_str(), Some("HasDomain"), "{id}");
    }
}

#[test]
fn nobody_signs_up_by_themselves() {
    let document = Document::of_stack("cognito");
    let pool = &document.resource("UserPool")["Properties"];
    assert_eq!(pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"].as_bool(), Some(true));
    let protection = document.section("Parameters").find(|(name, _)| *name == "UserPoolDeletionProtection").unwrap().1;
    assert_eq!(tagged(&pool["DeletionProtection"], "!Ref").and_then(Value::as_str), Some("UserPoolDeletionProtection"));
    assert_eq!(protection["Default"].as_str(), Some("ACTIVE"));
    let client = &document.resource("UserPoolClient")["Properties"];
    assert_eq!(client["PreventUserExistenceErrors"].as_str(), Some("ENABLED"));
    assert_eq!(client["GenerateSecret"].as_bool(), Some(false));
    let flows: BTreeSet<_> = texts(&client["ExplicitAuthFlows"]).into_iter().collect();
    let expected = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"];
    assert_eq!(flows, expected.into());
    assert_eq!(document.resource("SuperUsersGroup")["Properties"]["GroupName"].as_str(), Some(SUPER_USERS));
    for id in ["HostedUiDomain", "IdentityProvider"] {
        assert!(document.resource(id).get("Condition").is_some(), "{id}");
    }
}

#[test]
fn data_outlive_their_stacks_and_can_be_adopted() {
    let data = [
        ("dynamodb-devices", "DevicesTable", "AWS::DynamoDB::Table"),
        ("dynamodb-registration-keys", "RegistrationKeysTable", "AWS::DynamoDB::Table"),
        ("s3-device-backups", "DeviceBackupsBucket", "AWS::S3::Bucket"),
    ];
    for (stack, id, kind) in data {
        let document = Document::of_stack(stack);
        let resource = document.resource(id);
        assert_eq!(resource["Type"].as_str(), Some(kind), "{stack}");
        assert_eq!(resource["DeletionPolicy"].as_str(), Some("Retain"), "{stack}");
        assert_eq!(resource["UpdateReplacePolicy"].as_str(), Some("Retain"), "{stack}");
        // These make the deploy after an import differ from it.
        assert!(resource.get("Metadata").is_some(), "{stack}");
        assert!(!document.has_section("Transform"), "{stack}");
        if kind == "AWS::DynamoDB::Table" {
            assert!(!document.has_section("Parameters") && document.functions().len() == 2, "{stack}");
            assert_eq!(document.resources().count(), 1, "{stack}");
        }
    }
    let document = Document::of_stack("s3-device-backups");
    let bucket = &document.resource("DeviceBackupsBucket")["Properties"];
    let lifecycle = |id: &str| {
        let rules = bucket["LifecycleConfiguration"]["Rules"].as_sequence().unwrap().iter();
        rules.into_iter().find(|rule| rule["Id"].as_str() == Some(id)).unwrap()
    };
    assert_eq!(lifecycle("expire-old-versions")["NoncurrentVersionExpiration"]["NoncurrentDays"].as_u64(), Some(90));
    assert_eq!(lifecycle("expire-old-versions")["NoncurrentVersionExpiration"].get("NewerNoncurrentVersions"), None);
    let beyond_ten = &lifecycle("expire-versions-beyond-ten")["NoncurrentVersionExpiration"];
    assert_eq!(beyond_ten["NewerNoncurrentVersions"].as_u64(), Some(10));
    assert_eq!(beyond_ten["NoncurrentDays"].as_u64(), Some(7));
    let rules = bucket["LifecycleConfiguration"]["Rules"].as_sequence().unwrap();
    assert!(rules.iter().all(|rule| rule["Status"].as_str() == Some("Enabled")));
    let cleaned = &lifecycle("clean-incomplete-uploads")["AbortIncompleteMultipartUpload"];
    assert_eq!(cleaned["DaysAfterInitiation"].as_u64(), Some(1));
    assert_eq!(bucket["VersioningConfiguration"]["Status"].as_str(), Some("Enabled"));
}

#[test]
fn the_shared_layer_holds_the_defaults() {
    let document = Document::of_stack("shared-layer");
    let layer = &document.resource("SharedLayer")["Properties"];
    // A function that is rolled back needs the version it had.
    assert_eq!(layer["RetentionPolicy"].as_str(), Some("Retain"));
    let folder = root().join("stacks").join(layer["ContentUri"].as_str().unwrap());
    // A layer is unpacked in /opt, where functions read firefly/defaults.json.
    assert!(folder.join("firefly/defaults.json").is_file());
    let passed = document.section("Outputs").find(|(name, _)| *name == "AppConfigExtensionLayerArn").unwrap().1;
    assert_eq!(tagged(&passed["Value"], "!Ref").and_then(Value::as_str), Some("AppConfigExtensionLayerArn"));
}

/// Statements of the bootstrap stack whose resources no name of ours can narrow, and why.
const BEYOND_OUR_NAMES: [(&str, &str); 21] = [
    ("AccessLogDelivery", "log delivery knows no resources"),
    ("AlarmsRead", "alarms are listed all together"),
    ("Api", "ids of APIs are random: a tag limits it"),
    ("ApiNew", "an API that is not there yet has no id: a tag limits it"),
    ("ApiServiceRole", "API Gateway's own service-linked role"),
    ("ApiTagsRead", "tags are read"),
    ("AppConfigExtension", "a layer that AWS publishes"),
    ("Artifacts", "the stack's own bucket"),
    ("Code", "the stack's own bucket"),
    ("CompositeAlarms", "composite alarms are made by a role that may make any"),
    ("ConcurrencyRead", "an account has no ARN"),
    ("DomainRecord", "the one zone the operator names"),
    ("DomainRecordWait", "ids of changes are random"),
    ("HandOver", "the stack's own role"),
    ("LogGroupsRead", "log groups are listed all together"),
    ("StacksRead", "no stack is named in these calls"),
    ("TestUsers", "ids of user pools are random: a tag limits it"),
    ("Transform", "SAM's transform"),
    ("UserPool", "ids of user pools are random: a tag limits it"),
    ("UserPoolDomainRead", "domains are read by their prefix"),
    ("UserPoolNew", "a pool that is not there yet has no id: a tag limits it"),
];

#[test]
fn bootstrap_needs_the_environment_and_gives_it_back() {
    let document = Document::of_file("stacks/bootstrap.yaml");
    let (_, parameter) = document.section("Parameters").find(|(name, _)| *name == "Environment").unwrap();
    assert!(parameter.get("Default").is_none());
    assert_eq!(parameter["AllowedPattern"].as_str(), Some("[A-Za-z0-9][A-Za-z0-9_.-]{0,254}"));
    let (_, output) = document.section("Outputs").find(|(name, _)| *name == "Environment").unwrap();
    assert_eq!(tagged(&output["Value"], "!Ref").and_then(Value::as_str), Some("Environment"));
    assert!(output.get("Condition").is_none());
    // The deploy role can tell a region that has no bootstrap stack from one that it may not read.
    let policies = document.resource("DeployRole")["Properties"]["Policies"].as_sequence().unwrap();
    let statements = policies.iter().flat_map(|policy| policy["PolicyDocument"]["Statement"].as_sequence().unwrap());
    let everywhere = "arn:${AWS::Partition}:cloudformation:*:${AWS::AccountId}:stack/firefly-bootstrap/*";
    let mut reading = statements.filter(|statement| {
        statement["Effect"].as_str() == Some("Allow")
            && texts(&statement["Action"]).contains(&"cloudformation:DescribeStacks")
            && tagged(&statement["Resource"], "!Sub").and_then(Value::as_str) == Some(everywhere)
    });
    assert!(reading.next().is_some());
}

/// Calls that CloudFormation makes since it has properties for their answers. A call that is refused fails the deployment.
#[test]
fn cloudformation_may_read_what_its_resources_have() {
    let text = std::fs::read_to_string(root().join("stacks/bootstrap.yaml")).unwrap();
    for action in [
        "lambda:GetFunctionScalingConfig",
        "logs:GetDataProtectionPolicy",
        "s3:GetBucketAbac",
        "s3:GetBucketMetadataTableConfiguration",
        "s3:ListTagsForResource",
    ] {
        let role = text.split("  CloudFormationRole:\n").nth(1).unwrap();
        assert!(role.contains(&format!("                  - {action}\n")), "{action}");
    }
}

#[test]
fn the_artifact_bucket_forgets_old_code() {
    let document = Document::of_file("stacks/bootstrap.yaml");
    let rules = document.resource("ArtifactBucket")["Properties"]["LifecycleConfiguration"]["Rules"].clone();
    let rule = |id: &str| rules.as_sequence().unwrap().iter().find(|rule| rule["Id"] == id).unwrap().clone();
    assert_eq!(rule("expire-code")["ExpirationInDays"].as_u64(), Some(365));
    assert_eq!(rule("expire-old-versions")["NoncurrentVersionExpiration"]["NoncurrentDays"].as_u64(), Some(30));
    assert!(rules.as_sequence().unwrap().iter().all(|rule| rule["Status"] == "Enabled"));
    // Code in use is young: each deploy uploads it anew.
    let deploy = std::fs::read_to_string(root().join(".ci/deploy")).unwrap();
    assert!(deploy.contains(" --force-upload "));
}

#[test]
fn ci_may_act_on_our_names_alone() {
    let document = Document::of_file("stacks/bootstrap.yaml");
    let mut beyond = BTreeSet::new();
    let mut judge = |statement: &Value| {
        let sid = statement["Sid"].as_str().unwrap();
        let resources = match &statement["Resource"] {
            Value::Sequence(resources) => resources.clone(),
            resource => vec![resource.clone()],
        };
        let ours = |resource: &Value| {
            tagged(resource, "!Sub").and_then(Value::as_str).is_some_and(|arn| {
                let name = arn.rsplit(['/', ':']).find(|part| part.contains("firefly-")).unwrap_or_default();
                name.starts_with("firefly-") && arn.starts_with("arn:${AWS::Partition}:")
            })
        };
        if !resources.iter().all(ours) {
            beyond.insert(sid.to_owned());
        }
        // An action named in full can be judged; a pattern grants what AWS adds later.
        assert!(texts(&statement["Action"]).iter().all(|action| !action.contains('*')), "{sid}");
    };
    for (_, role) in document.resources().filter(|(_, resource)| resource["Type"].as_str() == Some("AWS::IAM::Role")) {
        for policy in role["Properties"]["Policies"].as_sequence().unwrap() {
            for statement in policy["PolicyDocument"]["Statement"].as_sequence().unwrap() {
                // `!If [Condition, statement, nothing]`.
                judge(tagged(statement, "!If").map_or(statement, |choice| &choice[1]));
            }
        }
    }
    let observability = Document::of_stack("observability");
    let has_composites = observability.resource_of_type("AWS::CloudWatch::CompositeAlarm").is_some();
    let expected = BEYOND_OUR_NAMES.iter().map(|(sid, _)| sid);
    assert!(beyond.iter().eq(expected.filter(|sid| has_composites || **sid != "CompositeAlarms")), "{beyond:?}");
}

#[test]
fn bootstrap_makes_a_budget_where_it_is_given_one() {
    let document = Document::of_file("stacks/bootstrap.yaml");
    let budget = document.resource("Budget");
    assert_eq!(budget["Condition"].as_str(), Some("HasBudget"));
    let limit = &budget["Properties"]["Budget"]["BudgetLimit"];
    assert_eq!(tagged(&limit["Amount"], "!Ref").and_then(Value::as_str), Some("MonthlyBudget"));
    let notified = budget["Properties"]["NotificationsWithSubscribers"].as_sequence().unwrap();
    let kinds = notified.iter().map(|one| one["Notification"]["NotificationType"].as_str().unwrap());
    assert_eq!(kinds.collect::<Vec<_>>(), ["ACTUAL", "FORECASTED"]);
    let given = |budget: &str, address: &str| {
        let values = [("MonthlyBudget", budget), ("BudgetEmail", address)];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let text = std::fs::read_to_string(root().join("stacks/bootstrap.yaml")).unwrap();
        let template = Template::parse(Source { name: "bootstrap", text: &text }, &values).unwrap();
        template.broken_rule().unwrap().map(str::to_owned)
    };
    assert_eq!(given("", ""), None);
    assert_eq!(given("50", "you@example.com"), None);
    assert_eq!(given("50", "").as_deref(), Some("MonthlyBudget needs BudgetEmail"));
}
