//! HMAC-SHA256 (RFC 2104).

/// Signs a message.
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let _ = (key, message);
    [0; 32]
}

/// Whether a signature is the message's, in a time that does not depend on where it differs.
#[must_use]
pub fn verify_hmac_sha256(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let _ = (key, message, signature);
    false
}
