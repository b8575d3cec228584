//! A bucket's settings in words: those of a template, and those of the live bucket.

use std::collections::BTreeMap;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_bucket::HeadBucketError;
use aws_sdk_s3::types::{LifecycleRule, PublicAccessBlockConfiguration};
use serde_yaml_ng::Value;

use super::difference::{Difference, differences};
use crate::account::Account;
use crate::aws_error::AwsError;

const ENCRYPTION: &str = "default encryption";
const OWNERSHIP: &str = "object ownership";
const PUBLIC_ACCESS: &str = "blocked public access";
const VERSIONING: &str = "versioning";
const LIFECYCLE: &str = "lifecycle";
const POLICY: &str = "policy";
/// The only policy that is asked for: it denies requests without TLS.
const TLS_ONLY: &str = "TLS only";
const NONE: &str = "none";

/// A bucket's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketSettings(pub(super) BTreeMap<&'static str, String>);

impl BucketSettings {
    /// Returns the reason why a stack cannot take over a bucket with these settings.
    ///
    /// CloudFormation adds the policy after the import, and does not replace an existing one.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        let policy = self.0.get(POLICY).is_some_and(|policy| policy != NONE);
        policy
            .then_some("it has a policy of its own, which CloudFormation does not replace: delete the bucket's policy")
    }

    /// Returns the settings that differ from those of a template.
    pub(crate) fn differences(&self, wanted: &Self) -> Vec<Difference> {
        differences(&self.0, &wanted.0)
    }

    /// Returns the settings that a template's bucket and bucket policy ask for.
    pub(super) fn of_template(bucket: &Value, policy: Option<&Value>) -> Self {
        let properties = bucket.get("Properties").unwrap_or(&Value::Null);
        let text = |path: &[&str]| at(properties, path).and_then(Value::as_str).unwrap_or(NONE).to_owned();
        let encryption = ["BucketEncryption", "ServerSideEncryptionConfiguration"];
        let algorithm = first(at(properties, &encryption))
            .and_then(|rule| at(rule, &["ServerSideEncryptionByDefault", "SSEAlgorithm"]));
        let ownership = first(at(properties, &["OwnershipControls", "Rules"]));
        let ownership = ownership.and_then(|rule| rule.get("ObjectOwnership"));
        let blocks = at(properties, &["PublicAccessBlockConfiguration"]).and_then(Value::as_mapping);
        let blocks = blocks.into_iter().flatten().filter(|(_, on)| on.as_bool() == Some(true));
        let rules = at(properties, &["LifecycleConfiguration", "Rules"]).and_then(Value::as_sequence);
        let word = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or(NONE).to_owned();
        Self(BTreeMap::from([
            (ENCRYPTION, word(algorithm)),
            (OWNERSHIP, word(ownership)),
            (PUBLIC_ACCESS, list(blocks.filter_map(|(name, _)| name.as_str()))),
            (VERSIONING, text(&["VersioningConfiguration", "Status"])),
            (LIFECYCLE, list(rules.into_iter().flatten().map(wanted_rule))),
            (POLICY, if policy.is_some() { TLS_ONLY } else { NONE }.to_owned()),
        ]))
    }
}

/// A bucket as it was found.
#[derive(Debug, Clone)]
pub(crate) enum LiveBucket {
    Absent,
    /// It is not this account's, or not in this region. The text says which.
    Foreign(&'static str),
    Present(BucketSettings),
}

impl Account {
    /// Looks at a bucket of the account `owner`, with its settings.
    pub(crate) async fn bucket(&self, name: &str, owner: &str) -> Result<LiveBucket, AwsError> {
        let head = self.s3.head_bucket().bucket(name).expected_bucket_owner(owner).send().await;
        match head {
            Ok(head) if head.bucket_region().is_some_and(|region| region != self.region) => {
                return Ok(LiveBucket::Foreign("is in another region"));
            }
            Ok(_) => {}
            // A refused HEAD has only a status, not a body.
            Err(error) => return absence(error),
        }
        let words = BTreeMap::from([
            (ENCRYPTION, self.encryption(name).await?),
            (OWNERSHIP, self.ownership(name).await?),
            (PUBLIC_ACCESS, self.public_access(name).await?),
            (VERSIONING, self.versioning(name).await?),
            (LIFECYCLE, self.lifecycle(name).await?),
            (POLICY, self.bucket_policy(name).await?),
        ]);
        Ok(LiveBucket::Present(BucketSettings(words)))
    }

    async fn encryption(&self, name: &str) -> Result<String, AwsError> {
        let answer = self.s3.get_bucket_encryption().bucket(name).send().await;
        let answer =
            or_unset(answer, "s3:GetEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError")?;
        let rules = answer.and_then(|answer| answer.server_side_encryption_configuration);
        let rule = rules.and_then(|rules| rules.rules.into_iter().next());
        let default = rule.and_then(|rule| rule.apply_server_side_encryption_by_default);
        Ok(default.map_or(NONE.to_owned(), |default| default.sse_algorithm.as_str().to_owned()))
    }

    async fn ownership(&self, name: &str) -> Result<String, AwsError> {
        let answer = self.s3.get_bucket_ownership_controls().bucket(name).send().await;
        let answer = or_unset(answer, "s3:GetBucketOwnershipControls", "OwnershipControlsNotFoundError")?;
        let controls = answer.and_then(|answer| answer.ownership_controls);
        let rule = controls.and_then(|controls| controls.rules.into_iter().next());
        Ok(rule.map_or(NONE.to_owned(), |rule| rule.object_ownership.as_str().to_owned()))
    }

