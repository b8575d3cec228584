//! All functions and stores of a tree.

use std::collections::BTreeMap;

use firefly_templates::Caller;

use crate::error::Error;
use crate::files::Files;
use crate::function::FunctionToml;
use crate::name;
use crate::store::{Kind, Store};

/// The folder of the functions.
pub(crate) const LAMBDAS: &str = "lambdas";
/// Words that the alarm of refused signatures tells the metrics of a function by.
const METRIC_WORDS: [&str; 2] = ["refused", "requests"];
/// The id of an alarm's expression, beside the ids of the functions' metrics.
const EXPRESSION_ID: &str = "watched";

/// The functions of a tree and the stores they use.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    functions: Vec<FunctionToml>,
    stores: Vec<Store>,
}

impl Tree {
    /// Reads `lambdas/*/function.toml` and the stores' templates below a root.
    ///
    /// # Errors
    ///
    /// The first file or member that is missing or not allowed.
    pub fn read(root: &std::path::Path) -> Result<Self, Error> {
        Self::of(&Files::of(root), None)
    }

    /// Reads a tree, as if the folder of one function were not there.
    pub(crate) fn of(files: &Files, except: Option<&str>) -> Result<Self, Error> {
        let stores = Store::read_all(files.root())?;
        let mut functions = Vec::new();
        for name in files.names(LAMBDAS)?.iter().filter(|name| Some(name.as_str()) != except) {
            functions.push(function_of(files, name, &stores)?);
        }
        Self::new(functions, stores)
    }

    fn new(functions: Vec<FunctionToml>, stores: Vec<Store>) -> Result<Self, Error> {
        let mut routes: BTreeMap<String, &FunctionToml> = BTreeMap::new();
        for function in &functions {
            if let Some(other) = routes.insert(function.route.pattern(), function) {
                let problem = format!("{} is {}'s, too; allowed is a route of its own", function.route, other.file());
                return Err(Error::of_member(&function.file(), "route", problem));
            }
            let id = name::metric_id(&function.name);
            if id == EXPRESSION_ID {
                let problem = format!("is no function's name; alarms call their expression {EXPRESSION_ID}");
                return Err(Error::of_file(&format!("{LAMBDAS}/{}", function.name), problem));
            }
            let mut words = METRIC_WORDS.into_iter();
            if let Some(word) = words.find(|word| function.caller == Caller::Device && id.contains(word)) {
                let problem =
                    format!("a device's function cannot be called {word}: an alarm finds its metrics by that word");
                return Err(Error::of_file(&format!("{LAMBDAS}/{}", function.name), problem));
            }
            check_conditions(function, &stores)?;
        }
        Ok(Self { functions, stores })
    }

    /// The functions by name.
    #[must_use]
    pub fn functions(&self) -> &[FunctionToml] {
        &self.functions
    }

    /// The stores by name.
    #[must_use]
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// The function of a name.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<&FunctionToml> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// The functions in the order in which they are deployed.
    #[must_use]
    pub fn deploy_order(&self) -> Vec<&FunctionToml> {
        let mut functions: Vec<_> = self.functions.iter().collect();
        functions.sort_by_key(|function| function.place(&self.stores));
        functions
    }
}

fn function_of(files: &Files, name: &str, stores: &[Store]) -> Result<FunctionToml, Error> {
    let folder = format!("{LAMBDAS}/{name}");
    if !name::is_valid(name) {
        return Err(Error::of_file(&folder, format!("is no function's name; allowed is {}", name::FORM)));
    }
    let of_folder = |file: &str, allowed: &str| {
        let text = files.text(&format!("{folder}/{file}"))?;
        text.ok_or_else(|| Error::of_file(&folder, format!("has no {file}; {allowed}")))
    };
    let text = of_folder("function.toml", "`firefly-render add` makes a folder with one")?;
    of_folder("Cargo.toml", "a function is a package")?;
    let extra = files.text(&format!("{folder}/extra.yaml"))?;
    FunctionToml::parse(name, &text, extra, stores)
}

/// In one template each bucket needs a condition of its own.
fn check_conditions(function: &FunctionToml, stores: &[Store]) -> Result<(), Error> {
    let mut seen: BTreeMap<&str, &Store> = BTreeMap::new();
    for store in function.stores(stores) {
        let Kind::Bucket { condition, .. } = &store.kind else { continue };
        if let Some(other) = seen.insert(condition, store) {
            let problem = format!("is in {}, too; {} uses both", other.file(), function.file());
            return Err(Error::of_member(&store.file(), &format!("Conditions.{condition}"), problem));
        }
    }
    Ok(())
}
