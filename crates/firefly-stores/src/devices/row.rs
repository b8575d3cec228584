//! A device's row.

use firefly_core::device::{DeviceId, DevicePublicKey};
use firefly_core::time::UnixSeconds;
use serde::Serialize;

use crate::error::StoreError;
use crate::item::{Attributes, Item};

/// The attributes that a [`Row`] is read from; `uuid` is a reserved word.
pub(crate) const PROJECTION: &str = "#uuid, public_key, product_id, product_hex, device_class, registration_date, \
                                     registering_application, registering_version";

/// A device as it is registered now. One that is deleted and registered again is registered anew.
#[derive(Clone, Debug)]
pub struct RegisteredDevice {
    pub(crate) id: DeviceId,
    /// `registration_date` as it is stored. Rows of the earlier functions may lack it.
    pub(crate) date: Option<String>,
}

impl RegisteredDevice {
    /// `registration_date` and its second. Returns `None` for a row that lacks it or holds another form of date: the earlier
    /// functions wrote such rows, and registration does not.
    pub(crate) fn dated(&self) -> Option<(&str, UnixSeconds)> {
        let date = self.date.as_deref()?;
        Some((date, date.parse().ok()?))
    }

    /// The second of the registration; the epoch where the row does not say.
    pub(crate) fn since(&self) -> Result<UnixSeconds, StoreError> {
        let malformed = || StoreError::Malformed { item: "a device", attribute: "registration_date" };
        self.date.as_ref().map_or(Ok(UnixSeconds::new(0)), |date| date.parse().map_err(|_| malformed()))
    }
}

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
    /// The device of this row.
    pub(super) fn device(&self, id: DeviceId) -> RegisteredDevice {
        RegisteredDevice { id, date: self.registration.registration_date.clone() }
    }

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
