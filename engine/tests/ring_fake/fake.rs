//! The made-up kernel as the driver sees it: a ring with a pool of buffers that are poisoned when they come back.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use engine::reactor::ring::{Completion, Full, Op, Ring, SendOp, Wait};

use crate::loan;
use crate::world::{Entry, World, byte_of};

pub(crate) struct FakeRing {
    pub(crate) world: Rc<RefCell<World>>,
    pool: Vec<Vec<u8>>,
}

impl FakeRing {
    pub(crate) fn new(world: Rc<RefCell<World>>) -> Self {
        let (count, bytes) = {
            let mut world = world.borrow_mut();
            (world.lent.len(), 4 + world.chance.below(60))
        };
        let mut pool = vec![vec![0; bytes]; count];
        pool.iter_mut().for_each(|buffer| loan::end(buffer));
        Self { world, pool }
    }

    fn progress_receive(&mut self, slot: usize) {
        let world = &mut *self.world.borrow_mut();
        let Some(socket) = &mut world.slots[slot] else { return };
        let (Some(tag), index) = (socket.receive, socket.peer) else { return };
        let peer = &world.peers[index];
        let left = peer.sends - peer.delivered;
        let end = match (peer.has_reset, left, peer.has_ended) {
            (true, _, _) => Some(-libc::ECONNRESET),
            (false, 0, true) => Some(0),
            (false, 0, false) => return,
            (false, _, _) if world.free.is_empty() => Some(-libc::ENOBUFS),
            (false, _, _) => None,
        };
        if let Some(result) = end {
            socket.receive = None;
            return world.finish(tag, result);
        }
        let id = world.free.pop_front().unwrap();
        let buffer = &mut self.pool[usize::from(id)];
        let count = 1 + world.chance.below(left.min(buffer.len()));
        let begin = world.peers[index].delivered;
        loan::begin(&mut buffer[..count]);
        for (at, byte) in buffer[..count].iter_mut().enumerate() {
            *byte = byte_of(index, begin + at);
        }
        world.peers[index].delivered += count;
        world.lent[usize::from(id)] = true;
        let more = world.goes_on();
        if !more {
            world.slots[slot].as_mut().unwrap().receive = None;
        }
        let result = i32::try_from(count).unwrap();
        world.post(Completion { tag, result, more, buffer: Some(id) });
    }

    /// Lets some of what is armed happen, in any order.
    fn progress(&mut self) {
        let steps = self.world.borrow_mut().chance.below(30);
        for _ in 0..steps {
            let (kind, slot) = {
                let mut world = self.world.borrow_mut();
                let count = world.slots.len();
                (world.chance.below(8), world.chance.below(count))
            };
            match kind {
                0 => self.world.borrow_mut().progress_accept(),
                1 => self.world.borrow_mut().progress_listen(),
                2 => self.world.borrow_mut().progress_shutdown(slot),
                3 | 4 => self.world.borrow_mut().progress_send(slot),
                _ => self.progress_receive(slot),
            }
        }
    }
}

impl Ring for FakeRing {
    fn push(&mut self, op: Op, tag: u64) -> Result<(), Full> {
        let mut world = self.world.borrow_mut();
        if world.sq.len() >= world.sq_max {
            return Err(Full);
        }
        world.sq.push_back((Entry::Plain(op), tag));
        Ok(())
    }

    #[expect(unsafe_code, reason = "the trait's contract is about the caller's memory")]
    unsafe fn push_send(&mut self, send: SendOp, tag: u64) -> Result<(), Full> {
        let mut world = self.world.borrow_mut();
        if world.sq.len() >= world.sq_max {
            return Err(Full);
        }
        world.sq.push_back((Entry::Send(send), tag));
        Ok(())
    }

    fn enter(&mut self, wait: Wait) -> io::Result<()> {
        {
            let mut world = self.world.borrow_mut();
            world.flush_held_back();
            if world.fault() {
                let errno = [libc::EINTR, libc::EAGAIN, libc::EBUSY][world.chance.below(3)];
                return Err(io::Error::from_raw_os_error(errno));
            }
            let stops_at = if world.fault() { world.chance.below(4) } else { usize::MAX };
            world.submit(stops_at);
        }
        self.progress();
        if wait == Wait::Interval {
            self.world.borrow_mut().end_interval();
        }
        Ok(())
    }

    fn queued(&mut self) -> usize {
        self.world.borrow().sq.len()
    }

    fn has_deferred(&mut self) -> bool {
        self.world.borrow_mut().chance.below(3) == 0
    }

    fn complete(&mut self) -> Option<Completion> {
        let mut world = self.world.borrow_mut();
        let completion = world.cq.pop_front()?;
        for socket in world.slots.iter_mut().flatten() {
            socket.unseen_short.take_if(|tag| *tag == completion.tag);
        }
        Some(completion)
    }

    fn is_overflown(&mut self) -> bool {
        !self.world.borrow().held_back.is_empty()
    }

    fn buffer(&mut self, id: u16, len: usize) -> &mut [u8] {
        assert!(self.world.borrow().lent[usize::from(id)], "a buffer that is not lent is read");
        &mut self.pool[usize::from(id)][..len]
    }

    fn give_back(&mut self, id: u16) {
        let mut world = self.world.borrow_mut();
        let was_lent = std::mem::take(&mut world.lent[usize::from(id)]);
        assert!(was_lent, "a buffer is given back twice");
        loan::end(&mut self.pool[usize::from(id)]);
        world.free.push_back(id);
    }

    fn buffers(&self) -> u16 {
        u16::try_from(self.pool.len()).unwrap()
    }

    fn slots(&self) -> u32 {
        u32::try_from(self.world.borrow().slots.len()).unwrap()
    }
}
