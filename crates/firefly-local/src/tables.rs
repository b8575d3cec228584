//! The tables as their stacks define them.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction,
    GlobalSecondaryIndex, GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TableDescription, TimeToLiveSpecification,
};
use firefly_templates::{self as templates, TableTemplate};

/// A table cannot be made, or its indexes not be changed.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the table {table} as its stack defines it: {cause}")]
pub struct TableError {
    /// The table.
    pub table: String,
    /// The engine's own words.
    pub cause: String,
}

/// Makes a table as its template defines it where it is missing; gives one that is there the template's indexes.
///
/// # Errors
///
/// [`TableError`] when the engine refuses it or cannot be reached.
pub async fn create(client: &Client, template: &TableTemplate) -> Result<(), TableError> {
    let table = template.name.as_str();
    let failed = |cause: String| TableError { table: table.to_owned(), cause };
    match client.describe_table().table_name(table).send().await {
        Ok(described) => match described.table {
            Some(live) => return update_indexes(client, template, live).await,
            None => return Err(failed("DescribeTable's answer has no table".to_owned())),
        },
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {}
        Err(error) => return Err(failed(describe(&error))),
    }
    let attributes = template.attributes.iter().map(attribute).collect::<Result<_, _>>();
    let indexes = template.indexes.iter().map(index).collect::<Result<Vec<_>, _>>();
    let invalid = |error: BuildError| failed(error.to_string());
    let create = client
        .create_table()
        .table_name(table)
        .billing_mode(match template.billing {
            templates::BillingMode::PayPerRequest => BillingMode::PayPerRequest,
            templates::BillingMode::Provisioned => BillingMode::Provisioned,
        })
        .set_attribute_definitions(Some(attributes.map_err(invalid)?))
        .set_key_schema(Some(key_schema(&template.key_schema).map_err(invalid)?))
        .set_global_secondary_indexes(Some(indexes.map_err(invalid)?).filter(|indexes| !indexes.is_empty()));
    match create.send().await {
        Ok(_) => {}
        // The SDK has repeated a call whose answer did not come in time.
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception()) => {}
        Err(error) => return Err(failed(describe(&error))),
    }
    if let Some(attribute) = &template.ttl_attribute {
        let specification = TimeToLiveSpecification::builder().enabled(true).attribute_name(attribute).build();
        let update = client.update_time_to_live().table_name(table);
        let update = update.time_to_live_specification(specification.map_err(invalid)?);
        update.send().await.map_err(|error| failed(describe(&error)))?;
    }
    Ok(())
}

/// Makes the indexes that a table of an earlier version lacks, then drops those that its template lacks: the functions of
/// this process ask the former. The engine has filled an index when it answers.
async fn update_indexes(client: &Client, template: &TableTemplate, live: TableDescription) -> Result<(), TableError> {
    let failed = |cause: String| TableError { table: template.name.clone(), cause };
    let invalid = |error: BuildError| failed(error.to_string());
    let attributes: Vec<_> = template.attributes.iter().map(attribute).collect::<Result<_, _>>().map_err(invalid)?;
    let mut live = live;
    while let Some((index, update)) = next_update(template, &live).map_err(invalid)? {
        let request = client.update_table().table_name(&template.name).global_secondary_index_updates(update);
        let sent = request.set_attribute_definitions(Some(attributes.clone())).send().await;
        // A large table is done after the SDK has called again: it is looked at, whatever the answer.
        let described = client.describe_table().table_name(&template.name).send().await;
        live = described.map_err(|error| failed(describe(&error)))?.table.unwrap_or(live);
        let left = next_update(template, &live).map_err(invalid)?;
        if left.is_some_and(|(left, _)| left == index) {
            return Err(failed(sent.map_or_else(|error| describe(&error), |_| format!("{index} stays as it was"))));
        }
    }
    Ok(())
}

/// The next index to be made or dropped, and how.
fn next_update(
    template: &TableTemplate,
    live: &TableDescription,
) -> Result<Option<(String, GlobalSecondaryIndexUpdate)>, BuildError> {
    let live: Vec<_> = live.global_secondary_indexes().iter().filter_map(|live| live.index_name()).collect();
    if let Some(missing) = template.indexes.iter().find(|index| !live.contains(&index.index_name.as_str())) {
        let index = index(missing)?;
        let made = CreateGlobalSecondaryIndexAction::builder().index_name(&index.index_name);
        let made = made.set_key_schema(Some(index.key_schema)).set_projection(index.projection).build()?;
        return Ok(Some((index.index_name, GlobalSecondaryIndexUpdate::builder().create(made).build())));
    }
    let Some(surplus) = live.iter().find(|live| template.indexes.iter().all(|index| index.index_name != **live)) else {
        return Ok(None);
    };
    let dropped = DeleteGlobalSecondaryIndexAction::builder().index_name(*surplus).build()?;
    Ok(Some(((*surplus).to_owned(), GlobalSecondaryIndexUpdate::builder().delete(dropped).build())))
}

fn attribute(attribute: &templates::KeyAttribute) -> Result<AttributeDefinition, BuildError> {
    let attribute_type = match attribute.attribute_type {
        templates::AttributeType::S => ScalarAttributeType::S,
        templates::AttributeType::N => ScalarAttributeType::N,
        templates::AttributeType::B => ScalarAttributeType::B,
    };
    AttributeDefinition::builder().attribute_name(&attribute.attribute_name).attribute_type(attribute_type).build()
}

fn key_schema(keys: &[templates::Key]) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element = |key: &templates::Key| {
        let key_type = match key.key_type {
            templates::KeyType::Hash => KeyType::Hash,
            templates::KeyType::Range => KeyType::Range,
        };
        KeySchemaElement::builder().attribute_name(&key.attribute_name).key_type(key_type).build()
    };
    keys.iter().map(element).collect()
}

fn index(index: &templates::Index) -> Result<GlobalSecondaryIndex, BuildError> {
    let projection_type = match index.projection.projection_type {
        templates::ProjectionType::All => ProjectionType::All,
        templates::ProjectionType::KeysOnly => ProjectionType::KeysOnly,
        templates::ProjectionType::Include => ProjectionType::Include,
    };
    let projection = Projection::builder()
        .projection_type(projection_type)
        .set_non_key_attributes(index.projection.non_key_attributes.clone());
    GlobalSecondaryIndex::builder()
        .index_name(&index.index_name)
        .set_key_schema(Some(key_schema(&index.key_schema)?))
        .projection(projection.build())
        .build()
}

fn describe(error: &(impl std::error::Error + 'static)) -> String {
    aws_sdk_dynamodb::error::DisplayErrorContext(error).to_string()
}
