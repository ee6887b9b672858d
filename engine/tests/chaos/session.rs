//! The life of a client: it comes, listens, publishes, is cut or cuts itself, and comes again behind what it has.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use loadtest::history::{Begin, Event, Place, Shown};

use super::node::pause;
use super::socket::{Got, Room, Socket};
use super::tenant::Tenant;
use super::world::{Chance, Phase, World};

/// What a client speaks.
pub(crate) trait Speaks {
    /// A session, whose subscriptions are asked for or will be. `None`: nobody is there, or does not let it in.
    fn open(&mut self, world: &World, port: u16, chance: &mut Chance) -> Option<Session>;

    /// A frame came.
    fn hear(&mut self, world: &World, session: &mut Session, text: &str) -> Heard;

    /// Publishes something, if it may.
    fn publish(&mut self, world: &World, session: &mut Session, chance: &mut Chance);

    /// How it reads.
    fn reads(&self) -> Reads {
        Reads::AtOnce
    }
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    GoOn,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    AtOnce,
    /// With pauses in which more comes than is held for it.
    Late,
}

/// What is answered, and was not asked.
const NEVER_ASKED: u64 = 0;

/// A subscription of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sub {
    pub(crate) number: u64,
    pub(crate) stands: bool,
}

pub(crate) struct Session {
    pub(crate) number: u64,
    /// `None` until it is open.
    socket: Option<Socket>,
    pub(crate) subs: BTreeMap<String, Sub>,
    pub(crate) asked: VecDeque<u64>,
}

impl Session {
    pub(crate) fn new(world: &World) -> Self {
        let (number, subs, asked) = (world.number(), BTreeMap::new(), VecDeque::new());
        Self { number, socket: None, subs, asked }
    }

    /// Opens it; what was asked for before, because the socket brings it about, is over when it does not open.
    pub(crate) fn open(
        mut self,
        world: &World,
        port: u16,
        (target, room): (&str, Room),
    ) -> Option<Self> {
        self.socket = Socket::open(port, target, room);
        if self.socket.is_none() {
            self.end(world);
            return None;
        }
        Some(self)
    }

    /// Sends a frame. Whether it was taken shows in what comes.
    pub(crate) fn say(&mut self, frame: String) {
        if let Some(socket) = &mut self.socket {
            socket.say(frame);
        }
    }

    fn next(&mut self, patience: Duration) -> Got {
        self.socket.as_mut().map_or(Got::Closed, |it| it.next(patience))
    }

    /// Notes that a subscription is about to be asked for. Gives its number.
    pub(crate) fn subscribing(
        &mut self,
        world: &World,
        (tenant, channel): (&Tenant, &str),
        after: Option<Place>,
        member: Option<&str>,
    ) -> u64 {
        let sub = world.number();
        world.note(Event::Subscribing {
            sub,
            session: self.number,
            channel: tenant.channel(channel),
            after,
            member: member.map(str::to_owned),
        });
        let asked = Sub { number: sub, stands: false };
        if let Some(before) = self.subs.insert(channel.to_owned(), asked) {
            world.note(Event::Ended { sub: before.number });
        }
        sub
    }

    pub(crate) fn subscribed(
        &mut self,
        world: &World,
        channel: &str,
        begin: Begin,
        members: Option<Vec<String>>,
    ) {
        let asked = self.subs.get_mut(channel);
        let sub = asked.map_or(NEVER_ASKED, |it| {
            it.stands = true;
            it.number
        });
        world.note(Event::Subscribed { sub, begin, members });
    }

    /// The number of a subscription. What comes of a channel that it is not in has none, and the checker says what that is.
    pub(crate) fn sub(&self, channel: &str) -> u64 {
        self.subs.get(channel).map_or(NEVER_ASKED, |it| it.number)
    }

    pub(crate) fn delivered(&self, world: &World, channel: &str, shown: Shown) {
        let sub = self.sub(channel);
        world.note(Event::Delivered { sub, shown });
    }

