//! A started bootstrap, as proc(5) sees it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::{BenchError, io_error};

/// The longest time that the threads of a process may take to fall asleep.
const IDLE_DEADLINE: Duration = Duration::from_secs(5);

/// Has this process and those it will start run on one CPU only, as a function of less than 1,769 MB does. To wake
/// another CPU up takes as long as a call, and differs from machine to machine.
pub(crate) fn use_one_cpu() -> Result<(), BenchError> {
    let affinity = |source: rustix::io::Errno| io_error("cannot choose a CPU")(source.into());
    let allowed = sched_getaffinity(None).map_err(affinity)?;
    let mut chosen = CpuSet::new();
    if let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu)) {
        chosen.set(last);
    }
    sched_setaffinity(None, &chosen).map_err(affinity)
}

/// A running process; dropping it kills it.
pub(crate) struct Process {
    child: Child,
    directory: PathBuf,
}

impl Process {
    /// Starts a binary with these variables and no others. What it logs goes to a file that nobody reads.
    pub(crate) fn start(binary: &Path, environment: &BTreeMap<String, String>) -> Result<Self, BenchError> {
        let log = tempfile::tempfile().map_err(io_error("cannot make a temporary file"))?;
        let child = Command::new(binary)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .spawn()
            .map_err(io_error(format!("cannot start {}", binary.display())))?;
        let directory = Path::new("/proc").join(child.id().to_string());
        Ok(Self { child, directory })
    }

    /// The CPU time that its threads have taken, in user space and in the kernel, once they are all asleep.
    pub(crate) async fn cpu(&self) -> Result<Duration, BenchError> {
        let deadline = Instant::now() + IDLE_DEADLINE;
        while !self.is_idle()? && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        let mut total = Duration::ZERO;
        for thread in self.threads()? {
            // Nanoseconds on a CPU, nanoseconds waiting for one, time slices.
            let nanoseconds = field(&thread.join("schedstat"), |text| text.split(' ').next()?.parse().ok())?;
            total += Duration::from_nanos(nanoseconds);
        }
        Ok(total)
    }

    /// The largest resident set it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64, BenchError> {
        let kibibytes: u64 = field(&self.directory.join("status"), |text| {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        })?;
        Ok(kibibytes * 1_024)
    }

    fn is_idle(&self) -> Result<bool, BenchError> {
        for thread in self.threads()? {
            // The state follows the name, which is in parentheses and may hold any character.
            let asleep = field(&thread.join("stat"), |text| Some(text.rsplit_once(") ")?.1.starts_with('S')))?;
            if !asleep {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn threads(&self) -> Result<Vec<PathBuf>, BenchError> {
        let entries = fs::read_dir(self.directory.join("task")).map_err(io_error("the process has ended"))?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect::<Result<_, _>>().map_err(io_error("the process has ended"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended needs no signal.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn field<T>(path: &Path, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, BenchError> {
    let text = fs::read_to_string(path).map_err(io_error("the process has ended"))?;
    parse(&text).ok_or_else(|| BenchError::Proc { path: path.to_owned() })
}
