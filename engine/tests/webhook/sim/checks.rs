//! What has to hold when a run is over, and the runs.

use std::collections::BTreeSet;

use engine::side::webhook::Verdict;

use super::{WALL_MS, World};

impl World {
    fn check_end(&self) {
        let is_all_told = self.limits.failed_runs_max > 1;
        for (at, messages) in self.feeds.iter().enumerate() {
            for message in messages {
                let place = message.id().0 & u128::from(u64::MAX);
                self.check_message(at, place, message.at_ms());
                let is_gone = self.removed[at] > 0;
                assert!(!is_all_told || is_gone || self.told.contains_key(&(at, place)));
            }
            assert!(self.standings.iter().all(|it| it[at].ended.0 == messages.len() as u128));
        }
    }

    fn check_message(&self, at: usize, place: u128, at_ms: u64) {
        for (who, seen) in self.seen.iter().enumerate() {
            let verdict = seen.verdicts.get(&(at, place));
            let verdict = verdict.unwrap_or_else(|| panic!("{who} lost {at}/{place}"));
            let Some(first_ms) = seen.first_ms.get(&(at, place)) else {
                assert_ne!(*verdict, Verdict::Delivered, "{who} never got {at}/{place}");
                continue;
            };
            let waited = WALL_MS + first_ms - at_ms;
            assert!(who > 0 || waited < 60_000, "a sound endpoint waited {waited} ms");
        }
    }
}

#[test]
fn nothing_is_lost_or_out_of_order_whatever_fails() {
    let seeds = std::env::var("SEED").map_or(0..150, |it| {
        let seed: u64 = it.parse().unwrap();
        seed..seed + 1
    });
    let (is_whole, mut crashes, mut opened, mut verdicts) = (seeds.end > 1, 0, 0, BTreeSet::new());
    for seed in seeds {
        let mut world = World::new(seed);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            world.run();
            world.check_end();
        }));
        assert!(result.is_ok(), "SEED={seed}");
        crashes += world.crashes;
        opened += world.opened.len();
        let all = world.seen.iter().flat_map(|it| it.verdicts.values());
        verdicts.extend(all.map(|it| format!("{it:?}")));
    }
    // What it is about did happen.
    let expected = [
        "Delivered",
        "Dead(Answered(404))",
        "Dead(Answered(503))",
        "Dead(Unreachable(Time))",
        "Dead(Unreachable(Connection))",
        "Dead(Expired)",
        "Dead(Removed)",
    ];
    for verdict in expected.iter().filter(|_| is_whole) {
        assert!(verdicts.contains(*verdict), "no {verdict} among {verdicts:?}");
    }
    assert!(!is_whole || (crashes > 1_000 && opened > 200), "{crashes} crashes, {opened} opened");
}
