//! The program itself: exit status, standard output and the one line of an error.

use std::path::Path;
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::cloud::{Cloud, ENVIRONMENT, REGION};
use crate::{DEVICES, DEVICES_STACK, assert_devices_deployed, old_devices};

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firefly-deploy"));
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent");
    command.env("FIREFLY_ENVIRONMENT", ENVIRONMENT);
    command
}

async fn run(cloud: &Cloud, arguments: &[&str]) -> Output {
    run_with(cloud, arguments, &[]).await
}

/// Runs the program with these variables.
pub(crate) async fn run_with(cloud: &Cloud, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let credentials = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", REGION)];
    let mut command = program();
    command.envs(credentials).env("AWS_ENDPOINT_URL", cloud.endpoint()).envs(variables.iter().copied());
    command.args(arguments).output().await.unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Fails unless the program failed with this status and one line.
pub(crate) fn assert_fails(output: &Output, status: i32, expected: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert!(stderr.starts_with("firefly-deploy: ") && stderr.contains(expected), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert_eq!(text(&output.stdout), "");
}

#[tokio::test]
async fn a_wrong_command_line_is_one_line_and_exit_status_2() {
    for (arguments, expected) in [
        (&[][..], "a command is needed: prepare, params, data, delete, check-environment or graph"),
        (&["deploy"], "unrecognized subcommand 'deploy'"),
        (&["params"], "<STACK>"),
        (&["params", "nothing"], "there are cognito, dynamodb-devices, "),
        (&["params", "bootstrap"], "deployed by hand: see README"),
        (&["prepare", "dynamodb-devices"], "dynamodb-devices is deployed by `firefly-deploy data`"),
        (&["data", "cognito"], "data are held by dynamodb-devices, dynamodb-registration-keys, s3-device-backups;"),
        (&["data", "dynamodb-devices", "--wait-minutes", "0"], "--wait-minutes"),
        (&["data", "dynamodb-devices", "--force"], "unexpected argument '--force'"),
        (&["delete", "dynamodb-devices", "cognito"], "unexpected argument 'cognito'"),
        (&["graph", "--format", "svg"], "'svg'"),
    ] {
        let output = program().args(arguments).output().await.unwrap();
        assert_fails(&output, 2, expected);
    }
}

#[tokio::test]
async fn an_output_that_cannot_be_written_is_one_line_and_exit_status_1() {
    for format in ["text", "mermaid"] {
        for output in [">/dev/full", ">&-"] {
            let script = format!(r#"exec "$0" graph --format {format} {output}"#);
            let mut shell = Command::new("sh");
            shell.args(["-c", &script, env!("CARGO_BIN_EXE_firefly-deploy")]);
            assert_fails(&shell.output().await.unwrap(), 1, "cannot write to standard output: ");
        }
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let unread = program().arg("graph").stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    assert_fails(&unread.wait_with_output().await.unwrap(), 1, "cannot write to standard output: ");
    // Neither stream can be written: the exit status is left.
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec "$0" graph >/dev/full 2>/dev/full"#, env!("CARGO_BIN_EXE_firefly-deploy")]);
    assert_eq!(shell.status().await.unwrap().code(), Some(1));
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec "$0" graph --format svg 2>/dev/full"#, env!("CARGO_BIN_EXE_firefly-deploy")]);
    assert_eq!(shell.status().await.unwrap().code(), Some(2));
}

#[tokio::test]
async fn no_region_credentials_or_answer_is_one_line_and_exit_status_1() {
    let output = program().args(["params", "cognito"]).output().await.unwrap();
    assert_fails(&output, 1, "no AWS region: set AWS_REGION");
    let output = program().env("AWS_REGION", "eu-central-1").args(["data", "dynamodb-devices"]).output().await.unwrap();
    assert_fails(&output, 1, "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE\n");
    let cloud = Cloud::start().await;
    cloud.state().refuse.insert("cloudformation:DescribeStacks", ("ExpiredToken", "The security token is expired"));
    let output = run(&cloud, &["delete", "func-api-health-get"]).await;
    assert_fails(&output, 1, "(ExpiredToken); the credentials have expired: get new ones and run again");
}

#[tokio::test]
async fn params_go_to_standard_output_or_a_file() {
    let cloud = Cloud::start().await;
    cloud.state().put_outputs("firefly-cognito", "CREATE_COMPLETE", &[("UserPoolId", "p"), ("UserPoolClientId", "c")]);
    let output = run(&cloud, &["params", "api-gateway"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("UserPoolId: \"p\"\nUserPoolClientId: \"c\"\n"));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("params.yaml");
    let written = run(&cloud, &["params", "api-gateway", "--output", path.to_str().unwrap()]).await;
    assert!(written.status.success());
    assert_eq!(std::fs::read(&path).unwrap(), output.stdout);
    assert_eq!(text(&written.stdout), "");

    // A failure writes no file.
    let absent = directory.path().join("absent.yaml");
    let output = run(&cloud, &["params", "func-api-health-get", "--output", absent.to_str().unwrap()]).await;
    assert_fails(&output, 1, "the stack firefly-api-gateway does not exist: deploy api-gateway first");
    assert!(!Path::new(&absent).exists());
    let output = run(&cloud, &["params", "api-gateway", "--output", "/nonexistent/params.yaml"]).await;
    assert_fails(&output, 1, "cannot write /nonexistent/params.yaml");
}

#[tokio::test]
async fn a_table_is_planned_adopted_and_its_stack_deleted() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, false);
    let output = run(&cloud, &["data", "dynamodb-devices", "--dry-run"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("1. import the table firefly-devices as it is"));
    assert_eq!(cloud.changes(), [""; 0]);

    let output = run(&cloud, &["data", "dynamodb-devices", "--role-arn", "arn:aws:iam::123456789012:role/r"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).contains(&format!("{DEVICES_STACK}: IMPORT_COMPLETE\n")));
    assert_devices_deployed(&cloud);
    assert!(cloud.state().roles.iter().all(|role| role.as_deref() == Some("arn:aws:iam::123456789012:role/r")));

    let output = run(&cloud, &["delete", "dynamodb-devices"]).await;
    assert_fails(&output, 1, "DELETE_FAILED: the table firefly-devices has deletion protection");
    let output = run(&cloud, &["delete", "dynamodb-devices", "--keep-data"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(cloud.state().tables.has_item(DEVICES, "uuid"));
}

#[tokio::test]
async fn graph_needs_no_account() {
    let output = program().arg("graph").output().await.unwrap();
    assert_eq!(text(&output.stdout), firefly_deploy::graph::text());
    let output = program().args(["graph", "--format", "mermaid"]).output().await.unwrap();
    assert_eq!(text(&output.stdout), firefly_deploy::graph::mermaid());
    assert!(output.status.success());
}
