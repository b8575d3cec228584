//! One connection, from the handshake to its end.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::shared::Shared;
use crate::broker::{ConnectionId, Transmit};
use crate::tls::certificate_id;

/// Bytes that are read at once: the plaintext of a TLS record.
const READ_LENGTH: usize = 16 * 1024;

/// The time for the last bytes of a connection that the broker closes.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves a connection to its end.
pub(super) async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    // Packets are small and written at once; a peer that is gone shows at the first read.
    let _ = stream.set_nodelay(true);
    // On the heap: the state of a handshake is not kept for as long as the session.
    let handshake = Box::pin(timeout(shared.limits.handshake, acceptor.accept(stream)));
    let stream = match handshake.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::info!(cause = %error, "MQTT: a TLS handshake failed"),
        Err(_) => return tracing::info!("MQTT: a TLS handshake was not finished in time"),
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let Some(certificate) = certificates.and_then(|chain| chain.first()) else { return };
    let (id, door) = shared.accept(&certificate_id(certificate));
    let session = Session { stream, id, door, shared: &shared };
    // There is nobody to tell of a connection that breaks.
    let _ = session.run().await;
    shared.end(id);
}

/// A connection whose peer has shown its certificate.
struct Session<'a> {
    stream: TlsStream<TcpStream>,
    id: ConnectionId,
    door: Arc<Notify>,
    shared: &'a Shared,
}

impl Session<'_> {
    async fn run(mut self) -> io::Result<()> {
        let mut transmit = Transmit { bytes: Vec::new(), closure: None };
        loop {
            let Transmit { bytes, closure } = transmit;
            if closure.is_some() {
                return timeout(FAREWELL, self.farewell(&bytes)).await?;
            }
            transmit = if bytes.is_empty() {
                self.wait().await?
            } else {
                self.write(&bytes).await?;
                self.shared.written(self.id)
            };
        }
    }

    /// Waits for bytes of the peer, or for bytes to write.
    async fn wait(&mut self) -> io::Result<Transmit> {
        let (shared, id, stream) = (self.shared, self.id, &mut self.stream);
        let received = poll_fn(|context| {
            let mut storage = [const { MaybeUninit::uninit() }; READ_LENGTH];
            let mut buffer = ReadBuf::uninit(&mut storage);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
            match buffer.filled() {
                [] => Err(io::ErrorKind::UnexpectedEof.into()),
                bytes => Ok(shared.receive(id, bytes)),
            }
            .into()
        });
        tokio::select! {
            transmit = received => transmit,
            () = self.door.notified() => Ok(shared.transmit(id)),
        }
    }

    /// Writes bytes, unless the connection is aborted before they are written.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = &mut self.stream;
        let mut written = pin!(async move {
            stream.write_all(bytes).await?;
            stream.flush().await
        });
        loop {
            tokio::select! {
                biased;
                written = &mut written => return written,
                () = self.door.notified() => {
                    if self.shared.is_aborted(self.id) {
                        return Err(io::ErrorKind::ConnectionAborted.into());
                    }
                }
            }
        }
    }

    /// Writes the last bytes and ends TLS.
    async fn farewell(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.shutdown().await
    }
}
