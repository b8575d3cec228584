//! The answers of provisioning, and the steps to them.

use firefly_core::{
    provisioning::{
        name::Scope,
        row::{CertificateState, ISSUES_PER_DAY, Issues, MAX_CERTIFICATES, State},
        rule::Target,
        step::{Answer, Failure, Outcome, Status, Step},
        variables::Variable,
    },
    time::UnixSeconds,
};

use crate::{
    runs::{DELETE, Fault, controllers_post, post, sweep},
    story::Story,
    world::certificate,
};

/// Returns the names of steps, in short.
pub(crate) fn names(steps: &[Step]) -> Vec<String> {
    let name = |step: &Step| match step {
        Step::Write { write, .. } => format!("{write:?}"),
        Step::SetVariable(variable, _) => format!("Set {}", variable.name()),
        Step::DeleteVariable(variable, _) => format!("Delete {}", variable.name()),
        step => format!("{step:?}").split(['(', ' ']).next().unwrap().to_owned(),
    };
    steps.iter().map(name).collect()
}

/// Runs to the end; the names of the steps and the answer.
pub(crate) fn run(story: &mut Story, target: Target) -> (Vec<String>, Answer) {
    story.world.earlier = story.world.variables.clone();
    let (run, answer) = story.run_with(target, None);
    (names(&run.steps), answer.unwrap())
}

pub(crate) fn provisioned(mut story: Story) -> Story {
    story.provision();
    story
}

#[test]
fn a_fresh_balena_device_takes_13_steps() {
    let mut story = Story::of_balena();
    let target = story.post();
    let (steps, answer) = run(&mut story, target);
    assert!(matches!(answer, Answer::Created(_)), "{answer:?}");
    // 8 calls of AWS and balena and 5 of DynamoDB; 2 more of balena come before.
    let expected = [
        "Take",
        "CreateThing",
        "CreateCertificate",
        "RecordCertificate",
        "AttachPolicy",
        "AttachThing",
        "Fence",
        "Activate",
        "Deliver",
        "Set AWS_PRIVATE_KEY",
        "Set AWS_CERT",
        "ReadVariables",
        "Finish",
    ];
    assert_eq!(steps, expected);
    story.assert_provisioned();
}

