//! The command `fleet`: a progress bar while it runs, then the table.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use firefly_core::time::UnixSeconds;
use firefly_device::{Client, fleet};
use indicatif::{ProgressBar, ProgressStyle};
use rand::rngs::StdRng;

use crate::options;
use crate::output::print;
use crate::verdict::Failure;

/// The number of open files that are not connections: the standard streams, the runtime's own, the resolver's.
const OTHER_FILES: u64 = 32;

pub(crate) async fn run(
    client: &Client,
    options: options::Fleet,
    clock: fn() -> UnixSeconds,
    rng: &mut StdRng,
) -> Result<(), Failure> {
    check_files(options.concurrency.get())?;
    // Opened first: a run is not to be lost for a file that cannot be written.
    let record = options.record.as_deref().map(Record::create).transpose()?;
    let plan = fleet::Plan {
        devices: options.devices.get(),
        product_hex: options.product_hex,
        token: options.token,
        uploads: options.uploads,
        size: options.size,
        rate: options.rate,
        concurrency: options.concurrency,
        verify: options.verify,
    };
    let bar = progress_bar();
    let mut shown = None;
    let report = fleet::run(client, &plan, clock, rng, |phase, done, total| {
        if shown.replace(phase) != Some(phase) {
            bar.reset();
            bar.set_message(phase.to_string());
        }
        bar.set_length(u64::try_from(total).unwrap_or(u64::MAX));
        bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    })
    .await;
    bar.finish_and_clear();
    print(report.to_string())?;
    record.map_or(Ok(()), |record| record.write(&report.record()))?;
    match report.failed() {
        0 => Ok(()),
        failed => Err(Failure::Failed(format!("{failed} requests failed; causes are below the table"))),
    }
}

/// The file that the requests are recorded in.
struct Record<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Record<'a> {
    fn create(path: &'a Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| Failure::Usage(unwritable(path, &error)))?;
        Ok(Self { path, file })
    }

    fn write(mut self, text: &str) -> Result<(), Failure> {
        self.file.write_all(text.as_bytes()).map_err(|error| Failure::Failed(unwritable(self.path, &error)))
    }
}

fn unwritable(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

/// Raises the limit of open files as far as connections need it.
///
/// A limit that cannot be raised so far is a mistake in the command line: connections would fail.
fn check_files(concurrency: usize) -> Result<(), Failure> {
    let needed = u64::try_from(concurrency).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    match rlimit::increase_nofile_limit(needed) {
        Ok(files) if files < needed => Err(Failure::Usage(format!(
            "{concurrency} connections at a time take {needed} open files, and only {files} are allowed: give \
             --concurrency {} or run `ulimit -n {needed}` first",
            files.saturating_sub(OTHER_FILES).max(1)
        ))),
        // A limit that cannot be read shows when a connection fails.
        _ => Ok(()),
    }
}

/// Makes a progress bar on standard error, which is drawn only if that is a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = "{msg:8} {wide_bar} {pos}/{len} {per_sec} {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
