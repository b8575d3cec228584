//! Writes the seeds of the fuzz targets: `cargo run -p firefly-testkit --example fuzz-seeds -- fuzz/corpus`.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).ok_or_else(|| io::Error::other("usage: fuzz-seeds FOLDER"))?;
    let seeds = firefly_testkit::seeds::seeds();
    for (target, inputs) in [
        ("envelope", seeds.envelope),
        ("signed_headers", seeds.signed_headers),
        ("registration_body", seeds.registration_body),
        ("events", seeds.events),
    ] {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        for (number, input) in inputs.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), input)?;
        }
    }
    Ok(())
}
