//! The functions in the deployment's table of stacks.

use std::fmt::Write as _;

use crate::function::FunctionToml;
use crate::store::{Kind, Store};
use crate::tree::Tree;

/// The file of the functions' part of the table.
pub(crate) const FILE: &str = "crates/firefly-deploy/src/graph/functions.rs";

/// The names that the table of functions can use of the file beside it.
const NAMES: [&str; 7] = ["API", "API_FOR_USERS", "LAYER", "Stack", "bucket", "function", "table"];

/// The functions with the needs of each, in the order in which they are deployed.
pub(crate) fn text(tree: &Tree) -> String {
    let functions = tree.deploy_order();
    let mut rows = String::new();
    for function in &functions {
        let needs = needs(function, tree.stores()).join(", ");
        let _ = writeln!(rows, "    function!(\"{}\", &[{needs}]),", function.name);
    }
    let is_used = |name: &&str| match *name {
        "API" | "API_FOR_USERS" => rows.contains(&format!("&[{name},")),
        "bucket" | "table" => rows.contains(&format!("{name}(")),
        _ => true,
    };
    let names = NAMES.into_iter().filter(is_used).collect::<Vec<_>>().join(", ");
    format!(
        "// Rendered by firefly-render from lambdas/*/function.toml; do not edit.
//! The functions and what each needs of the stacks before it.

use super::stack::{{{names}}};

/// Every function, in the order in which they are deployed.
#[rustfmt::skip] // A line for each.
pub(super) const FUNCTIONS: [Stack; {}] = [
{rows}];
",
        functions.len()
    )
}

/// The needs of a function, in the order of its deployment tables: the API, tables, the layer, buckets.
fn needs(function: &FunctionToml, stores: &[Store]) -> Vec<String> {
    let need = |store: &Store| {
        let kind = if matches!(store.kind, Kind::Table { .. }) { "table" } else { "bucket" };
        format!("{kind}(\"{}\", \"{}\")", store.stack, function.access(store))
    };
    let (tables, buckets): (Vec<_>, Vec<_>) =
        function.stores(stores).partition(|store| matches!(store.kind, Kind::Table { .. }));
    let mut needs = vec![if function.caller.has_token() { "API_FOR_USERS" } else { "API" }.to_owned()];
    needs.extend(tables.into_iter().map(need));
    needs.push("LAYER".to_owned());
    needs.extend(buckets.into_iter().map(need));
    needs
}
