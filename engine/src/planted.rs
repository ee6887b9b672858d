//! Faults that the simulator has to find. They exist only in builds with the feature `planted`, which tests alone turn on;
//! elsewhere `is` is a constant.

/// One wrong variant of one line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// A publisher is answered before its message is durable.
    AnswerBeforeCommit,
    /// A joiner gets what its neighbours were given earlier in the turn.
    NoCut,
    /// Offsets that the journal refused are not given again.
    NoRollBack,
    /// A member leaves with its first connection, not with its last.
    LeaveOnAnyClose,
    /// A message that is not kept overtakes one that waits for the journal.
    PassOvertakes,
    /// Whoever took the place of one who left is not told.
    StaleSeat,
    /// An answer goes out before those of earlier requests.
    AnswersOvertake,
    /// A slot's new owner gets what was for the old one.
    GenerationIgnored,
    /// A consumer that was shed stays subscribed.
    ShedStays,
    /// A part of the past begins one message too late.
    HistoryGap,
    /// The answer to a subscription that has ended is taken for that of the one that followed.
    LateJoined,
    /// Nobody hears that a channel's history is damaged.
    DamageUntold,
    /// A call is answered before every shard has done its order.
    AnswerBeforeEnforced,
    /// What came of an idempotency key is forgotten at once.
    ClaimForgotten,
    /// What was used is not kept.
    QuotaForgotten,
    /// A seat answers before the catalog has kept what it says.
    AnswerBeforeKept,
    /// A shard says that a change of rules is in force that has not come yet.
    RuleUnseen,
    /// Messages are let go while others of theirs are still on the lanes.
    DropOvertakes,
    /// Messages are let go while others of theirs are still with the journal.
    DropBeforeAppends,
    /// What the journal let go of is still read from memory.
    TailUncut,
    /// A publish overtakes one that its connection sent before and that takes more steps.
    PublishOvertakes,
    /// What a peer sends while its connection goes to another shard is dropped.
    PassedBytesLost,
    /// A client that leaves, and stays connected, still hears its channels.
    LeaverHears,
    /// A publish that a policy denies goes through.
    DeniedPublishes,
    /// A shard does not hear of other tenants, and of their other keys.
    KeysUnseen,
    /// A peer that does not answer its ping stays.
    SilenceIgnored,
    /// A peer that says half of something, and then nothing, stays.
    HalfStays,
    /// What there is no memory for is taken all the same.
    PressureIgnored,
}

impl Fault {
    /// Those that the life of connections and channels shows.
    pub const ALL: [Self; 19] = [
        Self::AnswerBeforeCommit,
        Self::NoCut,
        Self::NoRollBack,
        Self::LeaveOnAnyClose,
        Self::PassOvertakes,
        Self::StaleSeat,
        Self::AnswersOvertake,
        Self::GenerationIgnored,
        Self::ShedStays,
        Self::HistoryGap,
        Self::LateJoined,
        Self::DamageUntold,
        Self::PassedBytesLost,
        Self::LeaverHears,
        Self::DeniedPublishes,
        Self::KeysUnseen,
        Self::SilenceIgnored,
        Self::HalfStays,
        Self::PressureIgnored,
    ];

    /// Those that the control plane shows.
    pub const CONTROL: [Self; 9] = [
        Self::AnswerBeforeEnforced,
        Self::ClaimForgotten,
        Self::QuotaForgotten,
        Self::AnswerBeforeKept,
        Self::RuleUnseen,
        Self::DropOvertakes,
        Self::DropBeforeAppends,
        Self::TailUncut,
        Self::PublishOvertakes,
    ];
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Has this thread's shards make the fault from now on.
#[cfg(feature = "planted")]
pub fn plant(fault: Option<Fault>) {
    PLANTED.set(fault);
}

/// Whether the fault is to be made.
#[cfg(feature = "planted")]
pub(crate) fn is(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}

/// Whether the fault is to be made: never.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is(_: Fault) -> bool {
    false
}
