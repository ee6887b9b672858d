//! The JSON bodies of the calls under `/edge`.

use crate::dialect::MessageView;
use crate::http::HttpFault;
use crate::rejection::Rejection;

/// Appends the answer of POST /edge/session. It goes out with `Cache-Control: private, no-store, max-age=0`.
pub fn body_session(out: &mut Vec<u8>, token: &str, expires_in_s: u32) {
    let _ = (out, token, expires_in_s);
}

/// Appends the answer of POST /edge/realtime/token.
pub fn body_token(out: &mut Vec<u8>, token: &str, expires_in_s: u32) {
    let _ = (out, token, expires_in_s);
}

/// Appends the answer of POST /edge/realtime. `message.data` is not in it.
pub fn body_published(out: &mut Vec<u8>, message: &MessageView<'_>) {
    let _ = (out, message);
}

/// Appends the answer of GET /edge/realtime/history.
pub fn body_history<'m>(out: &mut Vec<u8>, messages: impl Iterator<Item = MessageView<'m>>) {
    let _ = (out, messages.count());
}

/// Appends the envelope of a refusal.
pub fn body_rejection(out: &mut Vec<u8>, rejection: &Rejection) {
    let _ = (out, rejection);
}

/// Appends the envelope of a request that could not be understood.
pub fn body_fault(out: &mut Vec<u8>, fault: &HttpFault) {
    let _ = (out, fault);
}
