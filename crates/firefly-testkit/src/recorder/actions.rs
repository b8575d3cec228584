use http::{Method, StatusCode};
use serde_json::Value;

use super::{Call, Used};

/// The account of the local cloud's templates.
const ACCOUNT: &str = "000000000000";

/// DynamoDB's operations on one table or index; each takes the action of its name.
///
/// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB".
const TABLE_OPERATIONS: [&str; 6] = ["DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"];

/// The actions of a transaction's items; TransactWriteItems itself is not an action.
///
/// Source: DynamoDB Developer Guide, "Using IAM with DynamoDB transactions".
const TRANSACTION_ITEMS: [(&str, &str); 4] = [
    ("ConditionCheck", "dynamodb:ConditionCheckItem"),
    ("Delete", "dynamodb:DeleteItem"),
    ("Put", "dynamodb:PutItem"),
    ("Update", "dynamodb:UpdateItem"),
];

/// S3's operations on an object without a version.
///
/// Source: S3 API Reference, "Permissions" of GetObject, HeadObject, PutObject and DeleteObject. HeadObject is not an action.
const OBJECT_OPERATIONS: [(Method, &str); 4] = [
    (Method::DELETE, "s3:DeleteObject"),
    (Method::GET, "s3:GetObject"),
    (Method::HEAD, "s3:GetObject"),
    (Method::PUT, "s3:PutObject"),
];

/// S3's operations on one version of an object. Sources: as of [`OBJECT_OPERATIONS`].
const VERSION_OPERATIONS: [(Method, &str); 3] = [
    (Method::DELETE, "s3:DeleteObjectVersion"),
    (Method::GET, "s3:GetObjectVersion"),
    (Method::HEAD, "s3:GetObjectVersion"),
];

/// Headers with which PutObject takes further actions, and the one that makes it CopyObject.
///
/// Source: S3 User Guide, "Required permissions for Amazon S3 API operations".
const FURTHER_ACTIONS: [&str; 3] = ["x-amz-acl", "x-amz-copy-source", "x-amz-tagging"];

impl Call {
    /// The actions that the call took of the role, its answer having this status.
    pub(super) fn used(&self, status: StatusCode) -> Vec<Used> {
        let used = match self.request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()) {
            Some(target) => self.of_dynamodb(target),
            None => self.of_s3(status),
        };
        used.unwrap_or_else(|| vec![self.taking(format!("unknown: {:?}", self.request), "*".to_owned())])
    }

    fn of_dynamodb(&self, target: &str) -> Option<Vec<Used>> {
        let operation = target.strip_prefix("DynamoDB_20120810.")?;
        let body: Value = serde_json::from_slice(self.request.body()).ok()?;
        if operation == "TransactWriteItems" {
            let items = body["TransactItems"].as_array()?.iter();
            return items
                .map(|item| {
                    let (_, action) = TRANSACTION_ITEMS.iter().find(|(kind, _)| item.get(kind).is_some())?;
                    let request = item.as_object()?.values().next()?;
                    Some(self.taking((*action).to_owned(), self.table(request)?))
                })
                .collect();
        }
        if operation == "BatchGetItem" {
            let tables = body["RequestItems"].as_object()?.keys();
            let taking = |table: &String| self.taking("dynamodb:BatchGetItem".to_owned(), self.table_arn(table));
            return Some(tables.map(taking).collect());
        }
        let known = TABLE_OPERATIONS.contains(&operation);
        known.then(|| Some(vec![self.taking(format!("dynamodb:{operation}"), self.table(&body)?)]))?
    }

    /// The table or, where one is named, the index, whose own ARN a query or scan of it is allowed on.
    fn table(&self, request: &Value) -> Option<String> {
        let table = self.table_arn(request["TableName"].as_str()?);
        Some(match request["IndexName"].as_str() {
            Some(index) => format!("{table}/index/{index}"),
            None => table,
        })
    }

    fn table_arn(&self, name: &str) -> String {
        format!("arn:aws:dynamodb:{}:{ACCOUNT}:table/{name}", self.region)
    }

    fn of_s3(&self, status: StatusCode) -> Option<Vec<Used>> {
        let uri = self.request.uri();
        let path = uri.path().strip_prefix('/')?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query: Vec<_> = uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty()).collect();
        let has = |name: &str| query.iter().any(|part| part.split('=').next() == Some(name));
        if key.is_empty() {
            let lists = self.request.method() == Method::GET && has("versions");
            return lists
                .then(|| vec![self.taking("s3:ListBucketVersions".to_owned(), format!("arn:aws:s3:::{bucket}"))]);
        }
        let operations = if has("versionId") { &VERSION_OPERATIONS[..] } else { &OBJECT_OPERATIONS };
        // Any other query selects another operation.
        let plain = query.iter().all(|part| part.starts_with("x-id=") || part.starts_with("versionId="));
        let further = FURTHER_ACTIONS.iter().any(|header| self.request.headers().contains_key(*header));
        let operation = operations.iter().find(|(method, _)| method == self.request.method());
        let (method, action) = operation.filter(|_| plain && !further)?;
        let mut used = vec![self.taking((*action).to_owned(), format!("arn:aws:s3:::{bucket}/*"))];
        // An absent key is answered 404 to those who may list the bucket, 403 to others. Of a HEAD it makes no difference
        // here: its failure counts as absence.
        if status == StatusCode::NOT_FOUND && method == Method::GET && !has("versionId") {
            used.push(self.taking("s3:ListBucket".to_owned(), format!("arn:aws:s3:::{bucket}")));
        }
        Some(used)
    }

    fn taking(&self, action: String, resource: String) -> Used {
        Used { function: self.function.clone(), action, resource }
    }
}
