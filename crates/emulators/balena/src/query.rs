//! The options of a request: `$select`, `$expand`, `$filter` and `$orderby`.

use percent_encoding::percent_decode_str;

use crate::entity::{Kind, Resource};
use crate::filter::Filter;

/// Most `$expand` within each other.
const MAX_DEPTH: usize = 4;

/// The options of a request, or of one `$expand`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Query {
    /// The members that rows have; `None` for all that are no lists.
    pub(crate) select: Option<Vec<&'static str>>,
    /// The members whose records stand in the row, and the options of each.
    pub(crate) expand: Vec<(&'static str, Self)>,
    pub(crate) filter: Option<Filter>,
    /// Members to sort by, `true` for a falling order.
    pub(crate) order: Vec<(&'static str, bool)>,
}

impl Query {
    /// Reads the query of a URL. A `+` is no space.
    ///
    /// # Errors
    /// A text for the client; an option that the emulator does not have is refused.
    pub(crate) fn parse(query: Option<&str>, resource: Resource) -> Result<Self, String> {
        let decode = |option: &str| percent_decode_str(option).decode_utf8().map(|text| text.into_owned());
        let options = query.into_iter().flat_map(|query| query.split('&')).filter(|option| !option.is_empty());
        let options: Vec<String> =
            options.map(decode).collect::<Result<_, _>>().map_err(|_| "Malformed query".to_owned())?;
        Self::of(options.iter().map(String::as_str), resource, 0)
    }

    /// Returns `true` if a filter in it uses `startswith`.
    pub(crate) fn searches_by_prefix(&self) -> bool {
        self.filter.as_ref().is_some_and(Filter::searches_by_prefix)
            || self.expand.iter().any(|(_, query)| query.searches_by_prefix())
    }

    fn of<'a>(options: impl Iterator<Item = &'a str>, resource: Resource, depth: usize) -> Result<Self, String> {
        let mut query = Self::default();
        for option in options {
            let (name, text) = option.split_once('=').ok_or_else(|| format!("Malformed option: {option}"))?;
            match name {
                "$select" => {
                    query.select = Some(text.split(',').map(|name| plain(name, resource)).collect::<Result<_, _>>()?)
                }
                "$filter" => query.filter = Some(Filter::parse(text, resource)?),
                "$orderby" => {
                    query.order = text.split(',').map(|item| order(item, resource)).collect::<Result<_, _>>()?
                }
                "$expand" if depth < MAX_DEPTH => {
                    let items = split(text, ',').into_iter();
                    query.expand = items.map(|item| expand(item, resource, depth + 1)).collect::<Result<_, _>>()?;
                }
                _ => return Err(format!("Unknown option: {name}")),
            }
        }
        Ok(query)
    }
}

/// A member that a row has without `$expand`.
fn plain(name: &str, resource: Resource) -> Result<&'static str, String> {
    match resource.member(name) {
        Some((name, Kind::Value | Kind::One(_))) => Ok(name),
        _ => Err(format!("Unknown field: {name}")),
    }
}

/// `member`, `member asc` or `member desc`.
fn order(item: &str, resource: Resource) -> Result<(&'static str, bool), String> {
    let (name, falls) = match item.split_once(' ') {
        None => (item, false),
        Some((name, "asc")) => (name, false),
        Some((name, "desc")) => (name, true),
        Some(_) => return Err(format!("Malformed $orderby: {item}")),
    };
    match resource.member(name) {
        Some((name, Kind::Value)) => Ok((name, falls)),
        _ => Err(format!("Unknown field: {name}")),
    }
}

/// `member` or `member(option;option)`.
fn expand(item: &str, resource: Resource, depth: usize) -> Result<(&'static str, Query), String> {
    let (name, options) = match item.split_once('(') {
        None => (item, ""),
        Some((name, rest)) => (name, rest.strip_suffix(')').ok_or_else(|| format!("Malformed $expand: {item}"))?),
    };
    match resource.member(name) {
        Some((name, Kind::One(other) | Kind::Many(other))) => {
            let options = split(options, ';').into_iter().filter(|option| !option.is_empty());
            Ok((name, Query::of(options, other, depth)?))
        }
        // There are no records, so that the options change nothing.
        Some((name, Kind::Nothing)) => Ok((name, Query::default())),
        _ => Err(format!("Unknown field: {name}")),
    }
}

/// Splits a text at a character that stands neither in parentheses nor in quotes.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut depth, mut quoted) = (0_usize, false);
    text.split(move |character| {
        match character {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == at && depth == 0 && !quoted
    })
    .collect()
}
