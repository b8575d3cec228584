//! Taking back, operators, lost leases, unanswered changes, sweeps.

use firefly_core::provisioning::{
    name::Scope,
    row::State,
    rule::{Remover, Target},
    step::{Answer, Failure, Report, Status, Step, Write},
    variables::{Variable, Variables},
};

use crate::{
    answers::{names, provisioned, run},
    runs::{BLOCK, DELETE, FORGET, Fault, Run, Turn, balena, sweep},
    story::Story,
};

#[test]
fn a_delete_deactivates_first_and_removes_all() {
    let mut story = provisioned(Story::of_balena());
    let (steps, answer) = run(&mut story, DELETE);
    assert_eq!(answer, Answer::Deleted { variables_left: false });
    let expected = [
        "Take",
        "Deactivate",
        "DescribeThing",
        "ListPrincipals",
        "Retire",
        "ListPolicies",
        "DetachPolicy",
        "DetachThing",
        "DeleteCertificate",
        "Fence",
        "DeleteThing",
        "Fence",
        "Delete AWS_CERT",
        "Delete AWS_PRIVATE_KEY",
        "Release",
    ];
    assert_eq!(steps, expected);
    assert_eq!(run(&mut story, DELETE).1, Answer::Deleted { variables_left: false });
    story.assert_nothing_is_left();
    assert_eq!(run(&mut story, DELETE), (vec![], Answer::Deleted { variables_left: false }));
}

#[test]
fn balenas_refusal_does_not_change_a_delete() {
    let mut story = provisioned(Story::of_balena());
    let (run_of, answer) = story.run_with(DELETE, Some((12, Fault::Not(Failure::Unauthorized))));
    assert!(matches!(run_of.steps[12], Step::DeleteVariable(Variable::Certificate, _)));
    assert_eq!(answer, Some(Answer::Deleted { variables_left: true }));
    assert_eq!(story.world.row.as_ref().unwrap().scope, Some(Scope::Device));
    let without_key = Target::Deprovision(Remover::Device { variables: false });
    assert_eq!(story.run(without_key), Answer::Deleted { variables_left: false });
    assert_eq!(run(&mut story, DELETE).1, Answer::Deleted { variables_left: false });
    assert_eq!(story.world.read(&Scope::Device), Variables::ABSENT);
}

#[test]
fn a_delete_that_cannot_prove_its_lease_leaves_the_variables() {
    let mut story = provisioned(Story::of_balena());
    let (run, answer) = story.run_with(DELETE, Some((11, Fault::Not(Failure::Unknown))));
    assert_eq!(names(&run.steps[10..]), ["DeleteThing", "Fence", "Release"]);
    assert_eq!(answer, Some(Answer::Deleted { variables_left: true }));
    assert!(story.world.read(&Scope::Device).pair().is_some());
    assert_eq!(story.world.row.as_ref().unwrap().scope, Some(Scope::Device));

    let mut story = provisioned(Story::of_balena());
    let mut slow = story.begin(DELETE);
    while !matches!(slow.steps.last(), Some(Step::DeleteThing)) {
        assert!(matches!(slow.turn(&mut story.world, None), Turn::Goes));
    }
    story.run(BLOCK);
    assert!(matches!(slow.finish(&mut story.world, None), Some(Answer::InProgress { .. })));
    assert_eq!(names(&slow.steps).last().unwrap(), "Fence");
    assert!(story.world.read(&Scope::Device).pair().is_some());
}

#[test]
fn a_shared_certificate_is_detached_and_reported() {
    let mut story = provisioned(Story::of_balena());
    let shared = story.world.add(60, Status::Active, true).id();
    story.world.certificates.get_mut(&shared).unwrap().is_elsewhere = true;
    let own = story.world.add(61, Status::Active, true).id();
    let (run, answer) = story.run_with(DELETE, None);
    assert_eq!(answer, Some(Answer::Deleted { variables_left: false }));
    assert!(run.steps.contains(&Step::Report(Report::SharedCertificate(shared))));
    assert_eq!(story.world.active(), [shared]);
    assert!(!story.world.certificates[&shared].is_on_thing && !story.world.certificates.contains_key(&own));
}

