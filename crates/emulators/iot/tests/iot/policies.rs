//! Policies and their versions.

use crate::server::{DOCUMENT, START, assert_refused, start};

const OTHER: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":["iot:Connect"],"Resource":["*"]}}"#;

#[tokio::test]
async fn a_policy_is_made_read_listed_and_deleted() {
    let server = start().await;
    let create = |name: &str| server.client.create_policy().policy_name(name).policy_document(DOCUMENT).send();
    let made = create("a+=,.@-_1").await.unwrap();
    let arn = "arn:aws:iot:eu-central-1:123456789012:policy/a+=,.@-_1";
    assert_eq!((made.policy_arn(), made.policy_version_id()), (Some(arn), Some("1")));
    assert_eq!((made.policy_name(), made.policy_document()), (Some("a+=,.@-_1"), Some(DOCUMENT)));
    let found = server.client.get_policy().policy_name("a+=,.@-_1").send().await.unwrap();
    assert_eq!((found.policy_arn(), found.policy_document()), (Some(arn), Some(DOCUMENT)));
    assert_eq!(found.default_version_id(), Some("1"));
    assert_eq!(found.creation_date().unwrap().secs(), i64::try_from(START).unwrap());
    let again = create("a+=,.@-_1").await.unwrap_err().into_service_error();
    assert!(again.is_resource_already_exists_exception() && format!("{again:?}").contains(arn), "{again:?}");
    create("b").await.unwrap();
    for (ascending, names) in [(true, ["a+=,.@-_1", "b"]), (false, ["b", "a+=,.@-_1"])] {
        let list = |marker| {
            let call = server.client.list_policies().ascending_order(ascending).page_size(1);
            call.set_marker(marker).send()
        };
        let first = list(None).await.unwrap();
        let second = list(first.next_marker.clone()).await.unwrap();
        assert_eq!([&first, &second].map(|page| page.policies()[0].policy_name().unwrap()), names);
        assert_eq!(second.next_marker(), None);
    }
    server.client.delete_policy().policy_name("b").send().await.unwrap();
    let delete = server.client.delete_policy().policy_name("b").send().await;
    assert_refused(delete, 404, "ResourceNotFoundException");
    assert_refused(server.client.get_policy().policy_name("b").send().await, 404, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_malformed_policy_is_400() {
    let server = start().await;
    let long = DOCUMENT.replace("iot:*", &"iot:Connect\",\"".repeat(200));
    for document in ["", "nonsense", "{}", &DOCUMENT[1..], &DOCUMENT.replace("Allow", "Maybe"), &long] {
        let create = server.client.create_policy().policy_name("policy").policy_document(document).send().await;
        assert_refused(create, 400, "MalformedPolicyException");
    }
    let tag = aws_sdk_iot::types::Tag::builder().key("key").build().unwrap();
    let create = server.client.create_policy().policy_name("policy").policy_document(DOCUMENT).tags(tag);
    assert_refused(create.send().await, 400, "InvalidRequestException");
    for name in ["a b", "ü", "a:b", "x".repeat(129).as_str()] {
        let create = server.client.create_policy().policy_name(name).policy_document(DOCUMENT).send().await;
        assert_refused(create, 400, "InvalidRequestException");
    }
    assert!(server.client.list_policies().send().await.unwrap().policies().is_empty());
}

#[tokio::test]
async fn a_policy_has_versions_of_which_one_is_the_default() {
    let server = start().await;
    let client = &server.client;
    server.policy("policy", DOCUMENT).await;
    let create = |is_default| {
        let call = client.create_policy_version().policy_name("policy").policy_document(OTHER);
        call.set_as_default(is_default).send()
    };
    let second = create(false).await.unwrap();
    assert_eq!((second.policy_version_id(), second.is_default_version()), (Some("2"), false));
    let third = create(true).await.unwrap();
    assert_eq!((third.policy_version_id(), third.is_default_version()), (Some("3"), true));
    let found = client.get_policy().policy_name("policy").send().await.unwrap();
    assert_eq!((found.default_version_id(), found.policy_document()), (Some("3"), Some(OTHER)));
    assert_refused(client.delete_policy().policy_name("policy").send().await, 409, "DeleteConflictException");
    let delete = |id: &str| client.delete_policy_version().policy_name("policy").policy_version_id(id).send();
    assert_refused(delete("3").await, 409, "DeleteConflictException");
    client.set_default_policy_version().policy_name("policy").policy_version_id("1").send().await.unwrap();
    delete("3").await.unwrap();
    assert_refused(delete("3").await, 404, "ResourceNotFoundException");
    assert_refused(delete("x").await, 400, "InvalidRequestException");
    let get = |id: &str| client.get_policy_version().policy_name("policy").policy_version_id(id).send();
    assert_eq!(get("1").await.unwrap().policy_document(), Some(DOCUMENT));
    assert!(get("1").await.unwrap().is_default_version() && !get("2").await.unwrap().is_default_version());
    // Numbers are not used again, and there are at most five versions.
    for id in ["4", "5", "6"] {
        assert_eq!(create(false).await.unwrap().policy_version_id(), Some(id));
    }
    assert_refused(create(false).await, 409, "VersionsLimitExceededException");
    let list = client.list_policy_versions().policy_name("policy").send().await.unwrap();
    let ids: Vec<_> = list.policy_versions().iter().map(|version| version.version_id().unwrap()).collect();
    assert_eq!(ids, ["6", "5", "4", "2", "1"]);
    let malformed = client.create_policy_version().policy_name("policy").policy_document("{}").send().await;
    assert_refused(malformed, 400, "MalformedPolicyException");
    let absent = client.create_policy_version().policy_name("absent").policy_document(DOCUMENT).send().await;
    assert_refused(absent, 404, "ResourceNotFoundException");
}

#[tokio::test]
async fn the_endpoint_is_that_of_the_broker() {
    let server = start().await;
    let endpoint = |kind: &str| server.client.describe_endpoint().endpoint_type(kind).send();
    assert_eq!(endpoint("iot:Data-ATS").await.unwrap().endpoint_address(), Some("localhost:8883"));
    server.registry.set_data_endpoint("127.0.0.1:1234");
    assert_eq!(endpoint("iot:Data-ATS").await.unwrap().endpoint_address(), Some("127.0.0.1:1234"));
    for kind in ["iot:Data", "iot:Jobs", "iot:CredentialProvider", ""] {
        assert_refused(endpoint(kind).await, 400, "InvalidRequestException");
    }
    assert_refused(server.client.describe_endpoint().send().await, 400, "InvalidRequestException");
}
