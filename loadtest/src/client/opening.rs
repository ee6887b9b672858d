//! Opens all connections of a run at a given rate, and waits until each is subscribed.

use super::conn::{Arrived, Conn, READ_BUFFER_BYTES, Stage};
use super::doorway::{Doorway, Handshake, Passed};
use super::socket::{self, Poller, Ready};
use super::walk::{Frame, Step};
use crate::failure::Failure;
use crate::pace::Clock;
use crate::record::latency::Times;
use crate::report::progress::Watch;
use std::io;
use std::net::SocketAddr;

/// Connections that are being opened at one time: fewer than a listener's backlog.
const OPENING_MAX: usize = 256;
const SILENCE_NS_MAX: u64 = 10_000_000_000;
const TURN_NS: u64 = 1_000_000;

/// All connections, the poll that watches them, and the buffer that they read into.
pub(crate) struct Net {
    /// Watches the connections by their place in `conns`.
    pub(crate) poller: Poller,
    /// The connections.
    pub(crate) conns: Vec<Conn>,
    /// Where all of them read.
    pub(crate) buffer: Vec<u8>,
    /// The server, and source addresses to take turns with.
    way: Option<(SocketAddr, u32)>,
}

impl Net {
    /// No connections yet.
    pub(crate) fn new() -> Result<Self, Failure> {
        let poller = Poller::new().map_err(Failure::io("cannot make an epoll instance"))?;
        let (conns, buffer) = (Vec::new(), vec![0; READ_BUFFER_BYTES]);
        Ok(Self { poller, conns, buffer, way: None })
    }

    /// Connects anew where a server closes connections after each answer.
    pub(crate) fn reopen(&mut self, index: usize) -> io::Result<()> {
        let (Some((to, sources)), Some(conn)) = (self.way, self.conns.get_mut(index)) else {
            return Ok(());
        };
        conn.close(&self.poller);
        let socket = socket::open(to, socket::source(index, sources))?;
        *conn = Conn::new(socket, index, &self.poller)?;
        Ok(())
    }
}

/// How to open connections.
#[derive(Debug)]
pub(crate) struct Opening {
    /// The server.
    pub(crate) to: SocketAddr,
    /// Source addresses to take turns with.
    pub(crate) sources: u32,
    /// Connections a second.
    pub(crate) per_second: u64,
    /// What each connection asks for once it is made.
    pub(crate) wishes: Vec<Wish>,
}

/// What a connection is for.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Requests, later.
    Http,
    /// A WebSocket that hears a channel.
    Socket(Handshake),
}

/// How the opening went.
#[derive(Debug)]
pub(crate) struct Opened {
    /// From the first step of each connection until it could be used.
    pub(crate) times: Times,
    /// How long all of them took.
    pub(crate) took_ns: u64,
}

/// Opens all connections that are wished for.
pub(crate) fn open_all(
    net: &mut Net,
    opening: &Opening,
    doorway: &mut Doorway,
    (clock, watch): (Clock, &mut Watch),
) -> Result<Opened, Failure> {
    let start_ns = clock.now_ns();
    net.way = Some((opening.to, opening.sources));
    let mut opener = Opener {
        net,
        opening,
        doorway,
        began_ns: Vec::new(),
        live: 0,
        progress_ns: start_ns,
        times: Times::new(),
    };
    while opener.live < opening.wishes.len() {
        opener.turn(clock, start_ns)?;
        watch.opening(clock.now_ns(), opener.live, opening.wishes.len())?;
    }
    let took_ns = clock.now_ns() - start_ns;
    Ok(Opened { times: opener.times, took_ns })
}

struct Opener<'a> {
    net: &'a mut Net,
    opening: &'a Opening,
    doorway: &'a mut Doorway,
    began_ns: Vec<u64>,
    live: usize,
    progress_ns: u64,
    times: Times,
}

