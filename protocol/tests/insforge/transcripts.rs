//! Transcripts, as a reader of the wire would write them down.
//!
//! `C` a text packet of a Socket.IO client, `W` a frame of a client of `/realtime`, `B` a call and its body, `G` a request line,
//! `>` something that happens in the node; below it `=` what was understood, `!` what happens to the session, or `S` what the
//! node sends.

use std::fs;
use std::path::Path;

use crate::{said, sent};

#[test]
fn every_transcript_is_spoken_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/insforge");
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "txt") {
            checked += check_file(&path);
        }
    }
    assert!(checked >= 150, "only {checked} lines");
}

fn check_file(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<_> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let (pairs, rest) = lines.as_chunks::<2>();
    assert_eq!(rest, [""; 0], "{}: a line without its answer", path.display());
    let mut wrong = Vec::new();
    for [given, expected] in pairs {
        let (kind, text) = given.split_at(2);
        let found = match kind {
            "C " => said::packet(text),
            "W " => said::frame(text),
            "B " => said::body(text),
            "G " => said::request(text),
            "> " => sent::event(text),
            other => panic!("{other:?} starts no line"),
        };
        if found != *expected {
            wrong.push(format!("{given}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", path.display(), wrong.join("\n"));
    pairs.len()
}
