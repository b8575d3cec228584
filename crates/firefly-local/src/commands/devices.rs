//! `firefly-local devices`: the devices of a cloud, all answers of the list.

use std::error::Error as _;

use clap::Args;
use firefly_core::device::ProductHex;
use firefly_core::group::SUPER_USERS;
use firefly_core::time::UnixSeconds;
use reqwest::{Client, Url};
use serde_json::Value;

use super::token::IdentityArgs;
use crate::args::{DEFAULT_URL, DataDirArg, http_url};
use crate::client::client;
use crate::output::{Failure, print};

#[derive(Args)]
pub(crate) struct Devices {
    /// The devices alone whose last backup is older than this time, or that have none.
    #[arg(long, value_name = "YYYY-MM-DDTHH:MM:SSZ")]
    backup_before: Option<UnixSeconds>,
    /// The devices alone of this product, such as 0x0000F1F1.
    #[arg(long, value_name = "HEX")]
    product_hex: Option<ProductHex>,
    /// URL of the API: of a running local cloud, or of a deployed one.
    #[arg(long, env = "FIREFLY_URL", value_name = "URL", default_value = DEFAULT_URL, value_parser = http_url)]
    url: String,
    #[arg(
        long,
        env = "FIREFLY_TOKEN",
        value_name = "JWT",
        hide_env_values = true,
        help = format!("Token of a member of {SUPER_USERS}; a deployed API needs one [default: a developer token]")
    )]
    token: Option<String>,
    #[command(flatten)]
    data_dir: DataDirArg,
}

impl Devices {
    /// Prints the devices, each as a line of JSON, until the list has ended.
    pub(crate) async fn run(self, now: UnixSeconds) -> Result<(), Failure> {
        // Nothing else in the process installs a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let token = match &self.token {
            Some(token) => token.clone(),
            None => IdentityArgs::super_user().token(&self.data_dir.data_dir, now)?,
        };
        let client = client(&self.url)?;
        let mut url = Url::parse(&format!("{}/devices", self.url.trim_end_matches('/')))?;
        let given = [
            ("backup_before", self.backup_before.map(|time| time.to_string())),
            ("product_hex", self.product_hex.map(|product| product.to_string())),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        let mut next: Option<String> = None;
        loop {
            let mut page = url.clone();
            if let Some(next) = &next {
                page.query_pairs_mut().append_pair("next", next);
            }
            let answer = get(&client, page, &token).await?;
            for device in answer["devices"].as_array().into_iter().flatten() {
                print(device)?;
            }
            match answer["next"].as_str() {
                Some(position) => next = Some(position.to_owned()),
                None => return Ok(()),
            }
        }
    }
}

/// One answer of the list.
async fn get(client: &Client, url: Url, token: &str) -> Result<Value, Failure> {
    let mut place = url.clone();
    place.set_query(None);
    let unreachable = |error: reqwest::Error| {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        format!("{place} does not answer ({cause}); is --url that of a running cloud?")
    };
    let response = client.get(url).bearer_auth(token).send().await.map_err(unreachable)?;
    let status = response.status();
    let body: Value = response.json().await.unwrap_or_default();
    if status.is_success() && body["devices"].is_array() {
        return Ok(body);
    }
    let message = body["message"].as_str().unwrap_or("no message");
    Err(format!("{place} answered {status}: {message}; is the token one of a member of {SUPER_USERS} there?").into())
}
