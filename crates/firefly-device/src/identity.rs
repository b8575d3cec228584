//! The identity of a controller: UUID, product, master key, derived keys, signatures.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use firefly_core::device::{DeviceId, DevicePublicKey, ProductHex};
use firefly_core::signed_request::{
    NONCE_HEADER, Nonce, SIGNATURE_HEADER, TIMESTAMP_HEADER, Timestamp, UUID_HEADER, signed_message,
};
use firefly_core::time::UnixSeconds;
use hkdf::Hkdf;
use p256::ecdsa::{DerSignature, SigningKey, signature::Signer as _};
use rand::CryptoRng;
use sha2::Sha256;

/// The HKDF label of the P-256 scalar that signs cloud requests.
const AUTH_LABEL: &[u8] = b"firefly-auth-v1";
/// The HKDF label of the AES-256-GCM key of cloud backups.
const BACKUP_LABEL: &[u8] = b"firefly-backup-v1";

/// One controller: UUID, product, the 32-byte master key and the keys derived from it.
///
/// Every derived key is `HKDF-SHA256(ikm = master key, salt = empty, info = label, 32 bytes)`.
#[derive(Clone)]
pub struct Identity {
    uuid: DeviceId,
    product_hex: ProductHex,
    master_key: [u8; 32],
    signing_key: SigningKey,
    public_key: DevicePublicKey,
    backup_key: [u8; 32],
}

impl Identity {
    /// Makes the identity of a controller with this master key.
    ///
    /// # Errors
    ///
    /// [`UnusableMasterKey`] when the scalar derived from the key is zero or not below the order of P-256, which
    /// happens to one key in 2³².
    pub fn new(uuid: DeviceId, product_hex: ProductHex, master_key: [u8; 32]) -> Result<Self, UnusableMasterKey> {
        let scalar = derive(&master_key, AUTH_LABEL)?;
        let signing_key = SigningKey::from_slice(&scalar).map_err(|_| UnusableMasterKey)?;
        let point = signing_key.verifying_key().to_sec1_point(false);
        let public_key =
            DevicePublicKey::from_base64(&STANDARD.encode(point.as_bytes())).map_err(|_| UnusableMasterKey)?;
        Ok(Self {
            uuid,
            product_hex,
            backup_key: derive(&master_key, BACKUP_LABEL)?,
            master_key,
            signing_key,
            public_key,
        })
    }

    /// Makes a new controller of this product, with a random (version 4) UUID and a random master key.
    pub fn generate<R: CryptoRng + ?Sized>(product_hex: ProductHex, rng: &mut R) -> Self {
        loop {
            let mut master_key = [0; 32];
            rng.fill_bytes(&mut master_key);
            if let Ok(uuid) = random_uuid(rng).parse()
                && let Ok(identity) = Self::new(uuid, product_hex, master_key)
            {
                return identity;
            }
        }
    }

    /// Returns an identity with the same keys and another UUID.
    #[must_use]
    pub fn with_uuid(self, uuid: DeviceId) -> Self {
        Self { uuid, ..self }
    }

    /// Returns the device's UUID.
    pub fn uuid(&self) -> DeviceId {
        self.uuid
    }

    /// Returns the device's product.
    pub fn product_hex(&self) -> ProductHex {
        self.product_hex
    }

    /// Returns the public half of the signing key, which the cloud stores.
    pub fn public_key(&self) -> &DevicePublicKey {
        &self.public_key
    }

    /// Returns the four headers of a request that is sent at `now`.
    ///
    /// The signature is the deterministic one of RFC 6979, and `s` is not normalised, as in mbedTLS. The same nonce and
    /// time give the same headers; half of all signatures have a high `s`.
    pub fn sign(&self, nonce: &Nonce, now: UnixSeconds) -> SignedHeaders {
        let timestamp = Timestamp::from(now);
        let signature: DerSignature = self.signing_key.sign(&signed_message(nonce, &timestamp));
        SignedHeaders {
            device: self.uuid,
            values: [
                self.uuid.to_string(),
                nonce.to_base64(),
                timestamp.as_str().to_owned(),
                STANDARD.encode(signature.as_bytes()),
            ],
        }
    }

    pub(crate) fn master_key(&self) -> &[u8; 32] {
        &self.master_key
    }

    pub(crate) fn backup_key(&self) -> &[u8; 32] {
        &self.backup_key
    }
}

/// Shows only the UUID: the other fields are secret or follow from it.
impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identity").field("uuid", &self.uuid).finish_non_exhaustive()
    }
}

/// The scalar derived from the master key is out of range, so it is not a P-256 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no signing key follows from this master key")]
pub struct UnusableMasterKey;

/// The four headers that authenticate one request. A copy of them is a replay.
#[derive(Clone, Debug)]
pub struct SignedHeaders {
    device: DeviceId,
    values: [String; 4],
}

impl SignedHeaders {
    /// The headers' names, spelled and ordered as the firmware sends them.
    pub const NAMES: [&'static str; 4] = [UUID_HEADER, NONCE_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER];

    /// Returns the device that signed.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Returns the name and value of each header.
    pub fn pairs(&self) -> [(&'static str, &str); 4] {
        let [uuid, nonce, timestamp, signature] = &self.values;
        let values = [uuid, nonce, timestamp, signature];
        std::array::from_fn(|i| (Self::NAMES[i], values[i].as_str()))
    }
}

/// Writes one `name: value` line per header, as `curl -H @file` reads them.
impl fmt::Display for SignedHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.pairs() {
            writeln!(formatter, "{name}: {value}")?;
        }
        Ok(())
    }
}

/// Draws a nonce for one signed request.
pub fn random_nonce<R: CryptoRng + ?Sized>(rng: &mut R) -> Nonce {
    let mut bytes = [0; Nonce::LENGTH];
    rng.fill_bytes(&mut bytes);
    Nonce::new(bytes)
}

/// Draws a random UUID, version 4 (RFC 9562 §5.4).
fn random_uuid<R: CryptoRng + ?Sized>(rng: &mut R) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        rng.next_u32(),
        rng.next_u32() >> 16,
        rng.next_u32() >> 20,
        0x8000 | rng.next_u32() >> 18,
        rng.next_u64() >> 16,
    )
}

fn derive(master_key: &[u8; 32], label: &[u8]) -> Result<[u8; 32], UnusableMasterKey> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, master_key).expand(label, &mut key).map_err(|_| UnusableMasterKey)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::{AUTH_LABEL, BACKUP_LABEL, derive};
    use firefly_core::hex;
    use serde_json::Value;

    #[test]
    fn derived_keys_are_the_firmware_s() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../firefly-core/tests/vectors/device.json")).unwrap();
        let accepted = vectors["accepted"].as_array().unwrap();
        assert!(!accepted.is_empty());
        for vector in accepted {
            let master_key = hex::decode(vector["master_key_hex"].as_str().unwrap()).unwrap();
            for (label, member) in [(AUTH_LABEL, "auth_private_key_hex"), (BACKUP_LABEL, "backup_key_hex")] {
                let derived = derive(&master_key, label).unwrap();
                assert_eq!(hex::encode(&derived), vector[member].as_str().unwrap());
            }
        }
    }
}
