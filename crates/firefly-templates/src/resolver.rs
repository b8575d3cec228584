use serde_yaml_ng::{Mapping, Value};

use crate::error::{Problem, TemplateError};
use crate::intrinsic::intrinsic;
use crate::template::Template;

/// The values of the local account; parameter values of the same names go before them.
const PSEUDO_PARAMETERS: [(&str, &str); 4] = [
    ("AWS::AccountId", "000000000000"),
    ("AWS::Partition", "aws"),
    ("AWS::Region", "us-east-1"),
    ("AWS::URLSuffix", "amazonaws.com"),
];

/// Resource types whose `Ref` is a name the template gives and whose `Arn` is made of it: type, naming property, ARN
/// before the name, ARN after it. The `Ref` of every other type is an id that AWS makes up: here the logical id.
const NAMED: [(&str, &str, &str, &str); 4] = [
    (
        "AWS::Serverless::Function",
        "FunctionName",
        "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:",
        "",
    ),
    ("AWS::IAM::Role", "RoleName", "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/", ""),
    (
        "AWS::Logs::LogGroup",
        "LogGroupName",
        "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:",
        ":*",
    ),
    ("AWS::S3::Bucket", "BucketName", "arn:${AWS::Partition}:s3:::", ""),
];

/// Resolves a template's intrinsic functions, knowing at each moment where in the template it is.
pub(crate) struct Resolver<'a> {
    pub(crate) template: &'a Template<'a>,
    /// The member being resolved, for errors.
    member: Vec<String>,
    /// Conditions and resources being resolved, to find circles.
    trail: Vec<String>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(template: &'a Template<'a>) -> Self {
        Self { template, member: Vec::new(), trail: Vec::new() }
    }

    /// Returns `true` if a resource's `Condition`, if it has one, holds.
    pub(crate) fn exists(&mut self, id: &str, resource: &Value) -> Result<bool, TemplateError> {
        self.member = vec!["Resources".to_owned(), id.to_owned(), "Condition".to_owned()];
        match resource.get("Condition") {
            None => Ok(true),
            Some(Value::String(name)) => self.condition(name),
            Some(_) => Err(self.fail(Problem::Argument { function: "Condition", form: "a condition's name" })),
        }
    }

    /// A resource's `Properties` without intrinsic functions.
    pub(crate) fn properties(&mut self, id: &str, resource: &Value) -> Result<Value, TemplateError> {
        self.member = vec!["Resources".to_owned(), id.to_owned(), "Properties".to_owned()];
        let properties = resource.get("Properties").map(|value| self.resolve(value)).transpose()?.flatten();
        Ok(properties.unwrap_or_else(|| Value::Mapping(Mapping::new())))
    }

    /// An attribute of a resource of this template.
    pub(crate) fn attribute(&mut self, id: &str, attribute: &str) -> Result<String, TemplateError> {
        let full_name = format!("{id}.{attribute}");
        let Some(resource) = self.template.entry("Resources", id) else {
            return Err(self.fail(Problem::UnknownName(full_name)));
        };
        let kind = resource.get("Type").and_then(Value::as_str);
        match NAMED.iter().find(|named| Some(named.0) == kind && attribute == "Arn") {
            Some((_, _, before, after)) => {
                Ok(format!("{}{}{after}", self.substitute(before, None)?, self.reference_text(id)?))
            }
            None => Err(self.fail(Problem::UnknownAttribute(full_name))),
        }
    }

    /// The value without intrinsic functions; `None` where it is `AWS::NoValue`.
    fn resolve(&mut self, value: &Value) -> Result<Option<Value>, TemplateError> {
        if let Some((function, argument)) = intrinsic(value) {
            return match function.as_str() {
                "Ref" => match argument.as_str() {
                    Some(name) => self.reference(name),
                    None => Err(self.fail(Problem::Argument { function: "Ref", form: "a name" })),
                },
                "Sub" => self.sub(argument).map(|text| Some(Value::String(text))),
                "GetAtt" => self.get_att(argument).map(|text| Some(Value::String(text))),
                "If" => self.choose(argument),
                _ => Err(self.fail(Problem::UnsupportedFunction(function))),
            };
        }
        match value {
            Value::Sequence(items) => {
                let mut resolved = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    resolved.extend(self.at(&format!("[{index}]"), |this| this.resolve(item))?);
                }
                Ok(Some(Value::Sequence(resolved)))
            }
            Value::Mapping(members) => {
                let mut resolved = Mapping::new();
                for (key, member) in members {
                    if let Some(member) =
                        self.at(key.as_str().unwrap_or("a key that is no text"), |this| this.resolve(member))?
                    {
                        resolved.insert(key.clone(), member);
                    }
                }
                Ok(Some(Value::Mapping(resolved)))
            }
            scalar => Ok(Some(scalar.clone())),
        }
    }

    /// The value as a text; `None` where it is not a single value.
    pub(crate) fn single(&mut self, value: &Value) -> Result<Option<String>, TemplateError> {
        Ok(self.resolve(value)?.as_ref().and_then(text))
    }

    fn reference(&mut self, name: &str) -> Result<Option<Value>, TemplateError> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some((_, local)) = PSEUDO_PARAMETERS.iter().find(|(pseudo, _)| *pseudo == name) {
            let value = self.template.parameters.get(name).map_or(*local, String::as_str);
            return Ok(Some(Value::String(value.to_owned())));
        }
        if let Some(declaration) = self.template.entry("Parameters", name) {
            return self.parameter(name, declaration).map(Some);
        }
        let Some(resource) = self.template.entry("Resources", name) else {
            return Err(self.fail(Problem::UnknownName(name.to_owned())));
        };
        let kind = resource.get("Type").and_then(Value::as_str);
        let naming = NAMED.iter().find(|named| Some(named.0) == kind).map(|named| named.1);
        match naming.and_then(|property| resource.get("Properties")?.get(property)) {
            Some(given) => self.visit(name, |this| this.resolve(given)),
            None => Ok(Some(Value::String(name.to_owned()))),
        }
    }

    /// The value of a `Ref` that stands where a text is needed.
    fn reference_text(&mut self, name: &str) -> Result<String, TemplateError> {
        let value = self.reference(name)?;
        match value.as_ref().and_then(text) {
            Some(text) => Ok(text),
            None => Err(self.fail(Problem::Argument { function: "Fn::Sub", form: "references to single values" })),
        }
    }

    fn parameter(&self, name: &str, declaration: &Value) -> Result<Value, TemplateError> {
        let given = self.template.parameters.get(name).cloned();
        let Some(value) = given.or_else(|| declaration.get("Default").and_then(text)) else {
            return Err(self.fail(Problem::ParameterWithoutValue(name.to_owned())));
        };
        match declaration.get("Type").and_then(Value::as_str) {
            Some("String") => Ok(Value::String(value)),
            Some("CommaDelimitedList") => {
                Ok(Value::Sequence(value.split(',').map(|item| Value::String(item.trim().to_owned())).collect()))
            }
            Some("Number") if value.parse::<f64>().is_ok_and(f64::is_finite) => {
                let number = value.parse::<i64>().map(Value::from).or_else(|_| value.parse::<f64>().map(Value::from));
                Ok(number.unwrap_or(Value::String(value)))
            }
            kind => Err(self.fail(Problem::ParameterValue {
                name: name.to_owned(),
                kind: kind.unwrap_or("nothing").to_owned(),
                value,
            })),
        }
    }

    fn sub(&mut self, argument: &Value) -> Result<String, TemplateError> {
        match argument {
            Value::String(template) => self.substitute(template, None),
            Value::Sequence(items) => match &items[..] {
                [Value::String(template), Value::Mapping(variables)] => self.substitute(template, Some(variables)),
                _ => Err(self.fail(SUB_FORM)),
            },
            _ => Err(self.fail(SUB_FORM)),
        }
    }

    /// Replaces `${Name}` and `${Resource.Attribute}`; `${!Text}` stands for `${Text}`.
    fn substitute(&mut self, template: &str, variables: Option<&Mapping>) -> Result<String, TemplateError> {
        let mut resolved = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                return Err(self.fail(SUB_FORM));
            };
            resolved.push_str(before);
            if let Some(literal) = name.strip_prefix('!') {
                resolved.push_str(&format!("${{{literal}}}"));
            } else if let Some(variable) = variables.and_then(|variables| variables.get(name)) {
                match self.single(variable)? {
                    Some(text) => resolved.push_str(&text),
                    None => return Err(self.fail(SUB_FORM)),
                }
            } else if let Some((id, attribute)) = name.split_once('.') {
                resolved.push_str(&self.attribute(id, attribute)?);
            } else {
                resolved.push_str(&self.reference_text(name)?);
            }
            rest = after;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    fn get_att(&mut self, argument: &Value) -> Result<String, TemplateError> {
        let parts = match argument {
            Value::String(name) => name.split_once('.'),
            Value::Sequence(items) => match &items[..] {
                [Value::String(id), Value::String(attribute)] => Some((id.as_str(), attribute.as_str())),
                _ => None,
            },
            _ => None,
        };
        match parts {
            Some((id, attribute)) => self.attribute(id, attribute),
            None => Err(self.fail(Problem::Argument { function: "Fn::GetAtt", form: "a resource and an attribute" })),
        }
    }

    fn choose(&mut self, argument: &Value) -> Result<Option<Value>, TemplateError> {
        match argument.as_sequence().map(Vec::as_slice) {
            Some([Value::String(name), then, otherwise]) => {
                if self.condition(name)? {
                    self.resolve(then)
                } else {
                    self.resolve(otherwise)
                }
            }
            _ => Err(self.fail(Problem::Argument { function: "Fn::If", form: "a condition's name and two values" })),
        }
    }

    /// Does a step inside a member of where it is.
    fn at<T>(
        &mut self,
        member: &str,
        step: impl FnOnce(&mut Self) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        self.member.push(member.to_owned());
        let done = step(self)?;
        self.member.pop();
        Ok(done)
    }

    /// Follows a name, which must not lead back to itself.
    pub(crate) fn visit<T>(
        &mut self,
        name: &str,
        step: impl FnOnce(&mut Self) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        if self.trail.iter().any(|visited| visited == name) {
            return Err(self.fail(Problem::Circular(name.to_owned())));
        }
        self.trail.push(name.to_owned());
        let done = step(self)?;
        self.trail.pop();
        Ok(done)
    }

    pub(crate) fn fail(&self, problem: Problem) -> TemplateError {
        self.template.fail(self.member.join(".").replace(".[", "["), problem)
    }
}

const SUB_FORM: Problem = Problem::Argument {
    function: "Fn::Sub",
    form: "a text, or a text and a mapping of single values, with closed ${…}",
};

/// A single value as CloudFormation writes it into a text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        _ => None,
    }
}
