//! The workflows are those of the deployment's table of stacks, in its order, with no more rights than they need.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use firefly_deploy::graph::{INTEGRATION_TESTS, STACKS, Stack};
use firefly_deploy::holds_data;
use serde_yaml_ng::Value;
use sha2::{Digest, Sha256};

const RUNNER: &str = "ubuntu-24.04-arm";
/// The workflows beside those of single stacks.
const OTHERS: [&str; 9] = [
    "ci",
    "delete-all",
    "deploy-all",
    "reusable-build",
    "reusable-delete",
    "reusable-deploy-data",
    "reusable-deploy-sam",
    "reusable-integration-tests",
    INTEGRATION_TESTS,
];
/// Those whose jobs act on an account.
const ACTING: [&str; 4] =
    ["reusable-delete", "reusable-deploy-data", "reusable-deploy-sam", "reusable-integration-tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(workflow: &str) -> String {
    let file = root().join(format!(".github/workflows/{workflow}.yml"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn parsed(workflow: &str) -> Value {
    serde_yaml_ng::from_str(&text(workflow)).unwrap()
}

fn jobs(workflow: &Value) -> BTreeMap<&str, &Value> {
    let jobs = workflow["jobs"].as_mapping().unwrap();
    jobs.iter().map(|(name, job)| (name.as_str().unwrap(), job)).collect()
}

/// One text or a sequence of them.
fn texts(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::Sequence(items) => items.iter().map(|item| item.as_str().unwrap()).collect(),
        _ => value.as_str().into_iter().collect(),
    }
}

fn stack_workflows() -> impl Iterator<Item = String> {
    STACKS.iter().flat_map(|stack| [format!("deploy-{}", stack.name), stack.delete_workflow()])
}

fn all_workflows() -> Vec<String> {
    stack_workflows().chain(OTHERS.map(str::to_owned)).collect()
}

/// The workflow that deploys a stack of this kind.
fn deploys(stack: &Stack) -> &'static str {
    if holds_data(stack) { "reusable-deploy-data" } else { "reusable-deploy-sam" }
}

/// A workflow of one stack: the packages that are built for it, and one call.
fn workflow_of(
    stack: &Stack,
    verb: &str,
    preposition: &str,
    calls: &str,
    what: &str,
    keep_data: Option<&str>,
) -> String {
    let name = stack.name;
    let asks = match keep_data {
        Some("${{ inputs.keep_data }}") => {
            "      keep_data:\n        description: Keep the table; the next deploy adopts it\n        required: true\n        type: boolean\n"
        }
        _ => "",
    };
    let keep_data = keep_data.map(|value| format!("      keep_data: {value}\n")).unwrap_or_default();
    let title = format!("{}{}", verb[..1].to_uppercase(), &verb[1..]);
    let rendered = format!("# Rendered by firefly-render from lambdas/{name}/function.toml; do not edit.\n");
    let head = if stack.is_function() { rendered } else { String::new() };
    format!(
        "{head}name: {verb}-{name}

on:
  workflow_dispatch:
    inputs:
      environment:
        description: Environment to {verb} {preposition}
        required: true
        type: environment
{asks}
permissions: {{}}

jobs:
  build:
    name: Build
    uses: ./.github/workflows/reusable-build.yml
    permissions:
      contents: read # to check the repository out
    with:
      what: {what}
  {verb}:
    name: {title}
    needs: build
    uses: ./.github/workflows/{calls}.yml
    permissions:
      contents: read # to check the repository out
      id-token: write # to assume the deploy role
    with:
      stack: {name}
{keep_data}      environment: ${{{{ inputs.environment }}}}
      digest: ${{{{ needs.build.outputs.digest }}}}
"
    )
}

#[test]
fn every_stack_has_its_pair_and_nothing_else_is_there() {
    for stack in &STACKS {
        let what =
            if stack.is_function() { format!("firefly-deploy {}", stack.name) } else { "firefly-deploy".to_owned() };
        let expected = workflow_of(stack, "deploy", "to", deploys(stack), &what, None);
        assert_eq!(text(&format!("deploy-{}", stack.name)), expected);
        // The bucket always stays; of a table the operator is asked.
        let table = stack.name.starts_with("dynamodb-");
        let keep_data = if table { "${{ inputs.keep_data }}" } else { "false" };
        let expected = workflow_of(stack, "delete", "from", "reusable-delete", "firefly-deploy", Some(keep_data));
        assert_eq!(text(&stack.delete_workflow()), expected);
    }
    let folder = fs::read_dir(root().join(".github/workflows")).unwrap();
    let found: BTreeSet<_> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, all_workflows().iter().map(|name| format!("{name}.yml")).collect());
}

