//! Lines from a file, a pipe or a terminal, through one bounded buffer.

use crate::client::socket::{Interest, Poller};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::Path;

/// The longest line that is taken.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;
const CHUNK_BYTES: usize = 256 * 1024;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A line, without its end, and its number from 1.
    Line(u64, &'a [u8]),
    /// A line that is too long.
    TooLong(u64),
    /// More bytes are needed: [`Input::fill`].
    More,
    /// There is nothing more.
    End,
}

/// Where lines come from.
pub(crate) struct Input {
    source: OwnedFd,
    /// Of a file.
    size: Option<u64>,
    bytes: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// Up to where no line ends.
    searched: usize,
    /// Whether the start of this line was dropped: it is too long.
    is_skipping: bool,
    is_at_end: bool,
    number: u64,
    taken: u64,
    always_ready: std::cell::Cell<bool>,
}

impl Input {
    /// Reads a file; `-` is standard input.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::of(io::stdin().as_fd().try_clone_to_owned()?, None));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self::of(file.into(), metadata.is_file().then_some(metadata.len())))
    }

    fn of(source: OwnedFd, size: Option<u64>) -> Self {
        Self {
            source,
            size,
            bytes: Vec::new(),
            start: 0,
            searched: 0,
            is_skipping: false,
            is_at_end: false,
            number: 0,
            taken: 0,
            always_ready: false.into(),
        }
    }

    /// The next line of what was read.
    pub(crate) fn next(&mut self) -> Next<'_> {
        let rest = self.bytes.get(self.searched..).unwrap_or_default();
        let (line_end, next_start) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(at) => (self.searched + at, self.searched + at + 1),
            None if self.is_at_end && self.start < self.bytes.len() => {
                (self.bytes.len(), self.bytes.len())
            }
            None if self.is_at_end && self.is_skipping => (self.bytes.len(), self.bytes.len()),
            None if self.is_at_end => return Next::End,
            None => {
                self.searched = self.bytes.len();
                return Next::More;
            }
        };
        let line = self.start..line_end;
        (self.start, self.searched) = (next_start, next_start);
        self.number += 1;
        let was_skipping = std::mem::take(&mut self.is_skipping);
        if was_skipping || line.len() > LINE_BYTES_MAX {
            return Next::TooLong(self.number);
        }
        let line = self.bytes.get(line).unwrap_or_default();
        Next::Line(self.number, line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Reads once. It waits if there is nothing to read.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.bytes.len() > LINE_BYTES_MAX {
            self.bytes.clear();
            self.searched = 0;
            self.is_skipping = true;
        }
        let kept = self.bytes.len();
        self.bytes.resize(kept + CHUNK_BYTES, 0);
        let room = self.bytes.get_mut(kept..).unwrap_or_default();
        let read = rustix::io::read(&self.source, room);
        let count = read.unwrap_or_default();
        self.bytes.truncate(kept + count);
        self.taken += count as u64;
        match read {
            Ok(count) => self.is_at_end = count == 0,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }

    /// Whether every line was taken.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_at_end && self.start == self.bytes.len() && !self.is_skipping
    }

    /// Bytes taken, of how many, if that is known.
    pub(crate) fn progress(&self) -> Option<(u64, u64)> {
        self.size.map(|size| (self.taken, size))
    }

    /// Whether it is a file, which cannot be polled.
    pub(crate) fn is_always_ready(&self) -> bool {
        self.always_ready.get()
    }

    /// Begins to poll it; `false` if it is always ready.
    pub(crate) fn watch(&self, poller: &Poller, index: usize) -> io::Result<bool> {
        match poller.add(&self.source, index, Interest::Read) {
            Ok(()) => Ok(true),
            // epoll_ctl(2): EPERM is for files and folders, which are always ready.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.always_ready.set(true);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// All that comes of a text, whatever pieces it arrives in.
    fn check(text: &[u8], expected: &[&str]) {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut input = Input::of(reader.into(), None);
        let owned = text.to_vec();
        let writing = std::thread::spawn(move || writer.write_all(&owned).unwrap());
        let mut found = Vec::new();
        loop {
            match input.next() {
                Next::Line(number, line) => {
                    let shown = line.get(..line.len().min(9)).unwrap();
                    found.push(format!("{number}:{}", String::from_utf8_lossy(shown)));
                }
                Next::TooLong(number) => found.push(format!("{number}!")),
                Next::More => input.fill().unwrap(),
                Next::End => break,
            }
        }
        writing.join().unwrap();
        assert!(input.has_ended());
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_end_with_a_line_feed_or_with_the_input() {
        check(b"", &[]);
        check(b"a", &["1:a"]);
        check(b"a\n", &["1:a"]);
        check(b"a\r\n\nb\rc\n", &["1:a", "2:", "3:b\rc"]);
        check(b"\n\n", &["1:", "2:"]);
    }

    #[test]
    fn a_line_over_the_limit_is_left_out_whole() {
        let of = |length: usize| vec![b'x'; length];
        let text = [of(LINE_BYTES_MAX), of(0), of(LINE_BYTES_MAX + 1), b"b".to_vec()].join(&b'\n');
        check(&text, &["1:xxxxxxxxx", "2:", "3!", "4:b"]);
        let text = [b"a".to_vec(), of(3 * LINE_BYTES_MAX)].join(&b'\n');
        check(&text, &["1:a", "2!"]);
        let text = [of(3 * LINE_BYTES_MAX), b"b\n".to_vec()].join(&b'\n');
        check(&text, &["1!", "2:b"]);
    }

    #[test]
    fn a_folder_is_no_input() {
        assert!(Input::open(Path::new("/")).is_err());
        assert!(Input::open(Path::new("/does/not/exist")).is_err());
    }
}
