use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::aws::Aws;
use crate::environment::Environment;

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

fn aws(dynamodb: &str, s3: &str) -> Aws {
    let variables = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb),
        ("AWS_ENDPOINT_URL_S3", s3),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Aws::new(&Environment::new(variables)).unwrap()
}

#[tokio::test]
async fn the_first_calls_find_their_connections_open() {
    let (dynamodb, to_dynamodb) = engine().await;
    let (s3, to_s3) = engine().await;
    let aws = aws(&dynamodb, &s3);
    let (items, objects) = (aws.dynamodb(), aws.s3());
    aws.warm_up_dynamodb();
    aws.warm_up_s3("backups");
    aws.into_warm_up().run(Duration::from_secs(30)).await;
    let opened = || (to_dynamodb.load(Ordering::SeqCst), to_s3.load(Ordering::SeqCst));
    assert_eq!(opened(), (1, 1));

    let get = items.get_item().table_name("devices").key("uuid", AttributeValue::S("a".to_owned())).send();
    let put = objects.put_object().bucket("backups").key("a").send();
    let (get, put) = tokio::join!(get, put);
    assert!(get.is_ok() && put.is_ok());
    assert_eq!(opened(), (1, 1));
}

#[tokio::test]
async fn without_an_override_the_hosts_are_those_that_the_clients_call() {
    let aws = aws("", "");
    aws.warm_up_dynamodb();
    aws.warm_up_s3("backups");
    aws.warm_up_s3("back.ups");
    aws.warm_up_appconfigdata();
    let warm_up = aws.into_warm_up();
    let urls = warm_up.urls.into_inner().unwrap();
    assert_eq!(
        urls,
        [
            "https://dynamodb.eu-central-1.amazonaws.com",
            "https://backups.s3.eu-central-1.amazonaws.com",
            "https://s3.eu-central-1.amazonaws.com/back.ups",
            "https://appconfigdata.eu-central-1.amazonaws.com",
        ]
    );
}

#[tokio::test]
async fn an_endpoint_that_refuses_or_hangs_fails_nothing() {
    let refusing = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let refused = format!("http://{}", refusing.local_addr().unwrap());
    drop(refusing);
    let hanging = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let aws = aws(&refused, &format!("http://{}", hanging.local_addr().unwrap()));
    aws.warm_up_dynamodb();
    aws.warm_up_s3("backups");
    aws.into_warm_up().run(Duration::from_millis(50)).await;
}
