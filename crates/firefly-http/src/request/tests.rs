//! Claims as API Gateway writes them: each is a text.

use serde_json::{Value, json};

use super::Request;
use crate::event::Event;

/// A request whose token has these claims.
fn request(claims: &Value) -> Request {
    let http = json!({ "method": "GET" });
    let event = json!({ "requestContext": { "http": http, "authorizer": { "jwt": { "claims": claims } } } });
    Request(serde_json::from_value::<Event>(event).unwrap().into_request().unwrap())
}

#[test]
fn groups_are_told_apart_by_blanks_alone() {
    for (groups, is_member) in [
        ("[super_users]", true),
        ("[installers super_users]", true),
        ("super_users", true),
        ("[x\tsuper_users]", false),
        ("[x\nsuper_users]", false),
        ("[x\u{a0}super_users]", false),
        ("[super_users\t]", false),
        ("x super_users", false),
        ("super_users x", false),
        ("x\tsuper_users", false),
        ("[[super_users]]", false),
        ("map[super_users:true]", false),
        ("[]", false),
        ("", false),
        ("<nil>", false),
    ] {
        let request = request(&json!({ "sub": "anna", "cognito:groups": groups }));
        assert_eq!(request.require_super_user().is_ok(), is_member, "{groups:?}");
    }
}

#[test]
fn a_claim_that_is_null_is_absent() {
    assert!(request(&json!({ "sub": "<nil>", "email": "anna@example.com" })).user().is_err());
    let caller = request(&json!({ "sub": "anna", "email": "<nil>" })).user().unwrap();
    assert_eq!((caller.sub(), caller.email()), ("anna", None));
}