/// Its certificates are not looked at: only those that the row names are ours.
#[test]
fn a_thing_that_somebody_else_has_made_anew_keeps_its_certificates() {
    for target in [DELETE, BLOCK, FORGET] {
        let mut story = provisioned(Story::of_balena());
        story.world.certificates.values_mut().for_each(|of| of.is_on_thing = false);
        story.world.thing = Some(false);
        let anothers = story.world.add(60, Status::Active, true).id();
        let (steps, answer) = run(&mut story, target);
        assert_eq!(answer, Answer::Deleted { variables_left: false });
        assert!(!steps.iter().any(|step| step == "ListPrincipals" || step == "DeleteThing"), "{steps:?}");
        for _ in 0..4 {
            story.sweep();
        }
        assert_eq!((story.world.active(), story.world.thing), (vec![anothers], Some(false)));
        assert!(story.world.certificates[&anothers].is_on_thing);
        assert_eq!(story.world.certificates.len(), 1);
    }
}

#[test]
fn a_blocked_device_stays_away_until_it_is_forgotten() {
    let mut story = provisioned(Story::of_balena());
    assert_eq!(story.run(BLOCK), Answer::Deleted { variables_left: false });
    let target = story.post();
    assert_eq!(run(&mut story, target), (vec![], Answer::Blocked));
    assert_eq!(story.run(DELETE), Answer::Deleted { variables_left: false });
    story.sweep();
    story.world.now += 3 * 86_400;
    story.sweep();
    assert_eq!(story.state(), Some(State::Blocked));
    assert_eq!(story.run(FORGET), Answer::Deleted { variables_left: false });
    assert_eq!(story.state(), Some(State::Deleting));
    story.provision();
}

#[test]
fn an_operator_needs_a_row_or_our_thing() {
    for (thing, answer) in [
        (None, Answer::NotManaged),
        (Some(false), Answer::NotManaged),
        (Some(true), Answer::Deleted { variables_left: false }),
    ] {
        let mut story = Story::of_controller();
        story.world.thing = thing;
        story.world.add(3, Status::Active, thing == Some(true));
        assert_eq!(story.run(BLOCK), answer);
        assert_eq!(story.state(), (thing == Some(true)).then_some(State::Blocked));
        assert_eq!(story.world.active().is_empty(), thing == Some(true));
    }
}

/// The run that is displaced may still activate and deliver: nobody else begins before its end.
#[test]
fn an_operator_takes_a_live_lease_over_and_keeps_others_out_until_its_end() {
    let mut story = Story::of_balena();
    let target = story.post();
    let mut slow: Run = story.begin(target);
    while !matches!(slow.next(&story.world), Step::Activate(_)) {
        assert!(matches!(slow.turn(&mut story.world, None), Turn::Goes));
    }
    let until = story.world.row.as_ref().unwrap().lease_until;
    story.world.now += 5;
    let (steps, answer) = run(&mut story, BLOCK);
    assert_eq!(answer, Answer::Deleted { variables_left: false });
    assert_eq!(steps[0], "TakeOver");
    assert!(!steps.iter().any(|step| step.starts_with("Delete")), "{steps:?}");
    let row = story.world.row.clone().unwrap();
    assert_eq!((row.state, row.lease_until, row.due), (State::Blocked, until, Some(until)));
    // It activates, and is stopped by the write before the first variable.
    assert!(matches!(slow.finish(&mut story.world, None), Some(Answer::InProgress { .. })));
    assert_eq!(names(&slow.steps).last().unwrap(), "Deliver");
    assert_eq!(story.world.active().len(), 1);
    assert_eq!(story.run(FORGET), Answer::Deleted { variables_left: false });
    let target = story.post();
    assert!(matches!(run(&mut story, target).1, Answer::InProgress { .. }));
    story.sweep();
    assert_eq!(story.world.active(), []);
    story.provision();
}

#[test]
fn a_run_that_lost_its_lease_deletes_only_the_certificate_that_no_row_names() {
    let mut story = Story::of_balena();
    let target = story.post();
    let mut slow = story.begin(target);
    while !matches!(slow.next(&story.world), Step::Write { write: Write::RecordCertificate, .. }) {
        assert!(matches!(slow.turn(&mut story.world, None), Turn::Goes));
    }
    story.run(BLOCK);
    let before = slow.steps.len();
    assert!(matches!(slow.finish(&mut story.world, None), Some(Answer::InProgress { .. })));
    assert_eq!(names(&slow.steps[before..]), ["RecordCertificate", "DeleteCertificate"]);
    assert!(story.world.certificates.is_empty());
}

