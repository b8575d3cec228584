//! Drives the broker over TLS.

mod connection;
mod shared;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use emulator_iot::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use self::shared::Shared;
use crate::limits::Limits;
use crate::tls::{self, ServeError};

/// The wait after a connection could not be accepted, so that files can become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves MQTT over TLS to the holders of the registry's certificates until `until` resolves. The connections then end;
/// wills are not published.
///
/// # Errors
/// The registry has no certificate for the server.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    limits: Limits,
    until: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let acceptor = TlsAcceptor::from(tls::server_config(&registry)?);
    let shared = Arc::new(Shared::new(registry.clone(), limits));
    let mut until = pin!(until);
    let mut deadlines = pin!(shared.watch(registry.changes()));
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            () = &mut until => return Ok(()),
            () = &mut deadlines => return Ok(()),
            // A connection that has ended is forgotten.
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                failing = false;
                let serving = connection::serve(stream, acceptor.clone(), Arc::clone(&shared));
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            // The peer has left before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !failing {
                    tracing::error!(cause = %error, "MQTT cannot accept connections; if too many files are open, \
                         `ulimit -n` raises the limit");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Accepts a connection once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}
