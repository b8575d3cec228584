//! The parts that strangers reach: the buckets, the API's tokens and origins, its own domain.

use std::collections::BTreeMap;

use firefly_templates::{members, tagged, texts};
use serde_yaml_ng::Value;

use super::document::Document;

#[test]
fn backups_and_code_are_private_and_travel_encrypted() {
    assert_private_and_encrypted("s3-device-backups", "DeviceBackupsBucket");
    assert_private_and_encrypted("bootstrap", "ArtifactBucket");
}

/// Asserts that nobody else reaches the bucket of this logical id, and that its policy, `…Policy`, refuses plain HTTP.
fn assert_private_and_encrypted(stack: &str, id: &str) {
    let document = Document::of_stack(stack);
    let bucket = &document.resource(id)["Properties"];
    let blocked: BTreeMap<_, _> =
        members(&bucket["PublicAccessBlockConfiguration"]).map(|(setting, on)| (setting, on.as_bool())).collect();
    let settings = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
    assert_eq!(blocked, settings.map(|setting| (setting, Some(true))).into(), "{id}");
    let owner = &bucket["OwnershipControls"]["Rules"][0]["ObjectOwnership"];
    assert_eq!(owner.as_str(), Some("BucketOwnerEnforced"));
    let policy = &document.resource(&format!("{id}Policy"))["Properties"];
    assert_eq!(tagged(&policy["Bucket"], "!Ref").and_then(Value::as_str), Some(id));
    let statements = policy["PolicyDocument"]["Statement"].as_sequence().unwrap();
    let plain = statements.iter().find(|statement| statement["Sid"].as_str() == Some("TlsOnly")).unwrap();
    for (member, value) in [("Effect", "Deny"), ("Principal", "*"), ("Action", "s3:*")] {
        assert_eq!(plain[member].as_str(), Some(value), "{member}");
    }
    let expected = "{Bool: {'aws:SecureTransport': 'false'}}";
    assert_eq!(plain["Condition"], serde_yaml_ng::from_str::<Value>(expected).unwrap());
    let resources = plain["Resource"].as_sequence().unwrap();
    assert_eq!(tagged(&resources[0], "!GetAtt").and_then(Value::as_str), Some(&*format!("{id}.Arn")));
    assert_eq!(tagged(&resources[1], "!Sub").and_then(Value::as_str), Some(&*format!("${{{id}.Arn}}/*")));
    assert_eq!(resources.len(), 2);
}

#[test]
fn the_api_takes_the_tokens_of_the_own_pool_and_the_origins_that_are_allowed() {
    let document = Document::of_stack("api-gateway");
    let reference = |value: &Value| tagged(value, "!Ref").and_then(Value::as_str).map(str::to_owned);
    let authorizer = &document.resource("Authorizer")["Properties"];
    assert_eq!(authorizer["AuthorizerType"].as_str(), Some("JWT"));
    assert_eq!(texts(&authorizer["IdentitySource"]), ["$request.header.Authorization"]);
    let issuer = tagged(&authorizer["JwtConfiguration"]["Issuer"], "!Sub").and_then(Value::as_str);
    assert_eq!(issuer, Some("https://cognito-idp.${AWS::Region}.${AWS::URLSuffix}/${UserPoolId}"));
    let audience = authorizer["JwtConfiguration"]["Audience"].as_sequence().unwrap();
    let audience: Vec<_> = audience.iter().map(reference).collect();
    assert_eq!(audience, [Some("UserPoolClientId".to_owned())]);
    // Both are the outputs of the stack with the pool, under the same names.
    for parameter in ["UserPoolId", "UserPoolClientId"] {
        let declared = document.section("Parameters").find(|(name, _)| *name == parameter).unwrap().1;
        assert_eq!((declared.get("Default"), declared["MinLength"].as_u64()), (None, Some(1)), "{parameter}");
    }
    let cors = &document.resource("Api")["Properties"]["CorsConfiguration"];
    assert_eq!(reference(&cors["AllowOrigins"]).as_deref(), Some("AllowOrigins"));
    assert_eq!(cors["AllowCredentials"].as_bool(), Some(false));
    let (_, origins) = document.section("Parameters").find(|(name, _)| *name == "AllowOrigins").unwrap();
    assert_eq!((origins["Type"].as_str(), origins["Default"].as_str()), (Some("CommaDelimitedList"), Some("*")));
}

#[test]
fn the_apis_own_domain_speaks_no_tls_before_1_2() {
    let document = Document::of_stack("api-gateway");
    let domains = document.resource("Domain")["Properties"]["DomainNameConfigurations"].as_sequence().unwrap();
    let [domain] = &domains[..] else { panic!("one configuration") };
    assert_eq!(domain["SecurityPolicy"].as_str(), Some("TLS_1_2"));
    assert_eq!(domain["EndpointType"].as_str(), Some("REGIONAL"));
    assert_eq!(tagged(&domain["CertificateArn"], "!Ref").and_then(Value::as_str), Some("CertificateArn"));
}
