//! Everything one core owns. Synchronous and deterministic: inputs come in, effects come out. No clock, no chance, no I/O.

mod answers;
mod arrivals;
mod asking;
mod batches;
mod calls;
mod claiming;
mod cohesivity;
mod cost;
mod counters;
mod deadlines;
mod dropping;
#[cfg(feature = "echo")]
mod echo;
mod edge;
pub mod effects;
mod enforce;
mod handing;
mod home;
mod hooks;
mod infrai;
pub mod input;
mod insforge;
mod line;
mod long_answers;
mod mailing;
mod operate;
mod pace;
mod pages;
mod paid;
mod passing;
mod polled;
mod pressure;
mod publishing;
mod requests;
mod rules;
mod seat;
mod side;
mod sockets;
mod steps;
mod streams;
mod subscribe;
mod told;
mod watch;

use std::sync::Arc;

use arrivals::Arrivals;
pub use batches::BatchId;
use batches::Batches;
use cost::Owed;
pub use counters::Counters;
use deadlines::Deadlines;
use edge::Choosy;
use effects::{Effects, Ending};
use enforce::Orders;
use hashbrown::HashSet;
use hooks::HookState;
use infrai::KnownChannels;
use input::{Delivery, Input, JournalAnswer, ReadTicket, Request};
use insforge::ChannelLists;
use long_answers::LongAnswers;
use passing::Passes;
use polled::Polls;
use pressure::Squeeze;
use side::Sides;
use steps::Calls;

use crate::broker::{Broker, Rest};
use crate::control::{Revocations, Rules, Seats, TokenId};
use crate::hasher::{self, ShardHasher};
use crate::hub::{Hub, Turn};
use crate::ids::{ChannelKey, ConnId, Now, ShardId, SubscriptionId, TenantId};
use crate::limits::{Limits, refused_at_once};
use crate::message_ids::MessageIds;
use crate::session::{Load, Table};
use crate::tenants::Tenants;

/// What a shard is made with.
#[derive(Clone)]
pub struct ShardOptions {
    /// Which one it is.
    pub id: ShardId,
    /// How many there are.
    pub shard_count: u16,
    /// Its bounds.
    pub limits: Limits,
    /// Who may use the node.
    pub tenants: Arc<Tenants>,
    /// All of its chance comes from here.
    pub seed: u64,
    /// When it starts.
    pub now: Now,
}

/// One core's share of the node.
pub struct Shard {
    id: ShardId,
    shard_count: u16,
    limits: Limits,
    /// What a frame of Engine.IO may be: as much as its handshake says, though a message in it may have less data.
    packet_limits: protocol::Limits,
    tenants: Arc<Tenants>,
    /// How often the node got other tenants: what a connection knows of a credential is as old as this.
    tenants_generation: u32,
    sessions: Table,
    hub: Hub,
    turn: Turn,
    broker: Broker,
    deadlines: Deadlines,
    ids: MessageIds,
    /// Control state of the tenants whose seat this is.
    seats: Seats,
    /// Calls of connections here that take steps.
    calls: Calls,
    /// Those of them that the side threads run.
    sides: Sides,
    /// Batches that are homed here.
    batches: Batches,
    /// Tokens that open nothing; the same on every shard.
    revoked: Revocations,
    /// Registered channels that need no question.
    known: KnownChannels,
    /// The rules of all tenants; the same on every shard.
    rules: Rules,
    /// The webhooks of tenants whose seat this is.
    hooks: HookState,
    /// What the log says of rules that are tried.
    shadow: insforge::Shadow,
    /// Lists of them that go out in parts.
    lists: ChannelLists,
    /// Answers that go out in parts.
    long_answers: LongAnswers,
    /// What tenants get back.
    owed: Owed,
    /// What seats want done here.
    orders: Orders,
    /// Appends that the journal has answered.
    appends_answered: u64,
    next_subscription: u64,
    /// Connections with requests that can be read on, now that earlier ones are answered.
    resumable: Vec<ConnId>,
    /// The connection whose bytes are being read.
    reading: Option<ConnId>,
    due: Vec<ConnId>,
    /// Subscriptions that found no room for their channel here. Each is gone with its leave, so they are at most as many as
    /// the subscriptions that the node's connections may have.
    turned_away: HashSet<(ShardId, SubscriptionId), ShardHasher>,
    /// Subscribers that get what they missed.
    arrivals: Arrivals,
    /// Connections that go to other shards, or come from them.
    passes: Passes,
    /// Connections without a socket.
    polls: Polls,
    scratch: Vec<u8>,
    choosy: Choosy,
    /// Connections that the table of the ring has a slot for, but for those that are being refused.
    room: usize,
    squeeze: Squeeze,
    health: Health,
    counters: Counters,
    /// The time of the input that is being handled.
    now: Now,
}

