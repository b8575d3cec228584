//! Attachments of policies and Things to certificates.

use aws_sdk_iot::types::ThingPrincipalType::{self, ExclusiveThing, NonExclusiveThing};

use crate::server::{Certificate, DOCUMENT, Server, assert_refused, start};

const ABSENT: &str = "arn:aws:iot:eu-central-1:123456789012:cert/\
                      aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

async fn policies(server: &Server, certificate: &Certificate) -> Vec<String> {
    let list = server.client.list_attached_policies().target(&certificate.arn).send().await.unwrap();
    list.policies().iter().map(|policy| policy.policy_name().unwrap().to_owned()).collect()
}

async fn principals(server: &Server, thing: &str) -> Vec<String> {
    server.client.list_thing_principals().thing_name(thing).send().await.unwrap().principals().to_vec()
}

async fn things(server: &Server, certificate: &Certificate) -> Vec<String> {
    server.client.list_principal_things().principal(&certificate.arn).send().await.unwrap().things().to_vec()
}

#[tokio::test]
async fn a_policy_is_attached_listed_and_detached() {
    let server = start().await;
    let certificate = server.certificate(false).await;
    for name in ["one", "two"] {
        server.policy(name, DOCUMENT).await;
        for _ in 0..2 {
            server.attach_policy(name, &certificate).await;
        }
    }
    assert_eq!(policies(&server, &certificate).await, ["one", "two"]);
    let list = server.client.list_attached_policies().target(&certificate.arn).page_size(1).send().await.unwrap();
    assert_eq!(list.policies()[0].policy_arn(), Some("arn:aws:iot:eu-central-1:123456789012:policy/one"));
    let call = server.client.list_attached_policies().target(&certificate.arn).page_size(1);
    let list = call.set_marker(list.next_marker).send().await.unwrap();
    assert_eq!((list.policies()[0].policy_name(), list.next_marker()), (Some("two"), None));
    let targets = server.client.list_targets_for_policy().policy_name("one").send().await.unwrap();
    assert_eq!(targets.targets(), std::slice::from_ref(&certificate.arn));
    let delete = || server.client.delete_policy().policy_name("one").send();
    assert_refused(delete().await, 409, "DeleteConflictException");
    for _ in 0..2 {
        let call = server.client.detach_policy().policy_name("one").target(&certificate.arn);
        call.send().await.unwrap();
    }
    assert_eq!(policies(&server, &certificate).await, ["two"]);
    let targets = server.client.list_targets_for_policy().policy_name("one").send().await.unwrap();
    assert!(targets.targets().is_empty());
    delete().await.unwrap();
}

#[tokio::test]
async fn attaching_what_is_absent_is_404_and_detaching_it_succeeds() {
    let server = start().await;
    let certificate = server.certificate(false).await;
    server.policy("policy", DOCUMENT).await;
    let client = &server.client;
    let attach = |name: &str, target: &str| client.attach_policy().policy_name(name).target(target).send();
    assert_refused(attach("absent", &certificate.arn).await, 404, "ResourceNotFoundException");
    assert_refused(attach("policy", ABSENT).await, 404, "ResourceNotFoundException");
    let detach = |name: &str, target: &str| client.detach_policy().policy_name(name).target(target).send();
    for (name, target) in [("absent", certificate.arn.as_str()), ("policy", ABSENT), ("policy", &certificate.arn)] {
        detach(name, target).await.unwrap();
    }
    let list = client.list_attached_policies().target(ABSENT).send().await;
    assert_refused(list, 404, "ResourceNotFoundException");
    let list = client.list_targets_for_policy().policy_name("absent").send().await;
    assert_refused(list, 404, "ResourceNotFoundException");
    let foreign = certificate.arn.replace("123456789012", "210987654321");
    for arn in ["nonsense", &foreign, &certificate.arn.replace("cert/", "thing/"), &ABSENT.to_uppercase()] {
        assert_refused(attach("policy", arn).await, 400, "InvalidRequestException");
        assert_refused(detach("policy", arn).await, 400, "InvalidRequestException");
        assert_refused(client.list_attached_policies().target(arn).send().await, 400, "InvalidRequestException");
    }
}

#[tokio::test]
async fn the_eleventh_policy_is_410() {
    let server = start().await;
    let certificate = server.certificate(false).await;
    for number in 0..11 {
        server.policy(&format!("policy-{number}"), DOCUMENT).await;
    }
    for number in 0..10 {
        server.attach_policy(&format!("policy-{number}"), &certificate).await;
    }
    let eleventh = server.client.attach_policy().policy_name("policy-10").target(&certificate.arn).send().await;
    assert_refused(eleventh, 410, "LimitExceededException");
    server.attach_policy("policy-9", &certificate).await;
    assert_eq!(policies(&server, &certificate).await.len(), 10);
}

