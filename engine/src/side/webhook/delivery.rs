//! What goes out: the body, the header lines that name the message, and the signatures.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::auth::hmac_sha256;
use protocol::uuid_text;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use storage::{Publication, SenderKind};

use super::header::HeaderText;
use crate::config::Secret;

/// What a body holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BodyFormat {
    /// The message with all that is known of it.
    #[default]
    Envelope,
    /// What was published, byte for byte.
    Payload,
}

/// What deliveries are signed with. Empty: they are not.
#[derive(Clone, Default)]
pub struct SigningSecrets {
    /// The one that signs. `whsec_` and base64 as Standard Webhooks has it, or any text.
    pub current: Option<Secret>,
    /// The one before: during a rotation receivers may know either.
    pub before: Option<Secret>,
}

/// Marks a secret that is base64.
const SECRET_PREFIX: &str = "whsec_";

/// How deliveries look.
#[derive(Clone, Default)]
pub struct DeliveryForm {
    /// The body.
    pub format: BodyFormat,
    /// The secrets.
    pub secrets: SigningSecrets,
}

impl DeliveryForm {
    /// The header lines and the body of an attempt. `at_ms` is the time of the attempt.
    #[must_use]
    pub fn make(&self, hook: &str, message: &Arc<Publication>, at_ms: u64) -> (HeaderMap, Vec<u8>) {
        let body = match self.format {
            BodyFormat::Envelope => envelope(hook, message),
            BodyFormat::Payload => message.payload().to_vec(),
        };
        let id = uuid_text(message.id().0);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, text) in [
            ("x-insforge-event", message.event()),
            ("x-insforge-channel", message.channel().name()),
            ("x-insforge-message-id", &id),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderText::of(text).into());
        }
        self.sign(&mut headers, &id, at_ms / 1_000, &body);
        (headers, body)
    }

    fn sign(&self, headers: &mut HeaderMap, id: &str, at_s: u64, body: &[u8]) {
        let SigningSecrets { current: Some(current), before } = &self.secrets else { return };
        let signature = hmac_sha256(current.reveal().as_bytes(), body);
        let text = signature.iter().fold("sha256=".to_owned(), |text, byte| text + &hex(*byte));
        let at = at_s.to_string();
        // Standard Webhooks 1.0.0: the id, the time in seconds and the body, with points between; a version before each signature.
        let signed = [id.as_bytes(), b".", at.as_bytes(), b".", body].concat();
        let both = [Some(current), before.as_ref()].into_iter().flatten();
        let signatures = both.map(|secret| {
            format!("v1,{}", STANDARD.encode(hmac_sha256(&standard_key(secret), &signed)))
        });
        let signatures = signatures.collect::<Vec<_>>().join(" ");
        for (name, text) in [
            ("x-insforge-signature", text.as_str()),
            ("webhook-id", id),
            ("webhook-timestamp", &at),
            ("webhook-signature", &signatures),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderText::of(text).into());
        }
    }
}

fn hex(byte: u8) -> String {
    format!("{byte:02x}")
}

/// The key of Standard Webhooks: what stands behind `whsec_` in base64; of any other text its bytes.
fn standard_key(secret: &Secret) -> Vec<u8> {
    let text = secret.reveal();
    let encoded = text.strip_prefix(SECRET_PREFIX).and_then(|it| STANDARD.decode(it).ok());
    encoded.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// The body of the documents: names and order as there.
fn envelope(hook: &str, message: &Publication) -> Vec<u8> {
    let sender = message.sender();
    let mut out = Vec::with_capacity(message.text_bytes() + 320);
    push(&mut out, "{\"messageId\":", &uuid_text(message.id().0));
    push(&mut out, ",\"channelId\":", hook);
    push(&mut out, ",\"channelName\":", message.channel().name());
    push(&mut out, ",\"event\":", message.event());
    out.extend_from_slice(b",\"payload\":");
    out.extend_from_slice(message.payload());
    if sender.is_empty() {
        out.extend_from_slice(b",\"senderId\":null");
    } else {
        push(&mut out, ",\"senderId\":", sender);
    }
    let kind = match message.sender_kind() {
        SenderKind::System => "system",
        SenderKind::User => "user",
    };
    push(&mut out, ",\"senderType\":", kind);
    push(&mut out, ",\"timestamp\":", &time_text(message.at_ms()));
    out.push(b'}');
    out
}

/// Appends a name and a string.
fn push(out: &mut Vec<u8>, name: &str, text: &str) {
    out.extend_from_slice(name.as_bytes());
    let written = serde_json::to_writer(out, text);
    debug_assert!(written.is_ok(), "a buffer takes everything");
}

/// A time since 1970, as `2024-03-22T12:38:31.111Z`.
#[must_use]
pub fn time_text(at_ms: u64) -> String {
    let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.3}")
}
