//! One publisher's connection: what it has to send, and what waits for an acknowledgement.

use crate::client::conn::Conn;
use crate::client::request::Template;
use crate::client::stamp::Stamp;
use std::collections::VecDeque;

/// One stream that a sender serves.
#[derive(Debug)]
pub(crate) struct Outlet {
    /// The stream.
    pub(crate) stream: u32,
    /// Its publishes.
    pub(crate) template: Template,
}

/// A sent publish that is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InFlight {
    /// Its stream.
    pub(crate) stream: u32,
    /// Its place in the stream.
    pub(crate) seq: u32,
    /// When it was due.
    pub(crate) due_ns: u64,
}

/// One publisher's connection.
#[derive(Debug)]
pub(crate) struct Sender {
    outlets: Vec<Outlet>,
    pipeline: usize,
    due: u64,
    sent: u64,
    in_flight: VecDeque<InFlight>,
    mask: u32,
}

impl Sender {
    /// A sender with nothing to send.
    pub(crate) fn new(outlets: Vec<Outlet>, pipeline: usize, mask: u32) -> Self {
        Self { outlets, pipeline, due: 0, sent: 0, in_flight: VecDeque::new(), mask }
    }

    /// One more message is due.
    pub(crate) fn add_due(&mut self) {
        self.due += 1;
    }

    /// Whether it has something to send and may.
    pub(crate) fn can_send(&self) -> bool {
        self.sent < self.due && self.in_flight.len() < self.pipeline
    }

    /// Messages sent so far; the next one has this place among those of this sender.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Appends the next publish.
    pub(crate) fn send(&mut self, conn: &mut Conn, due_ns: u64, now_ns: u64) -> Option<InFlight> {
        let turns = self.outlets.len() as u64;
        let outlet = self.outlets.get(usize::try_from(self.sent % turns).ok()?)?;
        let seq = u32::try_from(self.sent / turns).ok()?;
        let stamp = Stamp::new(outlet.stream, seq, due_ns, now_ns);
        // RFC 6455 §5.3 wants masks that a page's script cannot foresee; a load test needs them only to differ.
        self.mask = self.mask.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        outlet.template.append(conn.out(), &stamp, self.mask.to_be_bytes());
        let in_flight = InFlight { stream: outlet.stream, seq, due_ns };
        self.in_flight.push_back(in_flight);
        self.sent += 1;
        Some(in_flight)
    }

    /// The oldest publish in flight was answered.
    pub(crate) fn answered(&mut self) -> Option<InFlight> {
        self.in_flight.pop_front()
    }

    /// Publishes in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}
