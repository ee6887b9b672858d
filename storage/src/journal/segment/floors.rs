//! Where channels begin, written down before that would be forgotten.
//!
//! What a rule lets go of is gone in memory alone: as long as its segment is there, it comes back when the journal is opened, unless a
//! mark says where its channel stands. So such a mark goes no sooner than the messages; and what was said about a message, no
//! sooner than the message or with a mark.

use std::sync::Arc;

use hashbrown::HashSet;

use super::{SegmentJournal, channel::Channel, entry::Entry, look::entries_of, shelf::failed};
use crate::{error::JournalError, ids::ChannelKey, journal::ChannelState};

/// Where a channel stands.
type Floor = (Arc<ChannelKey>, ChannelState);
type Floors = Vec<Floor>;

impl SegmentJournal {
    /// Where channels stand that nothing else would say once these segments are gone.
    pub(super) fn floors(&self, unused: &[u64]) -> Result<Floors, JournalError> {
        let stays = |id: u64| self.shelf.files.contains_key(&id) && !unused.contains(&id);
        let oldest = self.shelf.files.keys().copied().find(|it| stays(*it)).unwrap_or(u64::MAX);
        let is_needed = |it: &&Channel| {
            unused.contains(&it.named_in)
                || (oldest < it.marked_in && unused.contains(&it.marked_in))
        };
        let needed = self.index.iter().filter(is_needed);
        let mut floors: Floors = needed.map(|it| (Arc::clone(&it.key), it.state)).collect();
        for id in unused {
            let Some(shelved) = self.shelf.files.get(id) else { continue };
            if !shelved.targets.iter().any(|it| stays(*it)) {
                continue;
            }
            let data = shelved.read().map_err(|cause| failed("read", cause, 0))?;
            entries_of(&data, shelved.nonce, |entry, _| {
                floors.extend(self.floor_of_said(&entry, stays));
            });
        }
        Ok(once_each(floors))
    }

    /// Where channels stand that let go of messages of which these entries say something, if those lie in segments that stay.
    pub(super) fn floors_of_said<'a>(
        &self,
        entries: impl Iterator<Item = &'a Entry<'a>>,
        stays: impl Fn(u64) -> bool,
    ) -> Floors {
        once_each(entries.filter_map(|it| self.floor_of_said(it, &stays)).collect())
    }

    fn floor_of_said(&self, entry: &Entry<'_>, stays: impl Fn(u64) -> bool) -> Option<Floor> {
        let Entry::Counts(counts) = entry else { return None };
        let channel = self.index.find(&ChannelKey::new(counts.tenant, counts.name))?;
        let first = channel.state.first_retained.0;
        let is_gone = |offset: u64, segment: u64| offset < first && stays(segment);
        let has_gone = counts.messages.iter().any(|it| is_gone(it.1, it.0));
        has_gone.then(|| (Arc::clone(&channel.key), channel.state))
    }
}

fn once_each(mut floors: Floors) -> Floors {
    let mut known = HashSet::new();
    floors.retain(|it| known.insert(Arc::clone(&it.0)));
    floors
}
