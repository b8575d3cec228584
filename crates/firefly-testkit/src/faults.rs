//! Proxies in front of the engines that make single AWS calls of the functions fail.

mod outage;

use std::ops::Deref;

use bytes::Bytes;
use http::{Method, Request, Uri};
use serde_json::Value;

pub use emulator_kit::faults::{Fault, FaultResponse, INTERNALS};
pub use outage::{Broken, Outage, assert_outage};

use crate::TestCloud;

/// A call of the functions to AWS: the operation, and for DynamoDB the kind of item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// GetItem of a device.
    GetDevice,
    /// BatchGetItem of a device and its replay record.
    GetDeviceWithRecord,
    /// UpdateItem of a device's replay record.
    WriteReplayRecord,
    /// GetItem of a device's replay record.
    GetReplayRecord,
    /// DeleteItem of a device's replay record.
    DeleteReplayRecord,
    /// DeleteItem of a device.
    DeleteDevice,
    /// UpdateItem of a device.
    UpdateDevice,
    /// TransactWriteItems: a device is written and a key spent.
    WriteAndSpend,
    /// Scan of the devices.
    ScanDevices,
    /// Query of the devices of one product.
    QueryDevices,
    /// GetItem of a registration key.
    GetKey,
    /// GetItem of an address's tries at registration keys.
    GetWrongKeys,
    /// UpdateItem of an address's tries at registration keys.
    CountWrongKey,
    /// GetItem of the tries of all addresses.
    GetAllWrongKeys,
    /// UpdateItem of the tries of all addresses.
    CountAllWrongKeys,
    /// TransactWriteItems: a registration key is written, and its entry among its maker's live keys.
    PutKey,
    /// DeleteItem of a registration key.
    DeleteKey,
    /// GetItem of a user's live keys.
    GetLiveKeys,
    /// UpdateItem of a user's live keys.
    UpdateLiveKeys,
    /// BatchGetItem of registration keys.
    GetKeys,
    /// S3's PutObject.
    PutObject,
    /// S3's HeadObject.
    HeadObject,
    /// S3's GetObject.
    GetObject,
    /// S3's DeleteObject.
    DeleteObject,
    /// S3's ListObjectVersions.
    ListVersions,
    /// S3's HeadObject of one version.
    HeadVersion,
    /// S3's GetObject of one version.
    GetVersion,
    /// S3's DeleteObject of one version.
    DeleteVersion,
    /// AppConfig's StartConfigurationSession.
    StartSession,
    /// AppConfig's GetLatestConfiguration, of the API or of the extension.
    LatestConfiguration,
}

/// Proxies in front of the engines that make single calls fail.
#[derive(Clone)]
pub struct Faults(emulator_kit::faults::Faults<Call>);

impl Default for Faults {
    fn default() -> Self {
        Self(emulator_kit::faults::Faults::new(Call::of))
    }
}

impl Deref for Faults {
    type Target = emulator_kit::faults::Faults<Call>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Faults {
    /// A cloud of its own over the engines of `engines`, whose functions meet the faults, and those faults.
    pub async fn over(engines: &TestCloud) -> (TestCloud, Self) {
        let faults = Self::default();
        let (dynamodb, s3) = engines.endpoints();
        let cloud = engines.through(&faults.in_front_of(dynamodb).await, &faults.in_front_of(s3).await).await;
        (cloud, faults)
    }

    /// Listens on a free port in front of `upstream` (`http://HOST:PORT`) and returns the URL of that port.
    pub async fn in_front_of(&self, upstream: &str) -> String {
        self.0.in_front_of(upstream).await.expect("an engine's endpoint is a URL, and a port is free")
    }
}

impl Call {
    fn of(request: &Request<Bytes>) -> Option<Self> {
        match request.headers().get("x-amz-target").map(|target| target.as_bytes()) {
            Some(target) => {
                let operation = target.strip_prefix(b"DynamoDB_20120810.")?;
                Self::of_dynamodb(operation, &serde_json::from_slice(request.body()).ok()?)
            }
            None => Self::of_path(request.method(), request.uri()),
        }
    }

