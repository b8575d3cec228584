//! `extra.yaml`: parts of a template that `function.toml` cannot say, merged in by logical id.

use serde_yaml_ng::Value;

use crate::document::TemplateFile;
use crate::error::Error;
use crate::function::FunctionToml;
use crate::yaml;

/// The sections that can be added to. Parameters would have to be given by the root template and by the workflows.
const SECTIONS: [&str; 4] = ["Conditions", "Mappings", "Outputs", "Resources"];

/// The resources that `function.toml` says whole. What stands beside it here would be seen by no check.
const OF_FUNCTION_TOML: [&str; 4] = ["FunctionRole", "Integration", "InvokePermission", "Route"];

/// The template with the entries of the function's `extra.yaml`. An entry whose logical id is there already is merged:
/// mappings member by member, sequences one after the other, and of anything else the extra one stays.
pub(crate) fn merge(function: &FunctionToml, template: String) -> Result<String, Error> {
    let Some(text) = &function.extra else { return Ok(template) };
    let file = format!("lambdas/{}/extra.yaml", function.name);
    let rendered = TemplateFile::parse(&format!("lambdas/{}/template.yaml", function.name), &template)?;
    let extra = TemplateFile::parse(&file, text)?;
    let mut template = template;
    for section in extra.names() {
        if !SECTIONS.contains(&section) {
            return Err(extra.error(section, format!("is no section to add to; there are {}", SECTIONS.join(", "))));
        }
        if extra.section(section).next().is_none() {
            return Err(extra.error(section, "has no entries; allowed are some, each under its logical id"));
        }
        for (id, entry) in extra.section(section) {
            if !is_logical_id(id) {
                return Err(extra.error(&format!("{section}.{id}"), "is no logical id; allowed are letters and digits"));
            }
            check_resource(&extra, section, id, entry, rendered.entry(section, id).is_some())?;
            let value = match rendered.entry(section, id) {
                Some(own) => merged(own, entry),
                None => entry.clone(),
            };
            let value = Value::Mapping([(Value::from(id), value)].into_iter().collect());
            template = with_entry(&template, section, id, &yaml::block(&value, 2));
        }
    }
    Ok(template)
}

/// Refuses what would change the function's route, caller or grants, or add a second route.
fn check_resource(extra: &TemplateFile, section: &str, id: &str, entry: &Value, is_own: bool) -> Result<(), Error> {
    if section != "Resources" {
        return Ok(());
    }
    if OF_FUNCTION_TOML.contains(&id) {
        let problem = "is made of function.toml; allowed is a change there";
        return Err(extra.error(&format!("{section}.{id}"), problem));
    }
    match entry.get("Type") {
        Some(_) if is_own => Err(extra
            .error(&format!("{section}.{id}.Type"), "is that of a rendered resource; allowed are its other members")),
        Some(kind) if kind.as_str() == Some("AWS::ApiGatewayV2::Route") => {
            let problem = "is a second route; allowed is a function of its own for each";
            Err(extra.error(&format!("{section}.{id}.Type"), problem))
        }
        _ => Ok(()),
    }
}

fn is_logical_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|letter| letter.is_ascii_alphanumeric())
}

fn merged(own: &Value, extra: &Value) -> Value {
    match (own, extra) {
        (Value::Mapping(own), Value::Mapping(extra)) => {
            let mut members = own.clone();
            for (name, member) in extra {
                let member = own.get(name).map_or_else(|| member.clone(), |own| merged(own, member));
                members.insert(name.clone(), member);
            }
            Value::Mapping(members)
        }
        (Value::Sequence(own), Value::Sequence(extra)) => Value::Sequence([own.as_slice(), extra].concat()),
        (_, extra) => extra.clone(),
    }
}

/// A template's text with the text of one entry, in the place of the one that is there or at the section's end.
fn with_entry(template: &str, section: &str, id: &str, entry: &str) -> String {
    let head = format!("{section}:\n");
    let Some(start) = template.find(&format!("\n{head}")).map(|at| at + 1 + head.len()) else {
        return format!("{template}\n{head}{entry}");
    };
    let (before, body) = template.split_at(start);
    let length = body.split_inclusive('\n').take_while(|line| line.starts_with([' ', '\n'])).map(str::len).sum();
    let (body, after) = body.split_at(length);
    let mut entries = entries(body);
    match entries.iter_mut().find(|(other, _)| *other == id) {
        Some((_, text)) => entry.clone_into(text),
        None => entries.push((id, entry.to_owned())),
    }
    let texts: Vec<_> = entries.iter().map(|(_, text)| format!("{}\n", text.trim_end())).collect();
    let (between, gap) = (if section == "Resources" { "\n" } else { "" }, if after.is_empty() { "" } else { "\n" });
    format!("{before}{}{gap}{after}", texts.join(between))
}

/// The entries of a rendered section: logical id and text. An entry begins with two spaces and its id.
fn entries(body: &str) -> Vec<(&str, String)> {
    let mut entries: Vec<(&str, String)> = Vec::new();
    for line in body.split_inclusive('\n') {
        let id = line.strip_prefix("  ").filter(|rest| rest.starts_with(|first: char| first.is_ascii_alphanumeric()));
        if let Some((id, _)) = id.and_then(|rest| rest.split_once(':')) {
            entries.push((id, line.to_owned()));
        } else if let Some((_, text)) = entries.last_mut() {
            text.push_str(line);
        }
    }
    entries
}