#[test]
fn a_fresh_controller_takes_5_calls_of_aws() {
    let mut story = Story::of_controller();
    let target = story.post();
    let (steps, answer) = run(&mut story, target);
    assert!(matches!(answer, Answer::Created(_)), "{answer:?}");
    let expected = [
        "Take",
        "CreateThing",
        "CreateCertificate",
        "RecordCertificate",
        "AttachPolicy",
        "AttachThing",
        "Fence",
        "Activate",
        "Finish",
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_device_that_is_done_changes_nothing() {
    let mut story = provisioned(Story::of_balena());
    let (row, target) = (story.world.row.clone(), story.post());
    let (steps, answer) = run(&mut story, target);
    assert_eq!(steps, ["DescribeCertificate", "ReadVariables"]);
    assert!(matches!(answer, Answer::Exists(_)), "{answer:?}");
    let elsewhere = post(9, Scope::Service("main".parse().unwrap()), false);
    assert_eq!(run(&mut story, elsewhere), (vec![], Answer::ExistsElsewhere));
    assert_eq!(story.world.row, row);

    let mut story = provisioned(Story::of_controller());
    let (before, target) = (story.world.active(), story.post());
    let (steps, answer) = run(&mut story, target);
    assert_eq!(steps, ["DescribeCertificate"]);
    let Answer::Exists(pem) = answer else { panic!("{answer:?}") };
    assert_eq!(before, [pem.id()]);
}

#[test]
fn a_description_of_another_certificate_is_not_believed() {
    for story in [Story::of_balena(), Story::of_controller()] {
        let mut story = provisioned(story);
        let target = story.post();
        let mut run = story.begin(target);
        let step = run.next(&story.world);
        assert!(matches!(step, Step::DescribeCertificate(_)), "{step:?}");
        let other = Outcome::Certificate { status: Status::Active, pem: certificate(90, 90) };
        run.observed = run.observed.apply(&step, other);
        assert_eq!(run.next(&story.world), Step::Answer(Answer::Failed(Failure::Unknown)));
    }
}

#[test]
fn a_controller_registered_anew_loses_its_old_certificate_first() {
    let mut story = provisioned(Story::of_controller());
    let old = story.world.active()[0];
    let (steps, answer) = run(&mut story, controllers_post(7));
    assert!(matches!(answer, Answer::Created(_)), "{answer:?}");
    let at = |name: &str| steps.iter().position(|step| step == name).unwrap();
    assert!(at("Deactivate") < at("Fence") && at("Fence") + 1 == at("Activate"), "{steps:?}");
    let row = story.world.row.as_ref().unwrap();
    assert_eq!(row.certificates[&old].state, CertificateState::Due);
    assert!(row.due.is_some());
    story.sweep();
    assert_eq!(story.world.certificates.len(), 1);
}

#[test]
fn a_controller_goes_on_with_the_certificate_of_a_run_that_ended() {
    let mut story = Story::of_controller();
    let target = story.post();
    let denied = story.run_with(target.clone(), Some((4, Fault::Not(Failure::Denied)))).1;
    assert_eq!(denied, Some(Answer::Failed(Failure::Denied)));
    let (steps, answer) = run(&mut story, target);
    assert_eq!(steps[..4], ["DescribeCertificate", "Take", "CreateThing", "AttachPolicy"]);
    let Answer::Created(pem) = answer else { panic!("{answer:?}") };
    assert_eq!(story.world.certificates.keys().collect::<Vec<_>>(), [&pem.id()]);
    assert_eq!(story.world.row.as_ref().unwrap().issues.count, 1);
}

#[test]
fn a_live_lease_is_409_with_the_time_that_is_left() {
    let mut story = Story::of_balena();
    story.run_with(story.post(), Some((3, Fault::KilledBefore)));
    story.world.now += 10;
    for target in [story.post(), DELETE, sweep(&story.world, true)] {
        assert_eq!(run(&mut story, target), (vec![], Answer::InProgress { retry_after_seconds: 36 }));
    }
    story.world.now += 36;
    story.provision();
}

#[test]
fn throttling_before_the_certificate_counts_for_nothing() {
    let mut story = Story::of_balena();
    for _ in 0..30 {
        let (run, answer) = story.run_with(story.post(), Some((2, Fault::Not(Failure::Throttled))));
        assert_eq!(names(&run.steps)[2..], ["CreateCertificate", "Release"]);
        assert_eq!(answer, Some(Answer::Failed(Failure::Throttled)));
    }
    story.provision();
}

#[test]
fn a_thing_has_at_most_4_certificates() {
    let mut story = Story::of_balena();
    for _ in 0..MAX_CERTIFICATES {
        story.run_with(story.post(), Some((2, Fault::Lost)));
    }
    let target = story.post();
    assert_eq!(run(&mut story, target), (vec![], Answer::TooManyCertificates { retry_after_seconds: 900 }));
    assert_eq!(story.world.row.as_ref().unwrap().pending.len(), MAX_CERTIFICATES);
    // The first sweep finds them by their keys, the second has nothing to do.
    story.sweep();
    assert!(story.world.certificates.is_empty());
    story.provision();
}

#[test]
fn a_certificate_that_is_younger_than_60_s_is_not_searched_for() {
    let mut story = Story::of_balena();
    story.run_with(story.post(), Some((2, Fault::Lost)));
    story.world.now += 50;
    let target = sweep(&story.world, true);
    story.run(target);
    assert_eq!(story.world.row.as_ref().unwrap().pending.len(), 1);
    story.deprovision();
    story.assert_nothing_is_left();
}

#[test]
fn a_thing_has_at_most_10_certificates_a_day() {
    let mut story = Story::of_balena();
    story.world.now = 1_750_032_000 - 3_600;
    for _ in 0..ISSUES_PER_DAY {
        story.provision();
        story.deprovision();
        story.world.now += 300;
        let target = sweep(&story.world, true);
        story.run(target);
    }
    assert_eq!(story.state(), Some(State::Deleting));
    let target = story.post();
    assert_eq!(run(&mut story, target), (vec![], Answer::TooManyCertificates { retry_after_seconds: 600 }));
    let row = story.world.row.as_ref().unwrap();
    assert_eq!(row.issues, Issues { day: 20_254, count: ISSUES_PER_DAY });
    assert_eq!(row.due, Some(UnixSeconds::new(1_750_032_000)));
    story.world.now += 600;
    story.provision();
}

#[test]
fn anothers_thing_is_409_and_leaves_no_row() {
    for target in [post(1, Scope::Device, false), controllers_post(1)] {
        let mut story = Story::of_balena();
        story.world.thing = Some(false);
        let (steps, answer) = run(&mut story, target);
        assert_eq!((steps.last().unwrap().as_str(), answer), ("RemoveRow", Answer::NotManaged));
        assert_eq!((story.world.row, story.world.thing), (None, Some(false)));
    }
}

#[test]
fn an_adopted_thing_keeps_a_working_pair() {
    let mut story = Story::of_balena();
    story.world.thing = Some(false);
    let pem = story.world.add(50, Status::Active, true);
    story.world.add(51, Status::Active, true);
    for variable in [Variable::Certificate, Variable::PrivateKey] {
        story.world.variables.insert((Scope::Device, variable), (pem.id(), pem.key()));
    }
    let (steps, answer) = run(&mut story, post(1, Scope::Device, true));
    assert_eq!(answer, Answer::Exists(pem.clone()));
    assert!(!steps.iter().any(|step| step.starts_with("Set") || step == "CreateCertificate"), "{steps:?}");
    assert_eq!((story.world.active(), story.world.thing), (vec![pem.id()], Some(true)));
    let row = story.world.row.as_ref().unwrap();
    assert_eq!((row.state, row.issues.count, row.pending.len()), (State::Done, 0, 0));
    story.sweep();
    assert_eq!(story.world.certificates.len(), 1);
    story.deprovision();
    story.assert_nothing_is_left();
}

#[test]
fn an_adopted_thing_loses_certificates_that_do_not_work() {
    for status in [Status::Active, Status::Inactive] {
        let mut story = Story::of_balena();
        story.world.thing = Some(false);
        let pem = story.world.add(50, status, true);
        let key = if status == Status::Active { Variable::Certificate } else { Variable::PrivateKey };
        story.world.variables.insert((Scope::Device, key), (pem.id(), pem.key()));
        let (_, answer) = run(&mut story, post(1, Scope::Device, true));
        assert!(matches!(answer, Answer::Created(_)), "{answer:?}");
        story.assert_provisioned();
    }
}

#[test]
fn a_transfer_is_409() {
    for (story, target) in
        [(Story::of_balena(), None), (Story::of_controller(), None), (Story::of_balena(), Some(DELETE))]
    {
        let mut story = provisioned(story);
        story.world.certificates.values_mut().for_each(|of| of.status = Status::PendingTransfer);
        let target = target.unwrap_or_else(|| story.post());
        assert_eq!(run(&mut story, target).1, Answer::PendingTransfer);
        assert_eq!(story.world.certificates.len(), 1);
    }
}
