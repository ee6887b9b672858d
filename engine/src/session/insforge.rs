//! What an InsForge client has beside what every client has: where it stands, who it is, and its frames that wait.

use std::sync::Arc;

use protocol::auth::insforge::Identity;
use protocol::dialect::Dialect;
use protocol::dialect::insforge::plain::Filter;
use protocol::dialect::insforge::socket::Standing;
use protocol::engineio::Sid;
use protocol::policy::Asker;

use storage::Publication;

use super::asks::Asks;
use crate::ids::{ChannelKey, ConnId};

/// See the module.
#[derive(Debug)]
pub struct InsforgeClient {
    /// How it is spoken with.
    pub wire: Wire,
    /// Who it is, once it said so.
    pub known: Option<Box<Known>>,
    /// Where it came, and from where.
    pub whence: Whence,
    /// When it has to have said who it is, on the monotonic clock.
    pub introduced_by_ms: u64,
    /// Its frames that wait.
    pub asks: Asks,
    /// Of the channels that it hears in part, what it wants.
    filters: Vec<(Arc<ChannelKey>, Filter)>,
}

/// Where a client came, and from where: once it has said who it is, its tenant judges both.
#[derive(Clone, Debug, Default)]
pub struct Whence {
    /// The host that it asked for: it may tell which tenant its token is for.
    pub host: Box<str>,
    /// The origin of its page; kept where a tenant lists origins.
    pub page: Option<Box<str>>,
}

/// How a client is spoken with.
#[derive(Debug)]
pub enum Wire {
    /// Socket.IO.
    Socket {
        /// What it may say now.
        standing: Standing,
        /// The id of its session, and of the socket in it.
        sid: Sid,
        /// When it was pinged last, on the monotonic clock.
        pinged_at_ms: u64,
    },
    /// The frames of the documents.
    Plain,
    /// Nothing but the packets by which a session of Engine.IO moves here.
    Probe {
        /// The connection without a socket that has the session.
        session: ConnId,
        /// Whether the client has said that it moves.
        is_wanted: bool,
    },
}

/// Who a client is.
#[derive(Debug)]
pub struct Known {
    /// What policies see of it.
    pub asker: Asker,
    /// What its token said.
    pub identity: Identity,
}

impl InsforgeClient {
    /// A client that has not said who it is.
    #[must_use]
    pub fn new(wire: Wire, whence: Whence, introduced_by_ms: u64) -> Self {
        let (asks, filters) = (Asks::default(), Vec::new());
        Self { wire, known: None, whence, introduced_by_ms, asks, filters }
    }

    /// What it wants of a channel from now on.
    pub fn set_filter(&mut self, channel: &Arc<ChannelKey>, filter: &Filter) {
        self.forget_filter(channel);
        if !filter.is_open() {
            self.filters.push((Arc::clone(channel), filter.clone()));
        }
    }

    /// It hears a channel no more.
    pub fn forget_filter(&mut self, channel: &ChannelKey) {
        self.filters.retain(|(known, _)| **known != *channel);
    }

    /// Of how many channels it wants some messages alone.
    #[must_use]
    pub fn filters(&self) -> usize {
        self.filters.len()
    }

    /// Whether it wants a message, whose payload names a schema or none.
    #[must_use]
    pub fn wants<'a>(
        &self,
        publication: &Publication,
        schema: impl FnOnce() -> Option<&'a str>,
    ) -> bool {
        let channel = publication.channel();
        let filter = self.filters.iter().find(|(known, _)| **known == **channel);
        filter.is_none_or(|(_, it)| it.admits(publication.event(), schema))
    }

    /// Which of the two wires it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.wire {
            Wire::Socket { .. } | Wire::Probe { .. } => Dialect::Insforge,
            Wire::Plain => Dialect::InsforgePlain,
        }
    }

    /// When its session was pinged last, if that has pings of its own.
    #[must_use]
    pub fn last_ping_ms(&self) -> Option<u64> {
        match self.wire {
            Wire::Socket { pinged_at_ms, .. } => Some(pinged_at_ms),
            Wire::Plain | Wire::Probe { .. } => None,
        }
    }

    /// It is pinged. Returns whether its session has pings of its own.
    pub fn note_ping(&mut self, now_ms: u64) -> bool {
        match &mut self.wire {
            Wire::Socket { pinged_at_ms, .. } => {
                *pinged_at_ms = now_ms;
                true
            }
            Wire::Plain | Wire::Probe { .. } => false,
        }
    }
}