    async fn public_access(&self, name: &str) -> Result<String, AwsError> {
        let answer = self.s3.get_public_access_block().bucket(name).send().await;
        let answer = or_unset(answer, "s3:GetBucketPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration")?;
        let block = answer.and_then(|answer| answer.public_access_block_configuration);
        Ok(block.map_or(NONE.to_owned(), |block| blocked(&block)))
    }

    async fn versioning(&self, name: &str) -> Result<String, AwsError> {
        let answer = self.s3.get_bucket_versioning().bucket(name).send().await;
        let answer = answer.map_err(|error| AwsError::call("s3:GetBucketVersioning", error))?;
        Ok(answer.status().map_or(NONE, |status| status.as_str()).to_owned())
    }

    async fn lifecycle(&self, name: &str) -> Result<String, AwsError> {
        let answer = self.s3.get_bucket_lifecycle_configuration().bucket(name).send().await;
        let answer = or_unset(answer, "s3:GetLifecycleConfiguration", "NoSuchLifecycleConfiguration")?;
        let rules = answer.and_then(|answer| answer.rules).unwrap_or_default();
        Ok(list(rules.iter().map(live_rule)))
    }

    async fn bucket_policy(&self, name: &str) -> Result<String, AwsError> {
        let answer = self.s3.get_bucket_policy().bucket(name).send().await;
        let answer = or_unset(answer, "s3:GetBucketPolicy", "NoSuchBucketPolicy")?;
        Ok(answer.and_then(|answer| answer.policy).map_or(NONE.to_owned(), |policy| in_words(&policy)))
    }
}

/// Returns the answer, `None` if S3 says that there is no such configuration.
fn or_unset<T, E>(answer: Result<T, SdkError<E>>, operation: &'static str, unset: &str) -> Result<Option<T>, AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some(unset) => Ok(None),
        Err(error) => Err(AwsError::call(operation, error)),
    }
}

fn absence(error: SdkError<HeadBucketError>) -> Result<LiveBucket, AwsError> {
    match error.raw_response().map(|response| response.status().as_u16()) {
        Some(404) => Ok(LiveBucket::Absent),
        Some(403) => Ok(LiveBucket::Foreign("is another account's, or these credentials may not list it")),
        Some(301) => Ok(LiveBucket::Foreign("is in another region")),
        _ => Err(AwsError::call("s3:ListBucket", error)),
    }
}

fn blocked(block: &PublicAccessBlockConfiguration) -> String {
    let blocks = [
        ("BlockPublicAcls", block.block_public_acls()),
        ("BlockPublicPolicy", block.block_public_policy()),
        ("IgnorePublicAcls", block.ignore_public_acls()),
        ("RestrictPublicBuckets", block.restrict_public_buckets()),
    ];
    list(blocks.into_iter().filter(|(_, on)| *on == Some(true)).map(|(name, _)| name))
}

/// Returns a lifecycle rule in words.
fn rule(id: &str, status: &str, actions: [(&str, Option<i64>); 3]) -> String {
    let actions = actions.into_iter().filter_map(|(name, days)| days.map(|days| format!("{name} {days}")));
    format!("{id} ({status}: {})", list(actions))
}

fn wanted_rule(value: &Value) -> String {
    let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let days = |path: &[&str]| at(value, path).and_then(Value::as_i64);
    let marker = value.get("ExpiredObjectDeleteMarker").and_then(Value::as_bool).filter(|marker| *marker);
    let actions = [
        ("days of old versions", days(&["NoncurrentVersionExpiration", "NoncurrentDays"])),
        ("days of incomplete uploads", days(&["AbortIncompleteMultipartUpload", "DaysAfterInitiation"])),
        ("expired markers deleted", marker.map(i64::from)),
    ];
    rule(text("Id"), text("Status"), actions)
}

fn live_rule(live: &LifecycleRule) -> String {
    let noncurrent = live.noncurrent_version_expiration().and_then(|expiration| expiration.noncurrent_days());
    let uploads = live.abort_incomplete_multipart_upload().and_then(|abort| abort.days_after_initiation());
    let marker = live.expiration().and_then(|expiration| expiration.expired_object_delete_marker());
    let actions = [
        ("days of old versions", noncurrent.map(i64::from)),
        ("days of incomplete uploads", uploads.map(i64::from)),
        ("expired markers deleted", marker.filter(|marker| *marker).map(i64::from)),
    ];
    // Current versions must never expire; the days of the expiration tell whether they do.
    let days = live.expiration().and_then(|expiration| expiration.days());
    let expires = days.map(|days| format!(" and current versions after {days} days")).unwrap_or_default();
    rule(live.id().unwrap_or_default(), live.status().as_str(), actions) + &expires
}

/// Returns a policy in words: the one that is asked for, or `another`.
fn in_words(policy: &str) -> String {
    let denies_plain_http = serde_json::from_str::<serde_json::Value>(policy).is_ok_and(|policy| {
        let statements = policy.get("Statement").and_then(serde_json::Value::as_array);
        statements.into_iter().flatten().any(|statement| {
            let secure = statement.pointer("/Condition/Bool/aws:SecureTransport");
            statement.get("Effect").and_then(serde_json::Value::as_str) == Some("Deny")
                && secure.is_some_and(|secure| secure == "false" || secure == false)
        })
    });
    if denies_plain_http { TLS_ONLY } else { "another" }.to_owned()
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(*name))
}

fn first(value: Option<&Value>) -> Option<&Value> {
    value.and_then(Value::as_sequence).and_then(|values| values.first())
}

/// Returns a list in words, sorted.
fn list(items: impl Iterator<Item = impl Into<String>>) -> String {
    let mut items: Vec<String> = items.map(Into::into).collect();
    items.sort_unstable();
    if items.is_empty() { NONE.to_owned() } else { items.join(", ") }
}
