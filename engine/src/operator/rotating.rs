//! A secret that is replaced from time to time: what it was is taken for a while longer.

use crate::config::SigningSecret;

/// See the module.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Rotating {
    /// What signs.
    pub(super) current: SigningSecret,
    /// What signed before, and until when it is taken.
    pub(super) before: Vec<(SigningSecret, u64)>,
}

impl Rotating {
    /// One that was never replaced.
    pub(super) fn of(current: SigningSecret) -> Self {
        Self { current, before: Vec::new() }
    }

    /// Replaces it. What it was is taken until then, if a time is given.
    pub(super) fn replace(&mut self, new: SigningSecret, until_ms: Option<u64>) {
        // One earlier secret lives on, not two.
        self.before.clear();
        self.before.extend(until_ms.map(|it| (self.current, it)));
        self.current = new;
    }

    /// What is taken beside the current one at this time.
    pub(super) fn before(&self, now_ms: u64) -> impl Iterator<Item = &SigningSecret> {
        self.before.iter().filter(move |it| it.1 > now_ms).map(|it| &it.0)
    }

    /// When earlier ones end.
    pub(super) fn ends_ms(&self) -> impl Iterator<Item = u64> + '_ {
        self.before.iter().map(|it| it.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_earlier_secret_lives_on_until_its_end() {
        let secret = |it: &str| SigningSecret::parse(&it.repeat(32)).unwrap();
        let mut rotating = Rotating::of(secret("aa"));
        rotating.replace(secret("bb"), Some(10));
        rotating.replace(secret("cc"), Some(20));
        let taken = |it: &Rotating, now_ms| it.before(now_ms).copied().collect::<Vec<_>>();
        assert!(taken(&rotating, 19) == [secret("bb")] && taken(&rotating, 20).is_empty());
        assert_eq!(rotating.ends_ms().collect::<Vec<_>>(), [20]);
        rotating.replace(secret("dd"), None);
        assert!(rotating == Rotating::of(secret("dd")));
    }
}
