//! `$filter`, and the keys of single records.

use serde_json::Value;

use crate::access::Actor;
use crate::entity::{Entity, Kind, Resource};
use crate::state::State;
use crate::tokens::{Token, tokens};

/// Most expressions within each other.
const MAX_DEPTH: usize = 16;

/// A condition on the records of a resource.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// A member is a value, or is not.
    Is {
        member: Member,
        value: Value,
        negated: bool,
    },
    /// A member begins with a text.
    StartsWith {
        member: Member,
        prefix: String,
    },
    /// A record that a member names meets a condition.
    Related {
        member: Member,
        condition: Box<Self>,
    },
}

/// A member of a record. Record 0 is that of the list; each `any` within another adds one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Member {
    record: usize,
    name: &'static str,
    kind: Kind,
}

impl Filter {
    /// Reads `$filter`.
    ///
    /// # Errors
    /// A text for the client.
    pub(crate) fn parse(text: &str, resource: Resource) -> Result<Self, String> {
        let refused = || format!("Malformed $filter: {text}");
        let tokens = tokens(text).ok_or_else(refused)?;
        let mut parser = Parser { tokens: &tokens, scopes: vec![(String::new(), resource)], depth: 0 };
        let filter = parser.alternatives().ok_or_else(refused)?;
        if parser.tokens.is_empty() { Ok(filter) } else { Err(refused()) }
    }

    /// Reads a key between parentheses: an id, or members of a natural key with `=`.
    ///
    /// # Errors
    /// A text for the client.
    pub(crate) fn parse_key(text: &str, resource: Resource) -> Result<Self, String> {
        let refused = || format!("Malformed key: {text}");
        let tokens = tokens(text).ok_or_else(refused)?;
        if let [Token::Literal(id @ Value::Number(_))] = tokens.as_slice() {
            let member = Member { record: 0, name: "id", kind: Kind::Value };
            return Ok(Self::Is { member, value: id.clone(), negated: false });
        }
        let part = |part: &[Token]| match part {
            [Token::Name(name), Token::Sign('='), Token::Literal(value)] => {
                let (name, kind) = resource.member(name)?;
                comparison(Member { record: 0, name, kind }, value.clone(), false)
            }
            _ => None,
        };
        let parts: Option<Vec<_>> = tokens.split(|token| *token == Token::Sign(',')).map(part).collect();
        parts.map(Self::All).ok_or_else(refused)
    }

    /// Returns `true` if a part of the filter is `startswith`.
    pub(crate) fn searches_by_prefix(&self) -> bool {
        match self {
            Self::All(filters) | Self::Any(filters) => filters.iter().any(Self::searches_by_prefix),
            Self::Not(filter) => filter.searches_by_prefix(),
            Self::Related { condition, .. } => condition.searches_by_prefix(),
            Self::Is { .. } => false,
            Self::StartsWith { .. } => true,
        }
    }

    /// Returns `true` if a record meets the condition. Of related records only those count that the caller sees.
    pub(crate) fn is_met_by(&self, state: &State, actor: Actor, entity: Entity) -> bool {
        self.holds(state, actor, &[entity])
    }

    fn holds(&self, state: &State, actor: Actor, records: &[Entity]) -> bool {
        let record = |member: &Member| records.get(member.record).copied();
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.holds(state, actor, records)),
            Self::Any(filters) => filters.iter().any(|filter| filter.holds(state, actor, records)),
            Self::Not(filter) => !filter.holds(state, actor, records),
            Self::Is { member, value, negated } => record(member).is_some_and(|entity| {
                let own = match member.kind {
                    Kind::One(_) => entity.one(state, member.name).map(|one| one.id).into(),
                    _ => entity.value(state, member.name),
                };
                (own == *value) != *negated
            }),
            Self::StartsWith { member, prefix } => record(member).is_some_and(|entity| {
                entity.value(state, member.name).as_str().is_some_and(|own| own.starts_with(prefix))
            }),
            Self::Related { member, condition } => record(member).is_some_and(|entity| {
                let related = match member.kind {
                    Kind::One(_) => entity.one(state, member.name).into_iter().collect(),
                    Kind::Many(resource) => entity.many(state, resource),
                    Kind::Value | Kind::Nothing => Vec::new(),
                };
                let seen = related.into_iter().filter(|other| actor.sees(state, *other));
                seen.into_iter().any(|other| condition.holds(state, actor, &[records, &[other]].concat()))
            }),
        }
    }
}

