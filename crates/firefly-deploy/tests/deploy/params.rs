//! The command `params` for stacks whose needs are deployed, or are not.

use std::collections::BTreeMap;

use firefly_deploy::ParamsError;
use firefly_deploy::graph::STACKS;

use crate::cloud::Cloud;
use crate::{DEVICES_STACK, no_environment, stack};

const EXTENSION: &str = "arn:aws:lambda:eu-central-1:066940009817:layer:AWS-AppConfig-Extension-Arm64:1";

async fn params(cloud: &Cloud, name: &str) -> Result<String, ParamsError> {
    params_with(cloud, name, &[]).await
}

async fn params_with(cloud: &Cloud, name: &str, environment: &[(&str, &str)]) -> Result<String, ParamsError> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    firefly_deploy::params(&cloud.account().await, stack(name), &environment).await
}

/// Starts a cloud with everything that a function needs.
async fn ready() -> Cloud {
    let cloud = Cloud::start().await;
    {
        let mut state = cloud.state();
        state.put_outputs(
            "firefly-api-gateway",
            "UPDATE_COMPLETE",
            &[("ApiId", "a1b2c3"), ("AuthorizerId", "x9"), ("ApiUrl", "u")],
        );
        state.put_outputs(
            "firefly-shared-layer",
            "CREATE_COMPLETE",
            &[("SharedLayerArn", "arn:layer:firefly-shared:3"), ("AppConfigExtensionLayerArn", EXTENSION)],
        );
        for name in ["firefly-dynamodb-devices", "firefly-dynamodb-registration-keys", "firefly-s3-device-backups"] {
            state.put_outputs(name, "CREATE_COMPLETE", &[]);
        }
    }
    cloud
}

#[tokio::test]
async fn a_function_s_parameters_come_from_outputs_and_the_environment() {
    let cloud = ready().await;
    cloud.state().name_bucket("firefly-mine");
    let environment = [("BACKUP_BUCKET_NAME", "firefly-mine"), ("APP_CONFIG_ENV", "prod: \"1\"")];
    let yaml = params_with(&cloud, "func-api-devices-backup-post", &environment).await.unwrap();
    assert_eq!(
        yaml,
        format!(
            "ApiId: \"a1b2c3\"\nSharedLayerArn: \"arn:layer:firefly-shared:3\"\nAppConfigExtensionLayerArn: \
             \"{EXTENSION}\"\nAppConfigEnv: \"prod: \\\"1\\\"\"\nEdgeSecretSha256: \"\"\nLogRetentionDays: \"30\"\nPermissionsBoundaryArn: \
             \"arn:aws:iam::123456789012:policy/firefly-function-boundary\"\nBackupBucketName: \"firefly-mine\"\n"
        )
    );
    let yaml = params(&cloud, "func-api-registration-keys-post").await.unwrap();
    assert!(yaml.contains("AuthorizerId: \"x9\"\n") && yaml.contains("AppConfigEnv: \"\"\n"), "{yaml}");
    assert_eq!(cloud.changes(), [""; 0]);
    assert!(cloud.lines().is_empty(), "{:?}", cloud.lines());
}

#[tokio::test]
async fn every_parameter_of_every_template_is_given() {
    let cloud = ready().await;
    let outputs = [("UserPoolId", "pool"), ("UserPoolClientId", "client")];
    cloud.state().put_outputs("firefly-cognito", "UPDATE_ROLLBACK_COMPLETE", &outputs);
    for stack in &STACKS {
        let yaml = params(&cloud, stack.name).await.unwrap();
        let parsed: BTreeMap<String, String> = serde_yaml_ng::from_str(&yaml).unwrap();
        let template: serde_yaml_ng::Value = serde_yaml_ng::from_str(stack.template).unwrap();
        let declared = template.get("Parameters").and_then(serde_yaml_ng::Value::as_mapping);
        let declared: Vec<_> = declared.into_iter().flatten().map(|(name, _)| name.as_str().unwrap()).collect();
        assert_eq!(parsed.len(), declared.len(), "{}", stack.name);
        for name in declared {
            let required = stack.template.contains(&format!("  {name}:\n    Type: String\n    Description"))
                && !parsed[name].is_empty();
            assert!(required || parsed.contains_key(name), "{} {name}", stack.name);
        }
    }
}

#[tokio::test]
async fn an_unset_parameter_has_the_template_s_default() {
    let cloud = ready().await;
    cloud.state().put_outputs("firefly-cognito", "CREATE_COMPLETE", &[("UserPoolId", "p"), ("UserPoolClientId", "c")]);
    let yaml =
        params_with(&cloud, "api-gateway", &[("THROTTLING_RATE_LIMIT", "20"), ("DOMAIN_NAME", "")]).await.unwrap();
    for line in [
        "UserPoolId: \"p\"",
        "AllowOrigins: \"*\"",
        "ThrottlingRateLimit: \"20\"",
        "ThrottlingBurstLimit: \"500\"",
        "DomainName: \"\"",
    ] {
        assert!(yaml.lines().any(|found| found == line), "{line}\n{yaml}");
    }
    assert_eq!(params(&cloud, "dynamodb-devices").await.unwrap(), "{}\n");
    let environment = [("APP_CONFIG_EXTENSION_LAYER_ARN", EXTENSION)];
    let yaml = params_with(&cloud, "shared-layer", &environment).await.unwrap();
    assert_eq!(yaml, format!("AppConfigExtensionLayerArn: \"{EXTENSION}\"\n"));
}

