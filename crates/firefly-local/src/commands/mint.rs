//! `firefly-local mint`: a registration key of a running cloud.

use clap::Args;
use firefly_core::time::UnixSeconds;

use super::token::IdentityArgs;
use crate::args::{DEFAULT_URL, DataDirArg, http_url};
use crate::client::client;
use crate::output::{Failure, print};

#[derive(Args)]
pub(crate) struct Mint {
    /// URL of the running cloud.
    #[arg(long, env = "FIREFLY_URL", value_name = "URL", default_value = DEFAULT_URL, value_parser = http_url)]
    url: String,
    #[command(flatten)]
    data_dir: DataDirArg,
    #[command(flatten)]
    identity: IdentityArgs,
}

impl Mint {
    /// Asks the running cloud for a key, with a token that is issued now, and prints it.
    pub(crate) async fn run(self, now: UnixSeconds) -> Result<(), Failure> {
        // Nothing else in the process installs a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let token = self.identity.token(&self.data_dir.data_dir, now)?;
        let url = format!("{}/registration-keys", self.url.trim_end_matches('/'));
        let request = client(&url)?.post(&url).bearer_auth(token);
        let unreachable = |error: reqwest::Error| {
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            format!("{url} does not answer ({cause}); is the local cloud running?")
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body: serde_json::Value = response.json().await.unwrap_or_default();
        match body["key"].as_str() {
            // The key is good, and shown to nobody else.
            Some(key) => print(key).map_err(|error| format!("{error}; the key that was minted is {key}").into()),
            None => {
                let message = body["message"].as_str().unwrap_or("no message");
                Err(format!("{url} answered {status}: {message}; is --data-dir that of the running cloud?").into())
            }
        }
    }
}
