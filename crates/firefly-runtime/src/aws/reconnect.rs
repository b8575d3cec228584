//! Gives up connections that were dropped while nobody looked.
//!
//! Lambda freezes a function between invocations. Whatever drops its connections meanwhile may do so without a word: such
//! a connection takes a request and never answers.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// The longest wait for the head of an answer on a connection that has answered before.
const FIRST_BYTE: Duration = Duration::from_secs(1);
/// The time for reading what has arrived while the process was frozen: the wait is over when it runs again.
const READING: Duration = Duration::from_millis(20);

/// A pool of connections in which a repeatable request does not depend on an old one.
///
/// GET, HEAD and what [`Repeatable`] marks are sent again over a new connection when an old one is silent for
/// [`FIRST_BYTE`], or for the time of [`FirstByte`]. The other connections of the pool are as old, so that all of them are given up together.
#[derive(Clone)]
pub(super) struct Reconnecting(Arc<Pools>);

struct Pools {
    make: Box<dyn Fn() -> SharedHttpConnector + Send + Sync>,
    current: Mutex<Pool>,
}

#[derive(Clone)]
struct Pool {
    connector: SharedHttpConnector,
    /// The local addresses of the connections that have answered.
    answered: Arc<Mutex<HashSet<SocketAddr>>>,
}

impl Reconnecting {
    /// Takes connections from what `make` makes, whose pool is empty.
    pub(super) fn new(make: impl Fn() -> SharedHttpConnector + Send + Sync + 'static) -> Self {
        let current = Mutex::new(Pool::new(make()));
        Self(Arc::new(Pools { make: Box::new(make), current }))
    }

    async fn exchange(self, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let pool = lock(&self.0.current).clone();
        let again = if is_repeatable(&request) { request.try_clone() } else { None };
        let first_byte = request.extension::<FirstByte>().map_or(FIRST_BYTE, |limit| limit.0);
        let connection = captured(&mut request);
        let mut answer = pin!(pool.connector.call(request));
        let Some(again) = again else { return pool.note(&connection, answer.await) };
        tokio::select! {
            // What has arrived while the process was frozen counts, however late it is.
            biased;
            answer = &mut answer => return pool.note(&connection, answer),
            () = silence(first_byte) => {}
        }
        if !pool.has_answered(&connection) {
            return pool.note(&connection, answer.await);
        }
        tracing::info!("an old connection is silent: a new one is opened");
        self.over_a_new_connection(&pool, again).await
    }

    async fn over_a_new_connection(
        &self,
        silent: &Pool,
        mut request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        let pool = {
            let mut current = lock(&self.0.current);
            // Another request may have found out first.
            if Arc::ptr_eq(&current.answered, &silent.answered) {
                *current = Pool::new((self.0.make)());
            }
            current.clone()
        };
        let connection = captured(&mut request);
        pool.note(&connection, pool.connector.call(request).await)
    }
}

impl HttpConnector for Reconnecting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().exchange(request))
    }
}

impl fmt::Debug for Reconnecting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reconnecting").finish_non_exhaustive()
    }
}

impl Pool {
    fn new(connector: SharedHttpConnector) -> Self {
        Self { connector, answered: Arc::default() }
    }

    /// Notes the connection that an answer came over.
    fn note(
        &self,
        connection: &CaptureSmithyConnection,
        answer: Result<HttpResponse, ConnectorError>,
    ) -> Result<HttpResponse, ConnectorError> {
        if let (Ok(_), Some(address)) = (&answer, address(connection)) {
            lock(&self.answered).insert(address);
        }
        answer
    }

    fn has_answered(&self, connection: &CaptureSmithyConnection) -> bool {
        address(connection).is_some_and(|address| lock(&self.answered).contains(&address))
    }
}

/// Waits for so long, and then until what has arrived meanwhile has been read.
async fn silence(time: Duration) {
    tokio::time::sleep(time).await;
    tokio::time::sleep(READING).await;
}

/// Has the connection of a request captured. The SDK asks for that as well, with the same value.
fn captured(request: &mut HttpRequest) -> CaptureSmithyConnection {
    if let Some(connection) = request.extension::<CaptureSmithyConnection>() {
        return connection.clone();
    }
    let connection = CaptureSmithyConnection::new();
    request.add_extension(connection.clone());
    connection
}

/// The local address, which tells a connection from all others to the same host; `None` while there is no connection.
fn address(connection: &CaptureSmithyConnection) -> Option<SocketAddr> {
    connection.get()?.local_addr()
}

fn is_repeatable(request: &HttpRequest) -> bool {
    matches!(request.method(), "GET" | "HEAD") || request.extension::<MayRepeat>().is_some()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct MayRepeat;

/// The interceptor that marks the requests of these operations as repeatable: it does no harm to do them twice.
#[derive(Debug)]
pub struct Repeatable(pub &'static [&'static str]);

#[dyn_dispatch_hint]
impl Intercept for Repeatable {
    fn name(&self) -> &'static str {
        "Repeatable"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if config.load::<Metadata>().is_some_and(|metadata| self.0.contains(&metadata.name())) {
            context.request_mut().add_extension(MayRepeat);
        }
        Ok(())
    }
}

/// The interceptor that sets the longest wait for the head of an answer on a connection that has answered before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstByte(pub(crate) Duration);

#[dyn_dispatch_hint]
impl Intercept for FirstByte {
    fn name(&self) -> &'static str {
        "FirstByte"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().add_extension(*self);
        Ok(())
    }
}
