//! Transcripts, as a reader of the wire would write them down.
//!
//! `C` a text packet of a Socket.IO client, `W` a frame of a client of `/realtime`, `B` a call and its body, `G` a request line,
//! `>` something that happens in the node; below it `=` what was understood, `!` what happens to the session, or `S` what the
//! node sends.

use crate::transcript::check_folder;
use crate::{said, sent};

#[test]
fn every_transcript_is_spoken_as_written() {
    let checked = check_folder("insforge", answer);
    assert!(checked >= 150, "only {checked} lines");
}

fn answer(line: &str) -> String {
    let (kind, text) = line.split_at(2);
    match kind {
        "C " => said::packet(text),
        "W " => said::frame(text),
        "B " => said::body(text),
        "G " => said::request(text),
        "> " => sent::event(text),
        other => panic!("{other:?} starts no line"),
    }
}
