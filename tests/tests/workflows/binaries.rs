//! A job deploys the binaries that its run has built, and compares their digest before it unpacks them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use sha2::{Digest, Sha256};

use super::workflow::{ACTING, all_workflows, calls_that_act, jobs, parsed, root, steps, texts, uses};

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
    let attest = &document["jobs"]["attest"];
    assert_eq!(attest["needs"].as_str(), Some("build"));
    assert_eq!(attest["if"].as_str(), Some("${{ !github.event.repository.private }}"));
    let [step] = steps(attest) else { panic!("one step attests") };
    assert!(uses(step, "actions/attest-build-provenance"));
    assert_eq!(step["with"]["subject-digest"].as_str(), Some("sha256:${{ needs.build.outputs.digest }}"));
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
        let [checkout, download, verify, unpack, rest @ ..] = steps(job) else { panic!("{workflow} lacks steps") };
        assert!(uses(checkout, "actions/checkout") && uses(download, "actions/download-artifact"), "{workflow}");
        assert_eq!(download["with"]["name"].as_str(), Some("binaries"), "{workflow}");
        assert_eq!(download["with"]["path"].as_str(), Some("target"), "{workflow}");
        assert_eq!(unpack["run"].as_str(), Some(".ci/unpack \"$DIGEST\""), "{workflow}");
        assert_eq!(unpack["env"]["DIGEST"].as_str(), Some("${{ inputs.digest }}"), "{workflow}");
        assert_eq!(verify["run"].as_str(), Some(".ci/provenance"), "{workflow}");
        assert_eq!(verify["env"]["GH_TOKEN"].as_str(), Some("${{ github.token }}"), "{workflow}");
        let private = verify["env"]["REPOSITORY_IS_PRIVATE"].as_str();
        assert_eq!(private, Some("${{ github.event.repository.private }}"), "{workflow}");
        for step in [download, verify, unpack] {
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

/// `.ci/provenance` in a folder whose `gh` writes down how it is called and ends with a status.
fn provenance(folder: &Path, private: &str, status: u8) -> (Output, String) {
    let (called, gh) = (folder.join("called"), folder.join("bin/gh"));
    let _ = fs::remove_file(&called);
    fs::write(&gh, format!("#!/bin/sh\necho \"$@\" >'{}'\nexit {status}\n", called.display())).unwrap();
    fs::set_permissions(&gh, fs::Permissions::from_mode(0o755)).unwrap();
    let mut verify = Command::new(folder.join(".ci/provenance"));
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    verify.env("PATH", path).env("GITHUB_REPOSITORY", "OWNER/FORK").env("GITHUB_SHA", "0a1b");
    let output = verify.env("REPOSITORY_IS_PRIVATE", private).output().unwrap();
    (output, fs::read_to_string(called).unwrap_or_default())
}

#[test]
fn binaries_that_are_not_attested_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir_all(folder.join(".ci")).unwrap();
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::copy(root().join(".ci/provenance"), folder.join(".ci/provenance")).unwrap();

    let (output, called) = provenance(folder, "false", 0);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        called,
        "attestation verify target/binaries.tar --repo OWNER/FORK --source-digest 0a1b --deny-self-hosted-runners \
         --signer-workflow OWNER/FORK/.github/workflows/reusable-build.yml\n"
    );
    // A repository that does not say that it is private is public.
    for private in ["false", "", "True"] {
        let (output, called) = provenance(folder, private, 1);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{private:?}");
        assert!(stderr.ends_with("at 0a1b: re-run all jobs, which builds again\n"), "{stderr}");
        assert!(called.starts_with("attestation verify "), "{called}");
    }
    let (output, called) = provenance(folder, "true", 1);
    assert!(output.status.success() && called.is_empty());
}
