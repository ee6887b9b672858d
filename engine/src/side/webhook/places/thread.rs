//! The thread that keeps places: it may block, the side threads may not.

use std::io;
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::{Letter, PlaceChange, Places, PlacesError};
use crate::side::webhook::names::EndpointKey;

/// Questions that wait.
const ASKS_MAX: usize = 64;

enum Ask {
    Save(Vec<PlaceChange>, u64, oneshot::Sender<SaveEnd>),
    Letters(EndpointKey, Vec<u64>, oneshot::Sender<Result<Vec<Letter>, PlacesError>>),
}

/// See the module. It ends when the last handle is gone.
#[derive(Clone)]
pub(in crate::side::webhook) struct PlacesThread(mpsc::Sender<Ask>);

/// How a save went, and the changes again.
pub(in crate::side::webhook) type SaveEnd = (Result<(), PlacesError>, Vec<PlaceChange>);

impl PlacesThread {
    /// Starts it.
    pub(in crate::side::webhook) fn spawn(
        mut places: impl Places,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (asks, mut taken) = mpsc::channel(ASKS_MAX);
        let thread = thread::Builder::new().name("webhook-places".to_owned()).spawn(move || {
            while let Some(ask) = taken.blocking_recv() {
                answer(&mut places, ask);
            }
        })?;
        Ok((Self(asks), thread))
    }

    /// Saves changes. `None` when the thread has ended.
    pub(in crate::side::webhook) async fn save(
        &self,
        changes: Vec<PlaceChange>,
        now_ms: u64,
    ) -> Option<SaveEnd> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Ask::Save(changes, now_ms, reply)).await.ok()?;
        answer.await.ok()
    }

    /// Reads dead letters; those that are no more are left out.
    pub(in crate::side::webhook) async fn letters(
        &self,
        of: EndpointKey,
        ids: Vec<u64>,
    ) -> Result<Vec<Letter>, PlacesError> {
        let (reply, answer) = oneshot::channel();
        let ended = || PlacesError("the thread of places has ended".to_owned());
        self.0.send(Ask::Letters(of, ids, reply)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

fn answer(places: &mut impl Places, ask: Ask) {
    match ask {
        Ask::Save(changes, now_ms, reply) => {
            let result = places.save(&changes, now_ms);
            let _ = reply.send((result, changes)); // Nobody waits when all is over.
        }
        Ask::Letters(of, ids, reply) => {
            let found = ids.iter().map(|id| places.letter(&of, *id));
            let found = found.filter_map(Result::transpose).collect();
            let _ = reply.send(found); // As above.
        }
    }
}
