//! Lists every function of FireFly Cloud, each with its template. Code that needs all of them asks here.

mod list;
mod listed;

pub use firefly_templates::Caller;
pub use list::ALL;
pub use listed::{InvokeError, Listed, Running};

/// The function of this name, if there is one.
#[must_use]
pub fn named(name: &str) -> Option<&'static Listed> {
    ALL.iter().find(|function| function.name == name)
}
