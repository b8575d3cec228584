//! The account that the emulator serves.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::account_error::AccountError;
use crate::device::{AddedDevice, Device, FrozenKeys, NewDevice, Variable};
use crate::state::{DeviceRecord, Fleet, Service, State, VariableRecord, draw};
use crate::store::{Store, StoreError};

/// A balena account: fleets, their services and devices, and the variables of these.
#[derive(Clone)]
pub struct Account(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    store: Option<Store>,
    prefix_searches: AtomicUsize,
    frozen_keys_are_refused: AtomicBool,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}

impl Account {
    /// An empty account that ends with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(State::new(), None)
    }

    /// The account in a directory; an empty one if there is none. The directory is made if need be. It can be
    /// opened again once the account and its clones are dropped.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let (store, state) = Store::open(directory)?;
        let state = match state {
            Some(state) => state,
            None => {
                let state = State::new();
                store.write(&state)?;
                state
            }
        };
        Ok(Self::new(state, Some(store)))
    }

    fn new(state: State, store: Option<Store>) -> Self {
        let (state, prefix_searches) = (Mutex::new(state), AtomicUsize::new(0));
        Self(Arc::new(Inner { state, store, prefix_searches, frozen_keys_are_refused: AtomicBool::new(true) }))
    }

    /// The key of the account's user, which may do everything: 32 hexadecimal digits.
    #[must_use]
    pub fn user_key(&self) -> String {
        self.state().user_key.clone()
    }

    /// Draws another key for the account's user. The old one is refused from now on.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn replace_user_key(&self) -> Result<String, AccountError> {
        self.change(|state| {
            state.user_key = draw();
            Ok(state.user_key.clone())
        })
    }

    /// Adds a fleet with services of these names. The API calls it the application `id`.
    ///
    /// # Errors
    /// [`AccountError::FleetExists`], [`AccountError::Store`].
    pub fn add_fleet(&self, id: u64, name: &str, services: &[&str]) -> Result<(), AccountError> {
        self.change(|state| {
            if state.fleets.contains_key(&id) || state.fleets.values().any(|fleet| fleet.name == name) {
                return Err(AccountError::FleetExists { id, name: name.to_owned() });
            }
            state.fleets.insert(id, Fleet { uuid: draw(), name: name.to_owned() });
            for name in services {
                let id_of_service = state.next_id();
                state.services.insert(id_of_service, Service { fleet: id, name: (*name).to_owned() });
            }
            Ok(())
        })
    }

    /// The id of a service.
    #[must_use]
    pub fn service_id(&self, fleet: u64, name: &str) -> Option<u64> {
        self.state().service_id(fleet, name)
    }

    /// Adds a device, which is online.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn add_device(&self, new: NewDevice) -> Result<AddedDevice, AccountError> {
        let NewDevice { uuid, fleet, public_address, installed } = new;
        let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        if uuid.len() != 32 || !uuid.bytes().all(is_digit) {
            return Err(AccountError::MalformedUuid { uuid });
        }
        self.change(|state| {
            if state.device_id(&uuid).is_some() {
                return Err(AccountError::DeviceExists { uuid });
            }
            let services = services(state, fleet, &installed)?;
            let (id, api_key) = (state.next_id(), draw());
            let (is_frozen, is_online) = (false, true);
            let record = DeviceRecord { uuid, fleet, api_key: api_key.clone(), public_address, is_frozen, is_online };
            state.devices.insert(id, record);
            for service in services {
                state.install(id, service);
            }
            Ok(AddedDevice { id, api_key })
        })
    }

    /// The device with this UUID.
    #[must_use]
    pub fn device(&self, uuid: &str) -> Option<Device> {
        self.devices().into_iter().find(|device| device.uuid == uuid)
    }

    /// All devices, in the order in which they were added.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        let state = self.state();
        let device = |(id, device): (&u64, &DeviceRecord)| {
            let installs = state.installs.values().filter(|install| install.device == *id);
            let names = installs.filter_map(|install| Some(state.services.get(&install.service)?.name.clone()));
            let DeviceRecord { uuid, fleet, api_key, public_address, is_frozen, is_online } = device.clone();
            let installed = names.collect();
            Device { id: *id, uuid, fleet, api_key, public_address, is_frozen, is_online, installed }
        };
        state.devices.iter().map(device).collect()
    }

    /// The variables of a device, sorted.
    ///
    /// # Errors
    /// [`AccountError::UnknownDevice`].
    pub fn variables(&self, uuid: &str) -> Result<Vec<Variable>, AccountError> {
        let state = self.state();
        let id = device_id(&state, uuid)?;
        let own = state.device_variables.values().filter(|variable| variable.of == id);
        let own = own.map(|variable| (None, variable));
        let of_services = state.service_variables.values().filter_map(|variable| {
            let install = state.installs.get(&variable.of).filter(|install| install.device == id)?;
            Some((Some(state.services.get(&install.service)?.name.clone()), variable))
        });
        let variable = |(service, variable): (Option<String>, &VariableRecord)| Variable {
            service,
            name: variable.name.clone(),
            value: variable.value.clone(),
        };
        let mut variables: Vec<_> = own.chain(of_services).map(variable).collect();
        variables.sort();
        Ok(variables)
    }

    /// Freezes a device, or ends that.
    ///
    /// # Errors
    /// [`AccountError::UnknownDevice`], [`AccountError::Store`].
    pub fn set_frozen(&self, uuid: &str, is_frozen: bool) -> Result<(), AccountError> {
        self.change_device(uuid, |device| device.is_frozen = is_frozen)
    }

    /// Sets if a device is connected to balena.
    ///
    /// # Errors
    /// [`AccountError::UnknownDevice`], [`AccountError::Store`].
    pub fn set_online(&self, uuid: &str, is_online: bool) -> Result<(), AccountError> {
        self.change_device(uuid, |device| device.is_online = is_online)
    }

    /// Sets the address that a device is seen at.
    ///
    /// # Errors
    /// [`AccountError::UnknownDevice`], [`AccountError::Store`].
    pub fn set_public_address(&self, uuid: &str, address: Option<&str>) -> Result<(), AccountError> {
        self.change_device(uuid, |device| device.public_address = address.map(str::to_owned))
    }

    /// Moves a device to another fleet. The services of the old one, and their variables, are removed from it; those of the
    /// new one are installed.
    ///
    /// # Errors
    /// [`AccountError::UnknownDevice`], [`AccountError::UnknownFleet`], [`AccountError::Store`].
    pub fn move_device(&self, uuid: &str, fleet: u64) -> Result<(), AccountError> {
        self.change(|state| {
            let id = device_id(state, uuid)?;
            if !state.fleets.contains_key(&fleet) {
                return Err(AccountError::UnknownFleet { id: fleet });
            }
            let mine = state.services.iter().filter(|(_, service)| service.fleet == fleet);
            let mine: Vec<u64> = mine.map(|(service, _)| *service).collect();
            state.retain_installs(|install| install.device != id || mine.contains(&install.service));
            for service in mine {
                state.install(id, service);
            }
            if let Some(device) = state.devices.get_mut(&id) {
                device.fleet = fleet;
            }
            Ok(())
        })
    }

    /// Installs services of its fleet on a device, and removes all others, with their variables.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn set_installed(&self, uuid: &str, names: &[&str]) -> Result<(), AccountError> {
        self.change(|state| {
            let id = device_id(state, uuid)?;
            let fleet = state.devices.get(&id).map(|device| device.fleet).unwrap_or_default();
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let services = services(state, fleet, &names)?;
            state.retain_installs(|install| install.device != id || services.contains(&install.service));
            for service in services {
                state.install(id, service);
            }
            Ok(())
        })
    }

    /// Deletes a device, its key and its variables.
    ///
    /// # Errors
    /// [`AccountError::UnknownDevice`], [`AccountError::Store`].
    pub fn delete_device(&self, uuid: &str) -> Result<(), AccountError> {
        self.change(|state| {
            let id = device_id(state, uuid)?;
            state.delete_device(id);
            Ok(())
        })
    }

    /// Sets the answer to keys of frozen devices: [`FrozenKeys::Refused`] until then.
    pub fn set_frozen_keys(&self, keys: FrozenKeys) {
        self.0.frozen_keys_are_refused.store(keys == FrozenKeys::Refused, Ordering::SeqCst);
    }

    /// The number of requests whose filter used `startswith`, by which a part of a UUID finds a device.
    #[must_use]
    pub fn prefix_searches(&self) -> usize {
        self.0.prefix_searches.load(Ordering::SeqCst)
    }

    pub(crate) fn count_prefix_search(&self) {
        self.0.prefix_searches.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn frozen_keys_are_refused(&self) -> bool {
        self.0.frozen_keys_are_refused.load(Ordering::SeqCst)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change as a whole, or not at all: `act` gets a copy, which becomes the account once it is stored.
    pub(crate) fn change<T, E: From<StoreError>>(&self, act: impl FnOnce(&mut State) -> Result<T, E>) -> Result<T, E> {
        let mut state = self.state();
        let mut next = state.clone();
        let done = act(&mut next)?;
        if let Some(store) = &self.0.store {
            store.write(&next)?;
        }
        *state = next;
        Ok(done)
    }

    fn change_device(&self, uuid: &str, act: impl FnOnce(&mut DeviceRecord)) -> Result<(), AccountError> {
        self.change(|state| {
            let id = device_id(state, uuid)?;
            state.devices.get_mut(&id).map(act);
            Ok(())
        })
    }
}

fn device_id(state: &State, uuid: &str) -> Result<u64, AccountError> {
    state.device_id(uuid).ok_or_else(|| AccountError::UnknownDevice { uuid: uuid.to_owned() })
}

/// The ids of the services of a fleet with these names.
fn services(state: &State, fleet: u64, names: &[String]) -> Result<Vec<u64>, AccountError> {
    if !state.fleets.contains_key(&fleet) {
        return Err(AccountError::UnknownFleet { id: fleet });
    }
    let id = |name: &String| {
        state.service_id(fleet, name).ok_or_else(|| AccountError::UnknownService { fleet, name: name.clone() })
    };
    names.iter().map(id).collect()
}
