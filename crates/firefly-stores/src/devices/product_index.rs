//! The indexes that find the devices of one product.

use serde::{Deserialize, Serialize};

/// An index of the table whose key is `product_hex`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ProductIndex {
    /// The index of the stack's template. It holds keys alone, so that no upload writes to it.
    #[serde(rename = "product_hex-keys-index")]
    Keys,
    /// The index that earlier deployments made, of all attributes. Tables keep it until the other one is filled.
    #[serde(rename = "product_hex-index")]
    AllAttributes,
}

impl ProductIndex {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Keys => "product_hex-keys-index",
            Self::AllAttributes => "product_hex-index",
        }
    }
}
