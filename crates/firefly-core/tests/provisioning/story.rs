//! One Thing's life: runs in succession, and what must hold at rest.

use firefly_core::provisioning::{
    name::{Scope, ThingName},
    row::State,
    rule::Target,
    step::{Answer, Step},
};

use crate::{
    runs::{DELETE, FORGET, Fault, Lasting, Run, balena, controller, controllers_post, post, sweep},
    world::World,
};

/// A world and the device whose runs it sees.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) thing: ThingName,
    /// The account can read the variables of devices: mode 2.
    pub(crate) reads: bool,
    /// A controller's key; it changes when the device is registered anew.
    pub(crate) key: u8,
    runs: u8,
}

impl Story {
    pub(crate) fn new(thing: ThingName, reads: bool) -> Self {
        let world = World { now: 1_750_000_000, ..World::default() };
        Self { world, thing, reads, key: 200, runs: 0 }
    }

    pub(crate) fn of_balena() -> Self {
        Self::new(balena(), true)
    }

    pub(crate) fn of_controller() -> Self {
        Self::new(controller(), false)
    }

    fn is_balena(&self) -> bool {
        matches!(self.thing, ThingName::Balena(_))
    }

    /// Returns the target of the device's POST, with a key pair of its own.
    pub(crate) fn post(&self) -> Target {
        if self.is_balena() { post(self.runs + 1, Scope::Device, false) } else { controllers_post(self.key) }
    }

    pub(crate) fn begin(&mut self, target: Target) -> Run {
        self.runs += 1;
        Run::begin(&self.world, self.thing, self.runs, target)
    }

    /// Runs to the end, with a fault at one step; the steps and the answer.
    pub(crate) fn run_with(&mut self, target: Target, at: Option<(usize, Fault)>) -> (Run, Option<Answer>) {
        let mut run = self.begin(target);
        let answer = run.finish(&mut self.world, at);
        (run, answer)
    }

    /// Runs to the end, with a fault that lasts from one step on.
    pub(crate) fn run_under(&mut self, target: Target, from: usize, lasting: Lasting) -> Answer {
        let mut run = self.begin(target);
        let faults = |number: usize, step: &Step| if number < from { None } else { lasting.at(step) };
        run.finish_under(&mut self.world, faults).unwrap()
    }

    pub(crate) fn run(&mut self, target: Target) -> Answer {
        self.world.earlier = self.world.variables.clone();
        self.run_with(target, None).1.unwrap()
    }

    /// The schedule: a sweep in a quarter of an hour, of a row that is due.
    pub(crate) fn sweep(&mut self) {
        self.world.now += 900;
        let due = self.world.row.as_ref().and_then(|row| row.due);
        if due.is_some_and(|due| due <= self.world.time()) {
            assert_eq!(self.run(sweep(&self.world, self.reads)), Answer::Swept);
        }
    }

    /// The device asks until it is told that it has an identity.
    pub(crate) fn provision(&mut self) {
        for _ in 0..12 {
            match self.run(self.post()) {
                Answer::Created(pem) | Answer::Exists(pem) => {
                    self.assert_provisioned();
                    assert_eq!(self.world.active(), [pem.id()]);
                    return;
                }
                Answer::ExistsElsewhere => return self.assert_provisioned(),
                Answer::InProgress { retry_after_seconds } => self.world.now += retry_after_seconds,
                Answer::TooManyCertificates { retry_after_seconds } => {
                    self.world.now += retry_after_seconds;
                    self.sweep();
                }
                Answer::Failed(_) => self.world.now += 15,
                answer => panic!("{answer:?}"),
            }
        }
        panic!("not provisioned: {:#?}", self.world);
    }

    pub(crate) fn assert_provisioned(&self) {
        let row = self.world.row.as_ref().unwrap();
        let (id, pem) = row.identity().unwrap();
        assert_eq!((row.state, row.lease_until.get()), (State::Done, 0));
        assert_eq!(self.world.active(), [id]);
        let certificate = &self.world.certificates[&id];
        assert_eq!(certificate.pem.as_str(), pem);
        assert!(certificate.is_on_thing && certificate.policies.len() == 1, "{certificate:?}");
        assert_eq!(self.world.thing, Some(true));
        if self.is_balena() {
            let variables = self.world.read(row.scope.as_ref().unwrap());
            assert_eq!(variables.pair().map(|(id, _)| id), Some(id));
        }
    }

    /// The device asks to be forgotten until that is done.
    pub(crate) fn deprovision(&mut self) {
        for _ in 0..12 {
            match self.run(DELETE) {
                Answer::Deleted { .. } => {
                    assert_eq!(self.world.active(), []);
                    return;
                }
                Answer::InProgress { retry_after_seconds } => self.world.now += retry_after_seconds,
                answer => panic!("{answer:?}"),
            }
        }
        panic!("not deprovisioned: {:#?}", self.world);
    }

    /// The sweeps of two days leave nothing.
    pub(crate) fn assert_nothing_is_left(&mut self) {
        for _ in 0..6 {
            self.sweep();
        }
        let World { certificates, thing, row, .. } = &self.world;
        assert!(certificates.is_empty() && thing.is_none(), "{:#?}", self.world);
        if let Some(row) = row {
            assert!(row.is_bare() && row.state == State::Deleting, "{row:#?}");
        }
        self.world.now += 2 * 86_400;
        self.sweep();
        assert_eq!(self.world.row, None);
    }

    /// Lets a blocked device come back.
    pub(crate) fn unblock(&mut self) {
        if self.state() == Some(State::Blocked) {
            assert_eq!(self.run(FORGET), Answer::Deleted { variables_left: false });
        }
    }

    pub(crate) fn state(&self) -> Option<State> {
        self.world.row.as_ref().map(|row| row.state)
    }
}
