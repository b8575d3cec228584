//! The table of stacks for people: as text and as a Mermaid flowchart.

use std::fmt::Write;

use super::{Dependency, INTEGRATION_TESTS, STACKS, Stack, delete_order, deploy_order};

/// Returns deploy order, delete order and every stack's dependency tables.
#[must_use]
pub fn text() -> String {
    let mut out = String::from("Deploy order\n");
    let deploy = deploy_order();
    write_steps(&mut out, &deploy, |stack| stack.name.to_owned());
    let _ = writeln!(out, "  {}. {INTEGRATION_TESTS}", deploy.len() + 1);
    out.push_str("\nDelete order\n");
    write_steps(&mut out, &delete_order(), Stack::delete_workflow);
    for stack in &STACKS {
        let _ = writeln!(out, "\n{}", stack.name);
        write_table(&mut out, "Deploy dependencies", &stack.deploy_dependencies());
        write_table(&mut out, "Delete dependencies", &stack.delete_dependencies());
        write_table(&mut out, "Required by deploy", &stack.required_by_deploy());
        write_table(&mut out, "Required by delete", &stack.required_by_delete());
    }
    out
}

fn write_steps(out: &mut String, steps: &[Vec<&Stack>], name: impl Fn(&Stack) -> String) {
    for (number, step) in steps.iter().enumerate() {
        let names: Vec<_> = step.iter().map(|stack| name(stack)).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {}. {}", number + 1, names.join("\n     "));
    }
}

fn write_table(out: &mut String, title: &str, rows: &[Dependency]) {
    let _ = match rows {
        [] => writeln!(out, "  {title}: none"),
        _ => writeln!(out, "  {title}"),
    };
    for row in rows {
        let _ = writeln!(out, "    {:<42}{}", row.workflow, row.reason);
    }
}

/// Returns deploy order and delete order as a Mermaid flowchart. An arrow leads from the workflow that runs first.
#[must_use]
pub fn mermaid() -> String {
    let mut out = String::from("flowchart LR\n  subgraph deploy\n");
    for stack in &STACKS {
        for dependency in stack.deploy_dependencies() {
            let _ = writeln!(out, "    {} --> {}", dependency.workflow, stack.name);
        }
    }
    for stack in STACKS.iter().filter(|stack| stack.is_function()) {
        let _ = writeln!(out, "    {} --> {INTEGRATION_TESTS}", stack.name);
    }
    out.push_str("  end\n  subgraph delete\n");
    for stack in &STACKS {
        for dependency in stack.delete_dependencies() {
            let _ = writeln!(out, "    {} --> {}", dependency.workflow, stack.delete_workflow());
        }
    }
    out.push_str("  end\n");
    out
}
