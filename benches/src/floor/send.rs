//! The send floor: one core that does nothing but send the same bytes to many sockets, at a fixed rate, while a child
//! process on the other core reads them.

#![expect(clippy::cast_possible_truncation, reason = "a few bytes and a few sockets")]

use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use io_uring::opcode;
use io_uring::squeue::Flags;
use io_uring::types::Fixed;
use rustix::event::epoll;

use super::ring::build;
use crate::machine::{now, own_cpu, pause};

const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL | libc::MSG_DONTWAIT;
const COMPLETIONS: u32 = 32_768;
const WARMUP: Duration = Duration::from_millis(500);

/// What is sent, how often and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Sockets.
    pub(crate) sockets: u32,
    /// Bytes to each of them.
    pub(crate) bytes: usize,
    /// Rounds over all sockets in a second.
    pub(crate) rounds_per_second: u32,
    /// How long.
    pub(crate) time: Duration,
}

/// Sends, and returns the CPU time of one send in microseconds.
pub(crate) fn run(listener: &TcpListener, load: Load) -> io::Result<f64> {
    let sockets = accept(listener, load.sockets)?;
    let descriptors: Vec<i32> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
    let mut ring = build(COMPLETIONS)?;
    ring.submitter().register_files(&descriptors)?;
    let bytes = vec![b'x'; load.bytes];
    let start = now();
    let gap = Duration::from_secs(1) / load.rounds_per_second.max(1);
    let (mut round, mut sent, mut measured) = (0_u32, 0_u64, None);
    while start.elapsed() < WARMUP + load.time {
        if measured.is_none() && start.elapsed() >= WARMUP {
            measured = Some((own_cpu(), sent));
        }
        pause((start + gap * round).saturating_duration_since(now()));
        round += 1;
        for slot in 0..load.sockets {
            let entry = opcode::Send::new(Fixed(slot), bytes.as_ptr(), bytes.len() as u32);
            let entry = entry.flags(SEND_FLAGS).build().flags(Flags::SKIP_SUCCESS);
            push(&mut ring, &entry)?;
        }
        ring.submit()?;
        let failed = ring.completion().count();
        if failed > 0 {
            return Err(io::Error::other(format!(
                "{failed} sends found no room: the reader is too slow"
            )));
        }
        sent += u64::from(load.sockets);
    }
    let (cpu_before, sent_before) = measured.unwrap_or_default();
    let cpu = own_cpu().saturating_sub(cpu_before);
    Ok(cpu.as_secs_f64() * 1e6 / (sent - sent_before).max(1) as f64)
}

/// The child: connects so often, then reads and drops until the other side is gone.
pub(crate) fn drain(address: &str, sockets: u32) -> io::Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut streams = Vec::new();
    for place in 0..sockets {
        let stream = TcpStream::connect(address)?;
        stream.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(u64::from(place));
        epoll::add(&poll, &stream, data, epoll::EventFlags::IN)?;
        streams.push(stream);
    }
    let mut bytes = vec![0; 1 << 20];
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let Some(stream) = streams.get_mut(event.data.u64() as usize) else { continue };
            if matches!(stream.read(&mut bytes), Ok(0)) {
                return Ok(());
            }
        }
    }
}

fn accept(listener: &TcpListener, count: u32) -> io::Result<Vec<TcpStream>> {
    let mut sockets = Vec::new();
    for _ in 0..count {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

#[expect(unsafe_code, reason = "entries carry pointers")]
fn push(ring: &mut io_uring::IoUring, entry: &io_uring::squeue::Entry) -> io::Result<()> {
    // SAFETY: the sends finish within the call that submits them; the bytes live longer than the loop.
    while unsafe { ring.submission().push(entry) }.is_err() {
        ring.submit()?;
    }
    Ok(())
}
