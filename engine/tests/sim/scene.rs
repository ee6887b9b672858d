//! What a client is given when it acts or hears something, and which clients there are.

use engine::ids::{ChannelKey, Now};
use engine::shard::{Shard, home};

use crate::checker::{Truth, View};
use crate::clients::HttpClient;
use crate::faults::Plan;
use crate::handshake::WebSocket;
use crate::infrai::InfraiClient;
use crate::insforge::InsforgeClient;
use crate::journal::Key;
use crate::keys;
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
    /// The keys that sign what it says.
    pub signing: Signing,
}

/// Which of the tenants' signing keys somebody uses.
#[derive(Clone, Copy, Debug)]
pub struct Signing {
    pub generation: u32,
    /// Whether the shard that it comes to knows that nothing is taken that they sign.
    pub is_stale: bool,
}

impl Scene<'_> {
    /// What signs a channel's tokens.
    pub fn signing_key(&self, key: &Key) -> Vec<u8> {
        keys::signing_key(key, self.signing.generation)
    }

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

    /// Its end of a WebSocket, if its dialect is always on one.
    pub fn socket_mut(&mut self) -> Option<&mut WebSocket> {
        match self {
            Self::Http(_) | Self::Polled(_) => None,
            Self::Socket(socket) => Some(&mut socket.socket),
            Self::Infrai(client) => Some(&mut client.socket),
            Self::Insforge(client) => Some(&mut client.socket),
            Self::Plain(client) => Some(&mut client.socket),
        }
    }

    /// Whether it says nothing any more, and the node has to find out.
    pub fn is_stuck(&self) -> bool {
        match self {
            Self::Http(http) => http.is_stuck,
            Self::Polled(_) => false,
            Self::Socket(socket) => socket.socket.is_stuck(),
            Self::Infrai(client) => client.socket.is_stuck(),
            Self::Insforge(client) => client.socket.is_stuck(),
            Self::Plain(client) => client.socket.is_stuck(),
        }
    }

    /// Says half of something, and then nothing any more.
    pub fn say_half(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let is_said = match self.http_mut() {
            Some(http) => http.say_half(out),
            None => self.socket_mut().is_some_and(|it| it.say_half(out)),
        };
        scene.seen.note_if(is_said, "half of something, then silence");
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
