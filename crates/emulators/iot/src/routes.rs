//! The operations and their requests.

use crate::authority::Authority;
use crate::input::{Input, decode};
use crate::operations::issuing::{self, Issued};
use crate::operations::{certificates, policies, policy_attachments, policy_versions, thing_attachments, things};
use crate::refusal::Refusal;
use crate::view::{Done, View};

/// The work of an operation.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// It looks at the registry, and may change one entity of it.
    Call(fn(&View<'_>, &Input) -> Result<Done, Refusal>),
    /// It makes a certificate at a time in milliseconds. The registry then takes that up.
    Issue(fn(&Authority, &Input, u64) -> Result<Issued, Refusal>),
}

/// One operation.
pub(crate) struct Route {
    method: &'static str,
    /// The path; `{}` stands for one part.
    path: &'static str,
    /// The name in the API, which is that of the IAM action, too.
    pub(crate) operation: &'static str,
    /// The parameters of the query.
    pub(crate) query: &'static [&'static str],
    pub(crate) run: Run,
}

const fn call(
    method: &'static str,
    path: &'static str,
    operation: &'static str,
    query: &'static [&'static str],
    run: fn(&View<'_>, &Input) -> Result<Done, Refusal>,
) -> Route {
    Route { method, path, operation, query, run: Run::Call(run) }
}

const fn issue(
    path: &'static str,
    operation: &'static str,
    query: &'static [&'static str],
    run: fn(&Authority, &Input, u64) -> Result<Issued, Refusal>,
) -> Route {
    Route { method: "POST", path, operation, query, run: Run::Issue(run) }
}

const MARKER: &[&str] = &["marker", "pageSize"];
const ORDERED: &[&str] = &["marker", "pageSize", "isAscendingOrder"];
const TOKEN: &[&str] = &["nextToken", "maxResults"];
const TYPED: &[&str] = &["nextToken", "maxResults", "thingPrincipalType"];
const THINGS: &[&str] =
    &["nextToken", "maxResults", "attributeName", "attributeValue", "thingTypeName", "usePrefixAttributeValue"];
const TARGETS: &[&str] = &["recursive", "marker", "pageSize"];
const VERSION: &str = "/policies/{}/version/{}";

static ROUTES: [Route; 32] = [
    call("POST", "/things/{}", "CreateThing", &[], things::create),
    call("GET", "/things/{}", "DescribeThing", &[], things::describe),
    call("PATCH", "/things/{}", "UpdateThing", &[], things::update),
    call("DELETE", "/things/{}", "DeleteThing", &["expectedVersion"], things::delete),
    call("GET", "/things", "ListThings", THINGS, things::list),
    issue("/keys-and-certificate", "CreateKeysAndCertificate", &["setAsActive"], issuing::with_keys),
    issue("/certificates", "CreateCertificateFromCsr", &["setAsActive"], issuing::from_csr),
    issue("/certificate/register-no-ca", "RegisterCertificateWithoutCA", &[], issuing::register),
    call("PUT", "/certificates/{}", "UpdateCertificate", &["newStatus"], certificates::update),
    call("DELETE", "/certificates/{}", "DeleteCertificate", &["forceDelete"], certificates::delete),
    call("GET", "/certificates/{}", "DescribeCertificate", &[], certificates::describe),
    call("GET", "/certificates", "ListCertificates", ORDERED, certificates::list),
    call("PUT", "/target-policies/{}", "AttachPolicy", &[], policy_attachments::attach),
    call("POST", "/target-policies/{}", "DetachPolicy", &[], policy_attachments::detach),
    call("POST", "/attached-policies/{}", "ListAttachedPolicies", TARGETS, policy_attachments::list_policies),
    call("POST", "/policy-targets/{}", "ListTargetsForPolicy", MARKER, policy_attachments::list_targets),
    call("PUT", "/things/{}/principals", "AttachThingPrincipal", &["thingPrincipalType"], thing_attachments::attach),
    call("DELETE", "/things/{}/principals", "DetachThingPrincipal", &[], thing_attachments::detach),
    call("GET", "/things/{}/principals", "ListThingPrincipals", TOKEN, thing_attachments::list_principals),
    call("GET", "/things/{}/principals-v2", "ListThingPrincipalsV2", TYPED, thing_attachments::list_principal_objects),
    call("GET", "/principals/things", "ListPrincipalThings", TOKEN, thing_attachments::list_things),
    call("GET", "/principals/things-v2", "ListPrincipalThingsV2", TYPED, thing_attachments::list_thing_objects),
    call("POST", "/policies/{}", "CreatePolicy", &[], policies::create),
    call("GET", "/policies/{}", "GetPolicy", &[], policies::get),
    call("DELETE", "/policies/{}", "DeletePolicy", &[], policies::delete),
    call("GET", "/policies", "ListPolicies", ORDERED, policies::list),
    call("POST", "/policies/{}/version", "CreatePolicyVersion", &["setAsDefault"], policy_versions::create),
    call("GET", "/policies/{}/version", "ListPolicyVersions", &[], policy_versions::list),
    call("GET", VERSION, "GetPolicyVersion", &[], policy_versions::get),
    call("PATCH", VERSION, "SetDefaultPolicyVersion", &[], policy_versions::set_default),
    call("DELETE", VERSION, "DeletePolicyVersion", &[], policy_versions::delete),
    call("GET", "/endpoint", "DescribeEndpoint", &["endpointType"], policies::endpoint),
];

/// The operation of a request, and the parts of its path.
pub(crate) fn find(method: &str, path: &str) -> Result<(&'static Route, Vec<String>), Refusal> {
    for route in ROUTES.iter().filter(|route| route.method == method) {
        if let Some(parts) = parts(route.path, path) {
            let parts = parts.into_iter().map(decode).collect::<Result<_, _>>()?;
            return Ok((route, parts));
        }
    }
    Err(Refusal::invalid(format!("The emulator has no operation {method} {path}")))
}

/// The parts of a path that stand where the pattern has `{}`; `None` if it does not have the pattern.
fn parts<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    if pattern.split('/').count() != path.split('/').count() {
        return None;
    }
    let mut parts = Vec::new();
    for (expected, part) in pattern.split('/').zip(path.split('/')) {
        match expected {
            "{}" => parts.push(part),
            expected if expected == part => {}
            _ => return None,
        }
    }
    Some(parts)
}
