//! The device against the firmware's bytes, against files, and against a server that records what it sends.

#[cfg(test)]
mod command_line;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod identity_files;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod server;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod wire;
