//! The permissions of connections.

use aws_sdk_iot::types::{AttributePayload, CertificateStatus, ThingPrincipalType};
use emulator_iot::policy::{Action, Resource};

use crate::server::{Certificate, Server, start};

/// Connecting as one's Thing, and publishing below one's own name and attribute.
const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:Connect",
     "Resource":"arn:aws:iot:eu-central-1:123456789012:client/${iot:Connection.Thing.ThingName}"},
    {"Effect":"Allow","Action":"iot:Publish",
     "Resource":"arn:aws:iot:eu-central-1:123456789012:topic/${iot:Connection.Thing.Attributes[site]}/${iot:Connection.Thing.ThingName}"}
]}"#;

fn connects(server: &Server, certificate: &Certificate, client_id: &str) -> bool {
    server.registry.allows(&certificate.id, client_id, Action::Connect, &Resource::Client(client_id), &[])
}

async fn prepared() -> (Server, Certificate) {
    let server = start().await;
    let certificate = server.certificate(true).await;
    server.policy("policy", DOCUMENT).await;
    let payload = AttributePayload::builder().attributes("site", "roof").build();
    server.client.create_thing().thing_name("thing").attribute_payload(payload).send().await.unwrap();
    server.thing("other").await;
    (server, certificate)
}

#[tokio::test]
async fn an_active_certificate_with_policy_and_thing_connects_as_its_thing_alone() {
    let (server, certificate) = prepared().await;
    assert!(!connects(&server, &certificate, "thing"));
    server.attach_policy("policy", &certificate).await;
    assert!(!connects(&server, &certificate, "thing"));
    server.attach_thing("thing", &certificate).await;
    assert!(connects(&server, &certificate, "thing"));
    for client_id in ["other", "absent", "", "thing2"] {
        assert!(!connects(&server, &certificate, client_id), "{client_id}");
    }
    let publishes = |client_id, topic| {
        server.registry.allows(&certificate.id, client_id, Action::Publish, &Resource::Topic(topic), &[])
    };
    assert!(publishes("thing", "roof/thing") && !publishes("thing", "cellar/thing"));
    for status in [CertificateStatus::Inactive, CertificateStatus::Revoked] {
        server.set_status(&certificate, status).await;
        assert!(!connects(&server, &certificate, "thing"));
    }
    assert!(!server.registry.allows("absent", "thing", Action::Connect, &Resource::Client("thing"), &[]));
    assert_eq!(server.registry.certificate_status("absent"), None);
}

#[tokio::test]
async fn an_exclusive_thing_is_that_of_the_connection_whatever_the_client_id() {
    let (server, certificate) = prepared().await;
    server.attach_policy("policy", &certificate).await;
    let call = server.client.attach_thing_principal().thing_name("thing").principal(&certificate.arn);
    call.thing_principal_type(ThingPrincipalType::ExclusiveThing).send().await.unwrap();
    let publishes = |client_id| {
        server.registry.allows(&certificate.id, client_id, Action::Publish, &Resource::Topic("roof/thing"), &[])
    };
    assert!(publishes("thing") && publishes("any") && publishes("other"));
    assert!(connects(&server, &certificate, "thing") && !connects(&server, &certificate, "other"));
}

#[tokio::test]
async fn each_change_is_seen_at_once_and_told() {
    let (server, certificate) = prepared().await;
    let mut changes = server.registry.changes();
    let client = &server.client;
    server.attach_policy("policy", &certificate).await;
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    server.attach_policy("policy", &certificate).await;
    assert!(!changes.has_changed().unwrap());
    server.attach_thing("thing", &certificate).await;
    assert!(connects(&server, &certificate, "thing") && changes.has_changed().unwrap());
    changes.mark_unchanged();
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iot:*","Resource":"*"}}"#;
    let call = client.create_policy_version().policy_name("policy").policy_document(deny);
    call.set_as_default(true).send().await.unwrap();
    assert!(!connects(&server, &certificate, "thing") && changes.has_changed().unwrap());
    client.set_default_policy_version().policy_name("policy").policy_version_id("1").send().await.unwrap();
    assert!(connects(&server, &certificate, "thing"));
    client.detach_policy().policy_name("policy").target(&certificate.arn).send().await.unwrap();
    assert!(!connects(&server, &certificate, "thing"));
    changes.mark_unchanged();
    server.set_status(&certificate, CertificateStatus::Inactive).await;
    assert!(changes.has_changed().unwrap());
}
