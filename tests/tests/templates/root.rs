use firefly_templates::{members, tagged, texts};
use std::collections::{BTreeMap, BTreeSet};

use firefly_deploy::graph::{STACKS, Stack};
use serde_yaml_ng::Value;

use super::document::{Document, template_file};

/// The root template, and the stack that each of its resources is.
struct Root {
    document: Document,
    stacks: BTreeMap<String, &'static Stack>,
}

impl Root {
    fn read() -> Self {
        let document = Document::of_file("template.yaml");
        let files: BTreeMap<_, _> = STACKS.iter().map(|stack| (template_file(stack.name), stack)).collect();
        let stack = |(id, resource): (&str, &Value)| {
            assert_eq!(resource["Type"].as_str(), Some("AWS::Serverless::Application"), "{id}");
            let location = resource["Properties"]["Location"].as_str().unwrap();
            (id.to_owned(), *files.get(location).unwrap_or_else(|| panic!("{id}: {location} is no stack's template")))
        };
        let stacks = document.resources().map(stack).collect();
        Self { document, stacks }
    }

    fn resource(&self, stack: &str) -> (&str, &Value) {
        let (id, _) = self.stacks.iter().find(|(_, other)| other.name == stack).unwrap();
        (id, self.document.resource(id))
    }

    fn parameters(&self, stack: &str) -> BTreeMap<&str, &Value> {
        members(&self.resource(stack).1["Properties"]["Parameters"]).collect()
    }

    /// The stacks that the root makes a stack wait for by `DependsOn`.
    fn waits_for(&self, stack: &str) -> BTreeSet<&'static str> {
        let names = texts(&self.resource(stack).1["DependsOn"]).into_iter();
        names.map(|id| self.stacks.get(id).unwrap_or_else(|| panic!("{stack} waits for {id}")).name).collect()
    }
}

/// Logical id and output of `X.Outputs.Y`.
fn output(text: &str) -> Option<(&str, &str)> {
    let (id, output) = text.split_once('.')?;
    Some((id, output.strip_prefix("Outputs.").unwrap_or_else(|| panic!("{text} is no output"))))
}

#[test]
fn the_root_composes_every_stack_once() {
    let root = Root::read();
    let composed: BTreeSet<_> = root.stacks.values().map(|stack| stack.name).collect();
    assert_eq!(composed, STACKS.iter().map(|stack| stack.name).collect());
    assert_eq!(root.stacks.len(), STACKS.len());
}

#[test]
fn every_output_that_the_root_uses_is_one_that_the_stack_always_has() {
    let root = Root::read();
    let mut used = 0;
    for (function, argument) in root.document.functions() {
        let references: Vec<_> = match function.as_str() {
            "GetAtt" => texts(argument).into_iter().filter_map(output).collect(),
            "Sub" => panic!("the root writes an output into a text"),
            "Ref" => continue,
            other => panic!("the root uses {other}"),
        };
        for (id, output) in references {
            let stack = root.stacks.get(id).unwrap_or_else(|| panic!("{id} is no resource of the root"));
            let document = Document::of_stack(stack.name);
            let declared = document.section("Outputs").find(|(name, _)| *name == output);
            let (_, declared) = declared.unwrap_or_else(|| panic!("{} has no output {output}", stack.name));
            assert!(declared.get("Condition").is_none(), "{}: {output} may be absent", stack.name);
            used += 1;
        }
    }
    assert!(used > STACKS.len());
}

#[test]
fn the_root_gives_every_stack_its_parameters() {
    let root = Root::read();
    let own: BTreeSet<_> = root.document.section("Parameters").map(|(name, _)| name).collect();
    for stack in &STACKS {
        let given = root.parameters(stack.name);
        let document = Document::of_stack(stack.name);
        let declared: BTreeMap<_, _> = document.section("Parameters").collect();
        for (name, parameter) in &declared {
            // A function's are given even where they have defaults; other stacks have parameters for the operator only.
            assert!(
                given.contains_key(name) || (parameter.get("Default").is_some() && !stack.is_function()),
                "{} does not get {name}",
                stack.name
            );
        }
        for (name, value) in given {
            assert!(declared.contains_key(name), "{} has no parameter {name}", stack.name);
            // Everything has one name throughout.
            match (tagged(value, "!Ref"), tagged(value, "!GetAtt")) {
                (Some(parameter), None) => {
                    assert_eq!(parameter.as_str(), Some(name), "{}", stack.name);
                    assert!(own.contains(name), "the root has no parameter {name}");
                }
                (None, Some(attribute)) => {
                    assert_eq!(attribute.as_str().and_then(output).unwrap().1, name, "{}", stack.name);
                }
                _ => panic!("{}: {name} is neither a parameter nor an output", stack.name),
            }
        }
    }
}

/// A first deployment that fails deletes everything, which a protected pool would not let it.
#[test]
fn the_root_makes_an_unprotected_user_pool_unless_it_is_asked() {
    let root = Root::read();
    let (_, protection) =
        root.document.section("Parameters").find(|(name, _)| *name == "UserPoolDeletionProtection").unwrap();
    assert_eq!(protection["Default"].as_str(), Some("INACTIVE"));
}

#[test]
fn the_root_makes_stacks_in_the_order_of_the_graph_and_three_functions_at_once() {
    let root = Root::read();
    for stack in &STACKS {
        let outputs = root.parameters(stack.name).into_values().filter_map(|value| tagged(value, "!GetAtt"));
        let mut after: BTreeSet<_> =
            outputs.map(|value| root.stacks[value.as_str().and_then(output).unwrap().0].name).collect();
        after.extend(root.waits_for(stack.name));
        let before: BTreeSet<_> = after.iter().copied().filter(|name| !name.starts_with("func-")).collect();
        let needs: BTreeSet<_> = stack.needs.iter().map(|need| need.stack).collect();
        assert_eq!(before, needs, "{}", stack.name);
    }
    // Three chains: three begin, and each function is followed by at most one.
    let functions: Vec<_> = STACKS.iter().filter(|stack| stack.is_function()).map(|stack| stack.name).collect();
    let before = |name: &str| root.waits_for(name).into_iter().filter(|name| name.starts_with("func-")).collect();
    let predecessors: Vec<Vec<_>> = functions.iter().map(|name| before(name)).collect();
    assert_eq!(predecessors.iter().filter(|before| before.is_empty()).count(), 3);
    assert!(predecessors.iter().all(|before| before.len() <= 1));
    let mut followed = predecessors.concat();
    followed.sort_unstable();
    assert!(followed.windows(2).all(|pair| pair[0] != pair[1]), "{followed:?}");
}
