//! `POST /devices/{uuid}/backup`: stores a device's encrypted configuration backup.

use firefly_core::time::UnixSeconds;
use firefly_http::header::{ETAG, IF_NONE_MATCH};
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::{Backups, Devices, EnvelopeBytes};
use serde::Serialize;

/// The function.
pub type App = Http<Handler>;

/// The table and the bucket it works with.
pub struct Handler {
    devices: Devices,
    backups: Backups,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct Stored {
    message: &'static str,
    last_backup_date: String,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)?, backups: Backups::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, mut request: Request) -> Result<Answer, ApiError> {
        let device = self.devices.authenticate_upload(request.signed_request()?, now).await?;
        let device = device.ok_or(ApiError::UnknownDevice)?;
        let envelope = EnvelopeBytes::parse(request.take_body())?;
        let etag = request.etag_header(ETAG);
        if etag.is_some() && etag == request.etag_header(IF_NONE_MATCH) && etag == self.backups.etag(&device).await {
            let outcome = Outcome::new("backup_unchanged").counted("BackupsUnchanged");
            return Ok(Answer::empty(outcome, StatusCode::NOT_MODIFIED).etag(etag));
        }
        let bytes = envelope.len();
        let written = self.backups.put(&device, envelope, etag).await?;
        if !self.devices.set_last_backup_date(&device, now).await {
            self.backups.take_back(&device, written).await?;
            return Err(ApiError::UnknownDevice);
        }
        let outcome = Outcome::new("backup_stored").with_bytes(bytes);
        let outcome = outcome.counted("BackupsStored").measured_in_bytes("BackupBytes", bytes);
        let body = Stored { message: "Backup stored", last_backup_date: now.to_string() };
        Ok(Answer::json(outcome, StatusCode::OK, &body).etag(etag))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation
            .takes_octets(&format!("An FFCE envelope of at most {} bytes.", firefly_core::envelope::MAX_LENGTH))
            .takes_header(&ETAG, "The SHA-256 of the plaintext: 64 hexadecimal digits in quotes.")
            .takes_header(&IF_NONE_MATCH, "The same value, to store nothing where it is stored already.")
            .answers_json::<Stored>(200, "The backup is stored.")
            .answers_empty(304, "The same backup is stored already.")
            .with_etag();
    }
}
