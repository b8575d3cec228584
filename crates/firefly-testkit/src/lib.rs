//! Test support: a local cloud of a test's own with a clock that the test sets, compiled functions on a Runtime API, faults,
//! recorders and fuzz targets.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test that cannot be set up has failed"
)]

pub mod answer;
mod black_hole;
mod cloud;
mod documented;
pub mod faults;
mod genuine;
mod invoked;
pub mod recorder;
pub mod runtime_api;
pub mod seeds;
mod special_case;
pub mod stored;
pub mod targets;
mod tls;
pub mod wire;

pub use black_hole::BlackHole;
pub use cloud::{START, TestCloud, new_device};
pub use genuine::method_and_path;
pub use invoked::Invoked;
pub use special_case::special_case;
pub use tls::Tls;
