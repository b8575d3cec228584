//! Connections that are opened before the first request needs them.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use firefly_core::time::UnixSeconds;
use firefly_core::user::User;
use firefly_runtime::{Aws, Environment};
use firefly_stores::{Backups, Devices, RegistrationKeys, Registrations, s3};
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// An engine that answers everything with `{}`, and how many connections it has accepted.
async fn engine() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let answer = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("{}")))) });
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), answer));
        }
    });
    (url, connections)
}

fn environment(dynamodb: &str, s3: &str) -> Environment {
    let variables = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb),
        ("AWS_ENDPOINT_URL_S3", s3),
        ("DYNAMODB_DEVICES_TABLE_NAME", "devices"),
        ("DYNAMODB_REGISTRATION_KEYS_TABLE_NAME", "keys"),
        ("S3_BACKUP_BUCKET_NAME", "backups"),
    ];
    Environment::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

#[tokio::test]
async fn the_first_calls_find_their_connections_open() {
    let (dynamodb, to_dynamodb) = engine().await;
    let (url_of_s3, to_s3) = engine().await;
    let environment = environment(&dynamodb, &url_of_s3);
    let aws = Aws::new(&environment).unwrap();
    let keys = RegistrationKeys::new(&environment, &aws).unwrap();
    let _backups = Backups::new(&environment, &aws).unwrap();
    let objects = s3::client(&aws).unwrap();
    aws.warm_up(Duration::from_secs(30)).await;
    let opened = || (to_dynamodb.load(Ordering::SeqCst), to_s3.load(Ordering::SeqCst));
    assert_eq!(opened(), (1, 1));

    let caller = User::of_claims(Some("anna"), None).unwrap();
    let put = objects.put_object().bucket("backups").key("a").send();
    let (create, put) = tokio::join!(keys.create(&caller, UnixSeconds::new(2_000_000_000)), put);
    assert!(create.is_ok() && put.is_ok());
    assert_eq!(opened(), (1, 1));
}

#[tokio::test]
async fn a_registration_finds_two_connections_open() {
    let (dynamodb, to_dynamodb) = engine().await;
    let environment = environment(&dynamodb, "");
    let aws = Aws::new(&environment).unwrap();
    let _registrations = Registrations::new(&environment, &aws).unwrap();
    aws.warm_up(Duration::from_secs(30)).await;
    assert_eq!(to_dynamodb.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_endpoint_that_refuses_or_hangs_fails_nothing() {
    let refusing = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let refused = format!("http://{}", refusing.local_addr().unwrap());
    drop(refusing);
    let hanging = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let environment = environment(&refused, &format!("http://{}", hanging.local_addr().unwrap()));
    let aws = Aws::new(&environment).unwrap();
    let _devices = Devices::new(&environment, &aws).unwrap();
    let _backups = Backups::new(&environment, &aws).unwrap();
    aws.warm_up(Duration::from_millis(50)).await;
}
