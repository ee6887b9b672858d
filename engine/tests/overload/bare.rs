//! The least that can serve the same clients: one thread, `epoll` and plain sends. It admits everybody, keeps nothing and fans out to
//! a crowd in turns as short as a node's. What those beside a crowd wait for here is the kernel and the machine.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use protocol::Limits;
use protocol::ws::{Reader, Role, Step, accept_key, append_text};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{listen, sockopt};

use super::client::KEY;
use super::probe::number;
use super::publisher::CHANNELS;
use super::world::{as_a_client, as_a_node};

/// Newcomers, and those who are overdue, that a turn sees to: as a node.
const COMINGS: usize = 4;
/// How long a turn sends to a crowd.
const TURN: Duration = Duration::from_micros(200);
/// Without anything to do it looks so often whether it is to end.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// What a message to the crowd has beside its number.
const FILL_BYTES: usize = 8 * 1024;
/// Connections that may wait to be admitted.
const WAITING: i32 = 4096;
/// Where the door is among those who are waited for.
const DOOR: u64 = 0;

/// A server that runs.
pub(crate) struct Bare {
    pub(crate) port: u16,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Bare {
    /// One that resets whoever takes nothing for so long. For full numbers it has the processor that a node would have.
    pub(crate) fn start(age: Duration) -> Self {
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        door.set_nonblocking(true).unwrap();
        listen(&door, WAITING).unwrap(); // the library has room for few
        let (port, stop) = (door.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        as_a_client();
        let thread = thread::spawn(move || {
            as_a_node();
            Serve::new(door, age).run(&stopped);
        });
        Self { port, stop, thread }
    }

    pub(crate) fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
    }
}

/// What somebody came for: its path says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It did not say yet.
    Door,
    /// Says something to all who are quiet.
    Quiet,
    /// Listens with the crowd.
    Loud,
    /// Has something said to the crowd.
    Caller,
    /// Comes back again and again, and says which of the storm's channels it listens to, or has something said there.
    Storm,
    /// Does not take what it was sent.
    Stuck,
}

struct Peer {
    stream: TcpStream,
    place: Place,
    reader: Reader,
}

struct Serve {
    door: TcpListener,
    peers: BTreeMap<u64, Peer>,
    next: u64,
    /// Who is served first.
    quiet: OwnedFd,
    rest: OwnedFd,
    /// Who listens to each channel of a crowd; some may be gone.
    crowds: [Vec<u64>; 1 + CHANNELS],
    /// The messages of each.
    said: [u64; 1 + CHANNELS],
    /// Who has yet to get which message.
    owed: VecDeque<(u64, Rc<[u8]>)>,
    /// Who takes nothing, and since when.
    stuck: VecDeque<(u64, Instant)>,
    age: Duration,
}

