//! A bare loop on one io_uring: multishot accept into direct descriptors, multishot receive, and sends that finish
//! within the call or wait their turn. Nothing is bounded and nobody is timed out: it is a floor, not a server.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::rc_buffer,
    reason = "tags are made of their parts here, results were looked at, and a frame's memory is written again"
)]

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, Fixed};
use io_uring::{IoUring, cqueue, opcode};

use super::buffers::Buffers;
use super::{Outlet, Part, Service};

const ENTRIES: u32 = 4096;
const COMPLETIONS: u32 = 16_384;
const SLOTS: u32 = 16_384;
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;

const ACCEPT: u64 = 1;
const RECEIVE: u64 = 2;
const INLINE: u64 = 3;
const ARMED: u64 = 4;
const QUIET: u64 = 5;

/// One ring with its connections.
pub(crate) struct Ring {
    ring: IoUring,
    buffers: Buffers,
    listener: TcpListener,
    conns: Vec<Conn>,
    /// Frames that the sends of this turn point to.
    frames: Vec<Rc<Vec<u8>>>,
    starved: Vec<u32>,
}

#[derive(Default)]
struct Conn {
    backlog: VecDeque<Part>,
    open: bool,
}

impl Ring {
    /// A ring of this thread that accepts from the listener.
    pub(crate) fn start(listener: TcpListener) -> io::Result<Self> {
        let ring = build(COMPLETIONS)?;
        ring.submitter().register_files_sparse(SLOTS)?;
        let buffers = Buffers::register(&ring)?;
        let mut this = Self {
            ring,
            buffers,
            listener,
            conns: Vec::new(),
            frames: Vec::new(),
            starved: Vec::new(),
        };
        this.accept()?;
        Ok(this)
    }

    /// Runs for ever.
    pub(crate) fn run(mut self, service: &mut impl Service) -> io::Result<()> {
        let mut arrived: Vec<(u64, i32, u32)> = Vec::new();
        loop {
            self.ring.submit_and_wait(1)?;
            let completions = self.ring.completion();
            arrived.extend(completions.map(|it| (it.user_data(), it.result(), it.flags())));
            // Sends that failed first: a backlog stands before anything new.
            let short = arrived.iter().filter(|(tag, ..)| tag >> 56 == INLINE);
            short.copied().try_for_each(|(tag, result, _)| self.on_short(tag, result))?;
            self.frames.clear();
            for (tag, result, flags) in arrived.drain(..) {
                self.on_completion(tag, result, flags, service)?;
            }
            for slot in std::mem::take(&mut self.starved) {
                self.receive(slot)?;
            }
            service.flush(&mut self);
        }
    }

    fn on_completion(
        &mut self,
        tag: u64,
        result: i32,
        flags: u32,
        service: &mut impl Service,
    ) -> io::Result<()> {
        let slot = tag as u32;
        match tag >> 56 {
            ACCEPT if result >= 0 => self.on_accepted(result as u32, service)?,
            RECEIVE => return self.on_received(slot, result, flags, service),
            ARMED => return self.on_sent(slot, result),
            _ => {}
        }
        if tag >> 56 == ACCEPT && !cqueue::more(flags) {
            self.accept()?;
        }
        Ok(())
    }