#[tokio::test]
async fn a_thing_is_attached_listed_and_detached() {
    let server = start().await;
    let (one, two) = (server.certificate(false).await, server.certificate(false).await);
    server.thing("thing").await;
    server.thing("other").await;
    for certificate in [&one, &two] {
        for _ in 0..2 {
            server.attach_thing("thing", certificate).await;
        }
    }
    server.attach_thing("other", &one).await;
    assert_eq!(things(&server, &one).await, ["other", "thing"]);
    let mut arns = vec![one.arn.clone(), two.arn.clone()];
    arns.sort();
    assert_eq!(principals(&server, "thing").await, arns);
    let page = server.client.list_thing_principals().thing_name("thing").max_results(1).send().await.unwrap();
    let call = server.client.list_thing_principals().thing_name("thing");
    let rest = call.set_next_token(page.next_token.clone()).send().await.unwrap();
    assert_eq!([page.principals(), rest.principals()].concat(), arns);
    for _ in 0..2 {
        let call = server.client.detach_thing_principal().thing_name("thing").principal(&one.arn);
        call.send().await.unwrap();
    }
    assert_eq!(principals(&server, "thing").await, std::slice::from_ref(&two.arn));
    assert_eq!(things(&server, &one).await, ["other"]);
}

#[tokio::test]
async fn a_thing_or_a_principal_that_is_absent_is_404() {
    let server = start().await;
    let certificate = server.certificate(false).await;
    server.thing("thing").await;
    let client = &server.client;
    for (thing, principal) in [("absent", certificate.arn.as_str()), ("thing", ABSENT)] {
        let attach = client.attach_thing_principal().thing_name(thing).principal(principal).send().await;
        assert_refused(attach, 404, "ResourceNotFoundException");
        let detach = client.detach_thing_principal().thing_name(thing).principal(principal).send().await;
        assert_refused(detach, 404, "ResourceNotFoundException");
    }
    let list = client.list_thing_principals().thing_name("absent").send().await;
    assert_refused(list, 404, "ResourceNotFoundException");
    let list = client.list_principal_things().principal(ABSENT).send().await;
    assert_refused(list, 404, "ResourceNotFoundException");
    for principal in ["nonsense", "eu-central-1:01234567-89ab-cdef-0123-456789abcdef"] {
        let attach = client.attach_thing_principal().thing_name("thing").principal(principal).send().await;
        assert_refused(attach, 400, "InvalidRequestException");
    }
}

#[tokio::test]
async fn an_exclusive_thing_is_the_only_one_of_its_certificate() {
    let server = start().await;
    for name in ["one", "two"] {
        server.thing(name).await;
    }
    let attach = |name: &str, certificate: &Certificate, kind: ThingPrincipalType| {
        let call = server.client.attach_thing_principal().thing_name(name).principal(&certificate.arn);
        call.thing_principal_type(kind).send()
    };
    let exclusive = server.certificate(false).await;
    for _ in 0..2 {
        attach("one", &exclusive, ExclusiveThing).await.unwrap();
    }
    for kind in [ExclusiveThing, NonExclusiveThing] {
        assert_refused(attach("two", &exclusive, kind).await, 400, "InvalidRequestException");
    }
    assert_refused(attach("one", &exclusive, NonExclusiveThing).await, 400, "InvalidRequestException");
    // Another certificate may have the same Thing, exclusively as well.
    let other = server.certificate(false).await;
    attach("one", &other, ExclusiveThing).await.unwrap();
    let shared = server.certificate(false).await;
    attach("two", &shared, NonExclusiveThing).await.unwrap();
    for name in ["one", "two"] {
        assert_refused(attach(name, &shared, ExclusiveThing).await, 400, "InvalidRequestException");
    }
    attach("one", &shared, NonExclusiveThing).await.unwrap();
    assert_refused(attach("one", &shared, "SOME".into()).await, 400, "InvalidRequestException");

    let list = |kind| server.client.list_thing_principals_v2().thing_name("one").set_thing_principal_type(kind);
    let all = list(None).send().await.unwrap();
    assert_eq!(all.thing_principal_objects().len(), 3);
    let exclusively = list(Some(ExclusiveThing)).send().await.unwrap();
    assert_eq!(exclusively.thing_principal_objects().len(), 2);
    let shares = list(Some(NonExclusiveThing)).send().await.unwrap();
    assert_eq!(shares.thing_principal_objects()[0].principal(), shared.arn);
    assert_eq!(shares.thing_principal_objects()[0].thing_principal_type(), Some(&NonExclusiveThing));
    let things = server.client.list_principal_things_v2().principal(&exclusive.arn).send().await.unwrap();
    assert_eq!(things.principal_thing_objects().len(), 1);
    assert_eq!(things.principal_thing_objects()[0].thing_name(), "one");
    assert_eq!(things.principal_thing_objects()[0].thing_principal_type(), Some(&ExclusiveThing));
    // Detached, the certificate may have another Thing.
    server.client.detach_thing_principal().thing_name("one").principal(&exclusive.arn).send().await.unwrap();
    attach("two", &exclusive, NonExclusiveThing).await.unwrap();
}
