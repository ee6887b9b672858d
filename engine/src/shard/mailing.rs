//! How connections without a socket end, and how what waits for them is fetched: what the reactor does for the others.

use super::Shard;
use super::effects::{Effects, Ending};
use crate::ids::ConnId;

impl Shard {
    /// Takes what this input ended out of what the reactor closes, where there is nothing for it to close.
    pub(super) fn keep_polled(&mut self, before: usize, closes: &mut Vec<(ConnId, Ending)>) {
        let new = closes.get(before..).unwrap_or_default().iter();
        let polled: Vec<_> = new.copied().filter(|it| it.0.is_polled()).collect();
        if polled.is_empty() {
            return;
        }
        closes.retain(|(conn, _)| !conn.is_polled());
        polled.into_iter().for_each(|(conn, ending)| self.polls.end(conn, ending));
    }

    /// Looks at everyone without a socket who got something in the last turn, or was ended.
    pub(super) fn serve_polls(&mut self, effects: &mut Effects) {
        for conn in self.polls.take_due() {
            self.serve_poll(conn, effects);
        }
    }

    fn serve_poll(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(mailbox) = self.polls.get(conn) else { return };
        match mailbox.ending {
            Some(ending) => self.end_poll(conn, ending, effects),
            None if mailbox.is_overrun() => self.on_overrun(conn, effects),
            None if mailbox.has_mail() => {
                if let Some(waiting) = mailbox.waiting.take() {
                    self.hand_mail(conn, &waiting, effects);
                }
            }
            None => {}
        }
    }

    /// Ends the session behind a connection. Its last words wait for the next request, or for a while.
    fn end_poll(&mut self, conn: ConnId, ending: Ending, effects: &mut Effects) {
        let linger_ms = self.limits.body_timeout_ms;
        self.on_closed(conn, effects);
        let Some(mailbox) = self.polls.get(conn) else { return };
        let has_words = match ending {
            Ending::Flush | Ending::Linger => true,
            Ending::Shed(_) | Ending::Now => false,
        };
        mailbox.is_over = true;
        match mailbox.waiting.take() {
            Some(waiting) => self.hand_last(conn, &waiting, ending, effects),
            None if has_words => self.polls.linger(conn, self.now.monotonic_ms + linger_ms),
            None => _ = self.polls.close(conn),
        }
    }

    /// Lets last words go that nobody fetched.
    pub(super) fn forget_polls(&mut self) {
        while let Some(conn) = self.polls.take_forgotten(self.now.monotonic_ms) {
            self.polls.close(conn);
        }
    }
}
