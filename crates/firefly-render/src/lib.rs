//! Writes what the functions' `function.toml` implies: their templates and workflows, and every list of functions.
//!
//! A function is said once, in `lambdas/NAME/function.toml`; a store in `Metadata: FireFly` of its stack's template.
//! Both are read from a folder at run time. Everything is computed before the first file is written.

mod boundary;
mod change;
mod document;
mod error;
mod extra;
mod files;
mod function;
mod grant;
mod members;
mod name;
mod region;
mod render;
mod skeleton;
mod store;
mod tree;
mod yaml;

use std::path::Path;

pub use change::{add, remove};
pub use error::Error;
pub use firefly_templates::Caller;
pub use function::FunctionToml;
pub use grant::{Grant, Target};
pub use render::Rendered;
pub use store::{Kind, Store};
pub use tree::Tree;

/// Renders the tree below a root, and writes nothing.
///
/// # Errors
///
/// The first file or member that is missing or not allowed.
pub fn render(root: &Path) -> Result<Rendered, Error> {
    let files = files::Files::of(root);
    let tree = Tree::of(&files, None)?;
    Rendered::of(files, &tree)
}
