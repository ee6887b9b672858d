//! What generators of one run tell each other: what each of them sent, so that all know what has to come.

use crate::failure::Failure;
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// What all generators sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Messages of each stream.
    pub(crate) sent: Vec<u32>,
    /// Streams and numbers of those that were refused.
    pub(crate) refused: Vec<(u32, u32)>,
}

impl Sent {
    /// As a line.
    pub(crate) fn json(&self) -> Value {
        json!({ "sent": self.sent, "refused": self.refused })
    }

    /// Reads a line; `None`: it is another one.
    pub(crate) fn read(line: &Value) -> Option<Self> {
        let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let sent: Option<Vec<u32>> = line.get("sent")?.as_array()?.iter().map(number).collect();
        let pair = |value: &Value| Some((number(value.get(0)?)?, number(value.get(1)?)?));
        let refused: Option<Vec<_>> = line.get("refused")?.as_array()?.iter().map(pair).collect();
        Some(Self { sent: sent?, refused: refused? })
    }

    /// Adds what another generator sent.
    pub(crate) fn add(&mut self, other: Self) {
        if self.sent.len() < other.sent.len() {
            self.sent.resize(other.sent.len(), 0);
        }
        for (all, more) in self.sent.iter_mut().zip(other.sent) {
            // A stream has one sender.
            *all = (*all).max(more);
        }
        self.refused.extend(other.refused);
    }
}

/// The way to the process that started this one: lines on standard input and output.
#[derive(Debug)]
pub(crate) struct Link {
    lines: Receiver<Value>,
    is_told: bool,
}

impl Link {
    /// Begins to listen to standard input.
    pub(crate) fn new() -> Self {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let lines = std::io::stdin().lock().lines().map_while(Result::ok);
            let mut lines = lines.filter_map(|line| serde_json::from_str(&line).ok());
            // Nobody listens any more when the run is over.
            let _ = lines.try_for_each(|line| sender.send(line));
        });
        Self::of(lines)
    }

    /// Hears these lines.
    pub(super) fn of(lines: Receiver<Value>) -> Self {
        Self { lines, is_told: false }
    }

    /// Waits for a line.
    pub(crate) fn hear(&self) -> Result<Value, Failure> {
        self.lines.recv().map_err(|_| Failure::Interrupted)
    }

    /// A line, if there is one.
    pub(crate) fn heard(&self) -> Result<Option<Value>, Failure> {
        match self.lines.try_recv() {
            Ok(line) => Ok(Some(line)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Failure::Interrupted),
        }
    }

    /// Asks for a round, once, and looks whether it was opened.
    pub(crate) fn ask_for_round(&mut self) -> Result<bool, Failure> {
        if !std::mem::replace(&mut self.is_told, true) {
            say(&round())?;
        }
        let is_open = self.heard()?.is_some();
        self.is_told &= !is_open;
        Ok(is_open)
    }

    /// Tells what this one sent in a run, once, and looks for what all of them did.
    pub(crate) fn agree(
        &mut self,
        sent: &[u32],
        refused: &[(u32, u32)],
    ) -> Result<Option<Sent>, Failure> {
        if !std::mem::replace(&mut self.is_told, true) {
            let (sent, refused) = (sent.to_vec(), refused.to_vec());
            say(&Sent { sent, refused }.json())?;
        }
        let all = self.heard()?.and_then(|line| Sent::read(&line));
        self.is_told &= all.is_none();
        Ok(all)
    }
}

/// A line that asks for a round, or opens one.
pub(crate) fn round() -> Value {
    json!({ "round": true })
}

/// Whether a line is one of those.
pub(crate) fn asks_for_round(line: &Value) -> bool {
    line.get("round").is_some()
}

/// Says a line to the process that started this one.
pub(crate) fn say(line: &Value) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let told = writeln!(out, "{line}").and_then(|()| out.flush());
    told.map_err(Failure::io("cannot tell the other generators"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_adds_up() {
        let mut all = Sent::default();
        let lines = [r#"{"sent":[5,0,7],"refused":[[0,3]]}"#, r#"{"sent":[0,4,0],"refused":[]}"#];
        for line in lines {
            all.add(Sent::read(&serde_json::from_str(line).unwrap()).unwrap());
        }
        assert_eq!(all, Sent { sent: vec![5, 4, 7], refused: vec![(0, 3)] });
        assert_eq!(Sent::read(&all.json()), Some(all));
        assert_eq!(Sent::read(&json!({ "result": {} })), None);
    }
}
