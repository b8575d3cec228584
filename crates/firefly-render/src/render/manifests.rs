//! The lists of functions in Cargo.toml files, and the functions' own descriptions.

use std::fmt::Write as _;

use crate::error::Error;
use crate::function::FunctionToml;

/// The packages that `cargo lambda build` builds when no package is named.
pub(crate) fn packages(functions: &[FunctionToml]) -> String {
    let mut out = "# `cargo lambda build` builds these when no package is named.\n[workspace.metadata.lambda.build]\npackages = [\n".to_owned();
    for function in functions {
        let _ = writeln!(out, "    \"{}\",", function.name);
    }
    out.push_str("]\n");
    out
}

/// The functions among the workspace's dependencies.
pub(crate) fn paths(functions: &[FunctionToml]) -> String {
    functions.iter().map(|function| format!("{0} = {{ path = \"lambdas/{0}\" }}\n", function.name)).collect()
}

/// The functions as dependencies of the crate that lists them, which has them describe their routes.
pub(crate) fn dependencies(functions: &[FunctionToml]) -> String {
    let dependency =
        |function: &FunctionToml| format!("{} = {{ workspace = true, features = [\"openapi\"] }}\n", function.name);
    functions.iter().map(dependency).collect()
}

/// A function's Cargo.toml with the description that its route and summary make.
pub(crate) fn described(function: &FunctionToml, text: &str) -> Result<String, Error> {
    let file = format!("lambdas/{}/Cargo.toml", function.name);
    let own_name = format!("name = \"{}\"", function.name);
    let end = text.find("\n\n").unwrap_or(text.len());
    let package = text[..end].lines().collect::<Vec<_>>();
    if package.first() != Some(&"[package]") || !package.contains(&own_name.as_str()) {
        return Err(Error::of_member(
            &file,
            "package.name",
            format!("allowed is {own_name}, in [package] at the file's begin"),
        ));
    }
    let Some(line) = package.iter().find(|line| line.starts_with("description = ")) else {
        return Err(Error::of_member(&file, "package.description", "is missing; allowed is a text, which is rendered"));
    };
    let description = format!("{}: {}", function.route, function.summary);
    let value = toml::Value::from(description.as_str());
    let text = text.replacen(&format!("\n{line}\n"), &format!("\ndescription = {value}\n"), 1);
    let written = text.parse::<toml::Table>().ok();
    let written = written.as_ref().and_then(|table| table.get("package")?.get("description")?.as_str());
    if written == Some(description.as_str()) {
        Ok(text)
    } else {
        let problem = "cannot be rendered; allowed is description = and a text in quotes, in one line that ends in LF";
        Err(Error::of_member(&file, "package.description", problem))
    }
}
