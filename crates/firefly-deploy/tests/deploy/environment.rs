//! An account holds one environment. Every command refuses to work on another.

use std::collections::BTreeSet;

use crate::cloud::{BOOTSTRAP_STACK, Cloud};
use crate::command::{assert_fails, program, run_with, text};
use crate::{new_devices, old_devices, template};

/// The commands that work on an account.
const COMMANDS: [&[&str]; 8] = [
    &["prepare", "cognito"],
    &["params", "cognito"],
    &["data", "dynamodb-devices"],
    &["data", "dynamodb-devices", "--dry-run"],
    &["data", "s3-device-backups"],
    &["delete", "dynamodb-devices"],
    &["delete", "func-api-health-get", "--keep-data"],
    &["check-environment"],
];

/// Fails unless every command is refused in one line, after it has looked only at the bootstrap stack.
async fn assert_all_refused(cloud: &Cloud, variables: &[(&str, &str)], expected: &str) {
    for arguments in COMMANDS {
        cloud.state().calls.clear();
        let output = run_with(cloud, arguments, variables).await;
        assert_fails(&output, 1, expected);
        let calls = cloud.state().calls.clone();
        assert!(calls.iter().all(|call| call == "cloudformation:DescribeStacks"), "{arguments:?}: {calls:?}");
        assert!(calls.len() <= 1, "{arguments:?}: {calls:?}");
    }
}

/// Starts an account in which every command has something to do.
async fn with_work() -> Cloud {
    let cloud = Cloud::start().await;
    {
        let mut state = cloud.state();
        state.tables.put(&old_devices(), None, false);
        state.log_groups.insert("/aws/lambda/firefly-func-api-health-get".to_owned());
    }
    cloud
}

