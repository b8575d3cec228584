//! Tables in the embedded DynamoDB, and the states and settings that it lacks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use serde_json::{Value, json};

/// The tables.
pub(crate) struct Tables {
    engine: Database,
    /// The tables with point-in-time recovery.
    pub(crate) recovery: BTreeSet<String>,
    /// The states that are shown instead of the engine's, one for each look.
    pub(crate) states: BTreeMap<String, VecDeque<&'static str>>,
    /// The states that are shown of every index, one for each look.
    pub(crate) index_states: VecDeque<&'static str>,
    /// The looks for which an index is shown as it is filled, after a stack has made it.
    pub(crate) filling: usize,
    /// The tables whose time to live was changed. A second change within an hour is refused.
    pub(crate) ttl_changed: BTreeSet<String>,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            engine: Database::memory().unwrap(),
            recovery: BTreeSet::new(),
            states: BTreeMap::new(),
            index_states: VecDeque::new(),
            filling: 0,
            ttl_changed: BTreeSet::new(),
        }
    }
}

impl Tables {
    /// Calls the engine.
    pub(crate) fn call(&self, action: &str, request: Value) -> Result<Value, DynoxideError> {
        macro_rules! call {
            ($method:ident) => {
                self.engine.$method(serde_json::from_value(request).unwrap()).map(|answer| json!(answer))
            };
        }
        match action {
            "CreateTable" => call!(create_table),
            "DeleteTable" => call!(delete_table),
            "DescribeTable" => call!(describe_table),
            "DescribeTimeToLive" => call!(describe_time_to_live),
            "GetItem" => call!(get_item),
            "PutItem" => call!(put_item),
            "UpdateTable" => call!(update_table),
            "UpdateTimeToLive" => call!(update_time_to_live),
            _ => panic!("dynamodb:{action}"),
        }
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.call("DescribeTable", json!({"TableName": name})).is_ok()
    }

    /// Makes a table with an item, as somebody else would.
    pub(crate) fn put(&mut self, request: &Value, ttl: Option<&str>, recovery: bool) {
        let name = request["TableName"].as_str().unwrap().to_owned();
        self.call("CreateTable", request.clone()).unwrap();
        if let Some(attribute) = ttl {
            let specification = json!({"AttributeName": attribute, "Enabled": true});
            self.call("UpdateTimeToLive", json!({"TableName": name, "TimeToLiveSpecification": specification}))
                .unwrap();
        }
        if recovery {
            self.recovery.insert(name.clone());
        }
        let key = request["KeySchema"][0]["AttributeName"].as_str().unwrap();
        self.call("PutItem", json!({"TableName": name, "Item": {key: {"S": "kept"}, "data": {"S": "precious"}}}))
            .unwrap();
    }

    /// Returns whether the table still has the item of [`Tables::put`].
    pub(crate) fn has_item(&self, name: &str, key: &str) -> bool {
        let item = self.call("GetItem", json!({"TableName": name, "Key": {key: {"S": "kept"}}}));
        item.is_ok_and(|answer| answer["Item"]["data"]["S"] == "precious")
    }

    /// Returns the settings of a table that the tests compare.
    pub(crate) fn summary(&self, name: &str) -> Option<Value> {
        let table = self.call("DescribeTable", json!({"TableName": name})).ok()?;
        let ttl = self.call("DescribeTimeToLive", json!({"TableName": name})).unwrap();
        let table = &table["Table"];
        let indexes = table["GlobalSecondaryIndexes"].as_array().cloned().unwrap_or_default();
        Some(json!({
            "billing": table["BillingModeSummary"]["BillingMode"],
            "indexes": indexes.iter().map(|index| index["IndexName"].clone()).collect::<Vec<_>>(),
            "protection": table["DeletionProtectionEnabled"] == true,
            "ttl": ttl["TimeToLiveDescription"]["AttributeName"],
            "recovery": self.recovery.contains(name),
        }))
    }
}
