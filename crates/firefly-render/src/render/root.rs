//! The functions in the root template.

use std::fmt::Write as _;

use serde_yaml_ng::Value;

use crate::document::TemplateFile;
use crate::error::Error;
use crate::function::FunctionToml;
use crate::name;
use crate::store::{Kind, Store};
use crate::tree::Tree;

/// The root template.
pub(crate) const FILE: &str = "template.yaml";
/// The number of functions that are made at once.
const CHAINS: usize = 3;

/// The resources of all functions. `text` is the root template without them: it names the stores.
pub(crate) fn resources(tree: &Tree, text: &str) -> Result<String, Error> {
    let root = TemplateFile::parse(FILE, text)?;
    let functions = tree.deploy_order();
    let mut out =
        "  # Routes made at the same time conflict: the functions stand in three chains, so that at most three \
                   are made at once.\n"
            .to_owned();
    for (index, function) in functions.iter().enumerate() {
        let id = name::logical_id(&function.name);
        if root.entry("Resources", &id).is_some() {
            let problem = format!("is a resource of {FILE}, too; allowed is another name for {}", function.file());
            return Err(root.error(&format!("Resources.{id}"), problem));
        }
        let before = index.checked_sub(CHAINS).and_then(|before| functions.get(before));
        let separator = if index == 0 { "" } else { "\n" };
        let _ = write!(out, "{separator}{}", resource(&root, tree, function, &id, before.copied())?);
    }
    Ok(out)
}

fn resource(
    root: &TemplateFile,
    tree: &Tree,
    function: &FunctionToml,
    id: &str,
    before: Option<&FunctionToml>,
) -> Result<String, Error> {
    let mut parameters = vec![("ApiId", "!GetAtt ApiGateway.Outputs.ApiId".to_owned())];
    if function.caller.has_token() {
        parameters.push(("AuthorizerId", "!GetAtt ApiGateway.Outputs.AuthorizerId".to_owned()));
    }
    parameters.push(("SharedLayerArn", "!GetAtt SharedLayer.Outputs.SharedLayerArn".to_owned()));
    parameters.push(("AppConfigExtensionLayerArn", "!Ref AppConfigExtensionLayerArn".to_owned()));
    parameters.push(("AppConfigEnv", "!Ref AppConfigEnv".to_owned()));
    parameters.push(("EdgeSecretSha256", "!Ref EdgeSecretSha256".to_owned()));
    parameters.push(("LogRetentionDays", "!Ref LogRetentionDays".to_owned()));
    parameters.push(("PermissionsBoundaryArn", "!Ref PermissionsBoundaryArn".to_owned()));
    let mut waits_for = Vec::new();
    for store in function.stores(tree.stores()) {
        let store_id = id_of(root, store)?;
        match &store.kind {
            Kind::Table { .. } => waits_for.push(store_id.to_owned()),
            // Its output is waited for.
            Kind::Bucket { parameter, .. } => {
                parameters.push((parameter, format!("!GetAtt {store_id}.Outputs.{parameter}")));
            }
        }
    }
    waits_for.extend(before.map(|before| name::logical_id(&before.name)));

    let mut out = format!("  {id}:\n    Type: AWS::Serverless::Application\n");
    match &waits_for[..] {
        [] => {}
        [one] => out.push_str(&format!("    DependsOn: {one}\n")),
        several => {
            let several: String = several.iter().map(|id| format!("      - {id}\n")).collect();
            out.push_str(&format!("    DependsOn:\n{several}"));
        }
    }
    let location = format!("lambdas/{}/template.yaml", function.name);
    let _ = writeln!(out, "    Properties:\n      Location: {location}\n      Parameters:");
    for (name, value) in parameters {
        let _ = writeln!(out, "        {name}: {value}");
    }
    Ok(out)
}

/// The logical id of a store's stack in the root template.
fn id_of<'a>(root: &'a TemplateFile, store: &Store) -> Result<&'a str, Error> {
    let file = store.file();
    let is_it = |resource: &Value| resource["Properties"]["Location"].as_str() == Some(&file);
    let found = root.resources().find(|(_, resource)| is_it(resource));
    found.map(|(id, _)| id).ok_or_else(|| root.error("Resources", format!("has none with the Location {file}")))
}