/// A comparison of a member and a value; `None` where the member cannot have such a value.
fn comparison(member: Member, value: Value, negated: bool) -> Option<Filter> {
    let comparable = match member.kind {
        Kind::Value => true,
        Kind::One(_) => value.is_u64() || value.is_null(),
        Kind::Many(_) | Kind::Nothing => false,
    };
    comparable.then_some(Filter::Is { member, value, negated })
}

/// The words that are left, and the names of the records that they may use, the newest last.
struct Parser<'a> {
    tokens: &'a [Token],
    scopes: Vec<(String, Resource)>,
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<&Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn takes(&mut self, token: &Token) -> bool {
        let is_next = self.tokens.first() == Some(token);
        if is_next {
            self.next();
        }
        is_next
    }

    fn takes_name(&mut self, name: &str) -> bool {
        let is_next = matches!(self.tokens.first(), Some(Token::Name(next)) if next == name);
        if is_next {
            self.next();
        }
        is_next
    }

    fn sign(&mut self, sign: char) -> Option<()> {
        self.takes(&Token::Sign(sign)).then_some(())
    }

    fn name(&mut self) -> Option<String> {
        match self.next()? {
            Token::Name(name) => Some(name.clone()),
            _ => None,
        }
    }

    fn literal(&mut self) -> Option<Value> {
        match self.next()? {
            Token::Literal(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// Parts with `or` between them.
    fn alternatives(&mut self) -> Option<Filter> {
        let mut parts = vec![self.parts()?];
        while self.takes_name("or") {
            parts.push(self.parts()?);
        }
        Some(Filter::Any(parts))
    }

    /// Conditions with `and` between them.
    fn parts(&mut self) -> Option<Filter> {
        let mut conditions = vec![self.condition()?];
        while self.takes_name("and") {
            conditions.push(self.condition()?);
        }
        Some(Filter::All(conditions))
    }

    fn condition(&mut self) -> Option<Filter> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let filter = if self.takes_name("not") {
            Filter::Not(Box::new(self.condition()?))
        } else if self.takes(&Token::Sign('(')) {
            let inner = self.alternatives()?;
            self.sign(')')?;
            inner
        } else if matches!(self.tokens, [Token::Name(name), Token::Sign('('), ..] if name == "startswith") {
            self.prefix_search()?
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Some(filter)
    }

    /// `startswith(member,'text')`.
    fn prefix_search(&mut self) -> Option<Filter> {
        self.name()?;
        self.sign('(')?;
        let member = self.member()?;
        self.sign(',')?;
        let prefix = self.literal()?.as_str()?.to_owned();
        self.sign(')')?;
        (member.kind == Kind::Value).then_some(Filter::StartsWith { member, prefix })
    }

    /// `member eq value`, `member ne value` or `member/any(name:condition)`.
    fn comparison(&mut self) -> Option<Filter> {
        let member = self.member()?;
        if self.takes(&Token::Sign('/')) {
            return self.related(member);
        }
        let negated = match self.name()?.as_str() {
            "eq" => false,
            "ne" => true,
            _ => return None,
        };
        let value = self.literal()?;
        comparison(member, value, negated)
    }

    fn related(&mut self, member: Member) -> Option<Filter> {
        let (Kind::One(resource) | Kind::Many(resource)) = member.kind else { return None };
        if self.name()? != "any" {
            return None;
        }
        self.sign('(')?;
        let scope = self.name()?;
        self.sign(':')?;
        self.scopes.push((scope, resource));
        let condition = Box::new(self.alternatives()?);
        self.scopes.pop();
        self.sign(')')?;
        Some(Filter::Related { member, condition })
    }

    /// A member of the list's record, or `name/member` of the record that an `any` names.
    fn member(&mut self) -> Option<Member> {
        let name = self.name()?;
        let named = self.scopes.iter().rposition(|(scope, _)| *scope == name);
        let (record, name) = match named {
            Some(record) => {
                self.sign('/')?;
                (record, self.name()?)
            }
            None => (0, name),
        };
        let (_, resource) = self.scopes.get(record)?;
        let (name, kind) = resource.member(&name)?;
        Some(Member { record, name, kind })
    }
}
