//! The connections of one shard by their slots.

use super::http::HttpSession;
use super::socket::SocketSession;
use crate::control::Buckets;
use crate::ids::{ConnId, PassId, ShardId};
use crate::planted::{self, Fault};

/// One connection.
#[derive(Debug)]
pub struct Slot {
    /// Its name; `None` while the slot is free.
    conn: Option<ConnId>,
    /// What it speaks.
    pub state: State,
    /// The incomplete end of what it sent.
    pub carry: Vec<u8>,
    /// Bytes that `carry` needs before there is anything new to read in it; zero where each byte may be the last of a head.
    pub want: usize,
    /// When it last sent something.
    pub heard_at_ms: u64,
    /// Since when something it began is incomplete; zero when nothing is.
    pub since_ms: u64,
    /// The earliest entry that the wheel has for it.
    pub scheduled_ms: u64,
    /// How fast it went lately, where that is limited.
    pub buckets: Option<Box<Buckets>>,
}

/// What a connection speaks.
#[derive(Debug)]
pub enum State {
    /// HTTP requests.
    Http(Box<HttpSession>),
    /// One of the dialects over a WebSocket.
    Socket(Box<SocketSession>),
    /// Nothing more: its home did not take it, and is told once it is gone.
    Leaving(Box<SocketSession>),
    /// Nothing that is read here: it goes to another shard, under this number.
    Passing(ShardId, PassId),
    /// Nothing yet: it came from another shard, and what that has not read of it is still to come.
    Arriving,
    /// Nothing more: it is being closed.
    Ending,
}

impl Slot {
    /// Whether the peer owes the rest of a fragmented message.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        match &self.state {
            State::Socket(socket) => socket.reader.is_mid_message(),
            State::Http(_)
            | State::Leaving(_)
            | State::Passing(..)
            | State::Arriving
            | State::Ending => false,
        }
    }

    /// Whether the peer owes the rest of a body whose length is known.
    #[must_use]
    pub fn is_in_body(&self) -> bool {
        self.want > self.carry.len()
    }

    fn free() -> Self {
        Self {
            conn: None,
            state: State::Ending,
            carry: Vec::new(),
            want: 0,
            heard_at_ms: 0,
            since_ms: 0,
            scheduled_ms: u64::MAX,
            buckets: None,
        }
    }
}

/// What the connections with the most have.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Load {
    /// Bytes that were received and not read.
    pub unread_most: usize,
    /// Requests that wait for their answers.
    pub tickets_most: usize,
    /// Channels of which some messages alone are wanted.
    pub filters_most: usize,
}

/// All connections of a shard.
#[derive(Debug, Default)]
pub struct Table {
    slots: Vec<Slot>,
    /// Connections without a socket.
    polled: Vec<Slot>,
    /// How many have a socket.
    open: usize,
}

impl Table {
    /// Has room for so many connections with a socket in one piece: a table that grew by doubling would leave behind what it
    /// had before. Pages that nobody uses take no memory.
    pub fn expect(&mut self, connections: usize) {
        self.slots.reserve_exact(connections);
    }

    /// Starts a connection.
    pub fn open(&mut self, conn: ConnId, state: State) -> Option<&mut Slot> {
        let slots = if conn.is_polled() { &mut self.polled } else { &mut self.slots };
        while slots.len() <= conn.place() {
            slots.push(Slot::free());
        }
        let slot = slots.get_mut(conn.place())?;
        if slot.conn.is_none() && !conn.is_polled() {
            self.open += 1;
        }
        *slot = Slot { conn: Some(conn), state, ..Slot::free() };
        Some(slot)
    }

    /// The connection, if it is still there.
    pub fn slot(&mut self, conn: ConnId) -> Option<&mut Slot> {
        let any_owner = planted::is(Fault::GenerationIgnored);
        let slots = if conn.is_polled() { &mut self.polled } else { &mut self.slots };
        slots.get_mut(conn.place()).filter(|slot| slot.conn == Some(conn) || any_owner)
    }

    /// What a connection over a WebSocket speaks there.
    pub fn socket(&mut self, conn: ConnId) -> Option<&mut SocketSession> {
        if let State::Socket(socket) = &mut self.slot(conn)?.state { Some(socket) } else { None }
    }

    /// What a connection over HTTP speaks there.
    pub fn http(&mut self, conn: ConnId) -> Option<&mut HttpSession> {
        if let State::Http(http) = &mut self.slot(conn)?.state { Some(http) } else { None }
    }

    /// Ends a connection and returns what it spoke.
    pub fn close(&mut self, conn: ConnId) -> Option<State> {
        let slot = self.slot(conn)?;
        let state = std::mem::replace(slot, Slot::free()).state;
        self.open -= usize::from(!conn.is_polled());
        Some(state)
    }

    /// How many have a socket.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open
    }

    /// What the connections with the most have (invariant 7).
    #[must_use]
    pub fn load(&self) -> Load {
        self.slots.iter().fold(Load::default(), |load, slot| {
            let (tickets, filters) = match &slot.state {
                State::Http(http) => (http.tickets.len(), 0),
                State::Socket(socket) => (0, socket.filters()),
                State::Leaving(_) | State::Passing(..) | State::Arriving | State::Ending => (0, 0),
            };
            Load {
                unread_most: load.unread_most.max(slot.carry.len()),
                tickets_most: load.tickets_most.max(tickets),
                filters_most: load.filters_most.max(filters),
            }
        })
    }

    /// Those in a range of slots.
    pub fn range(&self, slots: std::ops::Range<usize>) -> impl Iterator<Item = ConnId> + '_ {
        let all = self.slots.iter().chain(&self.polled);
        all.skip(slots.start).take(slots.len()).filter_map(|slot| slot.conn)
    }

    /// How many slots there are, free ones too.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len() + self.polled.len()
    }

    /// All of them, in the order of their slots.
    pub fn conns(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.slots.iter().chain(&self.polled).filter_map(|slot| slot.conn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_no_limit_concerns_takes_a_pointer_for_its_buckets() {
        assert!(size_of::<Slot>() <= 96, "{}", size_of::<Slot>());
        assert_eq!(size_of::<Option<Box<Buckets>>>(), 8);
    }
}
