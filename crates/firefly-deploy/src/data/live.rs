//! The live table or bucket, independent of its stack.

use super::bucket::LiveBucket;
use super::table::LiveTable;
use super::target::{Kind, Target};
use crate::account::Account;
use crate::aws_error::AwsError;

/// A table or a bucket as it was found.
#[derive(Debug, Clone)]
pub(crate) enum Live {
    Table(LiveTable),
    Bucket(LiveBucket),
}

impl Default for Live {
    fn default() -> Self {
        Self::Table(LiveTable::Absent)
    }
}

impl Live {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Table(LiveTable::Absent) | Self::Bucket(LiveBucket::Absent))
    }

    /// Returns the state in which it cannot be worked on yet.
    pub(super) fn settling(&self) -> Option<&str> {
        match self {
            Self::Table(LiveTable::Settling(state)) => Some(state),
            _ => None,
        }
    }
}

impl Account {
    pub(crate) async fn live(&self, target: &Target) -> Result<Live, AwsError> {
        Ok(match &target.kind {
            Kind::Table(_) => Live::Table(self.table(&target.resource).await?),
            Kind::Bucket { owner, .. } => Live::Bucket(self.bucket(&target.resource, owner).await?),
        })
    }
}
