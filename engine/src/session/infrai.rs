//! What an Infrai client has beside what every client has.

use protocol::Permit;

use super::asks::Asks;

/// See the module.
#[derive(Debug)]
pub struct InfraiClient {
    /// What its token allows.
    pub permit: Permit,
    /// Its frames that wait.
    pub asks: Asks,
}

impl InfraiClient {
    /// A client that has asked for nothing.
    #[must_use]
    pub fn new(permit: Permit) -> Self {
        Self { permit, asks: Asks::default() }
    }
}
