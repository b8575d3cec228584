//! YAML as it is written.

use serde_yaml_ng::Value;

/// Words that are not a text where they stand plain, in YAML 1.1 or 1.2.
const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ""];

/// A text as a scalar in block context: plain where every reader takes it for this text, else in quotes.
pub(crate) fn scalar(text: &str) -> String {
    if text.contains(char::is_control) {
        return format!("\"{}\"", text.chars().map(escaped).collect::<String>());
    }
    let plain_first = |first: char| first.is_ascii_alphabetic() || ['/', '_', '$', '('].contains(&first);
    let plain = text.starts_with(plain_first)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' ']);
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

fn escaped(letter: char) -> String {
    match letter {
        '"' | '\\' => format!("\\{letter}"),
        '\n' => "\\n".to_owned(),
        control if control.is_control() => format!("\\u{:04X}", u32::from(control)),
        other => other.to_string(),
    }
}

/// A value in block style, each line indented by so many spaces.
pub(crate) fn block(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    write(value, indent, &mut out);
    out
}

fn write(value: &Value, indent: usize, out: &mut String) {
    let spaces = " ".repeat(indent);
    match value {
        Value::Mapping(members) if !members.is_empty() => {
            for (name, member) in members {
                let name = inline(name).unwrap_or_default();
                out.push_str(&format!("{spaces}{name}:"));
                write_after(member, indent + 2, out);
            }
        }
        Value::Sequence(items) if !items.is_empty() => {
            for item in items {
                match item {
                    // The first member stands on the dash's own line.
                    Value::Mapping(members) if !members.is_empty() => {
                        out.push_str(&format!("{spaces}- {}", block(item, indent + 2).trim_start()));
                    }
                    _ => {
                        out.push_str(&format!("{spaces}-"));
                        write_after(item, indent + 2, out);
                    }
                }
            }
        }
        other => out.push_str(&format!("{spaces}{}\n", inline(other).unwrap_or_default())),
    }
}

/// Writes a value after `name:`, `-` or a tag: on the same line where it fits there.
fn write_after(value: &Value, indent: usize, out: &mut String) {
    match (value, inline(value)) {
        (_, Some(text)) => out.push_str(&format!(" {text}\n")),
        (Value::Tagged(tagged), None) => {
            out.push_str(&format!(" {}", tagged.tag));
            write_after(&tagged.value, indent, out);
        }
        (_, None) => {
            out.push('\n');
            write(value, indent, out);
        }
    }
}

/// A value on one line; `None` where it takes several.
fn inline(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(scalar(text)),
        Value::Sequence(items) => items.is_empty().then(|| "[]".to_owned()),
        Value::Mapping(members) => members.is_empty().then(|| "{}".to_owned()),
        Value::Tagged(tagged) => inline(&tagged.value).map(|text| format!("{} {text}", tagged.tag)),
    }
}

/// A TOML table as a YAML mapping.
pub(crate) fn of_toml(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(flag) => Value::from(*flag),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => Value::Sequence(items.iter().map(of_toml).collect()),
        toml::Value::Table(members) => {
            Value::Mapping(members.iter().map(|(name, member)| (Value::from(name.as_str()), of_toml(member))).collect())
        }
    }
}
