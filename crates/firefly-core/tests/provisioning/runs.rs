//! Runs over a [`World`], with faults.

use firefly_core::{
    provisioning::{
        name::{PolicyName, Scope, ThingName},
        row::Lease,
        rule::{Delivery, Observed, Provision, Remover, Sweep, Target, next},
        step::{Answer, Failure, Found, Outcome, Status, Step},
    },
    time::UnixSeconds,
};

use crate::world::{Pair, World, digest, seed};

/// More steps than any run takes.
pub(crate) const MAX_STEPS: usize = 120;

/// The seconds of a run, after which Lambda ends it.
pub(crate) const LIFE: u64 = 20;

pub(crate) fn balena() -> ThingName {
    "00112233445566778899aabbccddeeff".parse().unwrap()
}

pub(crate) fn controller() -> ThingName {
    "2d411e72-c806-3038-573b-bb16a4a19bcf".parse().unwrap()
}

pub(crate) fn policy() -> PolicyName {
    "firefly-balena".parse().unwrap()
}

/// A run under way.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) target: Target,
    pub(crate) observed: Observed,
    pub(crate) lease: Lease,
    pub(crate) seed: u8,
    pub(crate) started: u64,
    pub(crate) steps: Vec<Step>,
    pub(crate) made: Option<Pair>,
}

/// A fault of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The run ends before the step.
    KilledBefore,
    /// The run ends after the step.
    KilledAfter,
    /// The step is done, and its answer is a failure.
    Lost,
    /// The step is not done, and its answer is a failure of this kind.
    Not(Failure),
    /// The step is done twice.
    Twice,
    /// The step is not answered. It is done later.
    Late,
}

/// A fault that lasts: every step that it is about has it, from one step of the run on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lasting {
    pub(crate) fault: Fault,
    pub(crate) of: Those,
}

/// The steps that a lasting fault is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Those {
    /// The writes of the row.
    Writes,
    /// All but the writes, as for a run that is short of time.
    Effects,
    All,
}

impl Lasting {
    /// Returns the fault of a step.
    pub(crate) fn at(self, step: &Step) -> Option<Fault> {
        let is_write = matches!(step, Step::Write { .. } | Step::RemoveRow { .. });
        let is_meant = match self.of {
            Those::Writes => is_write,
            Those::Effects => !is_write,
            Those::All => true,
        };
        is_meant.then_some(self.fault)
    }
}

/// The end of a turn.
pub(crate) enum Turn {
    Goes,
    Killed,
    /// The step comes later.
    Late(Step),
    Answered(Answer),
}

/// The target of a POST of the balena device whose key pair is that of `seed`.
pub(crate) fn post(seed: u8, scope: Scope, adopt: bool) -> Target {
    let delivery = Delivery::Variables { scope, adopt };
    Target::Provision(Provision { policy: policy(), key: digest(seed), delivery })
}

/// The target of a controller's POST. Its key is that of `seed`.
pub(crate) fn controllers_post(seed: u8) -> Target {
    Target::Provision(Provision { policy: policy(), key: digest(seed), delivery: Delivery::Answer })
}

pub(crate) const DELETE: Target = Target::Deprovision(Remover::Device { variables: true });
pub(crate) const BLOCK: Target = Target::Deprovision(Remover::Operator { forget: false });
pub(crate) const FORGET: Target = Target::Deprovision(Remover::Operator { forget: true });

/// The target of a sweep that has searched for certificates without an id.
pub(crate) fn sweep(world: &World, variables: bool) -> Target {
    let named = |id| world.row.as_ref().is_some_and(|row| row.certificates.contains_key(id));
    let found = world.certificates.iter().filter(|(id, of)| of.status == Status::Inactive && !named(*id));
    let found = found.map(|(id, of)| Found { id: *id, key: of.pem.key() }).collect();
    Target::Sweep(Sweep { variables, found, searched: UnixSeconds::new(world.now.saturating_sub(60)) })
}

impl Run {
    /// Begins a run, the `number`th of its world.
    pub(crate) fn begin(world: &World, thing: ThingName, number: u8, target: Target) -> Self {
        let lease = Lease::new([number; 16]);
        let variables = match &target {
            Target::Provision(Provision { delivery: Delivery::Variables { scope, .. }, .. }) => {
                Some((scope.clone(), world.read_earlier(scope)))
            }
            _ => None,
        };
        let seed = match &target {
            Target::Provision(of) => seed(of.key),
            _ => 0,
        };
        let observed = Observed::new(thing, lease, world.row.clone(), variables);
        Self { target, observed, lease, seed, started: world.now, steps: vec![], made: None }
    }

    pub(crate) fn next(&self, world: &World) -> Step {
        next(&self.target, &self.observed, world.time())
    }

    pub(crate) fn act(&self, world: &mut World, step: &Step) -> Outcome {
        let outcome = world.act(step, self.lease, &self.target, self.seed, self.made);
        world.check();
        outcome
    }

    /// Takes one step.
    pub(crate) fn turn(&mut self, world: &mut World, fault: Option<Fault>) -> Turn {
        let step = self.next(world);
        if let Step::Answer(answer) = step {
            return Turn::Answered(answer);
        }
        self.steps.push(step.clone());
        assert!(self.steps.len() <= MAX_STEPS, "the run does not end: {:#?}", self.steps);
        let outcome = match fault {
            Some(Fault::KilledBefore) => return Turn::Killed,
            Some(Fault::Not(failure)) => Outcome::Failed(failure),
            Some(Fault::Late) => {
                self.observed = self.observed.clone().apply(&step, Outcome::Failed(Failure::Unanswered));
                return Turn::Late(step);
            }
            fault => {
                let mut outcome = self.act(world, &step);
                if fault == Some(Fault::Twice) && step != Step::CreateCertificate {
                    outcome = self.act(world, &step);
                }
                match fault {
                    Some(Fault::KilledAfter) => return Turn::Killed,
                    Some(Fault::Lost) => Outcome::Failed(Failure::Unanswered),
                    _ => outcome,
                }
            }
        };
        if let Outcome::Made(made) = &outcome {
            self.made = Some((made.pem().id(), made.pem().key()));
        }
        self.observed = self.observed.clone().apply(&step, outcome);
        Turn::Goes
    }

    /// Takes steps to the end, with a fault at the step `at`; `None` if the run was killed.
    pub(crate) fn finish(&mut self, world: &mut World, at: Option<(usize, Fault)>) -> Option<Answer> {
        self.finish_under(world, |number, _| at.filter(|(at, _)| *at == number).map(|(_, fault)| fault))
    }

    /// Like [`Self::finish`], but with the fault that `faults` returns for the number of a step and the step.
    pub(crate) fn finish_under(
        &mut self,
        world: &mut World,
        faults: impl Fn(usize, &Step) -> Option<Fault>,
    ) -> Option<Answer> {
        loop {
            let fault = faults(self.steps.len(), &self.next(world));
            match self.turn(world, fault) {
                Turn::Goes => {}
                Turn::Killed => return None,
                Turn::Late(step) => drop(self.act(world, &step)),
                Turn::Answered(answer) => return Some(answer),
            }
        }
    }
}
