//! Every step of every kind of run × every fault, once or from there on: the run ends, the next POST provisions, and
//! the next DELETE and sweeps leave nothing.

use firefly_core::provisioning::{
    name::Scope,
    row::State,
    rule::Target,
    step::{Failure, Status, Step},
    variables::Variables,
};

use crate::{
    runs::{BLOCK, DELETE, Fault, Lasting, Those, post, sweep},
    story::Story,
};

const FAULTS: [Fault; 9] = [
    Fault::KilledBefore,
    Fault::KilledAfter,
    Fault::Lost,
    Fault::Late,
    Fault::Twice,
    Fault::Not(Failure::Throttled),
    Fault::Not(Failure::Unknown),
    Fault::Not(Failure::Denied),
    Fault::Not(Failure::Busy { retry_after_seconds: None }),
];

/// A run that does not end under one of these panics.
const LASTING: [Lasting; 6] = [
    Lasting { fault: Fault::Not(Failure::Unknown), of: Those::Writes },
    Lasting { fault: Fault::Lost, of: Those::Writes },
    Lasting { fault: Fault::Not(Failure::Throttled), of: Those::Writes },
    Lasting { fault: Fault::Not(Failure::Throttled), of: Those::Effects },
    Lasting { fault: Fault::Not(Failure::Throttled), of: Those::All },
    Lasting { fault: Fault::Lost, of: Those::All },
];

/// A state of the world, and the run to be broken in it.
type Scene = (&'static str, fn() -> Story, fn(&Story) -> Target);

fn provisioned(mut story: Story) -> Story {
    story.provision();
    story
}

/// A device whose variables somebody has deleted.
fn without_variables() -> Story {
    let mut story = provisioned(Story::of_balena());
    story.world.variables.clear();
    story
}

/// A device whose certificate somebody has deactivated.
fn deactivated(story: Story) -> Story {
    let mut story = provisioned(story);
    for certificate in story.world.certificates.values_mut() {
        certificate.status = Status::Inactive;
    }
    story
}

/// A controller that was registered anew.
fn with_another_key() -> Story {
    let mut story = provisioned(Story::of_controller());
    story.key += 1;
    story
}

/// A POST that ended after `Activate`, and its lease.
fn half_provisioned(mut story: Story) -> Story {
    let steps = story.clone().run_with(story.post(), None).0.steps;
    let at = steps.iter().position(|step| matches!(step, Step::Activate(_)));
    let (_, answer) = story.run_with(story.post(), Some((at.unwrap(), Fault::KilledAfter)));
    assert_eq!(answer, None);
    story.world.now += 46;
    story
}

/// A POST whose variables are set, and which ended before the row said so.
fn half_delivered() -> Story {
    let mut story = Story::of_balena();
    let steps = story.clone().run_with(story.post(), None).0.steps;
    let (_, answer) = story.run_with(story.post(), Some((steps.len() - 1, Fault::KilledBefore)));
    assert_eq!(answer, None);
    story.world.now += 46;
    story
}

/// A device whose DELETE left a certificate that AWS does not delete yet.
fn half_deleted() -> Story {
    let mut story = provisioned(Story::of_balena());
    let (_, answer) = story.run_with(DELETE, Some((5, Fault::KilledAfter)));
    assert_eq!(answer, None);
    story.world.now += 46;
    story
}

/// The device's Thing has a certificate that no row names.
fn with_a_stranger(story: Story) -> Story {
    let mut story = provisioned(story);
    story.world.add(99, Status::Active, true);
    story
}

const SCENES: [Scene; 18] = [
    ("a fresh balena device", Story::of_balena, Story::post),
    ("a fresh controller", Story::of_controller, Story::post),
    ("a balena device that is done", || provisioned(Story::of_balena()), Story::post),
    ("a controller that is done", || provisioned(Story::of_controller()), Story::post),
    ("variables that are gone", without_variables, Story::post),
    ("a balena device that was deactivated", || deactivated(Story::of_balena()), Story::post),
    ("a controller that was deactivated", || deactivated(Story::of_controller()), Story::post),
    ("a controller registered anew", with_another_key, Story::post),
    ("a POST after a POST", || half_provisioned(Story::of_balena()), Story::post),
    ("a controller's POST after a POST", || half_provisioned(Story::of_controller()), Story::post),
    ("a delivery that was left", half_delivered, Story::post),
    ("a POST after a DELETE", half_deleted, Story::post),
    (
        "another service after a POST",
        || half_provisioned(Story::of_balena()),
        |_| post(77, Scope::Service("main".parse().unwrap()), false),
    ),
    ("a DELETE", || provisioned(Story::of_balena()), |_| DELETE),
    ("a DELETE after a DELETE", half_deleted, |_| DELETE),
    ("an operator", || provisioned(Story::of_controller()), |_| BLOCK),
    ("a sweep after a POST", || half_provisioned(Story::of_balena()), |story| sweep(&story.world, true)),
    ("a sweep after a delivery", half_delivered, |story| sweep(&story.world, true)),
];

/// A Thing with a certificate that only a DELETE finds.
const STRANGE: [Scene; 2] = [
    ("a DELETE with a stranger", || with_a_stranger(Story::of_balena()), |_| DELETE),
    ("an operator with a stranger", || with_a_stranger(Story::of_controller()), |_| BLOCK),
];

/// Breaks a scene's run at every step in every way, and hands the story on.
fn for_every_fault(scenes: &[Scene], mut then: impl FnMut(&str, Story)) {
    for (name, scene, target) in scenes {
        let before = scene();
        let steps = before.clone().run_with(target(&before), None).0.steps;
        for (at, step) in steps.iter().enumerate() {
            for fault in FAULTS {
                let mut story = before.clone();
                let _ = story.run_with(target(&story), Some((at, fault)));
                then(&format!("{name}: {fault:?} at {step:?}"), story);
            }
            for lasting in LASTING {
                let (mut story, name) = (before.clone(), format!("{name}: {lasting:?} from {step:?}"));
                named(&name, || drop(story.run_under(target(&story), at, lasting)));
                then(&name, story);
            }
        }
    }
}

/// Runs `test` and says which fault it was if it panics.
fn named(name: &str, test: impl FnOnce()) {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test));
    assert!(result.is_ok(), "{name}");
}

