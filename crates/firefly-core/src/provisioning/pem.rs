//! One PEM block and nothing else.

use x509_cert::der::pem;
use zeroize::Zeroizing;

/// Returns the bytes of the one block of `text` (RFC 7468 §3, lines of 64 characters) if its label is `label`.
///
/// Nothing stands before it, and nothing but a line break after it.
pub(super) fn decode(text: &str, label: &str) -> Option<Zeroizing<Vec<u8>>> {
    let end = format!("-----END {label}-----");
    let body = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text);
    if !text.starts_with("-----BEGIN ") || !body.ends_with(&end) {
        return None;
    }
    let (found, bytes) = pem::decode_vec(text.as_bytes()).ok()?;
    let bytes = Zeroizing::new(bytes);
    (found == label).then_some(bytes)
}
