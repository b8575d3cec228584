//! `POST /devices/{uuid}/backup`: stores a device's encrypted configuration backup.

use firefly_service::aws::Aws;
use firefly_service::backups::{Backups, EnvelopeBytes};
use firefly_service::devices::Devices;
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::error::ApiError;
use firefly_service::http::header::{ETAG, IF_NONE_MATCH};
use firefly_service::http::{Answer, Outcome, RequestParts as _};
use firefly_service::{Function, Request, StatusCode, UnixSeconds};
use serde::Serialize;

/// The function, the table and the bucket it works with.
pub struct App {
    devices: Devices,
    backups: Backups,
}

#[derive(Serialize)]
struct Stored {
    message: &'static str,
    last_backup_date: String,
}

impl Function for App {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)?, backups: Backups::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, mut request: Request) -> Result<Answer, ApiError> {
        let device = self.devices.authenticate(request.signed_request()?, now).await?;
        let envelope = EnvelopeBytes::parse(request.take_body())?;
        let etag = request.etag_header(ETAG);
        if etag.is_some() && etag == request.etag_header(IF_NONE_MATCH) && etag == self.backups.etag(&device).await {
            return Ok(Answer::empty(Outcome::BackupUnchanged, StatusCode::NOT_MODIFIED).etag(etag));
        }
        let bytes = envelope.len();
        self.backups.put(&device, envelope, etag).await?;
        if let Err(error) = self.devices.set_last_backup_date(&device, now).await {
            tracing::error!(cause = %error, "the backup is stored, but last_backup_date is not set");
        }
        let body = Stored { message: "Backup stored", last_backup_date: now.to_string() };
        Ok(Answer::json(Outcome::BackupStored { bytes }, StatusCode::OK, &body).etag(etag))
    }
}
