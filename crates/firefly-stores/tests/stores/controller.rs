//! Controllers: they sign requests and register.

use firefly_core::device::{DeviceId, DevicePublicKey};
use firefly_core::registration::NewDevice;
use firefly_core::signed_request::{Nonce, SignatureHeaders, SignedRequest, Timestamp, signed_message};
use firefly_core::time::UnixSeconds;
use firefly_stores::VerifiedDevice;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::engines::{DEVICES, Engines, Item, NOW, item, text};

/// A controller.
pub(crate) struct Controller {
    pub(crate) id: DeviceId,
    key: SigningKey,
}

impl Controller {
    /// The controller of this number, whose UUID and key are its own.
    pub(crate) fn new(number: u8) -> Self {
        Self::with_key(number, number)
    }

    /// The UUID of one controller with the key of another.
    pub(crate) fn with_key(number: u8, key: u8) -> Self {
        let id = format!("00000000-0000-0000-0000-{number:012}").parse().unwrap();
        Self { id, key: SigningKey::from_slice(&[key; 32]).unwrap() }
    }

    pub(crate) fn public_key(&self) -> String {
        let point = self.key.verifying_key().to_sec1_point(false);
        DevicePublicKey::from_base64(&STANDARD.encode(point.as_bytes())).unwrap().to_base64()
    }

    /// A request with a nonce of these bytes, signed at this time.
    pub(crate) fn sign(&self, nonce: u8, at: UnixSeconds) -> SignedRequest {
        let (nonce, timestamp) = (Nonce::new([nonce; 32]), Timestamp::from(at));
        let signature: DerSignature = self.key.sign(&signed_message(&nonce, &timestamp));
        SignedRequest::parse(SignatureHeaders {
            uuid: Some(&self.id.to_string()),
            nonce: Some(&nonce.to_base64()),
            timestamp: Some(timestamp.as_str()),
            signature: Some(&STANDARD.encode(signature.as_bytes())),
        })
        .unwrap()
    }

    pub(crate) fn row(&self) -> Item {
        item([
            ("uuid", text(&self.id.to_string())),
            ("public_key", text(&self.public_key())),
            ("product_hex", text("0xFF010001")),
            ("registration_date", text("2033-05-18T03:33:20Z")),
        ])
    }

    /// The body with which it registers.
    pub(crate) fn new_device(&self) -> NewDevice {
        let body = format!(
            r#"{{"uuid":"{}","product_id":"FireFly","product_hex":"0xFF010001","device_class":"CONTROLLER",
            "public_key":"{}","registering_application":"Tool","registering_version":"1.0","mcu":{{"cores":2}},
            "network":[{{"mac":"00:11"}}]}}"#,
            self.id,
            self.public_key()
        );
        NewDevice::parse(body.as_bytes()).unwrap()
    }

    /// Puts its row into the table, and has a request admitted.
    pub(crate) async fn verified(&self, engines: &Engines) -> VerifiedDevice {
        engines.put(DEVICES, self.row()).await;
        engines.devices().authenticate(self.sign(250, NOW), NOW).await.unwrap().unwrap()
    }
}
