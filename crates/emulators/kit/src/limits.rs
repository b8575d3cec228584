//! The limits of a listener's connections.

use std::time::Duration;

/// The deadlines of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// From the end of the head to the end of the body; [`read`](crate::read) holds it.
    pub body: Duration,
    /// Without a byte in either direction while no request is being answered.
    pub idle: Duration,
}

impl Default for Deadlines {
    /// 10 s for a head, 30 s for a body, 60 s without a byte.
    fn default() -> Self {
        Self { head: Duration::from_secs(10), body: Duration::from_secs(30), idle: Duration::from_secs(60) }
    }
}

/// The number of connections that a listener serves, and their deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The deadlines of each.
    pub deadlines: Deadlines,
    /// Most connections at a time; others wait in the listener's backlog.
    pub connections: usize,
    /// The time for which a connection that waits for its peer keeps its place while another one wants it.
    pub patience: Duration,
    /// Most connections that stay open after an answer; beyond that each is closed after its answer.
    pub kept_alive: usize,
}

impl Default for Limits {
    /// 512 connections, of which half stay open after an answer, and a patience of 2 s: within the 1,024 files that a
    /// process may usually open.
    fn default() -> Self {
        Self { deadlines: Deadlines::default(), connections: 512, patience: Duration::from_secs(2), kept_alive: 256 }
    }
}