    fn on_accepted(&mut self, slot: u32, service: &mut impl Service) -> io::Result<()> {
        if self.conns.len() <= slot as usize {
            self.conns.resize_with(slot as usize + 1, Conn::default);
        }
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            *conn = Conn { open: true, ..Conn::default() };
        }
        service.opened(slot);
        self.receive(slot)
    }

    fn on_received(
        &mut self,
        slot: u32,
        result: i32,
        flags: u32,
        service: &mut impl Service,
    ) -> io::Result<()> {
        let mut stays = result > 0 || result == -libc::ENOBUFS;
        if let (Some(id), true) = (cqueue::buffer_select(flags), result > 0) {
            stays = service.received(slot, self.buffers.bytes(id, result as usize));
            self.buffers.give_back(id);
        }
        match (stays, cqueue::more(flags)) {
            (true, true) => Ok(()),
            (true, false) => {
                self.starved.push(slot);
                Ok(())
            }
            (false, _) => self.close(slot, service),
        }
    }

    fn on_short(&mut self, tag: u64, result: i32) -> io::Result<()> {
        let slot = tag as u32;
        let frame = self.frames.get((tag >> 32 & 0xff_ffff) as usize);
        let (Some(conn), Some(frame)) = (self.conns.get_mut(slot as usize), frame) else {
            return Ok(());
        };
        if !conn.open || (result < 0 && result != -libc::EAGAIN) {
            return Ok(());
        }
        let (start, end) = (result.max(0) as usize, frame.len());
        conn.backlog.push_front(Part { frame: Rc::clone(frame), start, end });
        self.arm(slot)
    }

    fn on_sent(&mut self, slot: u32, result: i32) -> io::Result<()> {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return Ok(()) };
        let mut sent = result.max(0) as usize;
        if result <= 0 || !conn.open {
            conn.backlog.clear();
        }
        while let Some(part) = conn.backlog.front_mut() {
            let step = sent.min(part.end - part.start);
            part.start += step;
            sent -= step;
            if part.start < part.end {
                return self.arm(slot);
            }
            conn.backlog.pop_front();
        }
        Ok(())
    }

    fn arm(&mut self, slot: u32) -> io::Result<()> {
        let Some(part) = self.conns.get(slot as usize).and_then(|it| it.backlog.front()) else {
            return Ok(());
        };
        let Some(bytes) = part.frame.get(part.start..part.end) else { return Ok(()) };
        let entry = opcode::Send::new(Fixed(slot), bytes.as_ptr(), bytes.len() as u32);
        let entry = entry.flags(SEND_FLAGS).build().user_data(ARMED << 56 | u64::from(slot));
        self.push(&entry)
    }

    fn receive(&mut self, slot: u32) -> io::Result<()> {
        let entry = opcode::RecvMulti::new(Fixed(slot), 0).build();
        self.push(&entry.user_data(RECEIVE << 56 | u64::from(slot)))
    }

    fn accept(&mut self) -> io::Result<()> {
        let entry = opcode::AcceptMulti::new(Fd(self.listener.as_raw_fd()));
        let entry = entry.allocate_file_index(true).build();
        self.push(&entry.user_data(ACCEPT << 56))
    }

    fn close(&mut self, slot: u32, service: &mut impl Service) -> io::Result<()> {
        let Some(conn) = self.conns.get_mut(slot as usize).filter(|it| it.open) else {
            return Ok(());
        };
        conn.open = false;
        service.closed(slot);
        let entry = opcode::Close::new(Fixed(slot)).build().flags(Flags::SKIP_SUCCESS);
        self.push(&entry.user_data(QUIET << 56))
    }

    #[expect(unsafe_code, reason = "entries carry pointers")]
    fn push(&mut self, entry: &Entry) -> io::Result<()> {
        // SAFETY: receives point to buffers that are never freed; an inline send ends within the call that submits it,
        // and its frame stays in `frames` until then; an armed one points into the backlog, which keeps its frame.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.ring.submit()?;
        }
        Ok(())
    }
}

impl Outlet for Ring {
    fn frame(&mut self, bytes: Rc<Vec<u8>>) -> usize {
        self.frames.push(bytes);
        self.frames.len() - 1
    }

    fn send(&mut self, slot: u32, frame: usize) -> io::Result<()> {
        let (Some(conn), Some(bytes)) = (self.conns.get_mut(slot as usize), self.frames.get(frame))
        else {
            return Ok(());
        };
        if !conn.backlog.is_empty() {
            let end = bytes.len();
            conn.backlog.push_back(Part { frame: Rc::clone(bytes), start: 0, end });
            return Ok(());
        }
        let entry = opcode::Send::new(Fixed(slot), bytes.as_ptr(), bytes.len() as u32)
            .flags(SEND_FLAGS | libc::MSG_DONTWAIT)
            .build()
            .flags(Flags::SKIP_SUCCESS);
        let tag = INLINE << 56 | (frame as u64 & 0xff_ffff) << 32 | u64::from(slot);
        self.push(&entry.user_data(tag))
    }
}

/// A ring with the flags that Stentor's own has.
pub(super) fn build(completions: u32) -> io::Result<IoUring> {
    let mut builder = IoUring::<Entry>::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun();
    builder.setup_taskrun_flag().setup_submit_all().setup_no_sqarray();
    builder.setup_cqsize(completions).build(ENTRIES)
}
