//! The file of a history: many write, one thread appends, nothing is changed.

use super::event::Event;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Events that wait for the file. Whoever records more waits too, so memory has a bound.
const WAITING_MAX: usize = 65_536;

/// Where events go. A clone goes to each client.
#[derive(Clone, Debug)]
pub struct Recorder {
    to: SyncSender<Event>,
}

impl Recorder {
    /// Begins a log. The thread ends with the last recorder, and says whether all lines were written.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn begin(path: &Path) -> io::Result<(Self, JoinHandle<io::Result<()>>)> {
        let mut file = BufWriter::new(File::create_new(path)?);
        let (to, from) = sync_channel::<Event>(WAITING_MAX);
        let writer = thread::spawn(move || {
            for event in from {
                serde_json::to_writer(&mut file, &event.to_json())?;
                file.write_all(b"\n")?;
            }
            file.flush()
        });
        Ok((Self { to }, writer))
    }

    /// Appends an event. Once this has returned, whatever anyone records comes behind it.
    pub fn note(&self, event: Event) {
        // The thread is gone only when it could not write, and it says so itself.
        let _ = self.to.send(event);
    }
}

/// Reads a log, line by line.
///
/// # Errors
/// When it cannot be opened. An item is an error where a line cannot be read, or is no event.
pub fn read_log(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Event>>> {
    let event = |(number, line): (usize, io::Result<String>)| {
        let read = serde_json::from_str(&line?).ok();
        read.and_then(|it| Event::from_json(&it)).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("line {}: no event", number + 1))
        })
    };
    Ok(BufReader::new(File::open(path)?).lines().enumerate().map(event))
}