    fn of_dynamodb(operation: &[u8], body: &Value) -> Option<Self> {
        let key = body["Key"]["uuid"]["S"].as_str().or_else(|| body["Key"]["key"]["S"].as_str()).unwrap_or_default();
        let devices = match operation {
            b"BatchGetItem" => body["RequestItems"].get("firefly-devices").is_some(),
            b"TransactWriteItems" => body["TransactItems"][0]["Put"]["TableName"] == "firefly-devices",
            _ => body["TableName"] == "firefly-devices",
        };
        if devices { Self::of_devices(operation, key) } else { Self::of_keys(operation, key) }
    }

    fn of_devices(operation: &[u8], key: &str) -> Option<Self> {
        match (operation, key.ends_with("#replay")) {
            (b"GetItem", false) => Some(Self::GetDevice),
            (b"GetItem", true) => Some(Self::GetReplayRecord),
            (b"DeleteItem", false) => Some(Self::DeleteDevice),
            (b"DeleteItem", true) => Some(Self::DeleteReplayRecord),
            (b"UpdateItem", false) => Some(Self::UpdateDevice),
            (b"UpdateItem", true) => Some(Self::WriteReplayRecord),
            (b"Scan", _) => Some(Self::ScanDevices),
            (b"Query", _) => Some(Self::QueryDevices),
            (b"BatchGetItem", _) => Some(Self::GetDeviceWithRecord),
            (b"TransactWriteItems", _) => Some(Self::WriteAndSpend),
            _ => None,
        }
    }

    fn of_keys(operation: &[u8], key: &str) -> Option<Self> {
        let (wrong_keys, all) = (key.starts_with("wrong-keys#"), key.contains("#all-"));
        match (operation, key.starts_with("live-keys#")) {
            (b"GetItem", true) => Some(Self::GetLiveKeys),
            (b"UpdateItem", true) => Some(Self::UpdateLiveKeys),
            (b"GetItem", false) if all => Some(Self::GetAllWrongKeys),
            (b"UpdateItem", false) if all => Some(Self::CountAllWrongKeys),
            (b"GetItem", false) if wrong_keys => Some(Self::GetWrongKeys),
            (b"UpdateItem", false) if wrong_keys => Some(Self::CountWrongKey),
            (b"GetItem", false) => Some(Self::GetKey),
            (b"DeleteItem", false) => Some(Self::DeleteKey),
            (b"BatchGetItem", _) => Some(Self::GetKeys),
            (b"TransactWriteItems", _) => Some(Self::PutKey),
            _ => None,
        }
    }

    fn of_path(method: &Method, uri: &Uri) -> Option<Self> {
        let path = uri.path();
        match (path, method) {
            ("/configurationsessions", &Method::POST) => return Some(Self::StartSession),
            ("/configuration", &Method::GET) => return Some(Self::LatestConfiguration),
            (path, &Method::GET) if path.starts_with("/applications/") => return Some(Self::LatestConfiguration),
            _ => {}
        }
        // `/bucket/key`; other operations of S3 have a query without `x-id`.
        let object = path.split('/').count() == 3 && !path.ends_with('/');
        let query = uri.query().unwrap_or_default();
        let plain = query.is_empty() || query.starts_with("x-id=");
        let of_version = query.split('&').any(|part| part.starts_with("versionId="));
        match *method {
            Method::GET if !object && query.split('&').any(|part| part.starts_with("versions")) => {
                Some(Self::ListVersions)
            }
            Method::HEAD if object && of_version => Some(Self::HeadVersion),
            Method::GET if object && of_version => Some(Self::GetVersion),
            Method::DELETE if object && of_version => Some(Self::DeleteVersion),
            Method::PUT if object && plain => Some(Self::PutObject),
            Method::HEAD if object && plain => Some(Self::HeadObject),
            Method::GET if object && plain => Some(Self::GetObject),
            Method::DELETE if object && plain => Some(Self::DeleteObject),
            _ => None,
        }
    }
}
