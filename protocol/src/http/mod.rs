//! HTTP/1.1, strictly: what two readers could understand differently is refused.

mod fault;
mod head;
mod response;
mod router;

pub use fault::HttpFault;
pub use head::{Head, KeepAlive, Method, parse_head};
pub use response::{
    CONTINUE, Content, HeaderLine, HeaderValue, Response, write_preflight, write_response,
};
pub use router::{Route, Routed, route};
