//! `firefly-local env`: how to reach the engines of a running cloud.

use clap::Args;
use firefly_local::engines_file;

use crate::args::{DataDirArg, http_url};
use crate::output::{Failure, print};

#[derive(Args)]
pub(crate) struct Env {
    /// URL of the running cloud; needed when several run in the data directory.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    url: Option<String>,
    #[command(flatten)]
    data_dir: DataDirArg,
}

impl Env {
    /// Prints the variables of the engines, for a shell to evaluate.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let text = engines_file::read(&self.data_dir.data_dir, self.url.as_deref())?;
        print(text.trim_end())
    }
}