/// Whether the shard takes work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Health {
    draining: bool,
    /// False once the journal is fenced (invariant 4: it never degrades in silence).
    storage: bool,
}

impl Shard {
    /// A shard with nothing on it.
    #[must_use]
    pub fn new(options: ShardOptions) -> Self {
        let hasher = hasher::seeded(options.seed);
        let limits = options.limits;
        let packet_bytes_max =
            limits.heartbeat.payload_bytes_max.max(limits.wire.message_bytes_max);
        Self {
            packet_limits: protocol::Limits {
                message_bytes_max: packet_bytes_max,
                ..limits.wire.clone()
            },
            id: options.id,
            shard_count: options.shard_count,
            tenants: options.tenants,
            tenants_generation: 0,
            sessions: Table::default(),
            hub: Hub::new(hasher.clone()),
            turn: Turn::new(limits.deliveries_per_turn_max),
            turned_away: HashSet::with_hasher(hasher.clone()),
            arrivals: Arrivals::new(hasher.clone()),
            passes: Passes::new(hasher.clone()),
            polls: Polls::new(hasher.clone()),
            seats: Seats::new(hasher.clone(), limits.seat),
            batches: Batches::default(),
            revoked: Revocations::new(hasher.clone()),
            known: KnownChannels::new(hasher.clone(), limits.known_channels_max),
            calls: Calls::new(hasher.clone(), limits.control_calls_max),
            sides: Sides::new(hasher.clone()),
            rules: Rules::new(hasher.clone()),
            hooks: HookState::new(hasher.clone()),
            shadow: insforge::Shadow::default(),
            lists: ChannelLists::new(hasher.clone()),
            long_answers: LongAnswers::new(hasher.clone()),
            owed: Owed::default(),
            orders: Orders::default(),
            appends_answered: 0,
            broker: Broker::new(hasher, &limits),
            deadlines: Deadlines::new(options.now.monotonic_ms),
            ids: MessageIds::new(options.seed),
            next_subscription: 0,
            resumable: Vec::new(),
            reading: None,
            due: Vec::new(),
            scratch: Vec::new(),
            choosy: Choosy::default(),
            room: usize::MAX,
            squeeze: Squeeze::new(limits.polling_total_bytes_max),
            health: Health { draining: false, storage: true },
            counters: Counters::default(),
            now: options.now,
            limits,
        }
    }

    /// Says where a channel homed here stood when the journal was opened.
    pub fn restore(&mut self, channel: Arc<ChannelKey>, rest: Rest) {
        self.broker.restore(channel, rest);
    }

    /// Has room in one piece for the connections of a ring with so many slots.
    pub fn expect(&mut self, slots: u32) {
        self.sessions.expect(slots as usize);
        self.room = (slots - refused_at_once(slots)) as usize;
    }

    /// Says in which epoch channels begin that the journal does not know.
    pub fn begin_epoch(&mut self, epoch: crate::ids::Epoch) {
        self.broker.begin_epoch(epoch);
    }

