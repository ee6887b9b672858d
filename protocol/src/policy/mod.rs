//! Who may subscribe to what, and publish where: rules of an administrator, each an expression over who asks and for what.
//! Pure: the same question has the same answer. Work and memory of one question are bounded.

mod claims;
mod decide;
mod explain;
mod language;
mod rule;

pub use claims::Asker;
pub use decide::{Explanation, Outcome, Policies, Question, Reason, Step, Verdict};
pub use language::{OPERATIONS_MAX, USING_BYTES_MAX};
pub use rule::{Action, POLICIES_MAX, POLICY_NAME_BYTES_MAX, PolicyFault, PolicyRule};
