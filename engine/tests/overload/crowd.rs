//! Thousands of clients that one thread looks after.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::client::{Client, Frame};
use super::socket::Room;

/// Clients that are let in at once while a crowd gathers.
const AT_ONCE: usize = 200;
const EVENTS_MAX: usize = 256;
/// How long a crowd may take to gather.
const GATHER: Duration = Duration::from_mins(2);

/// One of them.
struct Member {
    client: Client,
    /// It is woken as soon as the kernel takes more.
    waits_to_send: bool,
}

pub(crate) struct Crowd {
    /// `None`: it is gone.
    members: Vec<Option<Member>>,
    epoll: OwnedFd,
}

impl Crowd {
    pub(crate) fn new() -> Self {
        Self { members: Vec::new(), epoll: epoll::create(CreateFlags::CLOEXEC).unwrap() }
    }

    /// So many clients of a path, each of which was told what a subscriber is told first.
    pub(crate) fn gather(port: u16, count: usize, target: &str, room: Room) -> Self {
        let mut crowd = Self::new();
        while crowd.members.len() < count {
            let more = AT_ONCE.min(count - crowd.members.len());
            for _ in 0..more {
                crowd.join(port, target, room);
            }
            crowd.let_in(more);
        }
        crowd
    }

    /// Waits until so many were told that they listen.
    fn let_in(&mut self, count: usize) {
        let (mut told, until) = (0, Instant::now() + GATHER);
        while told < count {
            assert!(Instant::now() < until, "{told} of {count} were let in");
            self.hear_all(Duration::from_millis(100), "newcomer", |_, _, frame| match frame {
                Frame::Text(text) => told += usize::from(text.contains("\"subscribed\"")),
                Frame::Head(head) => assert!(head.starts_with("HTTP/1.1 101"), "{head}"),
                Frame::Ping(_) | Frame::Pong | Frame::Close(..) | Frame::Other => {}
            });
        }
    }

    /// One more connection. Gives its place; `None`: nobody is there, or takes no more.
    pub(crate) fn connect(&mut self, port: u16, room: Room) -> Option<usize> {
        let client = Client::connect(port, room)?;
        let place = self.members.len();
        let data = EventData::new_u64(place as u64);
        epoll::add(&self.epoll, &client, data, EventFlags::IN).unwrap();
        self.members.push(Some(Member { client, waits_to_send: false }));
        Some(place)
    }

    /// One more that asks for a WebSocket. Gives its place.
    pub(crate) fn join(&mut self, port: u16, target: &str, room: Room) -> usize {
        let place = self.connect(port, room).expect("a connection");
        self.tell(place, |client| client.upgrade(target));
        place
    }

    /// Has a client that is there say something; what the kernel does not take now goes out while the crowd is listened to.
    pub(crate) fn tell(&mut self, place: usize, say: impl FnOnce(&mut Client)) {
        let Some(member) = self.members[place].as_mut() else { return };
        say(&mut member.client);
        watch(&self.epoll, place, member);
    }

    /// The places of those who are there.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.members.iter().enumerate().filter_map(|(place, it)| it.as_ref().map(|_| place))
    }

    /// How many are there.
    pub(crate) fn len(&self) -> usize {
        self.places().count()
    }

    /// Waits for something, sends what waits to be sent, and hands out every frame that came. Those whose connections ended are
    /// gone after it; they are returned, each with its place.
    pub(crate) fn pump(
        &mut self,
        patience: Duration,
        mut hear: impl FnMut(usize, &mut Client, Frame),
    ) -> Vec<(usize, Client)> {
        let timeout = Timespec::try_from(patience).unwrap();
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let buffer = rustix::buffer::spare_capacity(&mut events);
        // A signal may interrupt it; then nothing came.
        let _ = epoll::wait(&self.epoll, buffer, Some(&timeout));
        let mut gone = Vec::new();
        for Event { data, .. } in events {
            let place = usize::try_from(data.u64()).unwrap();
            let Some(member) = self.members[place].as_mut() else { continue };
            let client = &mut member.client;
            client.flush();
            client.read();
            while let Some(frame) = client.next() {
                hear(place, client, frame);
            }
            if client.has_ended {
                gone.extend(self.members[place].take().map(|it| (place, it.client)));
            } else {
                watch(&self.epoll, place, member);
            }
        }
        gone
    }

    /// The same of clients that nobody has a reason to close: whoever is, fails the test by its name.
    pub(crate) fn hear_all(
        &mut self,
        patience: Duration,
        name: &str,
        mut hear: impl FnMut(usize, &mut Client, Frame),
    ) {
        let gone = self.pump(patience, |place, client, frame| {
            if let Frame::Close(code, why) = &frame {
                panic!("{name} {place} was closed: {code} {why}");
            }
            hear(place, client, frame);
        });
        let places: Vec<_> = gone.into_iter().map(|it| it.0).collect();
        assert!(places.is_empty(), "{name} {places:?} were cut");
    }
}

/// Has a member be woken for what it waits for.
fn watch(epoll: &OwnedFd, place: usize, member: &mut Member) {
    let waits = member.client.has_unsent();
    if waits != member.waits_to_send {
        member.waits_to_send = waits;
        let flags = if waits { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        epoll::modify(epoll, &member.client, EventData::new_u64(place as u64), flags).unwrap();
    }
}
