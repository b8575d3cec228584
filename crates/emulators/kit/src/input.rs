//! The bytes that a connection has read of a request, and those that came ahead of their turn.

/// The bytes read since a request began.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// `true` behind a line break, with nothing but a carriage return since.
    is_line_start: bool,
    /// The bytes behind the head's end, if that was seen.
    behind_head: Option<u64>,
    /// The last bytes that were read.
    tail: [u8; 3],
    /// `true` if the request began with bytes that came ahead: its head's end was not seen.
    began_ahead: bool,
}

impl Input {
    /// Takes the next bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.behind_head.is_none()
            && let Some((byte, others)) = rest.split_first()
        {
            match byte {
                b'\n' if self.is_line_start => self.behind_head = Some(0),
                b'\n' => self.is_line_start = true,
                b'\r' => {}
                _ => self.is_line_start = false,
            }
            rest = others;
        }
        let length = u64::try_from(rest.len()).unwrap_or(u64::MAX);
        self.behind_head = self.behind_head.map(|behind| behind.saturating_add(length));
        let last = bytes.get(bytes.len().saturating_sub(self.tail.len())..).unwrap_or_default();
        self.tail.rotate_left(last.len());
        let start = self.tail.len() - last.len();
        self.tail[start..].copy_from_slice(last);
    }

    /// Ends a request with a body of this length, `None` for one in chunks. Returns `true` if bytes of the next request
    /// have come, or may have: those of a connection that once sent some ahead are not told apart any more.
    pub(crate) fn end(&mut self, body: Option<u64>) -> bool {
        let is_whole = match body {
            Some(length) => self.behind_head == Some(length),
            // Chunks end with an empty line, and no part of a head does.
            None => self.tail.ends_with(b"\n\r\n") || self.tail.ends_with(b"\n\n"),
        };
        let is_ahead = self.began_ahead || !is_whole;
        *self = Self { began_ahead: is_ahead, ..Self::default() };
        is_ahead
    }
}

#[cfg(test)]
mod tests {
    use super::Input;

    /// Feeds a request, in pieces of this length, and tells whether bytes of the next have come.
    fn is_ahead(bytes: &[u8], body: Option<u64>, piece: usize) -> bool {
        let mut input = Input::default();
        bytes.chunks(piece).for_each(|piece| input.take(piece));
        input.end(body)
    }

    #[test]
    fn bytes_behind_a_request_are_noticed_wherever_it_is_cut() {
        let head = "POST / HTTP/1.1\r\nHost: x\r\n\r\n";
        for piece in 1..=64 {
            for (request, body) in [
                (head.to_owned(), Some(0)),
                (head.replace('\r', ""), Some(0)),
                (format!("{head}body"), Some(4)),
                (format!("{head}\r\n\r\n"), Some(4)),
                (format!("{head}4\r\nbody\r\n0\r\n\r\n"), None),
                (format!("{head}4\r\nbody\r\n0\r\nTrailer: x\r\n\r\n"), None),
            ] {
                assert!(!is_ahead(request.as_bytes(), body, piece), "{request:?} in pieces of {piece}");
                for next in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: x\r\nX: "] {
                    let ahead = format!("{request}{next}");
                    assert!(is_ahead(ahead.as_bytes(), body, piece), "{ahead:?} in pieces of {piece}");
                }
            }
        }
    }

    #[test]
    fn a_connection_that_sent_ahead_once_stays_suspect() {
        let mut input = Input::default();
        input.take(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n");
        assert!(input.end(Some(0)));
        input.take(b"\r\n");
        assert!(input.end(Some(0)));
    }
}
