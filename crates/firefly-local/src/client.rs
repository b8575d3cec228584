//! The HTTP client of the commands.

use std::net::IpAddr;

use crate::output::Failure;

/// A client of the cloud at this URL. A proxy of the environment does not reach this machine's own interface.
pub(crate) fn client(url: &str) -> Result<reqwest::Client, Failure> {
    let host = url.parse::<http::Uri>()?.host().unwrap_or_default().to_owned();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback =
        host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let builder = reqwest::Client::builder();
    Ok(if is_loopback { builder.no_proxy() } else { builder }.build()?)
}
