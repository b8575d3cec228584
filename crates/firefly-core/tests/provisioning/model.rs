//! Random sequences: several runs at once, faults, late effects, operators, sweeps, time.

use firefly_core::provisioning::{
    name::Scope,
    rule::Target,
    step::{Failure, Step, Write},
};
use proptest::prelude::*;

use crate::{
    runs::{BLOCK, DELETE, FORGET, Fault, LIFE, Run, Turn, post, sweep},
    story::Story,
};

#[derive(Clone, Copy, Debug)]
enum Event {
    Post,
    PostElsewhere,
    Delete,
    Block,
    Forget,
    Sweep,
    /// A run of those under way takes a step.
    Turn(usize, Option<Fault>),
    Wait(u64),
    /// The variables as they are now are those that the next callers saw before they read the row.
    Look,
    /// Somebody deletes the variables by hand.
    Lose,
    /// A controller is registered anew.
    Rekey,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::KilledBefore),
        Just(Fault::KilledAfter),
        Just(Fault::Lost),
        Just(Fault::Late),
        Just(Fault::Twice),
        Just(Fault::Not(Failure::Throttled)),
        Just(Fault::Not(Failure::Unknown)),
        Just(Fault::Not(Failure::Denied)),
        Just(Fault::Not(Failure::Unauthorized)),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Post),
        1 => Just(Event::PostElsewhere),
        2 => Just(Event::Delete),
        1 => Just(Event::Block),
        1 => Just(Event::Forget),
        2 => Just(Event::Sweep),
        60 => (0..4_usize, prop::option::weighted(0.06, fault())).prop_map(|(run, fault)| Event::Turn(run, fault)),
        6 => (1..20_u64).prop_map(Event::Wait),
        2 => (20..1_000_u64).prop_map(Event::Wait),
        4 => Just(Event::Look),
        1 => Just(Event::Lose),
        1 => Just(Event::Rekey),
    ]
}

/// The runs under way, and the steps that come later.
struct Model {
    story: Story,
    runs: Vec<Run>,
    late: Vec<(u64, Run, Step)>,
    /// An operator took a lease over, or a change came late: for a while two certificates may be active.
    is_disturbed: bool,
}

impl Model {
    fn start(&mut self, target: Target) {
        if self.runs.len() < 4 {
            let run = self.story.begin(target);
            self.runs.push(run);
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Post => self.start(self.story.post()),
            Event::PostElsewhere if self.story.reads => {
                let seed = 100 + u8::try_from(self.runs.len()).unwrap();
                self.start(post(seed, Scope::Service("main".parse().unwrap()), false));
            }
            Event::Delete => self.start(DELETE),
            Event::Block => self.start(BLOCK),
            Event::Forget => self.start(FORGET),
            Event::Sweep => self.start(sweep(&self.story.world, self.story.reads)),
            Event::Turn(run, fault) => self.turn(run, fault),
            Event::Wait(seconds) => self.wait(seconds),
            Event::Look => self.look(),
            Event::Lose => self.story.world.variables.clear(),
            Event::Rekey if !self.story.reads && self.runs.is_empty() => self.story.key = self.story.key % 3 + 200,
            Event::PostElsewhere | Event::Rekey => {}
        }
        let active = self.story.world.active();
        assert!(self.is_disturbed || active.len() <= 1, "{active:?}");
    }

    fn turn(&mut self, at: usize, fault: Option<Fault>) {
        let Some(mut run) = (at < self.runs.len()).then(|| self.runs.remove(at)) else { return };
        match run.turn(&mut self.story.world, fault) {
            Turn::Goes => self.runs.insert(at, run),
            Turn::Killed => {}
            Turn::Late(step) => {
                let seconds = u64::try_from(run.steps.len()).unwrap() % 24;
                self.late.push((self.story.world.now + seconds, run.clone(), step));
                self.is_disturbed = true;
                self.runs.insert(at, run);
            }
            Turn::Answered(_) => {}
        }
        let is_take_over = |step: &Step| matches!(step, Step::Write { write: Write::TakeOver, .. });
        self.is_disturbed |= self.runs.iter().any(|run| run.steps.last().is_some_and(is_take_over));
    }

    fn look(&mut self) {
        self.story.world.earlier = self.story.world.variables.clone();
    }

    /// Runs that are too old end, and late steps come.
    fn wait(&mut self, seconds: u64) {
        for at in 1..=seconds {
            if at % LIFE == 0 {
                self.look();
            }
            self.story.world.now += 1;
            let now = self.story.world.now;
            self.runs.retain(|run| now < run.started + LIFE);
            let (due, rest) = std::mem::take(&mut self.late).into_iter().partition(|(at, ..)| *at <= now);
            self.late = rest;
            for (_, run, step) in due {
                run.act(&mut self.story.world, &step);
            }
        }
    }

    fn rest(&mut self) {
        self.wait(100);
        assert!(self.runs.is_empty() && self.late.is_empty());
        for _ in 0..4 {
            self.story.sweep();
        }
        let active = self.story.world.active();
        assert!(active.len() <= 1, "{active:?} {:#?}", self.story.world.row);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_ends_well(is_balena: bool, events in prop::collection::vec(event(), 0..250)) {
        let story = if is_balena { Story::of_balena() } else { Story::of_controller() };
        let mut model = Model { story, runs: vec![], late: vec![], is_disturbed: false };
        for event in events {
            model.event(event);
        }
        model.rest();
        let mut story = model.story;
        story.unblock();
        let mut deleted = story.clone();
        deleted.deprovision();
        deleted.assert_nothing_is_left();
        story.provision();
    }
}
