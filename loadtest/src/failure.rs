//! Why a measurement could not be made.

use std::fmt;
use std::io;

/// Why a measurement could not be made.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Options that make no sense.
    Usage(String),
    /// The operating system refused.
    Io { operation: &'static str, cause: io::Error },
    /// The server answered otherwise than it should.
    Server(String),
    /// A file that is not what it should be.
    Data(String),
    /// A signal asked to stop.
    Interrupted,
}

impl Failure {
    /// Wraps an error of the operating system.
    pub(crate) fn io<E: Into<io::Error>>(operation: &'static str) -> impl Fn(E) -> Self {
        move |cause| Self::Io { operation, cause: cause.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) | Self::Server(what) | Self::Data(what) => out.write_str(what),
            Self::Io { operation, cause } => write!(out, "{operation}: {cause}"),
            Self::Interrupted => out.write_str("interrupted"),
        }
    }
}
