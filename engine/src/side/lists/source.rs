//! A journal, read for as long as somebody waits for what comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use storage::{
    ChannelKey, JournalError, LiveRun, Place, Publication, Reader, Scope, Source, View, Wanted,
};

/// See the module.
pub(super) struct Watched {
    reader: Reader,
    overdue: Arc<AtomicBool>,
}

impl Watched {
    pub(super) fn new(reader: &Reader, overdue: Arc<AtomicBool>) -> Self {
        Self { reader: reader.clone(), overdue }
    }
}

impl Source for Watched {
    fn view(&mut self, scope: &Scope) -> Result<View, JournalError> {
        self.is_awaited()?;
        self.reader.view(scope)
    }

    fn end(&mut self) -> Result<Place, JournalError> {
        self.is_awaited()?;
        self.reader.end()
    }

    fn live(
        &mut self,
        segment: u64,
        channels: &[Arc<ChannelKey>],
    ) -> Result<Vec<Vec<LiveRun>>, JournalError> {
        self.is_awaited()?;
        self.reader.live(segment, channels)
    }

    fn fetch(&mut self, wanted: &[Wanted]) -> Result<Vec<Option<Arc<Publication>>>, JournalError> {
        self.is_awaited()?;
        self.reader.fetch(wanted)
    }

    fn put_list(&mut self, segment: u64, nonce: u64, list: Vec<u8>) -> Result<(), JournalError> {
        self.reader.put_list(segment, nonce, list)
    }

    fn is_awaited(&mut self) -> Result<(), JournalError> {
        if self.overdue.load(Ordering::Relaxed) { Err(JournalError::TimedOut) } else { Ok(()) }
    }
}
