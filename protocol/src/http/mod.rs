//! HTTP/1.1, strictly: what two readers could understand differently is refused.

mod fault;
mod fields;
mod head;
mod known;
mod method;
mod parse;
mod response;
mod router;
mod stream;
mod target;

pub use fault::HttpFault;
pub use head::{Head, KeepAlive, Version};
pub use known::KnownHead;
pub use method::{Method, Methods};
pub use parse::parse_head;
pub use response::{
    CONTINUE, Content, HeaderLine, HeaderValue, Response, write_preflight, write_response,
};
pub use router::{Route, Routed, paths, route};
pub use stream::{Framing, StreamHead, write_last_chunk, write_part, write_stream_head};
