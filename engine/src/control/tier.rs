//! What a tenant's plan allows: how many sockets at once, and how much of what in which time.

use protocol::Window;

/// What is counted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Metered {
    /// Calls over HTTP.
    Requests,
    /// Tokens made for clients.
    Mints,
    /// Messages published.
    Messages,
    /// Questions for history.
    HistoryReads,
    /// Tokens for participants of video meetings.
    ParticipantTokens,
    /// Millionths of a dollar that calls of Infrai cost.
    Credit,
}

impl Metered {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Requests,
        Self::Mints,
        Self::Messages,
        Self::HistoryReads,
        Self::ParticipantTokens,
        Self::Credit,
    ];

    /// Its name, as errors have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Mints => "token mints",
            Self::Messages => "published messages",
            Self::HistoryReads => "history reads",
            Self::ParticipantTokens => "participant tokens",
            Self::Credit => "credit",
        }
    }
}

/// So many in such a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota {
    /// Of what.
    pub what: Metered,
    /// In which time.
    pub window: Window,
    /// How many.
    pub max: u64,
}

/// A plan.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tier {
    /// Sockets at once; `None` sets no bound.
    pub sockets_max: Option<u32>,
    /// Everything that is counted.
    pub quotas: Vec<Quota>,
}

const MINUTE: Window = Window::UtcMinute;
const MONTH: Window = Window::Month;
const LIFETIME: Window = Window::Lifetime;

const EPHEMERAL: [(Metered, Window, u64); 6] = [
    (Metered::Requests, MINUTE, 30),
    (Metered::Mints, MINUTE, 5),
    (Metered::Mints, LIFETIME, 100),
    (Metered::Messages, LIFETIME, 25_000),
    (Metered::HistoryReads, LIFETIME, 2_500),
    (Metered::ParticipantTokens, LIFETIME, 10),
];
const FREE: [(Metered, Window, u64); 5] = [
    (Metered::Requests, MINUTE, 120),
    (Metered::Mints, MINUTE, 30),
    (Metered::Mints, MONTH, 5_000),
    (Metered::Messages, MONTH, 500_000),
    (Metered::HistoryReads, MONTH, 25_000),
];
const PLUS: [(Metered, Window, u64); 5] = [
    (Metered::Requests, MINUTE, 600),
    (Metered::Mints, MINUTE, 150),
    (Metered::Mints, MONTH, 50_000),
    (Metered::Messages, MONTH, 5_000_000),
    (Metered::HistoryReads, MONTH, 250_000),
];
const PRO: [(Metered, Window, u64); 5] = [
    (Metered::Requests, MINUTE, 3_000),
    (Metered::Mints, MINUTE, 750),
    (Metered::Mints, MONTH, 250_000),
    (Metered::Messages, MONTH, 25_000_000),
    (Metered::HistoryReads, MONTH, 1_250_000),
];

impl Tier {
    /// The names of those that need no configuration.
    pub const PRESETS: [&str; 4] = ["ephemeral", "free", "plus", "pro"];

    /// One that needs no configuration.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "ephemeral" => Some(Self::of(5, &EPHEMERAL)),
            "free" => Some(Self::of(50, &FREE)),
            "plus" => Some(Self::of(500, &PLUS)),
            "pro" => Some(Self::of(2_500, &PRO)),
            _ => None,
        }
    }

    /// The same with so much credit, whatever it had.
    #[must_use]
    pub fn with_credit(mut self, micro_usd: u64) -> Self {
        self.quotas.retain(|it| it.what != Metered::Credit);
        self.quotas.push(Quota { what: Metered::Credit, window: LIFETIME, max: micro_usd });
        self
    }

    fn of(sockets_max: u32, rows: &[(Metered, Window, u64)]) -> Self {
        let quota = |&(what, window, max): &(Metered, Window, u64)| Quota { what, window, max };
        Self { sockets_max: Some(sockets_max), quotas: rows.iter().map(quota).collect() }
    }
}
