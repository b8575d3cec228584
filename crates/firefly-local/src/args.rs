//! The arguments that several commands have.

use std::path::PathBuf;

use clap::Args;

/// The URL of a cloud that is started without options; `firefly-device` has the same default.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:8080";
/// The data directory of a cloud that is started without options.
pub(crate) const DEFAULT_DATA_DIR: &str = ".firefly";

#[derive(Args)]
pub(crate) struct DataDirArg {
    /// Directory of the data and of the developer tokens' signing key.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    pub(crate) data_dir: PathBuf,
}

/// Reads the URL of an HTTP service.
pub(crate) fn http_url(text: &str) -> Result<String, String> {
    let url: http::Uri = text.parse().map_err(|error| format!("not a URL: {error}"))?;
    match (url.scheme_str(), url.authority()) {
        (Some("http" | "https"), Some(_)) => Ok(text.to_owned()),
        _ => Err("not a URL of the form http://HOST:PORT or https://HOST".to_owned()),
    }
}
