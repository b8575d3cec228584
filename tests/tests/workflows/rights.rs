//! A job has the rights that it needs, and one with credentials is told the environment.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use firefly_deploy::graph::INTEGRATION_TESTS;

use super::workflow::{ACTING, all_workflows, calls_that_act, jobs, parsed, root, steps, text, uses};

const RUNNER: &str = "ubuntu-24.04-arm";

#[test]
fn nothing_has_rights_it_does_not_need() {
    for workflow in all_workflows() {
        assert!(!text(&workflow).contains("secrets"), "{workflow}");
        let document = parsed(&workflow);
        assert!(document["permissions"].as_mapping().is_some_and(|rights| rights.is_empty()), "{workflow}");
        for (name, job) in jobs(&document) {
            let case = format!("{workflow}: {name}");
            let calls = job["uses"].as_str().map(|file| Path::new(file).file_stem().unwrap().to_str().unwrap());
            let acts = ACTING.contains(&calls.unwrap_or(&workflow));
            let rights = job["permissions"].as_mapping().unwrap().iter();
            let rights: Vec<_> = rights.map(|(on, what)| (on.as_str().unwrap(), what.as_str().unwrap())).collect();
            let checks_out = calls.is_some() || steps(job).iter().any(|step| uses(step, "actions/checkout"));
            let attests =
                calls.is_none() && steps(job).iter().any(|step| uses(step, "actions/attest-build-provenance"));
            let expected: &[_] = match (calls, acts) {
                (_, true) => &[("contents", "read"), ("id-token", "write"), ("attestations", "read")],
                // The build itself, which runs code of every dependency, has no token of its own.
                (Some("reusable-build"), _) => {
                    &[("contents", "read"), ("id-token", "write"), ("attestations", "write")]
                }
                _ if attests => &[("id-token", "write"), ("attestations", "write")],
                _ if checks_out => &[("contents", "read")],
                _ => &[],
            };
            assert_eq!(rights, expected, "{case}");
            if calls.is_some() {
                // Caller and callee in one concurrency group would wait for each other.
                assert!(job.get("concurrency").is_none() && job.get("environment").is_none(), "{case}");
                continue;
            }
            assert_eq!(job["runs-on"].as_str(), Some(RUNNER), "{case}");
            assert!(job["timeout-minutes"].as_u64().is_some(), "{case}");
            assert_eq!(job.get("environment").is_some(), acts, "{case}");
            if acts {
                let what =
                    if workflow == "reusable-integration-tests" { INTEGRATION_TESTS } else { "${{ inputs.stack }}" };
                let group = format!("${{{{ inputs.environment }}}}-{what}");
                assert_eq!(job["environment"].as_str(), Some("${{ inputs.environment }}"), "{case}");
                assert_eq!(job["concurrency"]["group"].as_str(), Some(group.as_str()), "{case}");
                assert_eq!(job["concurrency"]["cancel-in-progress"].as_bool(), Some(false), "{case}");
                // A run that waits is not dropped for a later one.
                assert_eq!(job["concurrency"]["queue"].as_str(), Some("max"), "{case}");
            }
        }
    }
}

#[test]
fn a_step_with_credentials_is_told_the_environment() {
    // Each compares it with the account's before anything else: by firefly-deploy, as .ci/rehearse.py shows.
    const COMPARING: [&str; 3] = ["target/ci/firefly-deploy ", ".ci/deploy ", "exec python .ci/live.py "];
    let mut acting = BTreeSet::new();
    for workflow in all_workflows() {
        let document = parsed(&workflow);
        for call in calls_that_act(&document) {
            assert_eq!(call["with"]["environment"].as_str(), Some("${{ inputs.environment }}"), "{workflow}");
        }
        for job in jobs(&document).into_values().filter(|job| job.get("steps").is_some()) {
            let steps = steps(job);
            let Some(signed_in) = steps.iter().position(|step| uses(step, "aws-actions/configure-aws-credentials"))
            else {
                continue;
            };
            acting.insert(workflow.clone());
            assert!(signed_in + 1 < steps.len(), "{workflow}");
            for step in &steps[signed_in + 1..] {
                assert_eq!(
                    step["env"]["FIREFLY_ENVIRONMENT"].as_str(),
                    Some("${{ inputs.environment }}"),
                    "{workflow}"
                );
                let run = step["run"].as_str().unwrap();
                assert!(COMPARING.iter().any(|command| run.starts_with(command)) && run.lines().count() == 1, "{run}");
            }
        }
    }
    assert!(acting.iter().eq(ACTING), "{acting:?}");
}

/// Credentials outlast the job that uses them, and the role gives them for so long.
#[test]
fn a_session_is_longer_than_its_job() {
    let file = root().join("stacks/bootstrap.yaml");
    let bootstrap = fs::read_to_string(file).unwrap();
    let most = bootstrap.split("MaxSessionDuration: ").nth(1).unwrap().lines().next().unwrap();
    let mut sessions = 0;
    for workflow in ACTING {
        let document = parsed(workflow);
        for job in jobs(&document).into_values() {
            let minutes = job["timeout-minutes"].as_u64().unwrap();
            for step in steps(job).iter().filter(|step| uses(step, "aws-actions/configure-aws-credentials")) {
                let seconds = step["with"]["role-duration-seconds"].as_u64().unwrap();
                assert!(seconds > minutes * 60 && seconds <= most.parse().unwrap(), "{workflow}: {seconds}");
                sessions += 1;
            }
        }
    }
    assert_eq!(sessions, ACTING.len());
}
