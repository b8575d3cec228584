//! Connections that are dropped without a word.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A listener in front of an engine that can swallow its connections.
pub struct BlackHole {
    url: String,
    accepted: watch::Sender<usize>,
    swallowed: watch::Sender<usize>,
}

impl BlackHole {
    /// Listens on a free port and passes everything on to `endpoint` (`http://HOST:PORT`).
    pub async fn in_front_of(endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let engine = endpoint.trim_start_matches("http://").to_owned();
        let (accepted, swallowed) = (watch::Sender::new(0), watch::Sender::new(0));
        let (counter, swallowing) = (accepted.clone(), swallowed.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counter.send_modify(|accepted| *accepted += 1);
                let number = *counter.borrow();
                tokio::spawn(pass_on(client, engine.clone(), number, swallowing.subscribe()));
            }
        });
        Self { url, accepted, swallowed }
    }

    /// The URL to use in place of the engine's.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The number of connections that have been opened.
    pub fn connections(&self) -> usize {
        *self.accepted.borrow()
    }

    /// From now on nothing passes through the connections that have been opened so far. They stay open.
    pub fn swallow(&self) {
        self.swallowed.send_replace(self.connections());
    }
}

/// Passes everything on until the connection of this number is swallowed.
async fn pass_on(mut client: TcpStream, engine: String, number: usize, mut swallowed: watch::Receiver<usize>) {
    let mut engine = TcpStream::connect(&engine).await.expect("the engine listens");
    tokio::select! {
        // Either side may close first.
        _ = copy_bidirectional(&mut client, &mut engine) => return,
        _ = swallowed.wait_for(|swallowed| *swallowed >= number) => {}
    }
    std::future::pending::<()>().await;
}
