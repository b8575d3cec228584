//! What to do next, decided from what is there.

use std::fmt::Write;

use aws_sdk_cloudformation::types::{ResourceStatus, StackStatus};

use super::bucket::LiveBucket;
use super::live::Live;
use super::read_back::differences;
use super::table::LiveTable;
use super::target::{Kind, Target};
use super::templates::index_steps;
use crate::deployed_stack::DeployedStack;
use crate::stacks::StackResource;
use crate::stacks::change_set::ChangeSet;

/// Why nothing is touched.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The table or bucket is in another stack.
    #[error("the {noun} {name} belongs to the stack {owner}: delete that stack, keeping the {noun}, and run again")]
    Owned {
        /// Table or bucket.
        noun: &'static str,
        /// Its name.
        name: String,
        /// The stack.
        owner: String,
    },
    /// The table or bucket cannot become what the template asks for.
    #[error("the {noun} {name} cannot be adopted: {obstacle}; correct that and run again, nothing was changed")]
    Unfit {
        /// Table or bucket.
        noun: &'static str,
        /// Its name.
        name: String,
        /// What stands in the way.
        obstacle: String,
    },
    /// The stack waits for somebody else's change set.
    #[error(
        "the stack {stack} is REVIEW_IN_PROGRESS with the change set {change_set}, which firefly-deploy did not make: \
         execute or delete it and run again"
    )]
    ForeignChangeSet {
        /// The stack.
        stack: String,
        /// The change set.
        change_set: String,
    },
    /// The stack holds a table or bucket of another name.
    #[error("the stack {stack} holds the {noun} {held}, not {name}: {advice}")]
    OtherName {
        /// The stack.
        stack: String,
        /// Table or bucket.
        noun: &'static str,
        /// The name it holds.
        held: String,
        /// The name it should hold.
        name: String,
        /// What to do.
        advice: String,
    },
    /// The stack must be deleted, and would take the table or bucket along.
    #[error(
        "the stack {stack} is {status} and must be deleted, but would delete {resource} with it (no DeletionPolicy \
         Retain): retain {resource} by hand when deleting the stack, and run again"
    )]
    TakesData {
        /// The stack.
        stack: String,
        /// Its state.
        status: StackStatus,
        /// Logical id of the table or bucket.
        resource: String,
    },
    /// The stack is in a state this program does not know.
    #[error("the stack {stack} is {status}, which firefly-deploy does not know: look at it in the console")]
    UnknownState {
        /// The stack.
        stack: String,
        /// The state.
        status: StackStatus,
    },
}

/// What is there.
#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) stack: Option<DeployedStack>,
    pub(super) change_sets: Vec<ChangeSet>,
    pub(super) resources: Vec<StackResource>,
    /// Whether the table or bucket outlives the stack.
    pub(super) retains: bool,
    /// The stack that says it holds the table or bucket.
    pub(super) owner: Option<String>,
    pub(super) live: Live,
}

impl Observed {
    /// Whether the stack holds a resource.
    pub(super) fn holds(&self, logical_id: &str) -> bool {
        self.held(logical_id).is_some()
    }

    fn held(&self, logical_id: &str) -> Option<&StackResource> {
        self.resources.iter().find(|resource| resource.logical_id == logical_id && resource.is_held())
    }
}

/// The next thing to do.
#[derive(Debug)]
pub(super) enum Step {
    /// Wait: this is going on.
    Wait(String),
    /// Delete an empty stack under review, with this program's change sets.
    DeleteShell(DeployedStack),
    /// Delete the stack, not its table or bucket.
    DeleteStack {
        stack: DeployedStack,
        /// Logical ids that a failed deletion could not delete and that are to stay.
        retain: Vec<String>,
    },
    /// Let a failed rollback go on.
    ContinueRollback(DeployedStack),
    /// Report what failed: only somebody else can go on from here.
    Report(DeployedStack),
    /// Make the stack and the table or bucket.
    Create,
    /// Make the stack around the table or bucket that is there.
    Import,
    /// Apply the template.
    Update,
}