    /// The one door in. Runs to completion; never blocks, never fails.
    pub fn handle(&mut self, now: Now, input: Input<'_>, effects: &mut Effects) {
        self.now = now;
        let closed_before = effects.closes.len();
        match input {
            Input::Opened(conn) => self.on_opened(conn, effects),
            Input::Bytes(conn, bytes) => self.on_bytes(conn, bytes, effects),
            Input::HalfClosed(conn) => self.on_half_closed(conn, effects),
            Input::Closed(conn) => self.on_closed(conn, effects),
            Input::Arrived(conn, number) => self.on_arrived(conn, number, effects),
            Input::Passed(conn) => self.on_passed(conn, effects),
            Input::Stayed(conn) => self.on_stayed(conn, effects),
            Input::Overrun(conn) => self.on_overrun(conn, effects),
            Input::Request(from, request) => self.on_request(from, request, effects),
            Input::Delivery(delivery) => self.on_delivery(delivery, &mut effects.closes),
            Input::Drained(conn) => self.on_drained(conn, effects),
            Input::Journal(answer) => self.on_journal(answer, effects),
            Input::Catalog(answer) => self.on_catalog(&answer, effects),
            Input::Side(call, answer) => self.on_side(call, answer, &mut effects.closes),
            Input::Hooked(hooked) => self.on_hooked(hooked),
            Input::Operation(operation) => self.on_operation(*operation, effects),
            Input::Tenants(tenants) => self.on_tenants(tenants),
            Input::Resume => self.on_resume(effects),
            Input::Pressure(level) => self.on_pressure(level),
            Input::Tick => self.on_tick(effects),
            Input::Drain(code) => self.on_drain(code, effects),
        }
        self.keep_polled(closed_before, &mut effects.closes);
        self.sides.say(&mut effects.side);
        self.hooks.say(&mut effects.hooks);
        self.arrivals.say(&mut effects.thirsty);
    }

    /// Whether something waits that an [`Input::Resume`] would go on with.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        let is_step_due = self.calls.is_ready() || !self.orders.is_empty() || !self.owed.is_empty();
        is_step_due || self.polls.is_due() || !self.resumable.is_empty()
    }

    /// Calls of connections here, past ones too, that are not finished.
    #[must_use]
    pub fn running_calls(&self) -> usize {
        self.calls.count()
    }

    /// The shard that orders a channel.
    #[must_use]
    pub fn home(&self, channel: &ChannelKey) -> ShardId {
        home(channel, self.shard_count)
    }

    /// The channels homed here.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The subscriptions held here.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Whether a token opens nothing here any more.
    #[must_use]
    pub fn refuses(&self, tenant: TenantId, token: TokenId) -> bool {
        self.revoked.contains(tenant, token)
    }

    /// Whether a connection is a client's that listens.
    pub fn is_socket(&mut self, conn: ConnId) -> bool {
        self.sessions.socket(conn).is_some()
    }

    /// Connections held here.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.sessions.count()
    }

    /// Sessions held here that have no connection of their own.
    #[must_use]
    pub fn polled_sessions(&self) -> usize {
        self.polls.count()
    }

    /// What its connections have.
    #[must_use]
    pub fn load(&self) -> Load {
        self.sessions.load()
    }

    /// What it has done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn request(&mut self, channel: &ChannelKey, request: Request, effects: &mut Effects) {
        self.send(self.home(channel), request, effects);
    }

    fn deliver(&mut self, to: ShardId, delivery: Delivery, effects: &mut Effects) {
        if to == self.id {
            self.on_delivery(delivery, &mut effects.closes);
        } else {
            effects.deliveries.push((to, delivery));
        }
    }

    fn on_journal(&mut self, answer: JournalAnswer, effects: &mut Effects) {
        if let JournalAnswer::Read(_, result) = &answer
            && !arrivals::is_busy(result)
        {
            self.ask_again(effects);
        }
        match answer {
            JournalAnswer::Committed(count) => self.on_committed(count, effects),
            JournalAnswer::Refused(count, why) => self.on_refused(count, &why, effects),
            JournalAnswer::Dropped(ask, result) => self.on_dropped(&ask, result, effects),
            JournalAnswer::Damaged(channel) => self.on_damaged(&channel, effects),
            JournalAnswer::Read(ReadTicket::Arrival(edge, joiner), result) => {
                self.on_past_read((edge, joiner), result, effects);
            }
            JournalAnswer::Read(ReadTicket::History(edge, reply), result) => {
                let delivery = match result {
                    Ok(publications) => Delivery::History(reply, publications),
                    Err(why) => Delivery::Refused(reply, why),
                };
                self.deliver(edge, delivery, effects);
            }
        }
    }
}

/// The shard that orders a channel, of so many shards.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "a remainder of a u16 fits a u16")]
pub fn home(channel: &ChannelKey, shard_count: u16) -> ShardId {
    ShardId((channel.hash() % u64::from(shard_count)) as u16)
}

/// Marks a connection to be closed once what it gets this turn is out.
fn close(conn: ConnId, ending: Ending, closes: &mut Vec<(ConnId, Ending)>) {
    closes.push((conn, ending));
}