#[tokio::test]
async fn a_second_environment_is_refused_naming_both() {
    let cloud = with_work().await;
    for (asked, quoted) in [
        ("staging", r#""staging""#),
        ("Production", r#""Production""#),
        ("production ", r#""production ""#),
        ("two\nlines", r#""two\nlines""#),
    ] {
        let expected = format!(
            "firefly-deploy: this account holds the environment \"production\" in eu-central-1, not {quoted}, nothing was \
             touched: a second environment needs an account of its own\n"
        );
        assert_all_refused(&cloud, &[("FIREFLY_ENVIRONMENT", asked)], &expected).await;
    }
}

#[tokio::test]
async fn a_region_without_bootstrap_is_refused() {
    let cloud = with_work().await;
    cloud.state().stacks.clear();
    let expected = "nothing says that eu-central-1 holds the environment \"production\", nothing was touched: the stack \
                    firefly-bootstrap does not exist: check AWS_REGION, or deploy stacks/bootstrap.yaml again in that \
                    region with Environment=NAME, the one environment of this account\n";
    assert_all_refused(&cloud, &[], expected).await;
}

#[tokio::test]
async fn a_bootstrap_without_the_output_is_refused() {
    let cloud = with_work().await;
    cloud.state().stack(BOOTSTRAP_STACK).unwrap().outputs.remove("Environment").unwrap();
    assert_all_refused(
        &cloud,
        &[],
        "the stack firefly-bootstrap has no output Environment: check AWS_REGION, or deploy",
    )
    .await;
}

#[tokio::test]
async fn an_older_bootstrap_is_refused() {
    for (output, value, found) in [
        ("Version", None, "1"),
        ("Version", Some("1"), "1"),
        ("Version", Some("new"), "new"),
        ("PermissionsBoundaryArn", None, "2"),
        ("BackupBucketName", None, "2"),
    ] {
        let cloud = with_work().await;
        {
            let mut state = cloud.state();
            let outputs = &mut state.stack(BOOTSTRAP_STACK).unwrap().outputs;
            outputs.remove(output).unwrap();
            outputs.extend(value.map(|value| (output.to_owned(), value.to_owned())));
        }
        let expected = format!(
            "firefly-deploy: the stack firefly-bootstrap in eu-central-1 is of version {found}, and this needs version 2, \
             nothing was touched: an administrator deploys stacks/bootstrap.yaml again (README, \"Updating bootstrap\")\n"
        );
        assert_all_refused(&cloud, &[], &expected).await;
    }
    // The template of this checkout is of the version that is needed. A newer one serves an older checkout.
    let cloud = Cloud::start().await;
    assert_eq!(cloud.state().stack(BOOTSTRAP_STACK).unwrap().outputs["Version"], "2");
    cloud.state().stack(BOOTSTRAP_STACK).unwrap().outputs.insert("Version".to_owned(), "10".to_owned());
    let output = run_with(&cloud, &["check-environment"], &[]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_bootstrap_that_is_not_at_rest_is_refused() {
    for status in [
        "REVIEW_IN_PROGRESS",
        "CREATE_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "ROLLBACK_COMPLETE",
        "CREATE_FAILED",
        "UPDATE_ROLLBACK_FAILED",
        "DELETE_FAILED",
    ] {
        let cloud = with_work().await;
        cloud.state().stack(BOOTSTRAP_STACK).unwrap().status = status.to_owned();
        let expected = format!(
            "the stack firefly-bootstrap is {status}: run again once it is deployed with Environment=NAME, the one \
             environment of this account\n"
        );
        assert_all_refused(&cloud, &[], &expected).await;
    }
}

#[tokio::test]
async fn a_bootstrap_that_may_not_be_read_is_refused() {
    let cloud = with_work().await;
    let refusal = ("AccessDenied", "User: arn:aws:sts::123456789012:x is not authorized\nto perform: it");
    cloud.state().refuse.insert("cloudformation:DescribeStacks", refusal);
    let expected = "the stack firefly-bootstrap may not be read (User: arn:aws:sts::123456789012:x is not authorized to \
                    perform: it): check AWS_REGION, or deploy stacks/bootstrap.yaml again";
    assert_all_refused(&cloud, &[], expected).await;
    cloud.state().refuse.insert("cloudformation:DescribeStacks", ("ExpiredToken", "The security token is expired"));
    assert_all_refused(&cloud, &[], "(ExpiredToken); the credentials have expired: get new ones and run again\n").await;
}

#[tokio::test]
async fn no_environment_is_refused() {
    let cloud = with_work().await;
    assert_all_refused(&cloud, &[("FIREFLY_ENVIRONMENT", "")], "FIREFLY_ENVIRONMENT is not set: set it to").await;
    for arguments in COMMANDS {
        let output = program().env_remove("FIREFLY_ENVIRONMENT").args(arguments).output().await.unwrap();
        assert_fails(&output, 1, "FIREFLY_ENVIRONMENT is not set: set it to the name of the environment to work on");
    }
}

#[tokio::test]
async fn the_environment_of_the_account_is_worked_on() {
    for status in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"] {
        let cloud = Cloud::start().await;
        cloud.state().tables.put(&new_devices(), None, true);
        cloud.state().stack(BOOTSTRAP_STACK).unwrap().status = status.to_owned();
        for arguments in COMMANDS {
            // The table is protected by then.
            if arguments != ["delete", "dynamodb-devices"] {
                let output = run_with(&cloud, arguments, &[]).await;
                assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
            }
        }
        assert_eq!(cloud.state().stack("firefly-dynamodb-devices").unwrap().template, template("dynamodb-devices"));
    }
    let cloud = Cloud::start().await;
    let output = run_with(&cloud, &["check-environment"], &[]).await;
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("", ""));
    assert_eq!(cloud.state().calls, ["cloudformation:DescribeStacks"]);
}

#[tokio::test]
async fn the_tried_commands_are_all_but_graph_and_help() {
    let output = program().arg("--help").output().await.unwrap();
    let listed = text(&output.stdout).split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names =
        listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty());
    let mut expected: BTreeSet<_> = COMMANDS.iter().map(|arguments| arguments[0]).collect();
    expected.extend(["graph", "help"]);
    assert_eq!(names.collect::<BTreeSet<_>>(), expected);
}
