//! The boundary of every function's role: what a role allows beside it is denied when the function runs.

use std::collections::{BTreeMap, BTreeSet};

use firefly_templates::{Policy, Request, Source, TemplateError};

use crate::error::Error;

/// The template of the boundary, from the root.
const FILE: &str = "stacks/bootstrap.yaml";
/// The boundary's logical id.
const BOUNDARY: &str = "FunctionBoundary";
/// The logical id of a function's role.
const ROLE: &str = "FunctionRole";
/// The names that the operator may give the bucket: the default, and one of their own.
const BUCKETS: [&str; 2] = ["", "firefly-own"];

/// The grants of functions that are outside the boundary, a line for each. `functions` are names with templates.
pub(crate) fn outside<'a>(
    bootstrap: &str,
    functions: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<String>, Error> {
    let unreadable =
        |file: &str, error: TemplateError| Error::of_member(file, &error.member, error.problem.to_string());
    let mut boundaries = Vec::new();
    for bucket in BUCKETS {
        let parameters = BTreeMap::from([("BackupBucketName".to_owned(), bucket.to_owned())]);
        let source = Source { name: "bootstrap", text: bootstrap };
        let boundary = Policy::parse(source, BOUNDARY, &parameters).map_err(|error| unreadable(FILE, error))?;
        boundaries.push((parameters, boundary));
    }
    let mut lines = Vec::new();
    for (name, text) in functions {
        let mut found = BTreeSet::new();
        for (parameters, boundary) in &boundaries {
            let file = format!("lambdas/{name}/template.yaml");
            let role =
                Policy::parse(Source { name, text }, ROLE, parameters).map_err(|error| unreadable(&file, error))?;
            let beyond = role
                .allowed()
                .filter(|(action, resource)| !boundary.allows(Request { action, resource, context: &[] }))
                .map(|(action, resource)| format!("{action} on {resource}"));
            found.extend(beyond);
        }
        lines.extend(found.into_iter().map(|grant| {
            format!(
                "lambdas/{name}/function.toml: {grant} is outside the boundary; allow it in {BOUNDARY} of {FILE}, raise \
                 Version there and deploy bootstrap again"
            )
        }));
    }
    Ok(lines)
}