/// The stacks of each job of a workflow that deploys or deletes them all.
fn stacks_of<'a>(jobs: &BTreeMap<&'a str, &'a Value>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let stacks = jobs.iter().filter_map(|(name, job)| match job["with"]["stack"].as_str()? {
        "${{ matrix.stack }}" => Some((*name, texts(&job["strategy"]["matrix"]["stack"]))),
        stack => Some((*name, [stack].into())),
    });
    stacks.collect()
}

/// Asserts that each job needs exactly the jobs whose stacks go before its own.
fn assert_order(workflow: &str, before: impl Fn(&'static Stack) -> BTreeSet<&'static str>) {
    let document = parsed(workflow);
    let jobs = jobs(&document);
    let stacks = stacks_of(&jobs);
    let job_of = |stack: &str| *stacks.iter().find(|(_, stacks)| stacks.contains(stack)).unwrap().0;
    let all: Vec<_> = stacks.values().flatten().copied().collect();
    assert_eq!(all.len(), STACKS.len(), "{workflow}");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), STACKS.iter().map(|stack| stack.name).collect(), "{workflow}");
    for (job, own) in &stacks {
        let mut expected: BTreeSet<_> =
            own.iter().flat_map(|stack| before(Stack::named(stack).unwrap())).map(job_of).collect();
        // A job sees the outputs, such as the digest, of those alone that it needs itself.
        expected.insert("build");
        assert_eq!(texts(&jobs[job]["needs"]), expected, "{workflow}: {job}");
        assert_eq!(jobs[job]["with"]["environment"].as_str(), Some("${{ inputs.environment }}"), "{workflow}: {job}");
        assert!(jobs[job].get("if").is_none(), "{workflow}: {job}");
    }
    // The functions alone share a job. It runs three of them at once, and a failure does not end the others.
    let functions = STACKS.iter().filter(|stack| stack.is_function()).map(|stack| stack.name).collect::<BTreeSet<_>>();
    let shared: Vec<_> = stacks.iter().filter(|(_, stacks)| stacks.len() > 1).collect();
    assert_eq!(shared, [(&"functions", &functions)], "{workflow}");
    let strategy = &jobs["functions"]["strategy"];
    assert_eq!(
        (strategy["max-parallel"].as_u64(), strategy["fail-fast"].as_bool()),
        (Some(3), Some(false)),
        "{workflow}"
    );
    assert_eq!(document["concurrency"]["group"].as_str(), Some("all-${{ inputs.environment }}"), "{workflow}");
    assert_eq!(document["concurrency"]["cancel-in-progress"].as_bool(), Some(false), "{workflow}");
}

#[test]
fn deploy_all_goes_in_the_order_of_the_graph() {
    assert_order("deploy-all", |stack| stack.needs.iter().map(|need| need.stack).collect());
    let document = parsed("deploy-all");
    let jobs = jobs(&document);
    for (job, stacks) in stacks_of(&jobs) {
        for stack in stacks {
            let expected = format!("./.github/workflows/{}.yml", deploys(Stack::named(stack).unwrap()));
            assert_eq!(jobs[job]["uses"].as_str(), Some(expected.as_str()), "{stack}");
        }
    }
    assert_eq!(texts(&jobs[INTEGRATION_TESTS]["needs"]), ["build", "functions"].into());
    // One build for all.
    let built: BTreeSet<_> = jobs["build"]["with"]["what"].as_str().unwrap().split_whitespace().collect();
    let functions = STACKS.iter().filter(|stack| stack.is_function()).map(|stack| stack.name);
    assert_eq!(built, functions.chain(["firefly-deploy", "live"]).collect());
}

