//! The path of a request: a resource, and the key of one record.

use percent_encoding::percent_decode_str;

use crate::entity::Resource;
use crate::filter::Filter;
use crate::refusal::Refusal;

/// The prefixes of the versions that the API speaks.
const VERSIONS: [&str; 2] = ["/v6/", "/v7/"];

/// Reads the path of a request for records, such as `/v7/device(uuid='…')`. The key is a filter.
///
/// # Errors
/// [`Refusal::NotFound`] for another version or resource, [`Refusal::Malformed`] for a key that cannot be read.
pub(crate) fn parse(path: &str) -> Result<(Resource, Option<Filter>), Refusal> {
    let path = percent_decode_str(path).decode_utf8().map_err(|_| Refusal::NotFound)?;
    let name = VERSIONS.iter().find_map(|version| path.strip_prefix(version)).ok_or(Refusal::NotFound)?;
    let (name, key) = match name.split_once('(') {
        Some((name, key)) => (name, Some(key.strip_suffix(')').ok_or(Refusal::NotFound)?)),
        None => (name, None),
    };
    let resource = Resource::named(name).ok_or(Refusal::NotFound)?;
    let key = key.map(|key| Filter::parse_key(key, resource)).transpose().map_err(Refusal::Malformed)?;
    Ok((resource, key))
}