impl Serve {
    fn new(door: TcpListener, age: Duration) -> Self {
        let create = || epoll::create(CreateFlags::CLOEXEC).unwrap();
        let it = Self {
            door,
            peers: BTreeMap::new(),
            next: DOOR + 1,
            quiet: create(),
            rest: create(),
            crowds: Default::default(),
            said: Default::default(),
            owed: VecDeque::new(),
            stuck: VecDeque::new(),
            age,
        };
        epoll::add(&it.rest, &it.door, EventData::new_u64(DOOR), EventFlags::IN).unwrap();
        it
    }

    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let quiet = ready(&self.quiet, 64);
            let rest = ready(&self.rest, COMINGS);
            let has_more = !self.owed.is_empty() || self.is_overdue();
            if quiet.is_empty() && rest.is_empty() && !has_more {
                let both = [&self.quiet, &self.rest];
                let mut both = both.map(|it| PollFd::new(it, PollFlags::IN));
                let _ = poll(&mut both, Some(&IDLE)); // a signal may interrupt it
                continue;
            }
            quiet.into_iter().chain(rest).for_each(|it| self.hear(it));
            self.fan_out();
            self.reset_overdue();
        }
    }

    fn hear(&mut self, id: u64) {
        if id == DOOR {
            self.admit();
            return;
        }
        let mut bytes = [0; 4096];
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match peer.stream.read(&mut bytes) {
            Ok(0) => drop(self.peers.remove(&id)),
            Ok(count) if peer.place == Place::Door => {
                let head = std::str::from_utf8(&bytes[..count]).unwrap();
                assert!(head.ends_with("\r\n\r\n"), "a head in pieces: {head}");
                self.upgrade(id, head.lines().next().unwrap());
            }
            Ok(count) => self.hear_frames(id, &mut bytes[..count]),
            Err(why) if why.kind() == ErrorKind::WouldBlock => {}
            Err(_) => drop(self.peers.remove(&id)),
        }
    }

    fn admit(&mut self) {
        // Somebody may have gone again.
        let Ok((stream, _)) = self.door.accept() else { return };
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        let id = self.next;
        self.next += 1;
        epoll::add(&self.rest, &stream, EventData::new_u64(id), EventFlags::IN).unwrap();
        let peer = Peer { stream, place: Place::Door, reader: Reader::new(Role::Server) };
        self.peers.insert(id, peer);
    }

    fn upgrade(&mut self, id: u64, line: &str) {
        let (place, first) = match line.split(' ').nth(1).unwrap() {
            "/?channel=quiet" => (Place::Quiet, SUBSCRIBED),
            "/?channel=loud" => (Place::Loud, SUBSCRIBED),
            "/?channel=caller" => (Place::Caller, SUBSCRIBED),
            "/?channel=storm" => (Place::Storm, CONNECTED),
            other => panic!("{other}"),
        };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.place = place;
        if place == Place::Loud {
            self.crowds[0].push(id);
        }
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            accept_key(KEY)
        )
        .into_bytes();
        append_text(&mut answer, first.as_bytes());
        say(peer, &answer);
        if place == Place::Quiet {
            epoll::delete(&self.rest, &peer.stream).unwrap();
            epoll::add(&self.quiet, &peer.stream, EventData::new_u64(id), EventFlags::IN).unwrap();
        }
    }

    fn hear_frames(&mut self, id: u64, mut bytes: &mut [u8]) {
        let limits = Limits::default();
        while !bytes.is_empty() {
            let Some(peer) = self.peers.get_mut(&id) else { return };
            let read = peer.reader.next(bytes, &limits);
            let consumed = read.consumed;
            match read.step {
                Step::Text(text) => {
                    let text = std::str::from_utf8(text.bytes()).unwrap().to_owned();
                    self.hear_text(id, &text);
                }
                Step::Close { .. } | Step::Pong(_) => {}
                other @ (Step::Need
                | Step::Part
                | Step::Binary(_)
                | Step::Ping(_)
                | Step::Fault(_)) => panic!("its clients say whole frames of text: {other:?}"),
            }
            bytes = &mut bytes[consumed..];
        }
    }

    fn hear_text(&mut self, id: u64, text: &str) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match peer.place {
            Place::Quiet => {
                let said = framed(&format!(
                    "{{\"action\":\"probe\",\"data\":{{\"n\":{}}}}}",
                    number(text)
                ));
                say(peer, &framed("{\"action\":\"published\"}"));
                let quiet = self.peers.values_mut().filter(|it| it.place == Place::Quiet);
                quiet.for_each(|it| say(it, &said));
            }
            Place::Caller => {
                let (fill, n) = ("x".repeat(FILL_BYTES), self.said[0] + 1);
                self.publish(0, &format!("{{\"n\":{n},\"fill\":\"{fill}\"}}"));
            }
            Place::Storm => {
                let digit = text.split("\"storm").nth(1).and_then(|it| it.chars().next());
                let channel = 1 + digit.and_then(|it| it.to_digit(10)).unwrap() as usize;
                let position = self.said[channel];
                if text.contains("\"type\":\"subscribe\"") {
                    self.crowds[channel].push(id);
                    say(
                        peer,
                        &framed(&format!("{{\"type\":\"subscribed\",\"position\":{position}}}")),
                    );
                } else {
                    say(peer, &framed("{\"type\":\"published\"}"));
                    self.publish(
                        channel,
                        &format!("{{\"type\":\"message\",\"offset\":{}}}", position + 1),
                    );
                }
            }
            Place::Door | Place::Loud | Place::Stuck => panic!("{text}"),
        }
    }

    /// Has a message go to all of a channel of a crowd.
    fn publish(&mut self, channel: usize, text: &str) {
        self.said[channel] += 1;
        let message: Rc<[u8]> = framed(text).into();
        let Self { crowds, peers, owed, .. } = self;
        crowds[channel].retain(|it| peers.contains_key(it));
        owed.extend(crowds[channel].iter().map(|it| (*it, Rc::clone(&message))));
    }

    /// Sends to crowds for a turn. Whoever does not take a message gets no more.
    fn fan_out(&mut self) {
        let until = Instant::now() + TURN;
        while let Some((id, message)) = self.owed.pop_front() {
            let Some(peer) = self.peers.get_mut(&id).filter(|it| it.place != Place::Stuck) else {
                continue;
            };
            let taken = peer.stream.write(&message).unwrap_or_default();
            if taken < message.len() {
                peer.place = Place::Stuck;
                self.stuck.push_back((id, Instant::now()));
            }
            if Instant::now() > until {
                return;
            }
        }
    }

    fn is_overdue(&self) -> bool {
        self.stuck.front().is_some_and(|(_, since)| since.elapsed() > self.age)
    }

    fn reset_overdue(&mut self) {
        for _ in 0..COMINGS {
            if !self.is_overdue() {
                return;
            }
            let peer = self.stuck.pop_front().and_then(|(id, _)| self.peers.remove(&id));
            if let Some(peer) = peer {
                sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO)).unwrap();
            }
        }
    }
}

const SUBSCRIBED: &str = "{\"action\":\"subscribed\"}";
const CONNECTED: &str = "{\"type\":\"connected\"}";

/// Up to so many who have something to say.
fn ready(epoll: &OwnedFd, most: usize) -> Vec<u64> {
    let mut events = Vec::with_capacity(most);
    let buffer = rustix::buffer::spare_capacity(&mut events);
    let _ = epoll::wait(epoll, buffer, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })); // as above
    events.into_iter().map(|Event { data, .. }| data.u64()).collect()
}

fn framed(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_text(&mut bytes, text.as_bytes());
    bytes
}

/// Whoever is gone is found so when it is read from.
fn say(peer: &mut Peer, bytes: &[u8]) {
    let _ = peer.stream.write_all(bytes);
}
