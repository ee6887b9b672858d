//! Engine.IO, revision 4: the session below Socket.IO. It begins with polling or with a WebSocket, and may move from the first to
//! the second. What is bytes is here; timers and what waits belong to the session.

mod handshake;
mod packet;
mod poll;
mod sid;

/// Where its sessions are.
pub const PATH: &str = "/socket.io/";

pub use handshake::{Ask, OpenFault, Transport, body_open_fault, decode_ask};
pub use packet::{
    CLOSE, Heartbeat, NOOP, PING, PONG_PROBE, Packet, PacketFault, decode_packet, frame_close,
    frame_noop, frame_open, frame_ping, frame_pong_probe, push_open,
};
pub use poll::{
    PAYLOAD_PACKETS_MAX, POLL_PACKETS_MAX, POSTED, Payload, decode_payload, packet_bytes,
    push_frames, push_packet,
};
pub use sid::Sid;
