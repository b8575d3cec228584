//! Rows of answers.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use crate::access::Actor;
use crate::entity::{Entity, Kind, Resource};
use crate::filter::Filter;
use crate::query::Query;
use crate::state::State;

/// An account as a caller sees it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) state: &'a State,
    pub(crate) actor: Actor,
}

impl View<'_> {
    /// The records of a resource that the caller sees and that meet the conditions.
    pub(crate) fn records(self, resource: Resource, conditions: &[Option<&Filter>]) -> Vec<Entity> {
        let all = resource.all(self.state).into_iter();
        all.filter(|entity| self.has(*entity, conditions)).collect()
    }

    /// The rows of a resource.
    pub(crate) fn rows(self, resource: Resource, key: Option<&Filter>, query: &Query) -> Vec<Value> {
        self.sorted_rows(self.records(resource, &[key, query.filter.as_ref()]), query)
    }

    /// The row of a record with every member that is no list.
    pub(crate) fn row(self, entity: Entity) -> Value {
        self.row_of(entity, &Query::default())
    }

    fn has(self, entity: Entity, conditions: &[Option<&Filter>]) -> bool {
        self.actor.sees(self.state, entity)
            && conditions.iter().flatten().all(|filter| filter.is_met_by(self.state, self.actor, entity))
    }

    fn sorted_rows(self, mut entities: Vec<Entity>, query: &Query) -> Vec<Value> {
        let compare = |a: &Entity, b: &Entity| {
            let by_member = query.order.iter().map(|(name, falls)| {
                let order = compare_values(&a.value(self.state, name), &b.value(self.state, name));
                if *falls { order.reverse() } else { order }
            });
            by_member.fold(Ordering::Equal, Ordering::then)
        };
        entities.sort_by(compare);
        entities.into_iter().map(|entity| self.row_of(entity, query)).collect()
    }

    fn row_of(self, entity: Entity, query: &Query) -> Value {
        let mut row = Map::new();
        for (name, kind) in entity.resource.members() {
            if query.select.as_ref().is_some_and(|select| !select.contains(name)) {
                continue;
            }
            let value = match kind {
                Kind::Value => entity.value(self.state, name),
                Kind::One(_) => match entity.one(self.state, name) {
                    Some(one) => json!({ "__id": one.id }),
                    None => Value::Null,
                },
                Kind::Many(_) | Kind::Nothing => continue,
            };
            row.insert((*name).to_owned(), value);
        }
        for (name, query) in &query.expand {
            let related = match entity.resource.member(name) {
                Some((name, Kind::One(_))) => entity.one(self.state, name).into_iter().collect(),
                Some((_, Kind::Many(resource))) => entity.many(self.state, resource),
                _ => Vec::new(),
            };
            let seen = related.into_iter().filter(|other| self.has(*other, &[query.filter.as_ref()])).collect();
            row.insert((*name).to_owned(), self.sorted_rows(seen, query).into());
        }
        row.into()
    }
}

/// Orders texts by their characters and numbers by their size; others are equal.
fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.as_u64().cmp(&b.as_u64()),
        _ => Ordering::Equal,
    }
}
