//! The templates of an adoption: that of the import, and those of the updates after it.

use serde_yaml_ng::Value;

use super::error::DataError;
use super::live::Live;
use super::table::{Index, LiveTable, TableProperties};
use super::target::{Kind, Target};

impl Target {
    /// Returns the template that imports the table or bucket.
    ///
    /// Its changeable settings are the live ones, so that the update after it applies every difference.
    pub(super) fn import_template(&self, live: &Live) -> Result<String, DataError> {
        let properties = match live {
            Live::Table(LiveTable::Active(table)) => self.value(table)?,
            _ => self.bucket_name_alone(),
        };
        let template = self.template.for_import(&self.logical_id, properties);
        template.to_yaml().map_err(|error| DataError::template(self.stack, &error))
    }

    /// Returns the templates of the updates, the last of which is the stack's own.
    ///
    /// An update that creates or deletes an index of a table cannot change anything else of it.
    pub(super) fn update_templates(&self, live: &Live) -> Result<Vec<String>, DataError> {
        let mut templates = Vec::new();
        if let (Kind::Table(wanted), Live::Table(LiveTable::Active(live))) = (&self.kind, live) {
            for indexes in index_steps(live, wanted) {
                let properties = self.value(&wanted.with_indexes(indexes, live))?;
                let template = self.template.with_properties(&self.logical_id, properties);
                templates.push(template.to_yaml().map_err(|error| DataError::template(self.stack, &error))?);
            }
        }
        templates.push(self.stack.template.to_owned());
        Ok(templates)
    }

    fn value(&self, properties: &TableProperties) -> Result<Value, DataError> {
        serde_yaml_ng::to_value(properties)
            .map_err(|error| DataError::Template { stack: self.stack.name, cause: error.to_string() })
    }
}

/// Returns the indexes of each update before the last: first the live ones, then one change at a time.
pub(super) fn index_steps(live: &TableProperties, wanted: &TableProperties) -> Vec<Vec<Index>> {
    let has = |indexes: &[Index], name: &str| indexes.iter().any(|index| index.index_name == name);
    let (live, wanted) = (&live.global_secondary_indexes, &wanted.global_secondary_indexes);
    let surplus: Vec<_> = live.iter().filter(|index| !has(wanted, &index.index_name)).cloned().collect();
    let missing = wanted.iter().filter(|index| !has(live, &index.index_name)).count();
    // Indexes that both have are taken from the template, whose throughput is wanted.
    let both: Vec<_> = wanted.iter().filter(|index| has(live, &index.index_name)).cloned().collect();
    let mut steps: Vec<Vec<Index>> = Vec::new();
    for gone in 0..=surplus.len() {
        steps.push(both.iter().chain(&surplus[gone..]).cloned().collect());
    }
    for made in 1..=missing {
        let new = wanted.iter().filter(|index| !has(live, &index.index_name)).take(made);
        steps.push(both.iter().chain(new).cloned().collect());
    }
    // The last step is the template itself.
    steps.pop();
    steps
}
