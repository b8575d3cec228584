//! The server.

use emulator_kit::{Listener, Principals};

use crate::registry::Registry;

/// Serves the registry to `principals` until `until` resolves and the requests under way are answered.
pub async fn serve(
    listener: Listener,
    registry: Registry,
    principals: Principals,
    until: impl Future<Output = ()> + Send,
) {
    drop((listener, registry, principals));
    until.await;
}
