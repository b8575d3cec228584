//! AWS AppConfig's data API on the loopback interface, over files.
//!
//! The profile `P` of the application `A` is the file `A/P.json` in a directory, else `P.json`, which holds for every
//! application. A file is read at every poll. The page `docs/emulators/appconfig.md` tells what differs from AppConfig.
//!
//! Source: AppConfig Data API Reference.

mod server;
mod token;

pub use server::serve;