#[tokio::test]
async fn a_missing_stack_with_outputs_is_an_error() {
    let cloud = Cloud::start().await;
    let error = params(&cloud, "func-api-devices-backup-post").await.unwrap_err().to_string();
    assert_eq!(error, "the stack firefly-api-gateway does not exist: deploy api-gateway first");
    cloud.state().put_outputs("firefly-api-gateway", "CREATE_COMPLETE", &[("ApiId", "a"), ("AuthorizerId", "b")]);
    for name in ["func-api-devices-backup-post", "func-api-registration-keys-post"] {
        let error = params(&cloud, name).await.unwrap_err().to_string();
        assert_eq!(error, "the stack firefly-shared-layer does not exist: deploy shared-layer first");
    }
    assert_eq!(cloud.changes(), [""; 0]);
}

#[tokio::test]
async fn a_stack_that_is_not_at_rest_is_an_error() {
    for status in [
        "REVIEW_IN_PROGRESS",
        "CREATE_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "CREATE_FAILED",
        "DELETE_FAILED",
        "UPDATE_ROLLBACK_FAILED",
    ] {
        let cloud = ready().await;
        cloud.state().stack("firefly-api-gateway").unwrap().status = status.to_owned();
        let error = params(&cloud, "func-api-health-get").await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "the stack firefly-api-gateway is {status} and its outputs cannot be used: deploy api-gateway first"
            )
        );
    }
}

#[tokio::test]
async fn a_missing_output_is_an_error_unless_it_is_conditional() {
    let cloud = ready().await;
    cloud.state().stack("firefly-shared-layer").unwrap().outputs.remove("AppConfigExtensionLayerArn");
    let yaml = params(&cloud, "func-api-health-get").await.unwrap();
    assert!(yaml.contains("AppConfigExtensionLayerArn: \"\"\n"), "{yaml}");

    cloud.state().stack("firefly-api-gateway").unwrap().outputs.remove("AuthorizerId");
    params(&cloud, "func-api-health-get").await.unwrap();
    let error = params(&cloud, "func-api-devices-get").await.unwrap_err().to_string();
    assert_eq!(error, "the stack firefly-api-gateway has no output AuthorizerId: deploy api-gateway first");

    // An import has no outputs, and an empty output counts as absent.
    cloud.state().stack("firefly-shared-layer").unwrap().outputs.clear();
    let error = params(&cloud, "func-api-health-get").await.unwrap_err().to_string();
    assert_eq!(error, "the stack firefly-shared-layer has no output SharedLayerArn: deploy shared-layer first");
    cloud.state().stack("firefly-api-gateway").unwrap().outputs.insert("ApiId".to_owned(), String::new());
    let error = params(&cloud, "func-api-health-get").await.unwrap_err().to_string();
    assert_eq!(error, "the stack firefly-api-gateway has no output ApiId: deploy api-gateway first");
}

#[tokio::test]
async fn a_missing_table_of_a_function_is_a_warning() {
    let cloud = ready().await;
    cloud.state().stack(DEVICES_STACK).unwrap().status = "DELETE_COMPLETE".to_owned();
    params(&cloud, "func-api-devices-backup-post").await.unwrap();
    assert_eq!(cloud.lines(), ["warning: firefly-dynamodb-devices is not deployed: deploy it, too"]);
}

#[tokio::test]
async fn a_value_that_the_parameter_cannot_have_is_refused() {
    let cloud = ready().await;
    cloud.state().put_outputs("firefly-cognito", "CREATE_COMPLETE", &[("UserPoolId", "p"), ("UserPoolClientId", "c")]);
    for (name, variable, value, expected) in [
        ("cognito", "USER_POOL_DELETION_PROTECTION", "off", "\"off\": it must be ACTIVE or INACTIVE"),
        ("api-gateway", "THROTTLING_RATE_LIMIT", "many", "\"many\": it must be a number of at least 1"),
        ("api-gateway", "THROTTLING_BURST_LIMIT", "0", "\"0\": it must be a number of at least 1"),
        ("api-gateway", "DOMAIN_NAME", "a\nb", "\"a\\nb\": it must not have control characters"),
        (
            "observability",
            "ALARM_TOPIC_ARN",
            "firefly-alarms",
            "\"firefly-alarms\": it must be the ARN of a standard SNS topic",
        ),
        (
            "func-api-devices-backup-post",
            "BACKUP_BUCKET_NAME",
            "my-backups",
            "\"my-backups\": it must be the name of a bucket that begins with firefly-",
        ),
        (
            "s3-device-backups",
            "BACKUP_BUCKET_NAME",
            "firefly-Mine",
            "\"firefly-Mine\": it must be the name of a bucket that begins with firefly-",
        ),
    ] {
        let error = params_with(&cloud, name, &[(variable, value)]).await.unwrap_err().to_string();
        assert_eq!(error, format!("{variable} is {expected}"));
    }
}

