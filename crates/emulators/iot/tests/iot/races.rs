//! Concurrent calls.

use std::collections::BTreeSet;

use aws_sdk_iot::error::ProvideErrorMetadata as _;
use aws_sdk_iot::types::{AttributePayload, ThingPrincipalType};
use tokio::task::JoinSet;

use crate::server::start;

/// The number of calls at a time.
const CALLS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_things_of_one_name_one_wins() {
    let server = start().await;
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let payload = AttributePayload::builder().attributes("number", number.to_string()).build();
        let call = server.client.create_thing().thing_name("thing").attribute_payload(payload);
        calls.spawn(async move { call.send().await.map(|_| number).map_err(|error| error.code().map(str::to_owned)) });
    }
    let (won, lost): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.iter().all(|lost| lost == &Err(Some("ResourceAlreadyExistsException".to_owned()))), "{lost:?}");
    let found = server.client.describe_thing().thing_name("thing").send().await.unwrap();
    assert_eq!(found.attributes().unwrap()["number"], won[0].clone().unwrap().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_exclusive_things_of_one_certificate_one_wins() {
    let server = start().await;
    let certificate = server.certificate(false).await;
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let name = format!("thing-{number}");
        server.thing(&name).await;
        let call = server.client.attach_thing_principal().thing_name(&name).principal(&certificate.arn);
        let call = call.thing_principal_type(ThingPrincipalType::ExclusiveThing);
        calls.spawn(async move { call.send().await.ok().map(|_| name) });
    }
    let won: Vec<_> = calls.join_all().await.into_iter().flatten().collect();
    let found = server.client.list_principal_things().principal(&certificate.arn).send().await.unwrap();
    assert_eq!(won.len(), 1);
    assert_eq!(found.things(), won);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_certificates_of_one_csr_are_distinct() {
    let server = start().await;
    let csr = crate::server::csr();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let call = server.client.create_certificate_from_csr().certificate_signing_request(&csr);
        calls.spawn(async move { call.send().await.unwrap().certificate_id.unwrap() });
    }
    let ids: BTreeSet<_> = calls.join_all().await.into_iter().collect();
    let list = server.client.list_certificates().page_size(250).send().await.unwrap();
    let listed: BTreeSet<_> = list.certificates().iter().map(|it| it.certificate_id().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), &ids), (CALLS, &listed));
}
