//! How long a core waits, and for what.

use std::io;
use std::os::fd::OwnedFd;

use super::{Core, has_room};
use crate::reactor::ring::Wait;

/// A core that has queued more than this looks once more before it sleeps: as long as the kernel sends, nobody needs to ring.
const QUEUED_MAX: usize = 16;

/// What the last turns were like.
#[derive(Debug, Default)]
pub(super) struct Lately {
    /// The last one began with some of a fan-out left over.
    pub(super) was_behind: bool,
    /// One did something, since the last interval of the ring was over.
    pub(super) has_worked: bool,
}

impl Core {
    /// A file descriptor that is readable when something happens in the ring: for a host that waits elsewhere.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn enable_eventfd(&self) -> io::Result<OwnedFd> {
        self.parts.driver.enable_eventfd()
    }

    /// Whether that descriptor is told of what happens from now on. What happened before shows in the next turn.
    pub fn tell_host(&mut self, is_told: bool) {
        self.parts.driver.tell_host(is_told);
    }

    /// Says that the core is about to wait elsewhere. False when there is something to do after all.
    pub fn doze(&mut self) -> bool {
        self.parts.driver.doze();
        let is_quiet = self.is_quiet();
        if !is_quiet {
            self.parts.driver.rouse();
        }
        is_quiet
    }

    /// How long the next wait may be. Others ring from `doze` on, so their lanes are looked at after it. What the last turn has to
    /// send goes out with the wait: what came of it meanwhile ends it.
    pub(super) fn patience(&mut self, idle_wait: Wait) -> Wait {
        let rests_until_us = self.parts.shard.rests_until_us();
        let is_busy = self.worked && self.has_much() && rests_until_us.is_none();
        if is_busy || idle_wait == Wait::Poll || !self.doze() {
            return Wait::Poll;
        }
        rests_until_us.map_or(idle_wait, |it| Wait::For(self.clock.until(it)))
    }

    /// Whether so much is to be sent that the kernel is at it for a while, or it is the end of that, whose time is taken.
    pub(super) fn has_much(&mut self) -> bool {
        let is_behind = self.lately.was_behind || self.parts.shard.is_behind();
        is_behind || self.parts.driver.queued() > QUEUED_MAX
    }

    /// Whether the core has waited as long as it was to, if nothing happened in this turn.
    pub(super) fn has_waited(&mut self, idle_wait: Wait, patience: Wait) -> bool {
        match idle_wait {
            Wait::Poll => true,
            Wait::For(_) => patience != Wait::Poll,
            Wait::Interval => {
                let is_over = self.parts.driver.take_interval();
                is_over && !std::mem::take(&mut self.lately.has_worked)
            }
        }
    }

    fn is_quiet(&mut self) -> bool {
        let parts = &mut self.parts;
        parts.lanes.is_settled()
            && parts.journal.is_quiet()
            && parts.catalog.is_quiet()
            && parts.side.is_quiet()
            && !parts.driver.has_more()
            && self.thirst.is_quiet(has_room(&parts.driver, parts.stream_backlog_bytes_max))
            && !parts.shard.is_resumable()
    }
}
