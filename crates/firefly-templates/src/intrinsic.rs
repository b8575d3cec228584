use serde_yaml_ng::Value;

/// The function's name without `Fn::` and its argument, from the short form (`!Sub x`) or the long one (`Fn::Sub: x`).
pub(crate) fn intrinsic(value: &Value) -> Option<(String, &Value)> {
    match value {
        Value::Tagged(tagged) => Some((tagged.tag.to_string().trim_start_matches('!').to_owned(), &tagged.value)),
        Value::Mapping(members) if members.len() == 1 => {
            let (key, argument) = members.iter().next()?;
            let name = key.as_str()?;
            let function = if name == "Ref" { name } else { name.strip_prefix("Fn::")? };
            Some((function.to_owned(), argument))
        }
        _ => None,
    }
}
