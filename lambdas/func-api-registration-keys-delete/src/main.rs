//! The bootstrap of this function.

use std::process::ExitCode;

fn main() -> ExitCode {
    firefly_runtime::run::<func_api_registration_keys_delete::App>()
}
