//! S3: a bucket's settings as S3's XML.

use axum::body::Body;
use axum::http::Response;
use serde_json::Value;

use super::account::REGION;
use super::bucket::Bucket;
use super::http::{Call, escape, response};
use super::query::Parameters;
use super::state::State;

/// Answers a call of the program.
///
/// Amazon S3 API Reference, Bucket operations: HeadBucket, GetBucketEncryption, GetBucketOwnershipControls,
/// GetPublicAccessBlock, GetBucketVersioning, GetBucketLifecycleConfiguration, GetBucketPolicy; and "Error responses".
pub(crate) fn answer(state: &mut State, call: &Call) -> Response<Body> {
    let name = call.path.trim_matches('/');
    let action = action(&call.method, &call.query);
    if let Some((code, message)) = state.call(format!("s3:{action}")) {
        return error(403, code, message);
    }
    let Some(bucket) = state.buckets.get(name) else {
        return error(404, "NoSuchBucket", "The specified bucket does not exist");
    };
    if call.owner.as_ref().is_some_and(|owner| *owner != bucket.owner) {
        return error(403, "AccessDenied", "Access Denied");
    }
    if bucket.region != REGION {
        return error(301, "PermanentRedirect", "The bucket is in another region");
    }
    match action {
        "HeadBucket" => {
            let mut answer = response(200, "application/xml", "");
            answer.headers_mut().insert("x-amz-bucket-region", REGION.parse().unwrap());
            answer
        }
        "GetBucketPolicy" => match &bucket.policy {
            Some(policy) => response(200, "application/json", policy.clone()),
            None => error(404, "NoSuchBucketPolicy", "The bucket policy does not exist"),
        },
        setting => get_setting(bucket, setting),
    }
}

/// Answers a read of one of the settings that are XML.
fn get_setting(bucket: &Bucket, action: &str) -> Response<Body> {
    let at = |property: &str| Some(&bucket.properties[property]).filter(|value| !value.is_null());
    match action {
        "GetBucketEncryption" => {
            // Since 2023 every bucket is encrypted, with S3's own keys by default.
            let set = at("BucketEncryption").and_then(|rules| {
                rules["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"]["SSEAlgorithm"].as_str()
            });
            let algorithm = set.unwrap_or("AES256");
            let default = format!("<SSEAlgorithm>{algorithm}</SSEAlgorithm>");
            let rule = format!("<ApplyServerSideEncryptionByDefault>{default}</ApplyServerSideEncryptionByDefault>");
            xml("ServerSideEncryptionConfiguration", &format!("<Rule>{rule}</Rule>"))
        }
        "GetBucketOwnershipControls" => match at("OwnershipControls") {
            Some(controls) => {
                let ownership = controls["Rules"][0]["ObjectOwnership"].as_str().unwrap();
                xml("OwnershipControls", &format!("<Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule>"))
            }
            None => error(404, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
        },
        "GetPublicAccessBlock" => match at("PublicAccessBlockConfiguration").and_then(Value::as_object) {
            Some(block) => {
                let block: String = block.iter().map(|(name, on)| format!("<{name}>{on}</{name}>")).collect();
                xml("PublicAccessBlockConfiguration", &block)
            }
            None => error(404, "NoSuchPublicAccessBlockConfiguration", "The configuration was not found"),
        },
        "GetBucketVersioning" => {
            let status = at("VersioningConfiguration").and_then(|versioning| versioning["Status"].as_str());
            let status = status.map(|status| format!("<Status>{status}</Status>"));
            xml("VersioningConfiguration", &status.unwrap_or_default())
        }
        "GetBucketLifecycleConfiguration" => match at("LifecycleConfiguration") {
            Some(lifecycle) => {
                let rules = lifecycle["Rules"].as_array().unwrap();
                xml("LifecycleConfiguration", &rules.iter().map(lifecycle_rule).collect::<String>())
            }
            None => error(404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
        },
        _ => panic!("s3:{action}"),
    }
}

fn action(method: &str, query: &Parameters) -> &'static str {
    let named = [
        ("encryption", "GetBucketEncryption"),
        ("ownershipControls", "GetBucketOwnershipControls"),
        ("publicAccessBlock", "GetPublicAccessBlock"),
        ("versioning", "GetBucketVersioning"),
        ("lifecycle", "GetBucketLifecycleConfiguration"),
        ("policy", "GetBucketPolicy"),
    ];
    match named.iter().find(|(name, _)| query.contains_key(*name)) {
        Some((_, action)) if method == "GET" => action,
        None if method == "HEAD" => "HeadBucket",
        _ => panic!("{method} {query:?}"),
    }
}

fn lifecycle_rule(rule: &Value) -> String {
    let element = |name: &str, value: &Value, within: &str| match value {
        Value::Null => String::new(),
        value => format!("<{within}><{name}>{value}</{name}></{within}>"),
    };
    let noncurrent = &rule["NoncurrentVersionExpiration"]["NoncurrentDays"];
    let incomplete = &rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"];
    format!(
        "<Rule><ID>{}</ID><Filter></Filter><Status>{}</Status>{}{}{}{}</Rule>",
        rule["Id"].as_str().unwrap(),
        rule["Status"].as_str().unwrap(),
        element("NoncurrentDays", noncurrent, "NoncurrentVersionExpiration"),
        element("DaysAfterInitiation", incomplete, "AbortIncompleteMultipartUpload"),
        element("ExpiredObjectDeleteMarker", &rule["ExpiredObjectDeleteMarker"], "Expiration"),
        element("Days", &rule["ExpirationInDays"], "Expiration"),
    )
}

fn xml(element: &str, content: &str) -> Response<Body> {
    let body = format!("<{element} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{content}</{element}>");
    response(200, "application/xml", body)
}

fn error(status: u16, code: &str, message: &str) -> Response<Body> {
    let body = format!(
        "<Error><Code>{code}</Code><Message>{}</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>",
        escape(message)
    );
    response(status, "application/xml", body)
}
