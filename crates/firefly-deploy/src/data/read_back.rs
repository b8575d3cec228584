//! The comparison of the deployed table or bucket with the template.

use super::bucket::LiveBucket;
use super::difference::Difference;
use super::error::DataError;
use super::live::Live;
use super::table::LiveTable;
use super::target::{Kind, Target};
use crate::account::{Account, Poll};
use crate::aws_error::AwsError;

/// Fails unless the stack and its table or bucket are as the template asks for.
pub(super) async fn check(account: &Account, target: &Target) -> Result<(), DataError> {
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
    let live = account
        .wait(name, async || {
            let live = account.live(target).await?;
            Ok::<_, AwsError>(match live.settling() {
                Some(state) => Poll::Pending(state.to_owned()),
                None => Poll::Ready(live),
            })
        })
        .await?;
    let Some(differences) = differences(target, &live) else {
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

/// Returns the settings that differ; `None` if there is no usable table or bucket.
pub(super) fn differences(target: &Target, live: &Live) -> Option<Vec<Difference>> {
    match (&target.kind, live) {
        (Kind::Table(wanted), Live::Table(LiveTable::Active(live))) => Some(live.differences(wanted)),
        (Kind::Bucket { settings, .. }, Live::Bucket(LiveBucket::Present(live))) => Some(live.differences(settings)),
        _ => None,
    }
}
