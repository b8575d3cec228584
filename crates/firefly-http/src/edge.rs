//! The edge in front of the API: CloudFront with a web application firewall.
//!
//! The edge adds a secret to every request that it passes on (`stacks/edge.yaml`). A function is given the secret's
//! SHA-256 alone: its environment and its log hold nothing with which anybody could pass for the edge.

use firefly_core::hex;
use firefly_core::source_address::SourceAddress;
use firefly_runtime::{ConfigError, Environment};
use http::HeaderName;
use lambda_http::Request;
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

/// The variable with the SHA-256 of the edge's secret in hex digits, or two of them, separated by a comma, while the secret
/// is changed. Without it there is no edge.
const VARIABLE: &str = "EDGE_SECRET_SHA256";
/// The header in which the edge sends its secret.
const SECRET: HeaderName = HeaderName::from_static("x-firefly-edge");
/// The header in which CloudFront says who the viewer is. It replaces one that the viewer has sent.
const VIEWER_ADDRESS: HeaderName = HeaderName::from_static("cloudfront-viewer-address");

/// The edge that requests have to come through, if there is one.
pub(crate) struct Edge {
    /// No edge has none.
    secrets: Vec<[u8; 32]>,
}

impl Edge {
    pub(crate) fn new(environment: &Environment) -> Result<Self, ConfigError> {
        let digests = environment.optional(VARIABLE).unwrap_or_default();
        let digests = digests.split(',').filter(|_| !digests.is_empty());
        let secrets = digests.map(hex::decode).collect::<Option<Vec<_>>>();
        let expected = "one or two SHA-256 digests of 64 hex digits each, separated by a comma";
        let secrets = secrets.filter(|secrets| secrets.len() <= 2);
        Ok(Self { secrets: secrets.ok_or(ConfigError::Invalid { name: VARIABLE, expected })? })
    }

    /// Lets a request in that has come through the edge, and takes the viewer's address as its source.
    ///
    /// Without an edge the source stays the address that API Gateway saw, and the two headers mean nothing. Behind one that
    /// address is CloudFront's: a request whose viewer is not named then has no source address at all.
    pub(crate) fn admit(&self, request: &mut Request) -> Result<(), ApiError> {
        if self.secrets.is_empty() {
            return Ok(());
        }
        let secret = request.headers_mut().remove(SECRET).ok_or(ApiError::NotThroughEdge)?;
        // Digests of a secret are compared, which tell nothing about it, however long that takes.
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        if !self.secrets.contains(&digest) {
            return Err(ApiError::NotThroughEdge);
        }
        request.extensions_mut().remove::<SourceAddress>();
        let viewer = request.headers().get(VIEWER_ADDRESS).and_then(|value| value.to_str().ok());
        if let Some(source) = viewer.and_then(SourceAddress::of_viewer) {
            request.extensions_mut().insert(source);
        }
        Ok(())
    }
}
