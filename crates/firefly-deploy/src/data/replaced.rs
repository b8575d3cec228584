//! Indexes that others have taken the place of. A function may be deployed later than its table: an earlier index stays
//! until the function that is deployed asks the later one.

use std::fmt;

use aws_sdk_cloudformation::types::StackStatus;

use super::error::DataError;
use super::live::Live;
use super::table::LiveTable;
use super::target::{Kind, Target};
use crate::account::Account;
use crate::graph::stack_name;

/// An index that another has taken the place of.
#[derive(Debug)]
pub(super) struct Replaced {
    /// The earlier index.
    pub(super) index: &'static str,
    /// The later index, which the template has.
    successor: &'static str,
    /// The function that asks them.
    reader: &'static str,
}

static REPLACED: [Replaced; 1] =
    [Replaced { index: "product_hex-index", successor: "product_hex-keys-index", reader: "func-api-devices-get" }];

impl fmt::Display for Replaced {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, successor, reader } = self;
        write!(formatter, "the index {index} stays until the stack {} asks {successor}", stack_name(reader))
    }
}

impl Account {
    /// Returns the indexes of a live table that the template lacks and a function still needs.
    pub(super) async fn kept_indexes(&self, target: &Target, live: &Live) -> Result<Vec<&'static Replaced>, DataError> {
        let mut kept = Vec::new();
        if let (Kind::Table(wanted), Live::Table(LiveTable::Active(live))) = (&target.kind, live) {
            for replaced in &REPLACED {
                let applies = live.has_index(replaced.index) && wanted.has_index(replaced.successor);
                if applies && !self.asks_successor(replaced).await? {
                    kept.push(replaced);
                }
            }
        }
        Ok(kept)
    }

    /// Returns whether the deployed function asks the later index. Its role has to name an index that it asks.
    async fn asks_successor(&self, replaced: &Replaced) -> Result<bool, DataError> {
        let stack = self.stack(&stack_name(replaced.reader)).await?;
        // A stack in another state may run the code of an earlier deployment.
        let deployed =
            stack.filter(|it| matches!(it.status, StackStatus::CreateComplete | StackStatus::UpdateComplete));
        match deployed {
            Some(stack) => Ok(self.template_of(&stack).await?.contains(&format!("/index/{}", replaced.successor))),
            None => Ok(false),
        }
    }
}