/// Decides. The arms are the states of the table in `aws.md`'s order.
pub(super) fn next(target: &Target, observed: &Observed) -> Result<Step, Refusal> {
    if let Some(stack) = observed.stack.as_ref().filter(|stack| stack.is_busy()) {
        return Ok(Step::Wait(stack.status.to_string()));
    }
    refuse_foreign(target, observed)?;
    let Some(stack) = &observed.stack else {
        return without_stack(target, observed);
    };
    let delete_stack = |retain| Step::DeleteStack { stack: stack.clone(), retain };
    match &stack.status {
        StackStatus::ReviewInProgress => {
            if let Some(busy) = observed.change_sets.iter().find(|change_set| change_set.is_busy()) {
                return Ok(Step::Wait(format!("change set {} {}", busy.name, busy.status)));
            }
            match observed.change_sets.iter().find(|change_set| !change_set.is_own()) {
                Some(foreign) => {
                    Err(Refusal::ForeignChangeSet { stack: stack.name.clone(), change_set: foreign.name.clone() })
                }
                None => Ok(Step::DeleteShell(stack.clone())),
            }
        }
        StackStatus::ImportRollbackComplete if !observed.resources.iter().any(StackResource::is_held) => {
            Ok(delete_stack(Vec::new()))
        }
        StackStatus::RollbackComplete | StackStatus::RollbackFailed | StackStatus::CreateFailed => {
            if observed.retains {
                Ok(delete_stack(Vec::new()))
            } else {
                Err(takes_data(target, stack))
            }
        }
        StackStatus::UpdateRollbackFailed => Ok(Step::ContinueRollback(stack.clone())),
        StackStatus::DeleteFailed => {
            let failed = observed.held(&target.logical_id);
            match failed {
                // Only what could not be deleted may be named as to be retained.
                Some(failed) if failed.status == ResourceStatus::DeleteFailed => {
                    Ok(delete_stack(vec![failed.logical_id.clone()]))
                }
                Some(_) if !observed.retains => Err(takes_data(target, stack)),
                _ => Ok(delete_stack(Vec::new())),
            }
        }
        StackStatus::ImportRollbackFailed => Ok(Step::Report(stack.clone())),
        StackStatus::ImportComplete
        | StackStatus::ImportRollbackComplete
        | StackStatus::CreateComplete
        | StackStatus::UpdateComplete
        | StackStatus::UpdateFailed
        | StackStatus::UpdateRollbackComplete => update(target, observed, stack),
        status => Err(Refusal::UnknownState { stack: stack.name.clone(), status: status.clone() }),
    }
}

/// Refuses what no state of the stack makes good.
fn refuse_foreign(target: &Target, observed: &Observed) -> Result<(), Refusal> {
    let (noun, name) = (target.kind.noun(), target.resource.clone());
    if let Some(owner) = observed.owner.clone().filter(|owner| *owner != target.name) {
        return Err(Refusal::Owned { noun, name, owner });
    }
    let obstacle = match (&target.kind, &observed.live) {
        (Kind::Table(wanted), Live::Table(LiveTable::Active(live))) => live.obstacle(wanted),
        (_, Live::Table(LiveTable::Unusable(status))) => Some(format!("it is {status}, not ACTIVE")),
        (_, Live::Bucket(LiveBucket::Foreign(why))) => Some(format!("it {why}")),
        _ => None,
    };
    obstacle.map_or(Ok(()), |obstacle| Err(Refusal::Unfit { noun, name, obstacle }))
}

fn without_stack(target: &Target, observed: &Observed) -> Result<Step, Refusal> {
    if let Some(state) = observed.live.settling() {
        return Ok(Step::Wait(format!("{} {} is {state}", target.kind.noun(), target.resource)));
    }
    if observed.live.is_absent() {
        return Ok(Step::Create);
    }
    if let Live::Bucket(LiveBucket::Present(live)) = &observed.live
        && let Some(obstacle) = live.obstacle()
    {
        let (noun, name) = (target.kind.noun(), target.resource.clone());
        return Err(Refusal::Unfit { noun, name, obstacle: obstacle.to_owned() });
    }
    Ok(Step::Import)
}

