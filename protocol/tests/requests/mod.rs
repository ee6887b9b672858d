//! Raw requests, and what each of them is: understood, or refused with a status. The end-to-end test of the node reads the same table.

mod bodies;
mod lines;
mod poison;
mod targets;

/// A piece of a request, and the status that answers the request: 200 stands for one that is understood.
type Row = (&'static [u8], u16);

/// What is sent over one connection.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) bytes: Vec<u8>,
    /// A status for each request in it, in their order. Nothing is read behind one that is refused, or is the last.
    pub(crate) heads: Vec<u16>,
}

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    let table = |before: &'static [u8], rows: &'static [Row], behind: &'static [u8]| {
        let case = move |(piece, status): &Row| Case {
            bytes: [before, piece, behind].concat(),
            heads: vec![*status],
        };
        rows.iter().map(case)
    };
    let (post, end) = (b"POST / HTTP/1.1\r\nHost: a\r\n", b"\r\n\r\n");
    let host = b"\r\nHost: a\r\n\r\n";
    table(post, bodies::LENGTHS, end)
        .chain(table(post, bodies::CODINGS, end))
        .chain(table(post, lines::LINES, end))
        .chain(table(b"", lines::REQUEST_LINES, host))
        .chain(table(b"GET / HTTP/1.1\r\n", lines::HOSTS, end))
        .chain(table(b"GET / HTTP/1.0\r\n", lines::HOSTS, end))
        .chain(table(b"GET ", targets::TARGETS, b" HTTP/1.1\r\nHost: a\r\n\r\n"))
        .chain(poison::cases())
        .collect()
}
