//! What an ask for a signature is answered with.

use super::ably::AblyTokenRequest;
use super::ask::Vendor;
use crate::json::push_string;

/// A vendor's token, and what belongs to it. Whoever has it, has what it allows: it is not printed.
pub struct VendorToken {
    pub(super) vendor: Vendor,
    pub(super) token: String,
    pub(super) channel_data: Option<String>,
    pub(super) user_data: Option<String>,
    pub(super) shared_secret: Option<String>,
    pub(super) token_request: Option<AblyTokenRequest>,
}

impl VendorToken {
    pub(super) fn new(vendor: Vendor, token: String) -> Self {
        Self {
            vendor,
            token,
            channel_data: None,
            user_data: None,
            shared_secret: None,
            token_request: None,
        }
    }

    /// Who takes it.
    #[must_use]
    pub fn vendor(&self) -> Vendor {
        self.vendor
    }

    /// The answer's object: `vendor`, `token`, and those of `channel_data`, `user_data`, `shared_secret` and `token_request`
    /// that there are. The first two of these are strings that hold the JSON text which was signed.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = b"{\"vendor\":".to_vec();
        push_string(&mut out, self.vendor.name());
        out.extend_from_slice(b",\"token\":");
        push_string(&mut out, &self.token);
        for (key, value) in [
            (",\"channel_data\":", &self.channel_data),
            (",\"user_data\":", &self.user_data),
            (",\"shared_secret\":", &self.shared_secret),
        ] {
            if let Some(value) = value {
                out.extend_from_slice(key.as_bytes());
                push_string(&mut out, value);
            }
        }
        if let Some(request) = &self.token_request {
            out.extend_from_slice(b",\"token_request\":");
            request.push_json(&mut out);
        }
        out.push(b'}');
        out
    }
}
