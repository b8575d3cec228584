//! A function added to a tree or taken out of it.

use std::path::Path;

use firefly_templates::{Caller, RouteKey};

use crate::error::Error;
use crate::files::Files;
use crate::render::Rendered;
use crate::tree::{LAMBDAS, Tree};
use crate::{name, skeleton};

/// Renders the tree with a further function, its folder included.
///
/// # Errors
///
/// A name that is malformed or taken, a route that is malformed or taken, or a tree that cannot be rendered.
pub fn add(root: &Path, name: &str, route: Option<&str>, caller: Caller) -> Result<Rendered, Error> {
    let folder = format!("{LAMBDAS}/{name}");
    if !name::is_valid(name) {
        return Err(Error::of_file(&folder, format!("is no function's name; allowed is {}", name::FORM)));
    }
    if root.join(&folder).exists() {
        return Err(Error::of_file(&folder, "is there already; allowed is a name of its own"));
    }
    let route = match route {
        Some(key) => RouteKey::parse(key)
            .ok_or_else(|| Error::of_member(&folder, "route", format!("is {key:?}; allowed is {}", RouteKey::FORM)))?,
        None => route_of(name, caller).ok_or_else(|| {
            let methods = RouteKey::METHODS.map(|method| method.as_str().to_lowercase()).join(", ");
            Error::of_file(
                &folder,
                format!(
                    "names no route; allowed are words of the path before one of {methods}, or --route 'METHOD /path'"
                ),
            )
        })?,
    };
    let files = Files::of(root).with(skeleton::files(name, &route, caller));
    let tree = Tree::of(&files, None)?;
    Rendered::of(files, &tree)
}

/// Takes a function out of everything that is rendered, and then deletes its folder.
///
/// # Errors
///
/// A name that no folder has, a tree that cannot be rendered without it, or a file that cannot be written or deleted.
pub fn remove(root: &Path, name: &str) -> Result<(), Error> {
    let folder = format!("{LAMBDAS}/{name}");
    let files = Files::of(root);
    let names = files.names(LAMBDAS)?;
    if !names.iter().any(|other| other == name) {
        return Err(Error::of_file(&folder, format!("is not there; there are {}", names.join(", "))));
    }
    let path = root.join(&folder);
    if !path.is_dir() {
        return Err(Error::of_file(&folder, "is not a folder; allowed is a function's folder"));
    }
    let tree = Tree::of(&files, Some(name))?;
    let rendered = Rendered::of(files, &tree)?;
    let undeletable = |error: std::io::Error| Error::of_file(&folder, format!("cannot be deleted: {error}"));
    // Out of the way first, which succeeds or changes nothing.
    let aside = root.join(format!("{LAMBDAS}/.{name}.removed"));
    std::fs::rename(&path, &aside).map_err(undeletable)?;
    if let Err(error) = rendered.write() {
        std::fs::rename(&aside, &path).map_err(undeletable)?;
        return Err(error);
    }
    std::fs::remove_dir_all(&aside).map_err(undeletable)
}

/// The route that a name describes: `func-api-device-count-get` is `GET /device-count`, and a device's
/// `func-api-devices-state-get` is `GET /devices/{uuid}/state`.
fn route_of(name: &str, caller: Caller) -> Option<RouteKey> {
    let words: Vec<_> = name::words(name).collect();
    let (method, words) = words.split_last()?;
    let path = match (caller, words) {
        (Caller::Device, ["devices", rest @ ..] | rest) => format!("/devices/{{uuid}}/{}", rest.join("-")),
        (_, words) => format!("/{}", words.join("-")),
    };
    RouteKey::parse(&format!("{} {path}", method.to_uppercase()))
}
