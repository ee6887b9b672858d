//! Whose shape an answer over HTTP has.

use protocol::dialect::infrai::{Metadata, Source, VENDOR};

use crate::ids::MessageId;

/// Whose errors and envelopes an answer has: those of the route's dialect.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Surface {
    /// Cohesivity's, and that of what no dialect owns.
    #[default]
    Cohesivity,
    /// Infrai's: an envelope that names the request, and says how long it took.
    Infrai {
        /// The request's id.
        request_id: MessageId,
        /// When it was read, on the monotonic clock.
        began_ms: u64,
        /// What it costs its tenant.
        cost_micro_usd: u32,
    },
    /// InsForge's.
    Insforge,
}

impl Surface {
    /// The same of a request that costs so much.
    #[must_use]
    pub fn costing(self, micro_usd: u32) -> Self {
        match self {
            Self::Infrai { request_id, began_ms, .. } => {
                Self::Infrai { request_id, began_ms, cost_micro_usd: micro_usd }
            }
            Self::Cohesivity | Self::Insforge => self,
        }
    }

    /// What an envelope says beside its result, when this request was worked on.
    #[must_use]
    pub fn metadata(self, now_ms: u64) -> Metadata<'static> {
        let (request_id, latency_ms, cost_micro_usd) = match self {
            Self::Infrai { request_id, began_ms, cost_micro_usd } => {
                (request_id.0, now_ms.saturating_sub(began_ms), cost_micro_usd.into())
            }
            Self::Cohesivity | Self::Insforge => (0, 0, 0),
        };
        let source = Source::Work;
        Metadata { request_id, latency_ms, cost_micro_usd, vendor: VENDOR, source }
    }
}
