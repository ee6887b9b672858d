//! Engine.IO over requests: a GET fetches packets, a POST brings some.

use protocol::engineio;
use protocol::http::{Content, HeaderLine, HeaderValue, Response, write_response};

use super::Shard;
use super::effects::{Effects, Ending};
use super::polled::Waiting;
use crate::ids::ConnId;

impl Shard {
    /// Answers a request with everything that waits.
    pub(super) fn hand_mail(&mut self, conn: ConnId, waiting: &Waiting, effects: &mut Effects) {
        let mut body = Vec::new();
        self.polls.take_payload(conn, &mut body);
        self.answer_poll(waiting, &body, effects);
    }

    /// Answers a request with the last words of a session, and forgets it.
    pub(super) fn hand_last(
        &mut self,
        conn: ConnId,
        waiting: &Waiting,
        ending: Ending,
        effects: &mut Effects,
    ) {
        let mut body = Vec::new();
        match ending {
            Ending::Flush | Ending::Linger => self.polls.take_payload(conn, &mut body),
            Ending::Shed(_) | Ending::Now => {}
        }
        engineio::push_packet(&mut body, engineio::CLOSE);
        self.polls.close(conn);
        self.answer_poll(waiting, &body, effects);
    }

    fn answer_poll(&mut self, waiting: &Waiting, body: &[u8], effects: &mut Effects) {
        let origin = waiting.origin.as_deref().and_then(HeaderValue::parse);
        let origin = origin.map(HeaderLine::Origin);
        let headers = [Some(HeaderLine::CacheControl("no-store")), origin];
        let headers: Vec<_> = headers.into_iter().flatten().collect();
        self.answer_ticket(waiting.to, &mut effects.closes, |asked, out| {
            let content = Content::Packets(body);
            write_response(
                out,
                &Response { status: 200, content, headers: &headers, then: asked.then },
            );
        });
    }
}
