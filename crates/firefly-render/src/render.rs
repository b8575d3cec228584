//! Every rendered file of a tree.

mod alarms;
mod graph;
mod list;
mod manifests;
mod observability;
mod root;
mod rows;
mod samconfig;
mod template;
mod workflows;

use std::collections::BTreeMap;

use firefly_templates::RouteKey;

use crate::boundary;
use crate::error::Error;
use crate::files::{Files, Staged};
use crate::region;
use crate::tree::Tree;

/// The rendered files of a tree: those that are to be there, and those that are not.
#[derive(Debug)]
pub struct Rendered {
    files: Files,
    texts: BTreeMap<String, String>,
    gone: Vec<String>,
}

impl Rendered {
    /// Renders everything, and writes nothing.
    pub(crate) fn of(files: Files, tree: &Tree) -> Result<Self, Error> {
        let mut texts = files.new_ones().clone();
        for function in tree.functions() {
            let name = &function.name;
            for source in ["src/lib.rs", "src/main.rs"] {
                files.required(&format!("lambdas/{name}/{source}"))?;
            }
            let manifest = format!("lambdas/{name}/Cargo.toml");
            let described = manifests::described(function, &files.required(&manifest)?)?;
            texts.insert(manifest, described);
            texts.insert(format!("lambdas/{name}/template.yaml"), template::text(function, tree.stores())?);
            texts.insert(workflows::file("deploy", name), workflows::deploy(name));
            texts.insert(workflows::file("delete", name), workflows::delete(name));
        }
        let source = files.required(rows::SOURCE)?;
        texts.insert(observability::FILE.to_owned(), observability::text(tree, &source)?);
        [graph::FILE, list::FILE].into_iter().try_for_each(|file| files.require_folder_of(file))?;
        texts.insert(graph::FILE.to_owned(), graph::text(tree));
        texts.insert(list::FILE.to_owned(), list::text(tree.functions()));
        for (file, parts) in parts(&files, tree, &source)? {
            let mut text = files.required(file)?;
            for (name, body) in parts {
                text = region::replace(file, &text, name, &body)?;
            }
            texts.insert(file.to_owned(), text);
        }
        let is_gone = |file: &String| workflows::function_of(file).is_some_and(|name| tree.function(name).is_none());
        let workflows = files.names(workflows::FOLDER)?.into_iter().filter(is_gone);
        let gone = workflows.map(|file| format!("{}/{file}", workflows::FOLDER)).collect();
        Ok(Self { files, texts, gone })
    }

    /// The files that are not as rendered, each with what is wrong with it, and the grants outside the boundary.
    ///
    /// # Errors
    ///
    /// A file that cannot be read.
    pub fn stale(&self) -> Result<Vec<String>, Error> {
        let mut stale = Vec::new();
        for (file, text) in &self.texts {
            match self.files.bytes(file)? {
                Some(found) if found == text.as_bytes() => {}
                Some(_) => stale.push(format!("{file} is not as it is rendered")),
                None => stale.push(format!("{file} is missing")),
            }
        }
        stale.extend(self.gone.iter().map(|file| format!("{file} is of no function")));
        stale.extend(boundary::outside(self.texts.get(BOOTSTRAP).map_or("", String::as_str), self.templates())?);
        Ok(stale)
    }

    /// The functions, each with its template.
    fn templates(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().filter_map(|(file, text)| {
            let name = file.strip_prefix("lambdas/")?.strip_suffix("/template.yaml")?;
            Some((name, text.as_str()))
        })
    }

    /// Writes the files that are not as rendered, and deletes those of functions that are gone.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or written: nothing has been changed then.
    pub fn write(&self) -> Result<(), Error> {
        let mut staged = Vec::new();
        for (file, text) in &self.texts {
            if self.files.bytes(file)?.as_deref() != Some(text.as_bytes()) {
                staged.push(self.files.stage(file, text)?);
            }
        }
        for file in &self.gone {
            self.files.bytes(file)?;
        }
        staged.into_iter().try_for_each(Staged::persist)?;
        self.gone.iter().try_for_each(|file| self.files.remove(file))
    }
}

/// The stack that CI works with.
const BOOTSTRAP: &str = "stacks/bootstrap.yaml";

type Parts = Vec<(&'static str, Vec<(&'static str, String)>)>;

/// The files that are rendered in part: the regions of each.
fn parts(files: &Files, tree: &Tree, source: &str) -> Result<Parts, Error> {
    let (functions, ordered) = (tree.functions(), tree.deploy_order());
    let bare = region::replace(root::FILE, &files.required(root::FILE)?, "functions", "")?;
    Ok(vec![
        ("Cargo.toml", vec![("packages", manifests::packages(functions)), ("functions", manifests::paths(functions))]),
        ("samconfig.toml", vec![("functions", samconfig::environments(functions))]),
        (root::FILE, vec![("functions", root::resources(tree, &bare)?)]),
        ("stacks/api-gateway.yaml", vec![("methods", methods(tree))]),
        (BOOTSTRAP, vec![("alarms", observability::statements(tree, source))]),
        (
            ".github/workflows/deploy-all.yml",
            vec![("build", workflows::build(&ordered)), ("functions", workflows::matrix(&ordered))],
        ),
        (".github/workflows/delete-all.yml", vec![("functions", workflows::matrix(&ordered))]),
        ("crates/firefly-functions/Cargo.toml", vec![("functions", manifests::dependencies(functions))]),
    ])
}

/// The methods that pages of other origins may use.
fn methods(tree: &Tree) -> String {
    let used = RouteKey::METHODS.into_iter();
    let used = used.filter(|method| tree.functions().iter().any(|function| function.route.method == *method));
    used.map(|method| format!("          - {method}\n")).collect()
}
