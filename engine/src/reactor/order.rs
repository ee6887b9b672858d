//! What the node tells its cores, and what they say of a turn.

use std::sync::Arc;

use protocol::Rejection;
use protocol::ws::CloseCode;

use crate::control::Operation;
use crate::tenants::Tenants;

/// What came of an operation.
pub type OperationAnswer = Result<Vec<u8>, Rejection>;

/// What the node tells its cores.
#[derive(Clone, Debug)]
pub enum Order {
    /// Take these tenants for the node's.
    Tenants(Arc<Tenants>),
    /// Do this for a tenant; the answer goes there. Nobody has to be there any more.
    Operate(Box<Operation>, flume::Sender<OperationAnswer>),
    /// Say goodbye with this code, and end after so many milliseconds at the latest.
    Drain(CloseCode, u64),
}

/// Whether the core goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Go {
    /// There was something to do.
    Busy,
    /// There was nothing to do, for as long as it might wait.
    Idle,
    /// It is over.
    Over,
}
