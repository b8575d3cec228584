//! The bootstrap of this function.

use std::process::ExitCode;

fn main() -> ExitCode {
    firefly_runtime::run::<func_api_devices_backups_get::App>()
}