fn update(target: &Target, observed: &Observed, stack: &DeployedStack) -> Result<Step, Refusal> {
    let noun = target.kind.noun();
    if let Some(held) = observed.held(&target.logical_id).filter(|held| held.physical_id != target.resource) {
        let held = held.physical_id.clone();
        let advice = format!(
            "keep the name {held}, or delete the stack with `firefly-deploy delete {} --keep-data` first",
            target.stack.name
        );
        return Err(Refusal::OtherName {
            stack: stack.name.clone(),
            noun,
            held,
            name: target.resource.clone(),
            advice,
        });
    }
    if let Some(state) = observed.live.settling() {
        return Ok(Step::Wait(format!("{noun} {} is {state}", target.resource)));
    }
    Ok(Step::Update)
}

fn takes_data(target: &Target, stack: &DeployedStack) -> Refusal {
    let resource = target.logical_id.clone();
    Refusal::TakesData { stack: stack.name.clone(), status: stack.status.clone(), resource }
}

/// A step in words.
pub(super) fn in_words(target: &Target, observed: &Observed, step: &Step) -> String {
    let (noun, name) = (target.kind.noun(), &target.resource);
    match step {
        Step::Wait(state) => format!("wait while {state}"),
        Step::DeleteShell(_) => "delete the empty stack and the change sets firefly-deploy left".to_owned(),
        Step::DeleteStack { .. } => format!("delete the stack, keeping the {noun} {name}"),
        Step::ContinueRollback(_) => "continue the rollback of the failed update".to_owned(),
        Step::Report(_) => "report why the import's rollback failed".to_owned(),
        Step::Create => format!("create the stack with the {noun} {name}"),
        Step::Import => format!("import the {noun} {name} as it is"),
        Step::Update => {
            let differences = differences(target, &observed.live).unwrap_or_default();
            let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
            let what = if differences.is_empty() { String::new() } else { format!(": {}", differences.join("; ")) };
            let updates = match (&target.kind, &observed.live) {
                (Kind::Table(wanted), Live::Table(LiveTable::Active(live))) => index_steps(live, wanted).len() + 1,
                _ => 1,
            };
            let updates = if updates == 1 { String::new() } else { format!(" in {updates} updates") };
            format!("apply the template{updates}{what}")
        }
    }
}

/// What is there and every step from it, as text.
pub(super) fn describe(target: &Target, mut observed: Observed) -> Result<String, Refusal> {
    let (noun, name) = (target.kind.noun(), &target.resource);
    let stack = observed.stack.as_ref().map_or("does not exist".to_owned(), |stack| format!("is {}", stack.status));
    let mut text = format!("{}: the stack {stack}", target.name);
    if observed.stack.as_ref().is_none_or(|stack| !stack.is_busy()) {
        let live = if observed.live.is_absent() { "does not exist" } else { "exists" };
        let _ = write!(text, "; the {noun} {name} {live}");
    }
    text.push('\n');
    let mut number = 0;
    loop {
        let step = next(target, &observed)?;
        number += 1;
        let _ = writeln!(text, "  {number}. {}", in_words(target, &observed, &step));
        match step {
            Step::Wait(_) => {
                let _ = writeln!(text, "  {}. look again and decide", number + 1);
                return Ok(text);
            }
            Step::Report(_) => return Ok(text),
            Step::Create | Step::Update => {
                let _ = writeln!(text, "  {}. read back outputs and {noun}", number + 1);
                return Ok(text);
            }
            Step::DeleteShell(_) | Step::DeleteStack { .. } => observed.stack = None,
            Step::Import | Step::ContinueRollback(_) => {
                let status = match step {
                    Step::Import => StackStatus::ImportComplete,
                    _ => StackStatus::UpdateRollbackComplete,
                };
                let (name, id) = (target.name.clone(), String::new());
                let (outputs, parameters) = Default::default();
                observed.stack = Some(DeployedStack { id, name, status, outputs, parameters });
            }
        }
    }
}