    pub(crate) fn moved(&self, world: &World, channel: &str, (came, member): (bool, &str)) {
        let (sub, member) = (self.sub(channel), member.to_owned());
        world.note(match came {
            true => Event::Joined { sub, member },
            false => Event::Left { sub, member },
        });
    }

    pub(crate) fn unsubscribed(&mut self, world: &World, channel: &str) {
        if let Some(sub) = self.subs.remove(channel) {
            world.note(Event::Ended { sub: sub.number });
        }
    }

    /// Notes that something is about to be published. Gives the ask and the payload.
    pub(crate) fn invoke(
        &mut self,
        world: &World,
        (tenant, channel): (&Tenant, &str),
        is_kept: bool,
        chance: &mut Chance,
    ) -> (u64, String) {
        let (message, by) = (world.number(), self.number);
        let payload = tenant.payload(message, chance);
        let op = invoke(world, by, (tenant, channel), (message, &payload), is_kept);
        self.asked.push_back(op);
        (op, payload)
    }

    /// The oldest publish under way is answered.
    pub(crate) fn accepted(&mut self, world: &World, id: Option<String>, place: Option<Place>) {
        let op = self.asked.pop_front().unwrap_or(NEVER_ASKED);
        world.note(Event::Accepted { op, id, place });
    }

    pub(crate) fn end(self, world: &World) {
        for sub in self.subs.values() {
            world.note(Event::Ended { sub: sub.number });
        }
        for op in self.asked {
            world.note(Event::Unknown { op });
        }
    }
}

/// Notes that a message is about to be published. Gives the ask.
pub(crate) fn invoke(
    world: &World,
    by: u64,
    (tenant, channel): (&Tenant, &str),
    (message, payload): (u64, &str),
    is_kept: bool,
) -> u64 {
    let op = world.number();
    let channel = tenant.channel(channel);
    let digest = loadtest::history::digest(payload.as_bytes());
    world.note(Event::Invoked { op, by, channel, message, digest, is_kept });
    op
}

/// Lives until the run is done.
pub(crate) fn run(world: &World, mut client: impl Speaks, seed: u64) {
    let mut chance = Chance::new(seed);
    while world.phase() != Phase::Done {
        let session = world.port().and_then(|port| client.open(world, port, &mut chance));
        let Some(mut session) = session else {
            pause(Duration::from_millis(20));
            continue;
        };
        let is_cut = talk(world, &mut client, &mut session, &mut chance);
        if world.phase() == Phase::Done {
            return;
        }
        if let (Cut::Left, Some(socket)) = (is_cut, &mut session.socket) {
            socket.leave();
        }
        session.end(world);
    }
}

/// How a session came to its end.
enum Cut {
    /// The client said goodbye.
    Left,
    /// The client is gone at once.
    Dropped,
    /// The node closed, or is gone.
    Closed,
}

fn talk(
    world: &World,
    client: &mut impl Speaks,
    session: &mut Session,
    chance: &mut Chance,
) -> Cut {
    let mut next = Instant::now();
    loop {
        match session.next(Duration::from_millis(10)) {
            Got::Text(text) if client.hear(world, session, &text) == Heard::Over => {
                return Cut::Closed;
            }
            Got::Text(_) | Got::Nothing => {}
            Got::Closed => return Cut::Closed,
        }
        match world.phase() {
            Phase::Work if Instant::now() >= next => {}
            Phase::Work | Phase::Drain => continue,
            Phase::Done => return Cut::Left,
        }
        next = Instant::now() + chance.between_ms(20, 100);
        if client.reads() == Reads::Late && chance.one_in(20) {
            world.pause_at_work(chance.between_ms(300, 2_000));
        }
        match chance.below(80) {
            0 => return Cut::Left,
            1 => return Cut::Dropped,
            _ => client.publish(world, session, chance),
        }
    }
}