#[test]
fn the_next_post_provisions() {
    for_every_fault(&SCENES, |name, mut story| {
        named(name, || {
            story.unblock();
            story.provision();
        });
    });
}

#[test]
fn the_next_delete_and_the_sweeps_leave_nothing() {
    for_every_fault(&[SCENES.as_slice(), &STRANGE].concat(), |name, mut story| {
        named(name, || {
            story.unblock();
            story.deprovision();
            story.assert_nothing_is_left();
        });
    });
}

#[test]
fn the_sweeps_leave_at_most_one_active_certificate() {
    for_every_fault(&SCENES, |name, mut story| {
        named(name, || {
            for _ in 0..4 {
                story.sweep();
            }
            let (active, row) = (story.world.active(), story.world.row.clone());
            assert!(active.len() <= 1, "{active:?} {row:#?}");
            if let (Some(id), Some(row)) = (active.first(), row) {
                assert!(row.certificates.contains_key(id), "{row:#?}");
            }
        });
    });
}

/// In mode 2 the unmodified client asks only while both variables are absent.
#[test]
fn after_the_sweeps_a_device_has_both_variables_or_none() {
    for_every_fault(&SCENES, |name, mut story| {
        named(name, || {
            for _ in 0..4 {
                story.sweep();
            }
            let variables = story.world.read(&Scope::Device);
            let is_deleted = story.state().is_none_or(|state| state == State::Deleting);
            assert!(is_deleted || variables == Variables::ABSENT || variables.pair().is_some(), "{variables:?}");
        });
    });
}