#[test]
fn delete_all_goes_in_the_order_of_the_graph_and_keeps_the_data() {
    assert_order("delete-all", |stack| stack.dependents().map(|(dependent, _)| dependent.name).collect());
    let document = parsed("delete-all");
    for (job, definition) in jobs(&document).into_iter().filter(|(job, _)| *job != "build") {
        assert_eq!(definition["uses"].as_str(), Some("./.github/workflows/reusable-delete.yml"), "{job}");
        assert_eq!(definition["with"]["keep_data"].as_bool(), Some(true), "{job}");
    }
}

#[test]
fn actions_are_pinned_by_commit() {
    let mut commits: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for workflow in all_workflows() {
        for line in
            text(&workflow).lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: "))
        {
            if let Some(file) = line.strip_prefix("./.github/workflows/") {
                let called = file.strip_suffix(".yml").unwrap();
                assert!(OTHERS.contains(&called) && called.starts_with("reusable-"), "{workflow} calls {called}");
                continue;
            }
            let (action, pin) = line.split_once('@').unwrap();
            let (commit, version) = pin.split_once(" # v").unwrap_or_else(|| panic!("{workflow}: {line}"));
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{workflow}: {line}");
            assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{workflow}: {line}");
            let repository = action.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
            commits.entry(repository).or_default().insert(pin.to_owned());
        }
    }
    for (action, pins) in commits {
        assert_eq!(pins.len(), 1, "{action} at {pins:?}");
    }
}

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
            let expected: &[_] =
                if acts { &[("contents", "read"), ("id-token", "write")] } else { &[("contents", "read")] };
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
            }
        }
    }
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_sequence().unwrap()
}

/// Whether a step uses an action, such as `actions/cache` or a folder of it.
fn uses(step: &Value, action: &str) -> bool {
    step["uses"]
        .as_str()
        .is_some_and(|uses| uses.starts_with(&format!("{action}@")) || uses.starts_with(&format!("{action}/")))
}

