//! Dead letters: to be looked at, and to be tried again.

use std::sync::Arc;

use storage::Publication;
use tokio::task::spawn_blocking;

use super::work::Done;
use super::{Desk, Slot};
use crate::side::webhook::door::Reply;
use crate::side::webhook::hooks::ReplayFault;
use crate::side::webhook::names::EndpointKey;
use crate::side::webhook::places::{Letter, PlacesThread};
use crate::side::webhook::source::{Source, SourceAsk};

/// Letters that are listed at once.
const LISTED_MAX: usize = 100;

/// Whoever asked for a replay.
pub(super) type ReplayReply = Reply<Result<(), ReplayFault>>;

/// A dead letter whose message was looked for.
pub(super) struct Found {
    slot: Slot,
    id: u64,
    result: Result<(Letter, Arc<Publication>), ReplayFault>,
}

impl Desk {
    pub(super) fn list_letters(
        &mut self,
        of: &EndpointKey,
        after: u64,
        max: usize,
        reply: Reply<Option<Vec<Letter>>>,
    ) {
        let Some(post) = self.slots.get(of).and_then(|it| self.posts.get(it)) else {
            return reply(None);
        };
        let ids = post.letters.iter().copied().filter(|it| *it > after);
        let ids = ids.take(max.min(LISTED_MAX)).collect();
        let (places, of) = (self.tools.places.clone(), of.clone());
        self.tasks.spawn_local(async move {
            let found = places.letters(of, ids).await;
            reply(found.inspect_err(|why| tracing::warn!("no dead letters: {why}")).ok());
            Done::Nothing
        });
    }

    /// Looks for a dead letter and its message.
    pub(super) fn find_letter(&mut self, of: &EndpointKey, id: u64, reply: ReplayReply) {
        let slot = self.slots.get(of).copied();
        let is_known = |it: &Slot| self.posts.get(it).is_some_and(|it| it.letters.contains(&id));
        let Some(slot) = slot.filter(is_known) else {
            return reply(Err(ReplayFault::Unknown));
        };
        let (places, source) = (self.tools.places.clone(), Arc::clone(&self.tools.source));
        let of = of.clone();
        self.tasks.spawn_local(async move {
            let result = find(of, id, places, source).await;
            Done::Found(Found { slot, id, result }, reply)
        });
    }

    pub(super) fn replay(&mut self, found: Found, reply: ReplayReply) {
        let Some(post) = self.posts.get_mut(&found.slot) else {
            return reply(Err(ReplayFault::Unknown));
        };
        let (letter, message) = match found.result {
            Ok(found) => found,
            Err(why) => return reply(Err(why)),
        };
        match post.machine.replay(found.id, message) {
            Ok(()) => {
                post.replaying.insert(found.id, letter);
                reply(Ok(()));
            }
            Err(why) => reply(Err(ReplayFault::Refused(why))),
        }
        self.turn(found.slot, self.now());
    }
}

async fn find(
    of: EndpointKey,
    id: u64,
    places: PlacesThread,
    source: Arc<Source>,
) -> Result<(Letter, Arc<Publication>), ReplayFault> {
    let tenant = of.tenant;
    let letters = places.letters(of, vec![id]).await.map_err(|_| ReplayFault::Unavailable)?;
    // It may not be on disk yet: that takes a moment.
    let letter = letters.into_iter().next().ok_or(ReplayFault::Unavailable)?;
    let head = letter.message.as_ref().ok_or(ReplayFault::Gone)?;
    let (feed, after, message_id) = (letter.feed.clone(), letter.before, head.id);
    let channel = head.channel.clone();
    let read = spawn_blocking(move || {
        source.read(&SourceAsk {
            tenant,
            feed: &feed,
            after,
            is_wanted: &|name| name == channel,
            messages_max: 1,
            bytes_max: 0,
            way: None,
        })
    });
    let slice = read.await.map_err(|_| ReplayFault::Unavailable)?;
    let (slice, _) = slice.map_err(|_| ReplayFault::Unavailable)?;
    let found = slice.messages.into_iter().map(|it| it.message).find(|it| it.id().0 == message_id);
    found.map(|message| (letter, message)).ok_or(ReplayFault::Gone)
}