impl Opener<'_> {
    fn turn(&mut self, clock: Clock, start_ns: u64) -> Result<(), Failure> {
        let now_ns = clock.now_ns();
        let due = u128::from(now_ns - start_ns) * u128::from(self.opening.per_second);
        let due = usize::try_from(due / 1_000_000_000).unwrap_or(usize::MAX).saturating_add(1);
        let may_begin = due.min(self.live + OPENING_MAX).min(self.opening.wishes.len());
        while self.began_ns.len() < may_begin {
            self.begin(clock.now_ns())?;
        }
        let count = self.net.poller.wait(TURN_NS).map_err(Failure::io("cannot wait for events"))?;
        for nth in 0..count {
            if let Some(ready) = self.net.poller.ready(nth) {
                self.on_ready(ready, clock.now_ns())?;
            }
        }
        if now_ns.saturating_sub(self.progress_ns) > SILENCE_NS_MAX {
            let (live, all) = (self.live, self.opening.wishes.len());
            let what = format!("no connection was completed for 10 s: {live} of {all} are open");
            return Err(Failure::Server(what));
        }
        Ok(())
    }

    fn begin(&mut self, now_ns: u64) -> Result<(), Failure> {
        let index = self.began_ns.len();
        let from = socket::source(index, self.opening.sources);
        let conn = socket::open(self.opening.to, from)
            .and_then(|socket| Conn::new(socket, index, &self.net.poller));
        self.net.conns.push(conn.map_err(Failure::io("cannot open a connection"))?);
        self.began_ns.push(now_ns);
        Ok(())
    }

    fn on_ready(&mut self, ready: Ready, now_ns: u64) -> Result<(), Failure> {
        let index = ready.index;
        let Some(conn) = self.net.conns.get_mut(index) else { return Ok(()) };
        if ready.can_write {
            if conn.stage == Stage::Connecting {
                self.on_connected(index, now_ns)?;
            }
            self.flush(index)?;
        }
        let Some(conn) = self.net.conns.get_mut(index).filter(|_| ready.can_read) else {
            return Ok(());
        };
        let mut buffer = std::mem::take(&mut self.net.buffer);
        let arrived = conn.read(&mut buffer);
        let result = match arrived {
            Arrived::Bytes(count) => {
                self.on_bytes(index, buffer.get(..count).unwrap_or_default(), now_ns)
            }
            Arrived::Nothing => Ok(()),
            Arrived::Ended => Err(self.ended(index)),
        };
        self.net.buffer = buffer;
        result
    }

    fn on_connected(&mut self, index: usize, now_ns: u64) -> Result<(), Failure> {
        let (Some(conn), Some(wish)) =
            (self.net.conns.get_mut(index), self.opening.wishes.get(index))
        else {
            return Ok(());
        };
        if let Some(cause) = conn.connect_error() {
            return Err(Failure::Server(format!("cannot connect to the server: {cause}")));
        }
        match wish {
            Wish::Http => self.on_live(index, now_ns),
            Wish::Socket(handshake) => {
                let is_native = self.doorway.dialect.is_native();
                conn.stage = if is_native { Stage::Subscribing } else { Stage::Upgrading };
                conn.out().extend_from_slice(&handshake.upgrade);
            }
        }
        Ok(())
    }

    fn on_live(&mut self, index: usize, now_ns: u64) {
        if let (Some(conn), Some(began_ns)) =
            (self.net.conns.get_mut(index), self.began_ns.get(index))
        {
            conn.stage = Stage::Live;
            self.live += 1;
            self.progress_ns = now_ns;
            self.times.record(now_ns - began_ns);
        }
    }

    fn on_bytes(&mut self, index: usize, bytes: &[u8], now_ns: u64) -> Result<(), Failure> {
        let (Some(conn), Some(Wish::Socket(handshake))) =
            (self.net.conns.get_mut(index), self.opening.wishes.get(index))
        else {
            return Ok(());
        };
        let mut rest = bytes;
        if conn.stage == Stage::Upgrading {
            let Some(head_bytes) = self.doorway.upgraded(conn, handshake, bytes)? else {
                conn.keep(bytes);
                return Ok(());
            };
            rest = bytes.get(head_bytes..).unwrap_or_default();
            if Doorway::is_in_unasked(handshake) {
                self.on_live(index, now_ns);
            }
        }
        loop {
            match self.doorway.dialect.step(rest) {
                Step::Frame(frame, taken) => {
                    rest = rest.get(taken..).unwrap_or_default();
                    self.on_frame(index, &frame, now_ns)?;
                }
                Step::NeedMore => break,
                Step::Bad => return Err(Failure::Server("the server sent a bad frame".into())),
            }
        }
        if let Some(conn) = self.net.conns.get_mut(index) {
            conn.keep(rest);
        }
        self.flush(index)
    }

    fn on_frame(&mut self, index: usize, frame: &Frame<'_>, now_ns: u64) -> Result<(), Failure> {
        let (Some(conn), Some(Wish::Socket(handshake))) =
            (self.net.conns.get_mut(index), self.opening.wishes.get(index))
        else {
            return Ok(());
        };
        if self.doorway.on_frame(conn, handshake, frame)? == Passed::In {
            self.on_live(index, now_ns);
        }
        Ok(())
    }

    fn flush(&mut self, index: usize) -> Result<(), Failure> {
        let Some(conn) = self.net.conns.get_mut(index) else { return Ok(()) };
        if conn.stage == Stage::Connecting {
            return Ok(());
        }
        conn.flush(index, &self.net.poller).map_err(Failure::io("cannot write to the server"))
    }

    fn ended(&self, index: usize) -> Failure {
        let conn = self.net.conns.get(index);
        if let Some(cause) = conn.and_then(Conn::connect_error) {
            return Failure::Server(format!("cannot connect to the server: {cause}"));
        }
        let stage = conn.map_or(Stage::Closed, |conn| conn.stage);
        let all = self.opening.wishes.len();
        Failure::Server(format!("the server closed connection {index} of {all} while {stage:?}"))
    }
}
