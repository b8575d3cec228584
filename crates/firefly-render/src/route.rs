//! Routes of the HTTP API.

use std::fmt;

/// The methods a route can have, in the order in which they are listed.
pub(crate) const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// The form of a route, for errors.
pub(crate) const FORM: &str =
    "METHOD /path, METHOD one of GET, POST, PUT, PATCH, DELETE, the path of segments such as devices or {uuid}";

/// A method and a path whose variable segments stand in braces. `Display` is the route key: `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The path, such as `/devices/{uuid}/backup`.
    pub path: String,
    /// GET, POST, PUT, PATCH or DELETE.
    pub method: String,
}

impl Route {
    /// Parses a route key.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let (method, path) = key.split_once(' ')?;
        let segments = path.strip_prefix('/')?.split('/').collect::<Vec<_>>();
        let variables = segments.iter().filter(|segment| segment.starts_with('{')).collect::<Vec<_>>();
        let distinct = variables.iter().enumerate().all(|(index, name)| !variables[..index].contains(name));
        let valid = METHODS.contains(&method) && distinct && segments.iter().all(|segment| is_segment(segment));
        valid.then(|| Self { path: path.to_owned(), method: method.to_owned() })
    }

    /// The names of its variable segments.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    /// The route with `*` for each variable segment: as an ARN names it. Two routes with the same one collide.
    pub(crate) fn pattern(&self) -> String {
        let segments = self.path.split('/').map(|segment| if segment.starts_with('{') { "*" } else { segment });
        format!("{}{}", self.method, segments.collect::<Vec<_>>().join("/"))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

fn is_segment(segment: &str) -> bool {
    let (text, more): (_, &[char]) = match segment.strip_prefix('{').map(|rest| rest.strip_suffix('}')) {
        Some(Some(name)) => (name, &['_']),
        Some(None) => return false,
        None => (segment, &['_', '-', '.', '~']),
    };
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || more.contains(&letter);
    !text.is_empty() && text.chars().all(allowed) && text.chars().any(|letter| letter.is_ascii_alphanumeric())
}
