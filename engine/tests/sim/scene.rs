//! What a client is given when it acts or hears something, and which clients there are.

use engine::ids::{ChannelKey, Now};
use engine::shard::{Shard, home};

use crate::checker::{Truth, View};
use crate::clients::HttpClient;
use crate::faults::Plan;
use crate::infrai::InfraiClient;
use crate::insforge::InsforgeClient;
use crate::journal::Key;
use crate::plain::PlainClient;
use crate::polled::PolledClient;
use crate::random::Random;
use crate::seen::Seen;
use crate::socket::SocketClient;

/// What a client is given.
pub struct Scene<'a> {
    pub plan: &'a Plan,
    pub random: &'a mut Random,
    pub truth: &'a mut Truth,
    pub seen: &'a mut Seen,
    pub now: Now,
    pub step: u64,
    /// Where the client's channel stands, visibly.
    pub position: u64,
    pub shards: &'a [Shard],
}

impl Scene<'_> {
    /// Where any channel stands, visibly.
    pub fn position_of(&self, key: &Key) -> u64 {
        position(self.shards, key)
    }
}

/// Where a channel stands, visibly.
pub fn position(shards: &[Shard], key: &Key) -> u64 {
    let channel = ChannelKey::new(key.0, &key.1);
    let count = u16::try_from(shards.len()).unwrap();
    shards[home(&channel, count).index()].broker().position(&channel).offset.0
}

/// One end of a connection.
pub enum Client {
    /// A server.
    Http(Box<HttpClient>),
    /// A client on a WebSocket with one channel.
    Socket(Box<SocketClient>),
    /// A client on a WebSocket with many.
    Infrai(Box<InfraiClient>),
    /// A client of Socket.IO.
    Insforge(Box<InsforgeClient>),
    /// A client on the WebSocket of InsForge's documents.
    Plain(Box<PlainClient>),
    /// A client of Socket.IO that polls.
    Polled(Box<PolledClient>),
}

impl Client {
    /// The channel that it works with.
    pub fn key(&self) -> &Key {
        match self {
            Self::Http(http) => &http.key,
            Self::Socket(socket) => &socket.view.key,
            Self::Infrai(client) => &client.key,
            Self::Insforge(client) => &client.key,
            Self::Plain(client) => &client.key,
            Self::Polled(client) => &client.view.key,
        }
    }

    /// The server, if it is one.
    pub fn http_mut(&mut self) -> Option<&mut HttpClient> {
        match self {
            Self::Http(http) => Some(http),
            Self::Socket(_) | Self::Infrai(_) => None,
            Self::Insforge(_) | Self::Plain(_) | Self::Polled(_) => None,
        }
    }

    /// The server, if it is one.
    pub fn http(&self) -> Option<&HttpClient> {
        match self {
            Self::Http(http) => Some(http),
            Self::Socket(_) | Self::Infrai(_) => None,
            Self::Insforge(_) | Self::Plain(_) | Self::Polled(_) => None,
        }
    }

    /// Does something.
    pub fn act(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        match self {
            Self::Http(http) => http.act(out, scene),
            Self::Socket(socket) => socket.act(out, scene),
            Self::Infrai(client) => client.act(out, scene),
            Self::Insforge(client) => client.act(out, scene),
            Self::Plain(client) => client.act(out, scene),
            Self::Polled(client) => client.act(out, scene),
        }
    }

    /// Hears bytes of the node; what it answers goes to `out`.
    pub fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        match self {
            Self::Http(http) => http.hear(bytes, scene),
            Self::Socket(socket) => socket.hear(bytes, out, scene),
            Self::Infrai(client) => client.hear(bytes, out, scene),
            Self::Insforge(client) => client.hear(bytes, out, scene),
            Self::Plain(client) => client.hear(bytes, out, scene),
            Self::Polled(client) => client.hear(bytes, out, scene),
        }
    }

    /// What it listens to, while it is connected.
    pub fn live_views(&self) -> Vec<&View> {
        match self {
            _ if !self.is_live_socket() => Vec::new(),
            Self::Http(_) => Vec::new(),
            Self::Socket(socket) => vec![&socket.view],
            Self::Polled(client) => vec![&client.view],
            Self::Infrai(client) => client.views.values().collect(),
            Self::Insforge(client) => client.views.values().collect(),
            Self::Plain(client) => client.views.values().collect(),
        }
    }

    /// Whether it is a socket that is open, or a session that listens, and will stay so.
    pub fn is_live_socket(&self) -> bool {
        match self {
            Self::Http(_) => false,
            Self::Socket(socket) => socket.is_live(),
            Self::Infrai(client) => client.is_live(),
            Self::Insforge(client) => client.is_live(),
            Self::Plain(client) => client.is_live(),
            Self::Polled(client) => client.is_live(),
        }
    }
}
