//! A thread that nudges who has been inside for long.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Sees to it that nobody waits for what has happened already.
#[derive(Debug)]
pub(super) struct Nudge {
    visits: Arc<Visits>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Visits {
    begun: AtomicU64,
    ended: AtomicU64,
    is_over: AtomicBool,
}

/// Somebody who is inside until this goes.
pub(super) struct Visit<'a>(&'a Visits);

impl Nudge {
    /// Calls `nudge` whenever somebody is inside and nobody came out for `patience`, and again after as long.
    pub(super) fn start(patience: Duration, nudge: impl Fn() + Send + 'static) -> io::Result<Self> {
        let visits = Arc::new(Visits::default());
        let seen = Arc::clone(&visits);
        let look = move || seen.look(patience, nudge);
        let thread = thread::Builder::new().name("sled-nudge".to_owned()).spawn(look)?;
        Ok(Self { visits, thread: Some(thread) })
    }

    /// Somebody goes inside.
    pub(super) fn enter(&self) -> Visit<'_> {
        self.visits.begun.fetch_add(1, Ordering::AcqRel);
        Visit(&self.visits)
    }

    /// Ends it, and waits until it has: a nudge that is under way ends.
    pub(super) fn end(&mut self) {
        self.visits.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join(); // A nudge that panicked has ended too.
        }
    }
}

impl Visits {
    /// Looks again and again until it is over.
    fn look(&self, patience: Duration, nudge: impl Fn()) {
        let mut ended_before = 0;
        loop {
            thread::park_timeout(patience);
            if self.is_over.load(Ordering::Acquire) {
                return;
            }
            let ended = self.ended.load(Ordering::Acquire);
            let is_inside = self.begun.load(Ordering::Acquire) > ended;
            if is_inside && ended == ended_before {
                nudge();
            }
            ended_before = ended;
        }
    }
}

impl Drop for Nudge {
    fn drop(&mut self) {
        // Not waited for: a nudge may take for ever where nothing can be written.
        self.visits.is_over.store(true, Ordering::Release);
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(1);

    #[test]
    fn who_stays_inside_is_nudged_until_they_come_out() {
        let (nudged, nudges) = channel();
        let mut nudge = Nudge::start(PATIENCE, move || nudged.send(()).unwrap()).unwrap();
        let visit = nudge.enter();
        for _ in 0..3 {
            nudges.recv().unwrap();
        }
        drop(visit);
        // Some came before it went, and one may have been under way.
        let _ = nudges.recv_timeout(100 * PATIENCE);
        nudges.try_iter().for_each(drop);
        assert!(nudges.recv_timeout(100 * PATIENCE).is_err(), "nobody is inside");
        nudge.end();
        assert!(nudges.recv().is_err(), "it is over");
    }

    #[test]
    fn it_ends_at_once_however_patient_it_is() {
        let mut nudge = Nudge::start(Duration::from_hours(1), || panic!("nobody waited")).unwrap();
        drop(nudge.enter());
        nudge.end();
    }
}
