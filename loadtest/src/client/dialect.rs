//! What the server is spoken to in.

use clap::ValueEnum;

/// What connections speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// A WebSocket at /edge/realtime with a token that --key mints.
    Cohesivity,
    /// Socket.IO over a WebSocket at /socket.io/, each subscribe answered; --api-key allows the channels.
    Insforge,
}

impl Dialect {
    /// As the command line writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cohesivity => "cohesivity",
            Self::Insforge => "insforge",
        }
    }
}
