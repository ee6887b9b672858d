//! Values that must not reach a log: they have no `Debug` and no `Display`, so that writing one takes a deliberate word.

use super::error::ConfigError;

/// A key or token. [`Secret::reveal`] is the only way to its text.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being printed by accident.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for comparing, signing, or showing it to its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Enough to tell two keys apart, not enough to use one: the kind and the last two characters. Of a short one nothing.
    #[must_use]
    pub fn masked(&self) -> String {
        let kind = KINDS.into_iter().find(|it| self.0.starts_with(it)).unwrap_or_default();
        let count = self.0.chars().count();
        let hidden = if count < SHORT_CHARS { count } else { count - 2 };
        format!("{kind}…{}", self.0.chars().skip(hidden).collect::<String>())
    }
}

/// What keys begin with that is no secret.
const KINDS: [&str; 5] = ["coh_app_", "coh_man_", "ifr_pk_proj_", "ik_", "sk_"];
/// Of fewer characters even two are too many to show.
const SHORT_CHARS: usize = 16;

/// What a tenant's client tokens are signed with: 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct SigningSecret([u8; Self::BYTES]);

impl SigningSecret {
    /// HMAC-SHA256 gains nothing from more (RFC 2104 §3).
    pub const BYTES: usize = 32;

    /// Draws a new one.
    ///
    /// # Errors
    /// When the kernel gives no randomness.
    pub fn generate() -> Result<Self, ConfigError> {
        let mut bytes = [0; Self::BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|cause| ConfigError::Randomness { cause: cause.to_string() })?;
        Ok(Self(bytes))
    }

    /// Reads 64 hexadecimal digits; `None` when it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::BYTES * 2 {
            return None;
        }
        let mut bytes = [0; Self::BYTES];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let high = char::from(*digits.first()?).to_digit(16)?;
            let low = char::from(*digits.last()?).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(bytes))
    }

    /// The bytes, for signing and verifying.
    #[must_use]
    pub fn reveal(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The 64 digits as a text that is a secret itself.
    #[must_use]
    pub fn as_text(self) -> Secret {
        Secret::new(self.to_hex())
    }

    /// The 64 digits, for the file that keeps it.
    pub(super) fn to_hex(self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::with_capacity(Self::BYTES * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}"); // a String takes everything
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_key_shows_its_kind_and_two_characters() {
        assert_eq!(Secret::new("coh_app_abcdefghijklmnopqrst".into()).masked(), "coh_app_…st");
        assert_eq!(Secret::new("a_text_that_has_underscores".into()).masked(), "…es");
        assert_eq!(Secret::new("plain".into()).masked(), "…");
        assert_eq!(Secret::new(String::new()).masked(), "…");
    }

    #[test]
    fn a_signing_secret_is_64_hexadecimal_digits() {
        let good = "00ff".repeat(16);
        assert!(SigningSecret::parse(&good).is_some_and(|it| it.to_hex() == good));
        for bad in ["", "00", &"0g".repeat(32), &"00".repeat(33), &"é".repeat(32)] {
            assert!(SigningSecret::parse(bad).is_none(), "{bad}");
        }
    }
}
