//! The templates of an adoption: that of the import, and those of the updates after it.

use serde_yaml_ng::Value;

use super::error::DataError;
use super::live::Live;
use super::replaced::Replaced;
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

    /// Returns the templates of the updates, the last of which is the stack's own where no index is kept.
    ///
    /// An update that creates or deletes an index of a table cannot change anything else of it.
    pub(super) fn update_templates(&self, live: &Live, kept: &[&'static Replaced]) -> Result<Vec<String>, DataError> {
        let mut templates = Vec::new();
        if let (Kind::Table(wanted), Live::Table(LiveTable::Active(live))) = (&self.kind, live) {
            for indexes in index_steps(live, wanted, kept) {
                let properties = self.value(&wanted.with_indexes(indexes, live))?;
                let template = self.template.with_properties(&self.logical_id, properties);
                templates.push(template.to_yaml().map_err(|error| DataError::template(self.stack, &error))?);
            }
        }
        if kept.is_empty() {
            // The same table in the template's own words.
            templates.pop();
            templates.push(self.stack.template.to_owned());
        }
        Ok(templates)
    }

    fn value(&self, properties: &TableProperties) -> Result<Value, DataError> {
        serde_yaml_ng::to_value(properties)
            .map_err(|error| DataError::Template { stack: self.stack.name, cause: error.to_string() })
    }
}

/// Returns the indexes of each update: first the live ones, then one made at a time, then one dropped at a time. The last
/// have those of the template and those that are kept.
pub(super) fn index_steps(
    live: &TableProperties,
    wanted: &TableProperties,
    kept: &[&'static Replaced],
) -> Vec<Vec<Index>> {
    let (live, wanted) = (&live.global_secondary_indexes, &wanted.global_secondary_indexes);
    let is_in = |indexes: &[Index], index: &Index| indexes.iter().any(|other| other.index_name == index.index_name);
    let surplus = live.iter().filter(|index| !is_in(wanted, index));
    let (kept, dropped): (Vec<_>, Vec<_>) =
        surplus.partition(|index| kept.iter().any(|kept| kept.index == index.index_name));
    let missing: Vec<_> = wanted.iter().filter(|index| !is_in(live, index)).collect();
    let step = |made: &[&Index], left: &[&Index]| {
        // Indexes that both have are taken from the template, whose throughput is wanted.
        let wanted = wanted.iter().filter(|index| is_in(live, index) || made.contains(index));
        wanted.chain(kept.iter().copied()).chain(left.iter().copied()).cloned().collect()
    };
    let mut steps: Vec<_> = (0..=missing.len()).map(|made| step(&missing[..made], &dropped)).collect();
    steps.extend((1..=dropped.len()).map(|gone| step(&missing, &dropped[gone..])));
    steps
}