/// The jobs that call a workflow which acts on an account.
fn calls_that_act(workflow: &Value) -> Vec<&Value> {
    let acts = |job: &&Value| {
        job["uses"].as_str().is_some_and(|file| ACTING.iter().any(|name| file.ends_with(&format!("/{name}.yml"))))
    };
    jobs(workflow).into_values().filter(acts).collect()
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

#[test]
fn binaries_are_verified_before_they_are_unpacked() {
    for workflow in all_workflows() {
        let document = parsed(&workflow);
        for call in calls_that_act(&document) {
            assert_eq!(call["with"]["digest"].as_str(), Some("${{ needs.build.outputs.digest }}"), "{workflow}");
            assert!(texts(&call["needs"]).contains("build"), "{workflow}");
        }
        // Any job of any run can write a cache: it carries nothing that is deployed.
        for job in jobs(&document).into_values().filter(|job| job.get("steps").is_some()) {
            for step in
                steps(job).iter().filter(|step| uses(step, "actions/cache") || uses(step, "Swatinem/rust-cache"))
            {
                assert_eq!(workflow, "ci");
                assert!(step["with"]["path"].as_str().is_none_or(|path| path == "target/ci-tools"), "{step:?}");
            }
        }
    }

    let document = parsed("reusable-build");
    let output = &document["on"]["workflow_call"]["outputs"]["digest"]["value"];
    assert_eq!(output.as_str(), Some("${{ jobs.build.outputs.digest }}"));
    let job = &document["jobs"]["build"];
    assert_eq!(job["outputs"]["digest"].as_str(), Some("${{ steps.digest.outputs.digest }}"));
    let [.., digest, upload] = steps(job) else { panic!("steps are missing") };
    assert_eq!(digest["id"].as_str(), Some("digest"));
    assert!(digest["run"].as_str().unwrap().contains("sha256sum target/binaries.tar"));
    assert!(uses(upload, "actions/upload-artifact"));
    let with = &upload["with"];
    assert_eq!((with["name"].as_str(), with["path"].as_str()), (Some("binaries"), Some("target/binaries.tar")));
    assert_eq!(with["if-no-files-found"].as_str(), Some("error"));
    // A run that is built again replaces it; for a job that is run again it is there still.
    assert_eq!(with["overwrite"].as_bool(), Some(true));
    assert!(matches!(with["retention-days"].as_u64(), Some(1..=7)));

    for workflow in ACTING {
        let document = parsed(workflow);
        assert_eq!(document["on"]["workflow_call"]["inputs"]["digest"]["required"].as_bool(), Some(true), "{workflow}");
        let (_, job) = jobs(&document).into_iter().next().unwrap();
        let [checkout, download, unpack, rest @ ..] = steps(job) else { panic!("{workflow} lacks steps") };
        assert!(uses(checkout, "actions/checkout") && uses(download, "actions/download-artifact"), "{workflow}");
        assert_eq!(download["with"]["name"].as_str(), Some("binaries"), "{workflow}");
        assert_eq!(download["with"]["path"].as_str(), Some("target"), "{workflow}");
        assert_eq!(unpack["run"].as_str(), Some(".ci/unpack \"$DIGEST\""), "{workflow}");
        assert_eq!(unpack["env"]["DIGEST"].as_str(), Some("${{ inputs.digest }}"), "{workflow}");
        for step in [download, unpack] {
            assert!(step.get("if").is_none() && step.get("continue-on-error").is_none(), "{workflow}");
        }
        for step in rest {
            assert!(!uses(step, "actions/download-artifact"), "{workflow}");
            assert!(step["run"].as_str().is_none_or(|run| !run.contains("tar ")), "{workflow}");
        }
    }
}

/// `.ci/unpack DIGEST` in a folder.
fn unpack(folder: &Path, digest: &str) -> Output {
    Command::new(folder.join(".ci/unpack")).arg(digest).output().unwrap()
}

#[test]
fn a_tar_of_another_digest_is_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir_all(folder.join(".ci")).unwrap();
    fs::create_dir_all(folder.join("target/ci")).unwrap();
    fs::copy(root().join(".ci/unpack"), folder.join(".ci/unpack")).unwrap();
    let (program, tar) = (folder.join("target/ci/firefly-deploy"), folder.join("target/binaries.tar"));
    fs::write(&program, "built").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut pack = Command::new("tar");
    pack.args(["--create", "--file", "target/binaries.tar", "target/ci/firefly-deploy"]).current_dir(folder);
    assert!(pack.status().unwrap().success());
    fs::remove_file(&program).unwrap();
    let built = fs::read(&tar).unwrap();
    let digest: String = Sha256::digest(&built).iter().map(|byte| format!("{byte:02x}")).collect();

    let mut poisoned = built.clone();
    let at = poisoned.windows(5).position(|window| window == b"built").unwrap();
    poisoned[at..at + 5].copy_from_slice(b"other");
    // A line of a file that is as it says would speak for the tar.
    let nothing: String = Sha256::digest(b"").iter().map(|byte| format!("{byte:02x}")).collect();
    let two_lines = format!("{nothing}  /dev/null\nx");
    let cases =
        [(&poisoned, digest.as_str()), (&built, &"0".repeat(64)), (&built, ""), (&built, "x"), (&poisoned, &two_lines)];
    for (bytes, digest) in cases {
        fs::write(&tar, bytes).unwrap();
        assert_not_unpacked(&unpack(folder, digest), &program);
    }
    fs::remove_file(&tar).unwrap();
    assert_not_unpacked(&unpack(folder, &digest), &program);

    fs::write(&tar, &built).unwrap();
    let output = unpack(folder, &digest);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(&program).unwrap(), b"built");
    assert_eq!(fs::metadata(&program).unwrap().permissions().mode() & 0o111, 0o111);
}

fn assert_not_unpacked(output: &Output, program: &Path) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("unpack: target/binaries.tar is not the one that was built"), "{stderr}");
    assert!(stderr.ends_with("re-run all jobs, which builds again\n"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!program.exists());
}

/// GitHub's settings of the environment are all that keeps another branch from the deploy role.
#[test]
fn the_readme_lets_only_main_deploy() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for part in [
        "**Let only `main` deploy.**",
        "deployment-branch-policies -f name=main -f type=branch",
        "*Required reviewers*",
    ] {
        assert!(readme.contains(part), "{part}");
    }
}

