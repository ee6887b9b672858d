//! Over which time something is counted.

/// How long a quota is counted before it starts anew.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Window {
    /// To the end of the minute in UTC.
    UtcMinute,
    /// To the end of the month in UTC.
    Month,
    /// For ever.
    Lifetime,
}

impl Window {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UtcMinute => "utc_minute",
            Self::Month => "month",
            Self::Lifetime => "lifetime",
        }
    }
}
