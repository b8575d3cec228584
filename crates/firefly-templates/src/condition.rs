use serde_yaml_ng::Value;

use crate::error::{Problem, TemplateError};
use crate::intrinsic::intrinsic;
use crate::resolver::Resolver;
use crate::template::Template;

impl Template<'_> {
    /// The description of the first assertion of the template's rules that does not hold for its parameters.
    ///
    /// # Errors
    ///
    /// A rule that this crate does not know.
    pub fn broken_rule(&self) -> Result<Option<&str>, TemplateError> {
        for (name, rule) in self.document.section("Rules") {
            let mut resolver = Resolver::new(self);
            if let Some(condition) = rule.get("RuleCondition")
                && !resolver.holds(condition)?
            {
                continue;
            }
            let assertions = rule.get("Assertions").and_then(Value::as_sequence);
            for assertion in assertions.into_iter().flatten() {
                let missing =
                    || self.fail(format!("Rules.{name}"), Problem::Shape("an assertion lacks a member".to_owned()));
                let member = |member: &str| assertion.get(member).ok_or_else(missing);
                if !resolver.holds(member("Assert")?)? {
                    return member("AssertDescription")?.as_str().map(Some).ok_or_else(missing);
                }
            }
        }
        Ok(None)
    }
}

impl Resolver<'_> {
    /// Returns `true` if the template's condition of this name holds.
    pub(crate) fn condition(&mut self, name: &str) -> Result<bool, TemplateError> {
        let Some(expression) = self.template.entry("Conditions", name) else {
            return Err(self.fail(Problem::UnknownCondition(name.to_owned())));
        };
        self.visit(name, |this| this.holds(expression))
    }

    fn holds(&mut self, expression: &Value) -> Result<bool, TemplateError> {
        // Only here is a lone `Condition` key a function: in a policy's statement it is a member like any other.
        let condition = || Some(("Condition".to_owned(), expression.get("Condition")?));
        let Some((function, argument)) = intrinsic(expression).or_else(condition) else {
            return Err(self.fail(Problem::Argument { function: "a condition", form: "a condition function" }));
        };
        let parts = argument.as_sequence().map_or(&[][..], Vec::as_slice);
        match (function.as_str(), parts) {
            ("Condition", []) => {
                if let Some(name) = argument.as_str() {
                    return self.condition(name);
                }
            }
            ("Equals", [left, right]) => {
                if let (Some(left), Some(right)) = (self.single(left)?, self.single(right)?) {
                    return Ok(left == right);
                }
            }
            ("Not", [part]) => return Ok(!self.holds(part)?),
            ("And" | "Or", [_, _, ..]) if parts.len() <= 10 => {
                let held: Vec<bool> = parts.iter().map(|part| self.holds(part)).collect::<Result<_, _>>()?;
                return Ok(if function == "And" { !held.contains(&false) } else { held.contains(&true) });
            }
            _ => {}
        }
        let (function, form) = match function.as_str() {
            "Condition" => ("Condition", "a condition's name"),
            "Equals" => ("Fn::Equals", "two single values"),
            "Not" => ("Fn::Not", "one condition"),
            "And" => ("Fn::And", "two to ten conditions"),
            "Or" => ("Fn::Or", "two to ten conditions"),
            _ => return Err(self.fail(Problem::UnsupportedFunction(function))),
        };
        Err(self.fail(Problem::Argument { function, form }))
    }
}
