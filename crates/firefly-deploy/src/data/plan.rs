//! The next step of a deployment, decided from the observed state.

use std::fmt::Write;

use aws_sdk_cloudformation::types::{ResourceStatus, StackStatus};

use super::bucket::LiveBucket;
use super::live::Live;
use super::read_back::differences;
use super::replaced::Replaced;
use super::table::LiveTable;
use super::target::{Kind, Target};
use super::templates::index_steps;
use crate::deployed_stack::DeployedStack;
use crate::stacks::StackResource;
use crate::stacks::change_set::ChangeSet;

/// The reason why nothing is changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The table or bucket is in another stack.
    #[error("the {noun} {name} belongs to the stack {owner}: delete that stack, keeping the {noun}, and run again")]
    Owned {
        /// The word `table` or `bucket`.
        noun: &'static str,
        /// The name of the table or bucket.
        name: String,
        /// The stack.
        owner: String,
    },
    /// The table or bucket cannot get the settings of the template.
    #[error("the {noun} {name} cannot be adopted: {obstacle}; correct that and run again, nothing was changed")]
    Unfit {
        /// The word `table` or `bucket`.
        noun: &'static str,
        /// The name of the table or bucket.
        name: String,
        /// The setting or state that prevents it.
        obstacle: String,
    },
    /// The stack waits for a change set that this program did not make.
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
        /// The word `table` or `bucket`.
        noun: &'static str,
        /// The name of the table or bucket that it holds.
        held: String,
        /// The name that it should hold.
        name: String,
        /// The advice.
        advice: String,
    },
    /// The stack must be deleted, and would delete the table or bucket.
    #[error(
        "the stack {stack} is {status} and must be deleted, but would delete {resource} with it (no DeletionPolicy \
         Retain): retain {resource} by hand when deleting the stack, and run again"
    )]
    TakesData {
        /// The stack.
        stack: String,
        /// The stack's state.
        status: StackStatus,
        /// The logical id of the table or bucket.
        resource: String,
    },
    /// The stack is in a state that this program does not know.
    #[error("the stack {stack} is {status}, which firefly-deploy does not know: look at it in the console")]
    UnknownState {
        /// The stack.
        stack: String,
        /// The state.
        status: StackStatus,
    },
}

/// The observed state.
#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) stack: Option<DeployedStack>,
    pub(super) change_sets: Vec<ChangeSet>,
    pub(super) resources: Vec<StackResource>,
    /// `true` if the table or bucket outlives the stack.
    pub(super) retains: bool,
    /// The stack that holds the table or bucket.
    pub(super) owner: Option<String>,
    pub(super) live: Live,
    /// Indexes that the template lacks and a deployed function still needs.
    pub(super) kept: Vec<&'static Replaced>,
}

impl Observed {
    /// Returns whether the stack holds a resource.
    pub(super) fn holds(&self, logical_id: &str) -> bool {
        self.held(logical_id).is_some()
    }

    fn held(&self, logical_id: &str) -> Option<&StackResource> {
        self.resources.iter().find(|resource| resource.logical_id == logical_id && resource.is_held())
    }
}

/// A step of a deployment.
#[derive(Debug)]
pub(super) enum Step {
    /// Wait until this state has passed.
    Wait(String),
    /// Delete an empty stack under review with this program's change sets.
    DeleteShell(DeployedStack),
    /// Delete the stack, but not its table or bucket.
    DeleteStack {
        stack: DeployedStack,
        /// The logical ids that are to stay, which a failed deletion could not delete.
        retain: Vec<String>,
    },
    /// Continue a failed rollback.
    ContinueRollback(DeployedStack),
    /// Report the failure, which this program cannot mend.
    Report(DeployedStack),
    /// Create the stack with the table or bucket.
    Create,
    /// Import the existing table or bucket into a stack.
    Import,
    /// Apply the template.
    Update,
}

/// Decides the next step.
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
                // Only a resource that could not be deleted may be named to be retained.
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

/// Refuses a table or bucket that cannot be adopted, whatever the state of the stack.
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

/// Returns a step in words.
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
            let differences = differences(target, &observed.live, &observed.kept).unwrap_or_default();
            let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
            let what = if differences.is_empty() { String::new() } else { format!(": {}", differences.join("; ")) };
            let updates = match (&target.kind, &observed.live) {
                (Kind::Table(wanted), Live::Table(LiveTable::Active(live))) => {
                    index_steps(live, wanted, &observed.kept).len()
                }
                _ => 1,
            };
            let updates = if updates == 1 { String::new() } else { format!(" in {updates} updates") };
            let kept: String = observed.kept.iter().map(|kept| format!("; {kept}")).collect();
            format!("apply the template{updates}{what}{kept}")
        }
    }
}

/// Describes the observed state and every step from it.
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
