//! Lines of a source that stand for several functions.

use std::fmt::Write as _;

use firefly_templates::Caller;

use crate::error::Error;
use crate::function::FunctionToml;
use crate::name;

/// The functions that each word of a source stands for.
#[derive(Clone)]
pub(crate) struct Sets<'a> {
    functions: Vec<&'a FunctionToml>,
}

/// The source, from the root.
pub(crate) const SOURCE: &str = "stacks/observability/source.yaml";
/// The words of a source.
const WORDS: [&str; 3] = ["{function}", "{device function}", "{function with grants}"];

impl<'a> Sets<'a> {
    pub(crate) fn new(functions: &'a [FunctionToml]) -> Self {
        Self { functions: functions.iter().collect() }
    }

    /// The functions that a word stands for.
    pub(crate) fn of(&self, word: &str) -> Vec<&'a FunctionToml> {
        let wanted = |function: &&&FunctionToml| match word {
            "{device function}" => function.caller == Caller::Device,
            "{function with grants}" => !function.grants.is_empty(),
            _ => true,
        };
        self.functions.iter().filter(wanted).copied().collect()
    }

    /// The same source with these functions only.
    pub(crate) fn only(functions: &[&'a FunctionToml]) -> Self {
        Self { functions: functions.to_vec() }
    }
}

/// The word in a line, if there is one.
pub(crate) fn word_in(line: &str) -> Option<&'static str> {
    WORDS.into_iter().find(|word| line.contains(word))
}

/// A source's lines, those with a word once for each of its functions.
pub(crate) fn expand(source: &str, sets: &Sets<'_>) -> Result<String, Error> {
    let mut out = String::new();
    let mut lines = source.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let Some(word) = word_in(line) else {
            out.push_str(line);
            continue;
        };
        let functions = sets.of(word);
        if functions.is_empty() {
            let problem = format!("has {word}, of which there is none; allowed is a source without it");
            return Err(Error::of_file(SOURCE, problem));
        }
        if line.trim_start().starts_with("- Id: ") {
            let indent = indent(line);
            let mut item = line.to_owned();
            while let Some(next) = lines.next_if(|next| self::indent(next) > indent) {
                item.push_str(next);
            }
            out.extend(functions.iter().map(|function| metric(&item, word, function)));
        } else if line.contains("\"FunctionName\", ") {
            row(line, word, &functions, &mut out);
        } else if let Some((before, after)) = line.split_once(&format!("SOURCE '/aws/lambda/{word}'")) {
            let groups = functions.iter().map(|function| format!("SOURCE '/aws/lambda/firefly-{}'", function.name));
            let _ = write!(out, "{before}{}{after}", groups.collect::<Vec<_>>().join(" | "));
        } else {
            let allowed = "allowed are `- Id: …`, a row with \"FunctionName\", and SOURCE '/aws/lambda/…'";
            return Err(Error::of_file(SOURCE, format!("has {word} in `{}`; {allowed}", line.trim())));
        }
    }
    Ok(out)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// A metric of an alarm, of one function.
fn metric(item: &str, word: &str, function: &FunctionToml) -> String {
    let (first, rest) = item.split_once('\n').unwrap_or((item, ""));
    let first = first.replace(word, &name::metric_id(&function.name)).replace('\'', "");
    let rest = rest.replace(&format!("'{word}'"), &format!("firefly-{}", function.name));
    format!("{first}\n{rest}")
}

/// The rows of a dashboard for these functions: `.` repeats the value of the row before.
fn row(line: &str, word: &str, functions: &[&FunctionToml], out: &mut String) {
    let indent = " ".repeat(indent(line));
    let after = if line.trim_end().ends_with(',') { "," } else { "" };
    for (index, function) in functions.iter().enumerate() {
        let after = if index + 1 == functions.len() { after } else { "," };
        let name = format!("firefly-{}", function.name);
        let text = match index {
            0 => line.trim().trim_end_matches(',').replace(word, &name),
            _ => format!("[\".\", \".\", \".\", \"{name}\"]"),
        };
        let _ = writeln!(out, "{indent}{text}{after}");
    }
}
