//! `firefly-local openapi`: the OpenAPI document of the API.

use std::path::Path;

use clap::Args;
use firefly_local::openapi;

use crate::output::{Failure, print};

#[derive(Args)]
pub(crate) struct OpenApi {
    /// Writes docs/openapi.json and the README's table of routes in the current directory instead.
    #[arg(long)]
    write: bool,
}

impl OpenApi {
    /// Prints the document, or writes it where it is committed.
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.write {
            return Ok(openapi::write(Path::new(""))?);
        }
        print(openapi::document()?.trim_end())
    }
}
