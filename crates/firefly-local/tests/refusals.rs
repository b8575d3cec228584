//! The cloud refuses as API Gateway and Lambda do, when it is told to.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod process;

use process::{Local, argument, command, data_dir, run, token};
use tokio::net::TcpListener;

#[tokio::test]
async fn requests_beyond_the_throttle_are_429() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &["--throttle", "0.001,2"]);
    for status in [200, 200, 429, 429] {
        assert_eq!(cloud.request("GET", "/health", &[], None).await.status, status);
    }
    let refused = cloud.request("GET", "/devices", &[], None).await;
    assert_eq!((refused.status, refused.body.as_ref()), (429, &br#"{"message":"Too Many Requests"}"#[..]));
    assert!(cloud.interrupt().status.success());
}

#[tokio::test]
async fn requests_beyond_the_concurrency_are_503() {
    let dir = data_dir();
    // A DynamoDB that accepts connections and says nothing: the function that asks it is under way.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", argument(dir.path()), "--concurrency", "1"];
    let mut command = command(&[&arguments[..], &["--dynamodb-endpoint", &endpoint]].concat());
    for (name, value) in [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")]
    {
        command.env(name, value);
    }
    let cloud = Local::spawn(&mut command);
    assert_eq!(cloud.request("GET", "/health", &[], None).await.status, 200);
    let token = token(dir.path(), &["--group", "super_users"]);
    let listed = cloud.as_user(&token, "GET", "/devices");
    let refused = async {
        let connection = silent.accept().await.unwrap();
        let refused = cloud.request("GET", "/health", &[], None).await;
        drop((connection, silent));
        refused
    };
    let (listed, refused) = tokio::join!(listed, refused);
    assert_eq!((refused.status, refused.body.as_ref()), (503, &br#"{"message":"Service Unavailable"}"#[..]));
    assert!(listed.status >= 500, "{listed:?}");
    assert_eq!(cloud.request("GET", "/health", &[], None).await.status, 200);
}

#[test]
fn limits_that_are_malformed_are_refused() {
    let dir = data_dir();
    let start = ["--listen", "127.0.0.1:0", "--data-dir", argument(dir.path())];
    for (option, value) in [
        ("--throttle", "500"),
        ("--throttle", "500,"),
        ("--throttle", ",1000"),
        ("--throttle", "500,0"),
        ("--throttle", "0,1000"),
        ("--throttle", "-1,1000"),
        ("--throttle", "NaN,1000"),
        ("--throttle", "inf,1000"),
        ("--throttle", "500,1.5"),
        ("--throttle", "500,1000,1"),
        ("--concurrency", "0"),
        ("--concurrency", "many"),
        ("--concurrency", "1000001"),
    ] {
        let output = run(&[&start[..], &[&format!("{option}={value}")]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{option} {value}: {stderr}");
        assert!(stderr.contains(option) && stderr.contains(value), "{option} {value}: {stderr}");
    }
}
