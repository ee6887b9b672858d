//! HMAC-SHA256 (RFC 2104).

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};

/// Signs a message.
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = sign(&Key::new(HMAC_SHA256, key), message);
    let mut signature = [0; 32];
    // SHA-256 gives 32 bytes, so both have one length.
    signature.copy_from_slice(tag.as_ref());
    signature
}

/// Whether a signature is the message's, in a time that does not depend on where it differs.
#[must_use]
pub fn verify_hmac_sha256(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    verify(&Key::new(HMAC_SHA256, key), message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn signatures_are_those_of_the_standard() {
        // RFC 4231 §4.2 and §4.3.
        let first = hmac_sha256(&[0x0b; 20], b"Hi There");
        assert_eq!(hex(&first), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        let second = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(
            hex(&second),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn any_other_signature_is_refused() {
        let good = hmac_sha256(b"key", b"message");
        assert!(verify_hmac_sha256(b"key", b"message", &good));
        assert!(!verify_hmac_sha256(b"kez", b"message", &good));
        assert!(!verify_hmac_sha256(b"key", b"massage", &good));
        assert!(!verify_hmac_sha256(b"key", b"message", &good[..31]));
        assert!(!verify_hmac_sha256(b"key", b"message", b""));
        for index in 0..32 {
            let mut bad = good;
            bad[index] ^= 1;
            assert!(!verify_hmac_sha256(b"key", b"message", &bad), "byte {index}");
        }
    }
}
