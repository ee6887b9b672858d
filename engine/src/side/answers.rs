//! What the side threads answer.

use std::fmt;

use protocol::Rejection;

/// One answer. `Whole`, `End` and `Failed` are last ones; a streamed answer is one `Head`, parts, and its last.
#[derive(Debug)]
pub enum SideAnswer {
    /// The head of a streamed answer.
    Head(Box<UpstreamHead>),
    /// A part of its body.
    Part(Box<[u8]>),
    /// Its end.
    End,
    /// There is no answer; behind a head there is no more of it.
    Failed(Rejection),
    /// An answer that is not streamed.
    Whole(VendorAnswer),
}

/// The head of an answer of another server.
#[derive(Debug)]
pub struct UpstreamHead {
    /// Its status.
    pub status: u16,
    /// The length that it gives to its body.
    pub length: Option<u64>,
    /// Header lines to pass on.
    pub lines: Vec<(&'static str, String)>,
}

/// What a vendor said.
#[derive(Clone, Eq, PartialEq)]
pub struct VendorAnswer {
    /// The status.
    pub status: u16,
    /// The body. It may hold a token.
    pub body: Vec<u8>,
}

impl fmt::Debug for VendorAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl SideAnswer {
    /// Whether the call is over with it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        match self {
            Self::End | Self::Failed(_) | Self::Whole(_) => true,
            Self::Head(_) | Self::Part(_) => false,
        }
    }
}
