//! The comparison of the deployed table or bucket with the template.

use super::bucket::LiveBucket;
use super::difference::Difference;
use super::error::DataError;
use super::live::Live;
use super::replaced::Replaced;
use super::table::LiveTable;
use super::target::{Kind, Target};
use super::templates::index_steps;
use crate::account::{Account, Poll};
use crate::aws_error::AwsError;

/// Fails unless the stack and its table or bucket are as the template asks for.
pub(super) async fn check(account: &Account, target: &Target, kept: &[&'static Replaced]) -> Result<(), DataError> {
    let stack = account.stack(&target.name).await?;
    let stack = stack.ok_or_else(|| DataError::ReadBack(format!("the stack {} is gone", target.name)))?;
    for (output, conditional) in target.template.outputs() {
        if !conditional && !stack.outputs.contains_key(&output) {
            return Err(DataError::ReadBack(format!(
                "the stack {} has no output {output}: look at it in the console",
                target.name
            )));
        }
    }
    let (noun, name) = (target.kind.noun(), &target.resource);
    let live = settled(account, target).await?;
    let Some(differences) = differences(target, &live, kept) else {
        let stack = target.stack.name;
        return Err(DataError::ReadBack(format!(
            "the {noun} {name} of the stack {} is gone or not usable; where it is gone, `firefly-deploy delete {stack} \
             --keep-data` and `firefly-deploy data {stack}` make it anew",
            target.name
        )));
    };
    if !differences.is_empty() {
        let differences: Vec<_> = differences.iter().map(Difference::to_string).collect();
        return Err(DataError::ReadBack(format!(
            "the {noun} {name} was changed behind CloudFormation's back: {}; set it so and run again",
            differences.join("; ")
        )));
    }
    account.progress(&format!("{}: {noun} {name} and outputs are as the template asks for", target.name));
    Ok(())
}

/// Waits until the table or bucket can be worked on, and looks at it. CloudFormation does not wait until a new index is
/// filled, which takes hours for a large table.
pub(super) async fn settled(account: &Account, target: &Target) -> Result<Live, AwsError> {
    account
        .wait(&target.resource, async || {
            let live = account.live(target).await?;
            Ok(match live.settling() {
                Some(state) => Poll::Pending(state.to_owned()),
                None => Poll::Ready(live),
            })
        })
        .await
}

/// Returns the settings that differ, apart from indexes that are kept; `None` if there is no usable table or bucket.
pub(super) fn differences(target: &Target, live: &Live, kept: &[&'static Replaced]) -> Option<Vec<Difference>> {
    match (&target.kind, live) {
        (Kind::Table(wanted), Live::Table(LiveTable::Active(live))) => {
            let indexes = index_steps(live, wanted, kept).pop().unwrap_or_default();
            Some(live.differences(&wanted.with_indexes(indexes, live)))
        }
        (Kind::Bucket { settings, .. }, Live::Bucket(LiveBucket::Present(live))) => Some(live.differences(settings)),
        _ => None,
    }
}
