//! WebSocket (RFC 6455): the handshake, and frames in and out.

mod close;
mod handshake;
mod header;
mod mask;
mod reader;
mod utf8;
mod writer;

pub use close::CloseCode;
pub use handshake::{Handshake, accept_key, check_handshake, write_accept};
pub use header::Opcode;
pub(crate) use header::parse as parse_header;
pub use reader::{Fault, Payload, Read, Reader, Role, Step};
pub(crate) use writer::append_text_with;
pub use writer::{
    FRAME_HEADER_BYTES_MAX, append_close, append_close_number, append_header, append_masked,
    append_ping, append_pong, append_text,
};