#[tokio::test]
async fn a_value_that_matches_its_pattern_is_given() {
    let cloud = ready().await;
    let topic = "arn:aws:sns:eu-central-1:123456789012:firefly-alarms";
    let yaml = params_with(&cloud, "observability", &[("ALARM_TOPIC_ARN", topic)]).await.unwrap();
    assert!(yaml.contains(&format!("AlarmTopicArn: \"{topic}\"\n")), "{yaml}");
    for wrong in [format!("x{topic}"), format!("{topic} "), format!("{topic}.fifo")] {
        params_with(&cloud, "observability", &[("ALARM_TOPIC_ARN", &wrong)]).await.unwrap_err();
    }
}

#[tokio::test]
async fn variables_that_do_not_go_together_are_refused() {
    let cloud = ready().await;
    cloud.state().put_outputs("firefly-cognito", "CREATE_COMPLETE", &[("UserPoolId", "p"), ("UserPoolClientId", "c")]);
    let domain = [("DOMAIN_NAME", "api.example.com"), ("CERTIFICATE_ARN", "arn:c"), ("HOSTED_ZONE_ID", "Z1")];
    let pages = [("HOSTED_UI_DOMAIN_PREFIX", "x"), ("CALLBACK_URL", "https://c"), ("LOGOUT_URL", "https://l")];
    let provider = [
        ("IDENTITY_PROVIDER_ISSUER", "https://i"),
        ("HOSTED_UI_DOMAIN_PREFIX", "x"),
        ("IDENTITY_PROVIDER_CLIENT_ID", "id"),
        ("IDENTITY_PROVIDER_SECRET_ARN", "arn:s"),
        ("CALLBACK_URL", "https://c"),
        ("LOGOUT_URL", "https://l"),
    ];
    for (name, all) in [("api-gateway", &domain[..]), ("cognito", &pages), ("cognito", &provider)] {
        params_with(&cloud, name, all).await.unwrap();
        let needed = if all.len() == 6 { &all[1..4] } else { &all[1..] };
        for (missing, _) in needed {
            let rest: Vec<_> = all.iter().copied().filter(|(variable, _)| variable != missing).collect();
            let error = params_with(&cloud, name, &rest).await.unwrap_err().to_string();
            assert_eq!(error, format!("{} needs {missing}: set the one or leave the other empty", all[0].0));
        }
    }
}

#[tokio::test]
async fn a_bucket_that_functions_may_not_use_is_refused() {
    let cloud = ready().await;
    let default = "firefly-device-backups-123456789012-eu-central-1";
    for (named, chosen, asked) in [
        (default, "firefly-mine", "firefly-mine"),
        ("firefly-mine", "", default),
        ("firefly-mine", "firefly-other", "firefly-other"),
    ] {
        cloud.state().name_bucket(named);
        for name in ["func-api-devices-backup-post", "s3-device-backups"] {
            let error = params_with(&cloud, name, &[("BACKUP_BUCKET_NAME", chosen)]).await.unwrap_err().to_string();
            let expected = format!(
                "BACKUP_BUCKET_NAME means the bucket {asked}, and functions may use {named} alone: an administrator deploys \
                 stacks/bootstrap.yaml again with BackupBucketName, or it is set to {named}"
            );
            assert_eq!(error, expected);
        }
        // Others have no bucket.
        params_with(&cloud, "func-api-health-get", &[("BACKUP_BUCKET_NAME", chosen)]).await.unwrap();
    }
}

#[tokio::test]
async fn a_log_group_that_would_block_the_stack_is_an_error() {
    let cloud = ready().await;
    let group = "/aws/lambda/firefly-func-api-health-get";
    cloud.state().log_groups.insert(group.to_owned());
    let error = params(&cloud, "func-api-health-get").await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "the log group {group} exists without the stack firefly-func-api-health-get, which could not be created: run \
             `firefly-deploy delete func-api-health-get`, which removes it with its log"
        )
    );
    // That does it.
    firefly_deploy::delete(&cloud.account().await, stack("func-api-health-get"), &no_environment(), false)
        .await
        .unwrap();
    params(&cloud, "func-api-health-get").await.unwrap();
    // With its stack it is where it belongs.
    cloud.state().log_groups.insert(group.to_owned());
    cloud.state().put_stack("firefly-func-api-health-get", "UPDATE_COMPLETE", "", "");
    params(&cloud, "func-api-health-get").await.unwrap();
}
