//! The pages of lists.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::input::Input;
use crate::refusal::Refusal;

/// Most items of a page.
const MOST: u64 = 250;

/// The items of a page where the caller names no number.
const DEFAULT: u64 = 25;

/// A page that a caller asks for.
#[derive(Debug)]
pub(crate) struct Page {
    size: usize,
    /// The key of the last item before the page.
    after: Option<String>,
    token: &'static str,
}

impl Page {
    /// Reads `pageSize` and `marker`.
    pub(crate) fn of_policies(input: &Input) -> Result<Self, Refusal> {
        Self::new(input, "pageSize", "marker", "nextMarker")
    }

    /// Reads `maxResults` and `nextToken`.
    pub(crate) fn of_things(input: &Input) -> Result<Self, Refusal> {
        Self::new(input, "maxResults", "nextToken", "nextToken")
    }

    fn new(input: &Input, size: &str, after: &str, token: &'static str) -> Result<Self, Refusal> {
        let number = input.number(size)?.unwrap_or(DEFAULT);
        if !(1..=MOST).contains(&number) {
            return Err(Refusal::invalid(format!("{size} is {number}, which is not in 1..={MOST}")));
        }
        let size = usize::try_from(number).unwrap_or_default();
        let decode = |text: &str| {
            let key = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            key.ok_or_else(|| Refusal::invalid(format!("{after} is not one that a list gave")))
        };
        Ok(Self { size, after: input.query(after).map(decode).transpose()?, token })
    }

    /// The key after which the page begins, as a number.
    pub(crate) fn after_number(&self) -> Result<Option<u64>, Refusal> {
        let number = |key: &String| key.parse().map_err(|_| Refusal::invalid("the marker is not one that a list gave"));
        self.after.as_ref().map(number).transpose()
    }

    /// Answers the page of items that come in the order of their keys, ascending or descending. `name` is the list's.
    pub(crate) fn by_key(&self, name: &str, ascending: bool, items: impl Iterator<Item = (String, Value)>) -> Value {
        let begins = |key: &str| match &self.after {
            None => true,
            Some(after) if ascending => key > after.as_str(),
            Some(after) => key < after.as_str(),
        };
        self.cut(name, items.filter(|(key, _)| begins(key)))
    }

    /// Answers as many of the items as the page has room for, with a token if there are more.
    pub(crate) fn cut(&self, name: &str, items: impl Iterator<Item = (String, Value)>) -> Value {
        let mut items: Vec<_> = items.take(self.size + 1).collect();
        let more = items.len() > self.size;
        items.truncate(self.size);
        let token = items.last().filter(|_| more).map(|(key, _)| STANDARD.encode(key));
        let list = Value::Array(items.into_iter().map(|(_, item)| item).collect());
        let mut answer = Map::from_iter([(name.to_owned(), list)]);
        answer.extend(token.map(|token| (self.token.to_owned(), Value::String(token))));
        Value::Object(answer)
    }
}
