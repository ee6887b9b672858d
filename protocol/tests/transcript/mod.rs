//! What the transcripts of all dialects share: files of pairs of lines, and how what is sent stands in one.

use std::fs;
use std::path::Path;

use protocol::Limits;
use protocol::ws::{Read, Reader, Role, Step};

/// Checks every pair of the texts in a dialect's folder: a line, and the answer that it expects. Returns how many there are.
pub(crate) fn check_folder(dialect: &str, answer: impl Fn(&str) -> String) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(dialect);
    let paths = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let texts = paths.filter(|path| path.extension().is_some_and(|it| it == "txt"));
    texts.map(|path| check_file(&path, &answer)).sum()
}

fn check_file(path: &Path, answer: impl Fn(&str) -> String) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<_> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let (pairs, rest) = lines.as_chunks::<2>();
    assert_eq!(rest, [""; 0], "{}: a line without its answer", path.display());
    let mut wrong = Vec::new();
    for [given, expected] in pairs {
        let found = answer(given);
        if found != *expected {
            wrong.push(format!("{given}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", path.display(), wrong.join("\n"));
    pairs.len()
}

/// The text of one WebSocket frame that a node sends.
pub(crate) fn frame(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    let length = out.len();
    let Read { consumed, step: Step::Text(payload) } =
        Reader::new(Role::Client).next(&mut out, &Limits::default())
    else {
        panic!("no text frame")
    };
    assert_eq!(consumed, length, "one frame");
    format!("S {}", std::str::from_utf8(payload.bytes()).unwrap())
}

/// A text that a node sends without a frame around it.
pub(crate) fn body(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    format!("S {}", String::from_utf8(out).unwrap())
}
