//! The registry: its state, its authority and the calls that change it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::authority::{Authority, ServerIdentity};
use crate::clock::Clock;
use crate::error::RegistryError;
use crate::input::Input;
use crate::journal::Journal;
use crate::misbehaviour::{Misbehaviour, Propagation, Throttle};
use crate::operations::certificates;
use crate::place::Place;
use crate::policy::{self, Action, Resource};
use crate::record::{Certificate, CertificateStatus, Change, PrincipalType};
use crate::refusal::{Kind, Refusal};
use crate::routes::{Route, Run};
use crate::settings::Settings;
use crate::state::State;
use crate::view::{Done, View};

/// The address of the broker where nobody has set another.
const DATA_ENDPOINT: &str = "localhost:8883";

/// Things, certificates, policies and their attachments. Clones are the same registry.
///
/// A change is in the journal before it is acknowledged, and survives the end of the process at any moment.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    place: Place,
    clock: Clock,
    authority: Authority,
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// `None` in memory.
    journal: Option<Journal>,
    misbehaviour: Misbehaviour,
    data_endpoint: String,
}

impl Registry {
    /// Opens the registry in `dir`, which is made if need be. The first time an authority is made there, which takes a
    /// moment.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn open(dir: &Path, settings: Settings) -> Result<Self, RegistryError> {
        let (journal, state) = Journal::open(dir)?;
        Self::new(settings, Some(journal), state, || Authority::open(dir))
    }

    /// A registry in memory, whose authority is made now unless the settings have one.
    ///
    /// # Errors
    /// [`RegistryError::Place`], [`RegistryError::Crypto`].
    pub fn memory(settings: Settings) -> Result<Self, RegistryError> {
        Self::new(settings, None, State::default(), Authority::generate)
    }

    fn new(
        settings: Settings,
        journal: Option<Journal>,
        state: State,
        authority: impl FnOnce() -> Result<Authority, RegistryError>,
    ) -> Result<Self, RegistryError> {
        let place = Place::new(&settings.account, &settings.region)?;
        let authority = settings.authority.map_or_else(authority, Ok)?;
        let misbehaviour = Misbehaviour::default();
        let inner = Inner { state, journal, misbehaviour, data_endpoint: DATA_ENDPOINT.to_owned() };
        let (clock, inner, changes) = (settings.clock, Mutex::new(inner), watch::Sender::new(0));
        Ok(Self(Arc::new(Shared { place, clock, authority, inner, changes })))
    }

    /// The certificate of the authority in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.0.authority.pem()
    }

    /// Makes a new key and certificate for a server that is `localhost`, 127.0.0.1 and ::1.
    ///
    /// # Errors
    /// [`RegistryError::Crypto`].
    pub fn server_identity(&self) -> Result<ServerIdentity, RegistryError> {
        self.0.authority.server_identity()
    }

    /// Sets the address of the broker that DescribeEndpoint answers, `HOST[:PORT]`. It is `localhost:8883` before.
    pub fn set_data_endpoint(&self, address: &str) {
        address.clone_into(&mut self.lock().data_endpoint);
    }

    /// Sets the time until detachments made from now on show.
    pub fn set_propagation(&self, propagation: Propagation) {
        self.lock().misbehaviour.set_propagation(propagation);
    }

    /// Limits the calls a second of operations, by the registry's clock; `None` limits no operation.
    pub fn set_throttle(&self, throttle: Option<Throttle>) {
        self.lock().misbehaviour.set_throttle(throttle);
    }

    /// The status of a certificate by its id, the SHA-256 of its DER in lower-case hex; `None` if there is no such
    /// certificate.
    #[must_use]
    pub fn certificate_status(&self, id: &str) -> Option<CertificateStatus> {
        self.lock().state.certificate(id).map(|certificate| certificate.status)
    }

    /// Returns `true` if the policies of the certificate allow its connection an action. A certificate that is not
    /// ACTIVE allows nothing. `connect_attributes` are those of [`policy::Request`].
    #[must_use]
    pub fn allows(
        &self,
        certificate_id: &str,
        client_id: &str,
        action: Action,
        resource: &Resource<'_>,
        connect_attributes: &[&str],
    ) -> bool {
        let inner = self.lock();
        let state = &inner.state;
        let Some(certificate) = state.certificate(certificate_id) else {
            return false;
        };
        let request = policy::Request {
            action,
            resource: *resource,
            client_id,
            connect_attributes,
            thing: thing_of(state, certificate, client_id),
            account: &self.0.place.account,
            region: &self.0.place.region,
        };
        let policies = certificate.policies.iter().filter_map(|name| state.policy(name)?.default.as_ref());
        certificate.status == CertificateStatus::Active && policy::evaluate(policies, &request)
    }

    /// Changes after each change of a certificate, an attachment, a policy or a Thing.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Makes one call.
    pub(crate) fn call(&self, route: &Route, input: &Input) -> Result<Value, Refusal> {
        let now = self.0.clock.now();
        self.lock().misbehaviour.begin(route.operation, now)?;
        match route.run {
            Run::Call(run) => self.commit(now, |view| run(view, input)),
            Run::Issue(issue) => {
                let issued = issue(&self.0.authority, input, now)?;
                self.commit(now, |view| certificates::enter(view, issued))
            }
        }
    }

    /// Looks at the state and makes the change that follows, if any.
    fn commit(&self, now: u64, run: impl FnOnce(&View<'_>) -> Result<Done, Refusal>) -> Result<Value, Refusal> {
        let mut inner = self.lock();
        let view = View {
            state: &inner.state,
            lingering: inner.misbehaviour.lingering(),
            place: &self.0.place,
            now,
            data_endpoint: &inner.data_endpoint,
        };
        let Done { change, answer, detached } = run(&view)?;
        if let Some(change) = change {
            inner.make(change)?;
            if let Some((id, attached)) = detached {
                inner.misbehaviour.detached(id, attached, now);
            }
            drop(inner);
            self.0.changes.send_modify(|changes| *changes += 1);
        }
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Makes a change durable, and then visible.
    fn make(&mut self, change: Change) -> Result<(), Refusal> {
        if let Some(journal) = &mut self.journal {
            journal.append(&change).map_err(|error| {
                tracing::error!(cause = %error, "the registry cannot be written");
                Refusal::new(Kind::InternalFailure, "An unexpected error has occurred.")
            })?;
        }
        self.state.apply(change);
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.shorten(&self.state)
        {
            tracing::warn!(cause = %error, "the registry's journal stays long");
        }
        Ok(())
    }
}

/// The Thing of a connection: the one that the certificate has exclusively, else the one whose name is the client id.
fn thing_of<'a>(state: &'a State, certificate: &'a Certificate, client_id: &'a str) -> Option<policy::Thing<'a>> {
    let exclusive = certificate.things.iter().find(|(_, kind)| **kind == PrincipalType::ExclusiveThing);
    let name = exclusive.map_or(client_id, |(name, _)| name.as_str());
    let thing = state.thing(name)?;
    let attached = certificate.things.contains_key(name);
    Some(policy::Thing { name, type_name: None, attributes: &thing.attributes, attached })
}
