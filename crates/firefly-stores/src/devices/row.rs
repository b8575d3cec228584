//! A device's row.

use firefly_core::device::DevicePublicKey;
use serde::Serialize;

use crate::error::StoreError;
use crate::item::{Attributes, Item};

/// The attributes that a [`Row`] is read from; `uuid` is a reserved word.
pub(crate) const PROJECTION: &str = "#uuid, public_key, product_id, product_hex, device_class, registration_date, \
                                     registering_application, registering_version";

/// A registered device.
pub(crate) struct Row {
    pub(crate) public_key: DevicePublicKey,
    pub(super) registration: Registration,
}

/// A device's registration as the device is told it. Members an old row lacks are null.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Registration {
    uuid: String,
    product_id: Option<String>,
    /// `0x` and 8 hexadecimal digits.
    product_hex: Option<String>,
    device_class: Option<String>,
    /// `YYYY-MM-DDThh:mm:ssZ`.
    registration_date: Option<String>,
    registering_application: Option<String>,
    registering_version: Option<String>,
}

impl Row {
    pub(crate) fn from_item(item: &Item) -> Result<Self, StoreError> {
        let attributes = Attributes { item, name: "a device" };
        let text = |attribute| attributes.optional_text(attribute).map(str::to_owned);
        Ok(Self {
            public_key: DevicePublicKey::from_base64(attributes.text("public_key")?)
                .map_err(|_| attributes.malformed("public_key"))?,
            registration: Registration {
                uuid: attributes.text("uuid")?.to_owned(),
                product_id: text("product_id"),
                product_hex: text("product_hex"),
                device_class: text("device_class"),
                registration_date: text("registration_date"),
                registering_application: text("registering_application"),
                registering_version: text("registering_version"),
            },
        })
    }
}
