//! Lists of messages and statistics over them, for administrators: whoever asks storage's lists reads them, so that is done here
//! and not on a core. A list is read and sent about a megabyte at a time, however large its messages are.

mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use protocol::Rejection;
use protocol::auth::insforge::ANONYMOUS_ID;
use protocol::dialect::insforge::rest::{self, ListWriter, MessageRow};
use storage::{
    Among, JournalError, ListQuery, Listed, Listing, SenderKind, StatsQuery, choose, stats,
};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::source::Watched;
use super::answers::{SideAnswer, UpstreamHead};
use super::ask::{ListAsk, Listed as Asked};
use super::journals::{self, Journals};
use super::limits::{ListLimits, SideLimits};
use super::overdue::Overdue;
use super::runtime::Outlet;
use crate::ids::ChannelKey;

/// Answers, in parts. Returns the last answer.
pub(super) async fn answer(
    ask: ListAsk,
    journals: Journals,
    calls: Arc<Semaphore>,
    limits: SideLimits,
    outlet: Outlet,
) -> SideAnswer {
    let (_overdue, flag) = Overdue::watched();
    let desk = Desk { calls, limits: limits.lists.clone() };
    let mut done = match desk.work(move || begin(ask, &journals, &flag)).await {
        Ok(done) => done,
        Err(why) => return SideAnswer::Failed(why),
    };
    let length = done.rest.is_none().then_some(done.bytes.len() as u64);
    let lines = vec![("Content-Type", "application/json".to_owned())];
    outlet.send(SideAnswer::Head(Box::new(UpstreamHead { status: 200, length, lines })));
    loop {
        outlet.stream(&done.bytes, limits.part_bytes_max).await;
        let Some(rest) = done.rest else { return SideAnswer::End };
        // No thread waits for a client that takes its parts slowly.
        done = match desk.work(move || rest.go_on()).await {
            Ok(done) => done,
            Err(why) => return SideAnswer::Failed(why),
        };
    }
}

/// What lets work be done, a step at a time.
struct Desk {
    calls: Arc<Semaphore>,
    limits: ListLimits,
}

impl Desk {
    async fn work<T: Send + 'static>(
        &self,
        step: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
    ) -> Result<T, Rejection> {
        let patience = Duration::from_millis(self.limits.time_ms_max);
        let overloaded = Rejection::Overloaded { limit: "lists_max" };
        let waited = timeout(patience, Arc::clone(&self.calls).acquire_owned()).await;
        let Ok(Ok(permit)) = waited else { return Err(overloaded) };
        let running = spawn_blocking(move || {
            let result = step();
            // Only now: whoever waits for it gets a thread that is free.
            drop(permit);
            result
        });
        match timeout(patience, running).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Rejection::Internal),
            Err(_) => Err(Rejection::Overloaded { limit: "list_time_ms_max" }),
        }
    }
}

/// What a step gave.
struct Done {
    bytes: Vec<u8>,
    /// What there is to do once these have gone.
    rest: Option<Reading>,
}

/// A list that is being read.
struct Reading {
    ask: ListAsk,
    sources: Vec<Watched>,
    listing: Listing,
    writer: ListWriter,
}

fn begin(ask: ListAsk, journals: &Journals, flag: &Arc<AtomicBool>) -> Result<Done, Rejection> {
    let among = among(&ask);
    let mut sources = sources(&among, journals, flag)?;
    let tenant = ask.tenant;
    match &ask.what {
        Asked::Messages { event, limit, offset } => {
            let (event, limit) = (event.as_deref().map(str::to_owned), *limit as usize);
            let query = ListQuery { tenant, among, event, limit, offset: *offset };
            let listing = choose(&mut dynamic(&mut sources), &query).map_err(rejection)?;
            let mut bytes = Vec::new();
            let writer = ListWriter::begin(&mut bytes);
            Reading { ask, sources, listing, writer }.next(bytes)
        }
        Asked::Statistics { since_ms, retention_days } => {
            let query = StatsQuery { tenant, among, since_ms: *since_ms };
            let found = stats(&mut dynamic(&mut sources), &query).map_err(rejection)?;
            let mut bytes = Vec::new();
            let stats = rest::Stats {
                messages: found.messages,
                wh_audience: found.counts.wh_audience,
                wh_delivered: found.counts.wh_delivered,
                top_events: found.events.iter().map(|(name, count)| (name.as_str(), *count)),
                retention_days: *retention_days,
            };
            rest::body_stats(&mut bytes, stats);
            Ok(Done { bytes, rest: None })
        }
    }
}

impl Reading {
    fn go_on(self) -> Result<Done, Rejection> {
        self.next(Vec::new())
    }

    /// Reads the next few messages behind what was written.
    fn next(mut self, mut bytes: Vec<u8>) -> Result<Done, Rejection> {
        if !self.listing.is_over() {
            let some = self.listing.next(&mut dynamic(&mut self.sources)).map_err(rejection)?;
            for listed in &some {
                let row = row(&self.ask, listed);
                self.writer.item(&mut bytes, |out| rest::body_message(out, &row));
            }
        }
        if !self.listing.is_over() {
            return Ok(Done { bytes, rest: Some(self) });
        }
        self.writer.end(&mut bytes);
        Ok(Done { bytes, rest: None })
    }
}

/// The channels that are meant: those whose names belong to the pattern now, or all.
fn among(ask: &ListAsk) -> Among {
    let Some(of) = ask.of.clone() else { return Among::All };
    if of.pattern.is_exact() {
        return Among::Channel(Arc::new(ChannelKey::new(ask.tenant, of.pattern.as_str())));
    }
    let patterns = Arc::clone(&ask.patterns);
    let is_its = move |name: &str| {
        // Most names do not match at all, and that is seen at once.
        of.pattern.matches(name) && patterns.find(name).is_some_and(|it| it.id == of.id)
    };
    Among::Named(Arc::new(is_its))
}

fn sources(
    among: &Among,
    journals: &Journals,
    flag: &Arc<AtomicBool>,
) -> Result<Vec<Watched>, Rejection> {
    let watched = |it: &_| Watched::new(it, Arc::clone(flag));
    let found: Option<Vec<Watched>> = match among {
        Among::Channel(channel) => journals.of(channel).map(|it| vec![watched(it)]),
        Among::All | Among::Named(_) => journals.all().map(|it| it.map(watched)).collect(),
    };
    found.ok_or(Rejection::StorageUnavailable)
}

fn dynamic(sources: &mut [Watched]) -> Vec<&mut dyn storage::Source> {
    sources.iter_mut().map(|it| it as &mut dyn storage::Source).collect()
}

fn row<'a>(ask: &ListAsk, listed: &'a Listed) -> MessageRow<'a> {
    let Listed { publication, counts } = listed;
    let channel = publication.channel().name();
    let sender = match (publication.sender_kind(), publication.sender()) {
        (SenderKind::System, _) => None,
        (SenderKind::User, "") => Some(ANONYMOUS_ID),
        (SenderKind::User, id) => Some(id),
    };
    MessageRow {
        id: publication.id().0,
        event: publication.event(),
        channel_id: ask.patterns.find(channel).map(|it| it.id.0),
        channel,
        payload: publication.payload(),
        sender,
        ws_audience: counts.ws_audience,
        wh_audience: counts.wh_audience,
        wh_delivered: counts.wh_delivered,
        created_at_ms: publication.at_ms(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it ends here")]
fn rejection(why: JournalError) -> Rejection {
    tracing::debug!(%why, "a list could not be read");
    journals::rejection(&why, "list_time_ms_max")
}
