//! Every wrong value of every call and frame, with what is answered. The node's end-to-end test reads the same table.

mod cohesivity;
mod infrai;
mod insforge;
mod insforge_frames;
mod insforge_paths;
mod values;

pub(crate) use cohesivity::{cohesivity_calls, cohesivity_frames};
pub(crate) use infrai::{infrai_calls, infrai_frames};
pub(crate) use insforge::insforge_calls;
pub(crate) use insforge_frames::{
    Outcome, insforge_credentials, insforge_packets, insforge_plain_frames,
};

/// Who calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Caller {
    /// A server with a project key.
    Project,
    /// A server with an application key, in the query.
    Application,
    /// An operator with a management key.
    Management,
    /// An administrator of InsForge with the API key.
    Administrator,
}

/// A request that is refused.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) target: String,
    /// A header line, without its end.
    pub(crate) header: Option<String>,
    pub(crate) body: Option<String>,
    /// Status, code and message.
    pub(crate) expected: String,
}

/// A frame that is refused, and what is said of it.
pub(crate) type Frame = (String, String);
