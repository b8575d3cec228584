//! Slow propagation and throttling.

use std::time::Duration;

use emulator_iot::{Propagation, Throttle};
use emulator_kit::faults::{Fault, Faults};

use crate::server::{Certificate, DOCUMENT, Server, assert_refused, client, start};

/// A server with an inactive certificate that has the policy `policy` and the Thing `thing`.
async fn attached() -> (Server, Certificate) {
    let server = start().await;
    let certificate = server.certificate(false).await;
    server.thing("thing").await;
    server.policy("policy", DOCUMENT).await;
    server.attach_thing("thing", &certificate).await;
    server.attach_policy("policy", &certificate).await;
    (server, certificate)
}

async fn detach(server: &Server, certificate: &Certificate) {
    let call = server.client.detach_policy().policy_name("policy").target(&certificate.arn);
    call.send().await.unwrap();
    let call = server.client.detach_thing_principal().thing_name("thing").principal(&certificate.arn);
    call.send().await.unwrap();
}

#[tokio::test]
async fn detachments_show_after_a_time() {
    let (server, certificate) = attached().await;
    server.registry.set_propagation(Propagation::Time(Duration::from_secs(5)));
    detach(&server, &certificate).await;
    let client = &server.client;
    let delete_certificate = || client.delete_certificate().certificate_id(&certificate.id).send();
    let lengths = async || {
        let policies = client.list_attached_policies().target(&certificate.arn).send().await.unwrap();
        let targets = client.list_targets_for_policy().policy_name("policy").send().await.unwrap();
        let principals = client.list_thing_principals().thing_name("thing").send().await.unwrap();
        let things = client.list_principal_things().principal(&certificate.arn).send().await.unwrap();
        [policies.policies().len(), targets.targets().len(), principals.principals().len(), things.things().len()]
    };
    server.clock.advance(Duration::from_millis(4_999));
    assert_eq!(lengths().await, [1; 4]);
    assert_refused(delete_certificate().await, 409, "DeleteConflictException");
    assert_refused(client.delete_thing().thing_name("thing").send().await, 400, "InvalidRequestException");
    assert_refused(client.delete_policy().policy_name("policy").send().await, 409, "DeleteConflictException");
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(lengths().await, [0; 4]);
    delete_certificate().await.unwrap();
    client.delete_thing().thing_name("thing").send().await.unwrap();
    client.delete_policy().policy_name("policy").send().await.unwrap();
}

#[tokio::test]
async fn detachments_show_after_a_number_of_calls() {
    let (server, certificate) = attached().await;
    server.registry.set_propagation(Propagation::Calls(3));
    detach(&server, &certificate).await;
    server.registry.set_propagation(Propagation::Immediate);
    let delete = |force| {
        let call = server.client.delete_certificate().certificate_id(&certificate.id);
        call.force_delete(force).send()
    };
    // The policy was detached a call earlier than the Thing.
    for _ in 0..3 {
        assert_refused(delete(true).await, 409, "DeleteConflictException");
    }
    delete(false).await.unwrap();
    server.client.delete_thing().thing_name("thing").send().await.unwrap();
}

#[tokio::test]
async fn what_is_attached_again_stays_attached() {
    let (server, certificate) = attached().await;
    server.registry.set_propagation(Propagation::Time(Duration::from_secs(5)));
    detach(&server, &certificate).await;
    server.attach_thing("thing", &certificate).await;
    server.clock.advance(Duration::from_secs(5));
    let list = server.client.list_thing_principals().thing_name("thing").send().await.unwrap();
    assert_eq!(list.principals(), [certificate.arn]);
}

#[tokio::test]
async fn a_throttled_operation_is_400_until_the_clock_has_moved() {
    let server = start().await;
    let certificate = server.certificate(false).await;
    server.registry.set_throttle(Some(Throttle::quotas()));
    let describe = || server.client.describe_certificate().certificate_id(&certificate.id).send();
    for _ in 0..10 {
        describe().await.unwrap();
    }
    assert_refused(describe().await, 400, "ThrottlingException");
    server.client.list_certificates().send().await.unwrap();
    server.clock.advance(Duration::from_millis(100));
    describe().await.unwrap();
    assert_refused(describe().await, 400, "ThrottlingException");
    server.clock.advance(Duration::from_secs(60));
    for _ in 0..10 {
        describe().await.unwrap();
    }
    assert_refused(describe().await, 400, "ThrottlingException");
    server.registry.set_throttle(Some(Throttle::new([("CreateThing", 1)])));
    describe().await.unwrap();
    server.thing("one").await;
    let second = server.client.create_thing().thing_name("two").send().await;
    assert_refused(second, 400, "ThrottlingException");
    assert_refused(server.client.describe_thing().thing_name("two").send().await, 404, "ResourceNotFoundException");
    server.registry.set_throttle(None);
    server.thing("two").await;
}

#[tokio::test]
async fn an_answer_that_is_dropped_was_work_that_is_done() {
    let server = start().await;
    let faults = Faults::<&'static str>::new(|request| {
        (request.method() == "POST" && request.uri().path() == "/certificates").then_some("CreateCertificateFromCsr")
    });
    let through = client(&faults.in_front_of(&server.url).await.unwrap(), "secret");
    faults.next("CreateCertificateFromCsr", [Fault::DropAnswer, Fault::json_error(400, "ThrottlingException")]);
    let create = || through.create_certificate_from_csr().certificate_signing_request(crate::server::csr()).send();
    assert!(create().await.unwrap_err().raw_response().is_none());
    assert_refused(create().await, 400, "ThrottlingException");
    create().await.unwrap();
    assert_eq!(server.client.list_certificates().send().await.unwrap().certificates().len(), 2);
}