/// A change that was not answered may come later: no other run begins before the lease is over.
#[test]
fn an_unanswered_variable_keeps_the_lease() {
    let mut story = Story::of_balena();
    let target = story.post();
    let mut run = story.begin(target);
    let Turn::Late(late) = (loop {
        let is_last = matches!(run.next(&story.world), Step::SetVariable(Variable::Certificate, _));
        let turn = run.turn(&mut story.world, is_last.then_some(Fault::Late));
        if !matches!(turn, Turn::Goes) {
            break turn;
        }
    }) else {
        panic!("the step is answered")
    };
    assert_eq!(run.finish(&mut story.world, None), Some(Answer::Failed(Failure::Unanswered)));
    assert_eq!(story.world.read(&Scope::Device), Variables::ABSENT);
    assert!(story.world.row.as_ref().unwrap().is_leased(story.world.time()));
    run.act(&mut story.world, &late);
    story.provision();
}

#[test]
fn an_answer_that_was_lost_is_looked_for() {
    let mut story = Story::of_balena();
    let (run, answer) = story.run_with(story.post(), Some((10, Fault::Lost)));
    assert!(matches!(run.steps[10], Step::SetVariable(Variable::Certificate, _)));
    assert!(matches!(answer, Some(Answer::Created(_))), "{answer:?}");
    story.assert_provisioned();
}

/// Returns a story whose delivery ended before `AWS_CERT` was set.
fn half_delivered(reads: bool) -> Story {
    let mut story = Story::new(balena(), reads);
    let (run, _) = story.run_with(story.post(), Some((10, Fault::KilledBefore)));
    assert!(matches!(run.steps[10], Step::SetVariable(Variable::Certificate, _)));
    story
}

#[test]
fn a_sweep_that_cannot_read_variables_reports_a_delivery_once() {
    let mut story = half_delivered(false);
    let id = story.world.active()[0];
    story.world.now += 900;
    let (run, _) = story.run_with(sweep(&story.world, false), None);
    assert_eq!(run.steps[1], Step::Report(Report::DeliveryLeft(id)));
    assert_eq!(story.world.active(), [id]);
    assert_eq!(story.world.row.as_ref().unwrap().due, None);
    story.provision();
}

/// Runs to the end, with a fault at the first step that is `of`.
fn run_to(story: &mut Story, target: Target, fault: Fault, of: fn(&Step) -> bool) -> Run {
    let steps = story.clone().run_with(target.clone(), None).0.steps;
    let at = steps.iter().position(of).unwrap();
    story.run_with(target, Some((at, fault))).0
}

#[test]
fn a_delivery_is_reported_by_the_sweep_that_leaves_nothing_else_to_do() {
    let mut story = provisioned(Story::new(balena(), false));
    story.world.variables.clear();
    let target = story.post();
    let is_last = |step: &Step| matches!(step, Step::SetVariable(Variable::Certificate, _));
    run_to(&mut story, target, Fault::KilledBefore, is_last);
    let id = story.world.active()[0];
    assert_eq!(story.world.certificates.len(), 2);
    let is_report = |step: &&Step| **step == Step::Report(Report::DeliveryLeft(id));
    let mut reports = vec![];
    for is_refused in [true, true, false] {
        story.world.now += 900;
        assert!(story.world.row.as_ref().unwrap().due.unwrap() <= story.world.time());
        let target = sweep(&story.world, false);
        let run = if is_refused {
            let is_deletion = |step: &Step| matches!(step, Step::DeleteCertificate(_));
            run_to(&mut story, target, Fault::Not(Failure::Unknown), is_deletion)
        } else {
            story.run_with(target, None).0
        };
        reports.push(run.steps.iter().filter(is_report).count());
    }
    assert_eq!(reports, [0, 0, 1]);
    assert_eq!((story.world.row.as_ref().unwrap().due, story.world.active()), (None, vec![id]));
    assert_eq!(story.world.certificates.len(), 1);
}

#[test]
fn a_sweep_that_reads_variables_deletes_a_lone_one() {
    let mut story = half_delivered(true);
    story.sweep();
    assert_eq!(story.world.read(&Scope::Device), Variables::ABSENT);
    assert_eq!((story.world.active().len(), story.state()), (1, Some(State::Provisioning)));
    story.provision();
}

#[test]
fn a_sweep_finishes_a_delivery_that_arrived() {
    let mut story = Story::of_balena();
    story.run_with(story.post(), Some((11, Fault::KilledBefore)));
    story.sweep();
    story.assert_provisioned();
}

#[test]
fn a_device_is_asked_for_its_certificate_only_when_it_is_done() {
    let mut story = half_delivered(true);
    assert_eq!(story.world.row.as_ref().unwrap().identity(), None);
    story.world.now += 46;
    story.provision();
    let row = story.world.row.clone().unwrap();
    assert_eq!(row.identity().map(|(id, _)| id), Some(story.world.active()[0]));
    story.deprovision();
    assert_eq!(story.world.row.as_ref().unwrap().identity(), None);
}
