//! The embedded stacks: tables, bucket and the API's own settings.

use std::collections::BTreeMap;

use firefly_local::stacks::{API_GATEWAY, DEVICE_BACKUPS, DEVICES_TABLE, REGISTRATION_KEYS_TABLE};
use firefly_templates::{
    AttributeType, BillingMode, BucketTemplate, GatewayTemplate, KeyType, ProjectionType, TableTemplate,
};

fn values(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_bucket_is_named_after_account_and_region_or_as_it_is_told() {
    let place = [("AWS::AccountId", "123456789012"), ("AWS::Region", "eu-west-3"), ("AWS::Partition", "aws-cn")];
    let stack = BucketTemplate::parse(DEVICE_BACKUPS, &values(&place)).unwrap();
    assert_eq!((stack.name.as_str(), stack.versioned), ("firefly-device-backups-123456789012-eu-west-3", true));
    let named = [("BackupBucketName", "firefly-mine")];
    assert_eq!(BucketTemplate::parse(DEVICE_BACKUPS, &values(&named)).unwrap().name, "firefly-mine");
}

#[test]
fn tables_are_those_of_their_stacks() {
    let devices = TableTemplate::parse(DEVICES_TABLE).unwrap();
    assert_eq!(devices.name, "firefly-devices");
    let keys: Vec<_> = devices.key_schema.iter().map(|key| (key.attribute_name.as_str(), key.key_type)).collect();
    assert_eq!(keys, [("uuid", KeyType::Hash)]);
    let types: Vec<_> = devices.attributes.iter().map(|a| (a.attribute_name.as_str(), a.attribute_type)).collect();
    assert_eq!(types, [("uuid", AttributeType::S), ("product_hex", AttributeType::S)]);
    let [index] = &devices.indexes[..] else { panic!("{:?}", devices.indexes) };
    assert_eq!(index.index_name, "product_hex-keys-index");
    assert_eq!(index.key_schema[0].attribute_name, "product_hex");
    assert_eq!(index.projection.projection_type, ProjectionType::KeysOnly);
    assert_eq!(devices.ttl_attribute, None);

    let keys = TableTemplate::parse(REGISTRATION_KEYS_TABLE).unwrap();
    assert_eq!(keys.name, "firefly-registration-keys");
    assert_eq!(keys.key_schema[0].attribute_name, "key");
    assert_eq!(keys.ttl_attribute.as_deref(), Some("ttl"));
    for table in [devices, keys] {
        assert_eq!(table.billing, BillingMode::PayPerRequest);
        assert!(table.deletion_protection && table.point_in_time_recovery, "{}", table.name);
    }
}

#[test]
fn the_gateway_has_its_cors_rules_throttle_and_issuer() {
    let pool = [("UserPoolId", "eu-west-3_abc"), ("UserPoolClientId", "client"), ("AWS::Region", "eu-west-3")];
    let gateway = GatewayTemplate::parse(API_GATEWAY, &values(&pool)).unwrap();
    assert_eq!(gateway.cors.allow_origins, ["*"]);
    assert_eq!(gateway.cors.allow_methods, ["GET", "POST", "DELETE"]);
    for header in ["authorization", "content-type", "x-registration-key", "x-device-signature", "if-none-match"] {
        assert!(gateway.cors.allow_headers.iter().any(|allowed| allowed == header), "{header}");
    }
    assert_eq!(gateway.cors.expose_headers, ["etag", "retry-after"]);
    assert!(!gateway.cors.allow_credentials, "never together with any origin");
    assert_eq!(gateway.cors.max_age_seconds, 3600);
    assert_eq!((gateway.throttle.burst, gateway.throttle.rate), (500, 2000.0));
    assert_eq!(gateway.authorizer.issuer, "https://cognito-idp.eu-west-3.amazonaws.com/eu-west-3_abc");
    assert_eq!(gateway.authorizer.audience, ["client"]);

    let mut narrowed = values(&pool);
    narrowed.insert("AllowOrigins".to_owned(), "https://a.example, https://b.example".to_owned());
    narrowed.insert("ThrottlingRateLimit".to_owned(), "12.5".to_owned());
    narrowed.insert("ThrottlingBurstLimit".to_owned(), "25".to_owned());
    let gateway = GatewayTemplate::parse(API_GATEWAY, &narrowed).unwrap();
    assert_eq!(gateway.cors.allow_origins, ["https://a.example", "https://b.example"]);
    assert_eq!((gateway.throttle.burst, gateway.throttle.rate), (25, 12.5));
}
