//! A made-up kernel: completes in any order, falls short, refuses, runs over, ends what should be endless. It checks
//! what a kernel relies on: one operation of a kind per slot, no close under an operation, no buffer given twice.

use std::collections::VecDeque;

use engine::reactor::ring::{Completion, Data, Mode, Op, SendOp};

/// Chance from a seed, or from a fuzzer's bytes as long as they last.
pub(crate) struct Chance {
    state: u64,
    bytes: VecDeque<u8>,
}

impl Chance {
    pub(crate) fn new(seed: u64, bytes: &[u8]) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, bytes: bytes.to_vec().into() }
    }

    /// Whether every byte is used up.
    pub(crate) fn is_out(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Goes on from the seed.
    pub(crate) fn forget_bytes(&mut self) {
        self.bytes.clear();
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let drawn = self.next_byte().map(|byte| match bound {
            0..=256 => byte,
            _ => byte << 8 | self.next_byte().unwrap_or(0),
        });
        drawn.unwrap_or_else(|| self.roll()) % bound.max(1)
    }

    fn next_byte(&mut self) -> Option<usize> {
        self.bytes.pop_front().map(usize::from)
    }

    fn roll(&mut self) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 11).unwrap()
    }

    pub(crate) fn is(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// The far end of a connection.
#[derive(Default)]
pub(crate) struct Peer {
    /// Bytes that it sends, and how many of them the kernel has delivered.
    pub(crate) sends: usize,
    pub(crate) delivered: usize,
    pub(crate) has_ended: bool,
    pub(crate) has_reset: bool,
    /// How much more it takes before it is full.
    pub(crate) window: usize,
    pub(crate) received: Vec<u8>,
    /// The server closed, or refused, the connection.
    pub(crate) is_closed: bool,
}

/// The byte that a peer sends at a place of its stream.
pub(crate) fn byte_of(peer: usize, at: usize) -> u8 {
    u8::try_from((peer * 37 + at * 7 + at / 256) % 256).unwrap()
}

pub(crate) struct Socket {
    pub(crate) peer: usize,
    pub(crate) receive: Option<u64>,
    armed: Option<Armed>,
    shutdown: Option<u64>,
    /// It is in another slot as well: closing this one does not close the connection.
    is_passed: bool,
    /// An inline send fell short, and the driver has not seen it yet.
    pub(crate) unseen_short: Option<u64>,
}

impl Socket {
    fn of(peer: usize) -> Self {
        let (receive, armed, shutdown, unseen_short) = (None, None, None, None);
        Self { peer, receive, armed, shutdown, is_passed: false, unseen_short }
    }

    /// Ends the operation with this tag, if it is one of this socket's. Returns how it ends.
    fn give_up(&mut self, tag: u64) -> Option<i32> {
        if self.receive.take_if(|receive| *receive == tag).is_some() {
            return Some(-libc::ECANCELED);
        }
        let armed = self.armed.take_if(|armed| armed.tag == tag)?;
        let done = i32::try_from(armed.done).unwrap();
        Some(if done > 0 { done } else { -libc::ECANCELED })
    }
}

struct Armed {
    tag: u64,
    data: Data,
    done: usize,
}

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) faults: usize,
    pub(crate) peers: Vec<Peer>,
    pub(crate) waiting: VecDeque<usize>,
    pub(crate) slots: Vec<Option<Socket>>,
    pub(crate) sq_max: usize,
    pub(crate) cq_max: usize,
    pub(crate) lent: Vec<bool>,
    pub(crate) free: VecDeque<u16>,
    pub(crate) sq: VecDeque<(Entry, u64)>,
    pub(crate) cq: VecDeque<Completion>,
    pub(crate) held_back: VecDeque<Completion>,
    accept: Option<u64>,
    listen: Option<u64>,
    interval: Option<u64>,
    is_deaf: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum Entry {
    Plain(Op),
    Send(SendOp),
}

impl World {
    pub(crate) fn new(mut chance: Chance) -> Self {
        let buffers = 1 << (1 + chance.below(4));
        let slots = 1 + chance.below(7);
        Self {
            faults: 5 + chance.below(20),
            peers: Vec::new(),
            waiting: VecDeque::new(),
            slots: (0..slots).map(|_| None).collect(),
            sq_max: 3 + chance.below(30),
            cq_max: 2 + chance.below(40),
            lent: vec![false; buffers],
            free: (0..u16::try_from(buffers).unwrap()).collect(),
            sq: VecDeque::new(),
            cq: VecDeque::new(),
            held_back: VecDeque::new(),
            accept: None,
            listen: None,
            interval: None,
            is_deaf: false,
            chance,
        }
    }