#[test]
fn the_gates_run_on_debian_with_the_pinned_toolchain() {
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    let channel = toolchain.split("channel = \"").nth(1).unwrap().split('"').next().unwrap();
    let document = parsed("ci");
    let gates = &document["jobs"]["gates"];
    assert_eq!(gates["container"]["image"].as_str(), Some(format!("rust:{channel}-bookworm").as_str()));
    assert_eq!(steps(gates).last().unwrap()["run"].as_str(), Some(".ci/run"));
    // The workflow alone installs nothing that a gate needs.
    assert!(!text("ci").contains("apt-get"));
    let run = fs::read_to_string(root().join(".ci/run")).unwrap();
    let first = run.lines().find(|line| line.starts_with("step '"));
    assert_eq!(first, Some("step 'Debian packages' install_debian_packages"));
}

/// The environment variable that firefly-deploy reads a parameter from: `DomainName` is `DOMAIN_NAME`.
fn variable(parameter: &str) -> String {
    let upper = |(position, letter): (usize, char)| {
        let break_before = letter.is_ascii_uppercase() && position > 0;
        [break_before.then_some('_'), Some(letter.to_ascii_uppercase())].into_iter().flatten()
    };
    parameter.chars().enumerate().flat_map(upper).collect()
}

/// The variables of the last step of a workflow's only job that it hands on from the environment of the same name.
fn variables_of(workflow: &str) -> BTreeSet<String> {
    let document = parsed(workflow);
    let (_, job) = jobs(&document).into_iter().next().unwrap();
    let step = job["steps"].as_sequence().unwrap().last().unwrap();
    let handed = step["env"]
        .as_mapping()
        .unwrap()
        .iter()
        .filter(|(name, value)| value.as_str() == Some(&format!("${{{{ vars.{} }}}}", name.as_str().unwrap())));
    handed.map(|(name, _)| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_parameter_can_be_set_and_readme_says_how() {
    let mut expected = BTreeSet::from(["ARTIFACT_BUCKET", "AWS_CLOUDFORMATION_ROLE_ARN"].map(str::to_owned));
    for stack in STACKS.iter().filter(|stack| !holds_data(stack)) {
        let template: Value = serde_yaml_ng::from_str(stack.template).unwrap();
        let from_outputs: Vec<_> = stack.needs.iter().flat_map(|need| need.purpose.outputs()).collect();
        let declared = template["Parameters"].as_mapping().unwrap().keys().map(|name| name.as_str().unwrap());
        expected.extend(declared.filter(|name| !from_outputs.contains(&name)).map(variable));
    }
    assert_eq!(variables_of("reusable-deploy-sam"), expected);
    let of_data = ["AWS_CLOUDFORMATION_ROLE_ARN", "BACKUP_BUCKET_NAME"].map(str::to_owned).into();
    assert_eq!(variables_of("reusable-deploy-data"), of_data);
    assert_eq!(variables_of("reusable-delete"), of_data);

    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let deploy = readme.split("\n## ").find(|section| section.starts_with("Deploy\n")).unwrap();
    for variable in expected.iter().map(String::as_str).chain(["AWS_DEPLOY_ROLE_ARN", "AWS_REGION"]) {
        assert!(deploy.contains(&format!("`{variable}`")), "README does not say what {variable} is");
    }
}

/// The text of every Rust test file below a folder.
fn tests_below(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_failure_in_readme_names_a_test_that_exists() {
    let mut tests = String::new();
    for folder in ["tests/tests", "crates/firefly-deploy/tests"] {
        tests_below(&root().join(folder), &mut tests);
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows = readme.split("\n### When something is wrong\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<_> = rows.lines().filter(|line| line.starts_with("| ") && !line.ends_with("shown by |")).collect();
    // The scenarios of the three stack documents, and more.
    assert!(rows.len() > 14);
    for row in rows {
        let names: Vec<_> = row.trim_end_matches(" |").rsplit(" | ").next().unwrap().split(", ").collect();
        for name in names.iter().map(|name| name.trim_matches('`')) {
            let exists = name.contains('/') && root().join(name).is_file() || tests.contains(&format!("fn {name}()"));
            assert!(exists, "{name} is no test: {row}");
        }
    }
}
