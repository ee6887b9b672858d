//! The rules of a tenant: patterns of channel names with what belongs to them, how long messages are kept, who may do what, and
//! whether it has its Cohesivity resource.
//!
//! The seat decides, and gives each change a number. Once the catalog has a change, the seat sends it down its lane to every
//! shard, which keeps all rules and applies changes in the order of the seat. A call is answered when every shard has got so
//! far: see `shard/rules.rs`.

mod change;
mod replica;
mod rows;
mod seat;

pub use change::{
    PatternAge, PatternDraft, PatternEdit, RegisteredPattern, RuleChange, RulesOp, Ruling,
};
pub use replica::{Rules, TenantRules};
pub(super) use rows::kept;
pub use rows::{PATTERNS, POLICIES, RETENTION, read_rule};
pub(super) use seat::SeatRules;
