//! The members of a TOML table, taken out one by one; a member that is left over in the end is unknown.

use std::ops::RangeInclusive;

use toml::{Table, Value};

use crate::error::Error;

/// A table of a TOML file.
pub(crate) struct Members<'a> {
    file: &'a str,
    /// The path of the table within the file, with a dot at its end; empty for the file itself.
    path: String,
    table: Table,
}

impl<'a> Members<'a> {
    /// Parses a file's text.
    pub(crate) fn parse(file: &'a str, text: &str) -> Result<Self, Error> {
        let table = text.parse::<Table>().map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Error::of_member(file, &format!("line {line}"), format!("is not TOML: {}", error.message()))
        })?;
        Ok(Self { file, path: String::new(), table })
    }

    /// An error of one member of this table.
    pub(crate) fn error(&self, name: &str, problem: impl Into<String>) -> Error {
        Error::of_member(self.file, &format!("{}{name}", self.path), problem)
    }

    /// Returns `true` if the member is still there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// A text of one line that is not empty.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.table.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if is_line(&text) => Ok(Some(text)),
            Some(_) => Err(self.error(name, "allowed is a text of one line, without spaces around it")),
        }
    }

    /// A text that has to be there.
    pub(crate) fn required_text(&mut self, name: &str, allowed: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| self.missing(name, allowed))
    }

    /// A whole number that has to be there.
    pub(crate) fn number(&mut self, name: &str, range: &RangeInclusive<u64>, unit: &str) -> Result<u64, Error> {
        let allowed = format!("allowed are {} to {} ({unit})", range.start(), range.end());
        let value = self.table.remove(name).ok_or_else(|| self.missing(name, &allowed))?;
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(number),
            None => Err(self.error(name, format!("is {value}; {allowed}"))),
        }
    }

    /// An array that has to be there, with at least one item, each of which `read` accepts.
    pub(crate) fn items<T>(
        &mut self,
        name: &str,
        allowed: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let items = match self.table.remove(name) {
            None => return Err(self.missing(name, allowed)),
            Some(Value::Array(items)) if !items.is_empty() => items,
            Some(value) => return Err(self.error(name, format!("is {value}; allowed is {allowed}"))),
        };
        let read_item = |item| read(item).ok_or_else(|| self.error(name, format!("has {item}; allowed is {allowed}")));
        items.iter().map(read_item).collect()
    }

    /// A table as it stands.
    pub(crate) fn table(&mut self, name: &str) -> Result<Option<Table>, Error> {
        match self.table.remove(name) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(table)),
            Some(value) => Err(self.error(name, format!("is {value}; allowed is a table"))),
        }
    }

    /// The tables of an array such as `[[grant]]`; empty where the member is absent.
    pub(crate) fn tables(&mut self, name: &str) -> Result<Vec<Self>, Error> {
        let allowed = format!("allowed are tables, each under [[{name}]]");
        let items = match self.table.remove(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(self.error(name, allowed)),
        };
        let tables = items.into_iter().enumerate().map(|(index, item)| match item {
            Value::Table(table) => Ok(Self { file: self.file, path: format!("{}{name}[{index}].", self.path), table }),
            _ => Err(self.error(name, allowed.as_str())),
        });
        tables.collect()
    }

    /// Fails when a member is left over.
    pub(crate) fn finish(self, known: &[&str]) -> Result<(), Error> {
        match self.table.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.error(name, format!("is no member; there are {}", known.join(", ")))),
        }
    }

    fn missing(&self, name: &str, allowed: &str) -> Error {
        let allowed = allowed.trim_start_matches("allowed are ");
        self.error(name, format!("is missing; allowed are {allowed}"))
    }
}

/// Returns `true` if a text is one line that can stand in a comment or a description.
fn is_line(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.contains(char::is_control)
}
