//! Socket.IO, revision 5: events with answers over Engine.IO. Only the namespace `/` is served; what events mean is the dialect's.

mod packet;
mod write;

pub use packet::{ATTACHMENTS_MAX, NAMESPACE_BYTES_MAX, Packet, PacketFault, decode_packet};
pub(crate) use write::{acknowledgement_frame, event_frame};
pub use write::{frame_connect_error, frame_connected, frame_disconnect, frame_namespace_refused};

/// The namespace that every client begins with.
pub const ROOT: &str = "/";

/// Names that a client of Socket.IO takes for its own; it breaks off when one comes as an event.
pub const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];