    pub(crate) fn connect(&mut self) {
        self.waiting.push_back(self.peers.len());
        let window = self.chance.below(200);
        self.peers.push(Peer { window, ..Peer::default() });
    }

    pub(crate) fn fault(&mut self) -> bool {
        let faults = self.faults;
        self.chance.is(faults)
    }

    pub(crate) fn post(&mut self, completion: Completion) {
        if self.cq.len() < self.cq_max && self.held_back.is_empty() {
            self.cq.push_back(completion);
        } else {
            self.held_back.push_back(completion);
        }
    }

    pub(crate) fn finish(&mut self, tag: u64, result: i32) {
        self.post(Completion { tag, result, more: false, buffer: None });
    }

    /// Whether an endless operation goes on: not when there is no room to tell of it.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.cq.len() < self.cq_max && self.held_back.is_empty() && !self.fault()
    }

    pub(crate) fn flush_held_back(&mut self) {
        while self.cq.len() < self.cq_max {
            let Some(completion) = self.held_back.pop_front() else { return };
            self.cq.push_back(completion);
        }
    }

    pub(crate) fn submit(&mut self, count_max: usize) {
        for _ in 0..count_max {
            let Some((entry, tag)) = self.sq.pop_front() else { return };
            match entry {
                Entry::Plain(op) => self.run(op, tag),
                Entry::Send(send) => self.send(send, tag),
            }
        }
    }

    fn socket(&mut self, slot: u32) -> &mut Socket {
        self.slots[slot as usize].as_mut().expect("an operation on a free slot")
    }

    fn run(&mut self, op: Op, tag: u64) {
        match op {
            Op::Accept => assert!(self.accept.replace(tag).is_none(), "accept armed twice"),
            Op::Listen => assert!(self.listen.replace(tag).is_none(), "listen armed twice"),
            Op::Interval => assert!(self.interval.replace(tag).is_none(), "an interval in another"),
            Op::Deafen => self.is_deaf = true,
            Op::Ring { .. } => {}
            Op::Receive { slot } => {
                let before = self.socket(slot).receive.replace(tag);
                assert!(before.is_none(), "receive armed twice");
            }
            Op::ShutdownWrite { slot } => {
                let socket = self.socket(slot);
                assert!(socket.armed.is_none(), "shutdown under a send");
                assert!(socket.shutdown.replace(tag).is_none(), "shut down twice");
            }
            Op::Reset { slot } => {
                assert!(self.socket(slot).armed.is_none(), "reset under a send");
            }
            Op::Close { slot } => {
                let socket = self.slots[slot as usize].take().expect("closed twice");
                assert!(socket.receive.is_none(), "close under a receive");
                assert!(socket.armed.is_none(), "close under a send");
                assert!(socket.shutdown.is_none(), "close under a shutdown");
                assert!(socket.unseen_short.is_none(), "close under a short send");
                self.peers[socket.peer].is_closed |= !socket.is_passed;
            }
            Op::Pass { slot, tag: theirs, .. } => self.pass(slot, theirs, tag),
            Op::Cancel { tag: target } => self.cancel(target, tag),
        }
    }

    /// The other ring is this one: what goes comes back in another slot.
    fn pass(&mut self, slot: u32, theirs: u64, ours: u64) {
        let free = self.slots.iter().position(Option::is_none);
        let socket = self.socket(slot);
        assert!(socket.receive.is_none(), "passed under a receive");
        assert!(socket.armed.is_none(), "passed under a send");
        assert!(socket.unseen_short.is_none(), "passed under a short send");
        assert!(!socket.is_passed, "passed twice");
        let peer = socket.peer;
        let Some(free) = free else { return self.finish(ours, -libc::ENFILE) };
        socket.is_passed = true;
        self.slots[free] = Some(Socket::of(peer));
        let came = (theirs, i32::try_from(free).unwrap());
        let both = if self.chance.is(50) { [came, (ours, 0)] } else { [(ours, 0), came] };
        both.into_iter().for_each(|(tag, result)| self.finish(tag, result));
    }

    fn cancel(&mut self, target: u64, tag: u64) {
        if self.accept == Some(target) {
            self.accept = None;
            return self.finish(target, -libc::ECANCELED);
        }
        let found = self.slots.iter_mut().flatten().find_map(|socket| socket.give_up(target));
        match found {
            Some(result) => self.finish(target, result),
            None => self.finish(tag, -libc::ENOENT),
        }
    }

    fn send(&mut self, send: SendOp, tag: u64) {
        let refuses = self.fault();
        let socket = self.socket(send.slot);
        assert!(socket.armed.is_none(), "two sends of one connection in flight");
        assert!(socket.unseen_short.is_none(), "a send behind a short one");
        if send.mode == Mode::Armed {
            socket.armed = Some(Armed { tag, data: send.data, done: 0 });
            return;
        }
        let peer = socket.peer;
        let bytes = read(send.data);
        let result = if self.peers[peer].has_reset {
            -libc::EPIPE
        } else if refuses || self.peers[peer].window == 0 {
            -libc::EAGAIN
        } else {
            i32::try_from(self.deliver(peer, &bytes)).unwrap()
        };
        if usize::try_from(result) != Ok(bytes.len()) {
            self.socket(send.slot).unseen_short = Some(tag);
            self.finish(tag, result);
        }
    }

    fn deliver(&mut self, peer: usize, bytes: &[u8]) -> usize {
        let peer = &mut self.peers[peer];
        let count = bytes.len().min(peer.window);
        peer.window -= count;
        peer.received.extend(&bytes[..count]);
        count
    }

    pub(crate) fn progress_send(&mut self, slot: usize) {
        let gives_up = self.fault();
        let Some(socket) = &mut self.slots[slot] else { return };
        let Some(mut armed) = socket.armed.take() else { return };
        let peer = socket.peer;
        // Read now, not when it was armed: the memory must still be what it was.
        let bytes = read(armed.data);
        armed.done += self.deliver(peer, &bytes[armed.done..]);
        let done = i32::try_from(armed.done).unwrap();
        if self.peers[peer].has_reset {
            self.finish(armed.tag, if done > 0 { done } else { -libc::ECONNRESET });
        } else if armed.done == bytes.len() || gives_up {
            self.finish(armed.tag, if done > 0 { done } else { -libc::EINTR });
        } else {
            self.socket(u32::try_from(slot).unwrap()).armed = Some(armed);
        }
    }

    pub(crate) fn progress_shutdown(&mut self, slot: usize) {
        let Some(socket) = &mut self.slots[slot] else { return };
        let Some(tag) = socket.shutdown.take() else { return };
        let peer = socket.peer;
        self.finish(tag, if self.peers[peer].has_reset { -libc::ENOTCONN } else { 0 });
    }

    pub(crate) fn progress_accept(&mut self) {
        let Some(tag) = self.accept else { return };
        if self.is_deaf {
            return;
        }
        if self.chance.is(self.faults / 4) {
            self.accept = None;
            let errno = [libc::ECONNABORTED, libc::ENFILE, libc::ENOMEM][self.chance.below(3)];
            return self.finish(tag, -errno);
        }
        let Some(peer) = self.waiting.pop_front() else { return };
        let Some(slot) = self.slots.iter().position(Option::is_none) else {
            self.peers[peer].is_closed = true;
            self.accept = None;
            return self.finish(tag, -libc::ENFILE);
        };
        self.slots[slot] = Some(Socket::of(peer));
        let more = self.goes_on();
        if !more {
            self.accept = None;
        }
        let result = i32::try_from(slot).unwrap();
        self.post(Completion { tag, result, more, buffer: None });
    }

    /// Where nothing happens, time goes by.
    pub(crate) fn end_interval(&mut self) {
        if let Some(tag) = self.interval.take_if(|_| self.cq.is_empty()) {
            self.finish(tag, -libc::ETIME);
        }
    }

    pub(crate) fn progress_listen(&mut self) {
        if let Some(tag) = self.listen
            && self.chance.is(10)
        {
            let more = self.goes_on();
            if !more {
                self.listen = None;
            }
            self.post(Completion { tag, result: 1, more, buffer: None });
        }
    }
}

#[expect(unsafe_code, reason = "a kernel reads the memory it was pointed to")]
fn read(data: Data) -> Vec<u8> {
    // SAFETY: the driver promised (`Ring::push_send`) that all of this stays valid until the operation is done.
    unsafe {
        match data {
            Data::Bytes { at, len } => std::slice::from_raw_parts(at, len as usize).to_vec(),
            Data::Message(header) => {
                let header = &*header;
                let vectors = std::slice::from_raw_parts(header.msg_iov, header.msg_iovlen);
                let parts = vectors.iter().map(|vector| {
                    std::slice::from_raw_parts(vector.iov_base.cast::<u8>(), vector.iov_len)
                });
                parts.flatten().copied().collect()
            }
        }
    }
}
