//! The list of all functions in Rust.

use std::fmt::Write as _;

use firefly_templates::Caller;

use crate::function::FunctionToml;
use crate::name;

/// The file of the list.
pub(crate) const FILE: &str = "crates/firefly-functions/src/list.rs";

/// Every function with its template, caller and statuses.
pub(crate) fn text(functions: &[FunctionToml]) -> String {
    let mut out = format!(
        "// Rendered by firefly-render from lambdas/*/function.toml; do not edit.
//! The list, in the order of the names.

use firefly_templates::Caller;

use crate::listed::{{Listed, listed}};

macro_rules! function {{
    ($app:ty, $name:literal, $caller:ident, $statuses:expr) => {{
        listed::<$app>(include_str!(concat!(\"../../../lambdas/\", $name, \"/template.yaml\")), Caller::$caller, &$statuses)
    }};
}}

/// Every function.
#[rustfmt::skip] // A line for each.
pub const ALL: [Listed; {}] = [
",
        functions.len()
    );
    for function in functions {
        let FunctionToml { name, statuses, .. } = function;
        let (library, caller) = (name::crate_name(name), caller(function.caller));
        let _ = writeln!(out, "    function!({library}::App, \"{name}\", {caller}, {statuses:?}),");
    }
    out.push_str("];\n");
    out
}

fn caller(caller: Caller) -> &'static str {
    match caller {
        Caller::Anyone => "Anyone",
        Caller::User => "User",
        Caller::Key => "Key",
        Caller::Device => "Device",
        Caller::SuperUser => "SuperUser",
    }
}
