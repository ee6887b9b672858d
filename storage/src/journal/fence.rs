//! A journal that failed refuses.

use crate::error::JournalError;

/// A journal with a fence between itself and its disk. After a failed write or sync the kernel may have dropped dirty pages: a
/// later sync would succeed without having written anything. So nothing is ever taken again.
pub(super) trait Fenced: Sized {
    /// Whether the fence is up.
    fn fence(&mut self) -> &mut bool;

    /// Changes what is on the disk, unless that failed before.
    fn fenced<T>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if *self.fence() {
            return Err(JournalError::Fenced);
        }
        let result = change(self);
        *self.fence() |= matches!(result, Err(JournalError::Io { .. }));
        result
    }
}
