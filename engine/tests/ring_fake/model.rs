//! What the core of a life knows of a connection, to hold against what its peer got.

/// What the core of a real node would know of a connection.
pub(crate) struct Model {
    pub(crate) peer: usize,
    pub(crate) taken: usize,
    /// Everything handed to the driver, piece by piece.
    pub(crate) given: Vec<Vec<u8>>,
    pub(crate) last: Vec<u8>,
    pub(crate) closing: Closing,
    pub(crate) has_overrun: bool,
    pub(crate) peer_has_ended: bool,
    /// The number that it is passed with.
    pub(crate) passed_as: Option<u64>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Closing {
    Not,
    Now,
    Gracefully,
}
