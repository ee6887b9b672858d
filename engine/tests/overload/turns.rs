//! A node and a server that does no more than it must, each beside the same crowd, in turns: what those beside it wait for there
//! is the kernel's and the machine's. A machine has good minutes and bad ones, so each run is compared with the one right before it.

use super::probe::{Seen, Window};
use super::trust::{figures, is_long};
use super::world::scaled;

/// Beside a crowd nothing takes so much longer than without it, or than at the other server.
const MOST: f64 = 1.5;

/// What the two saw in one round.
struct Round {
    bare: Seen,
    node: Seen,
}

impl Round {
    /// How much longer those beside the crowd wait than without it or, if that is longer, than at the other server.
    fn ratio(&self) -> f64 {
        let least = ms(&self.node, Window::Alone).max(ms(&self.bare, Window::Beside));
        ms(&self.node, Window::Beside) / least
    }
}

/// Runs both, and checks what those beside the crowd saw.
pub(crate) fn in_turns(what: &str, bare: impl Fn() -> Seen, node: impl Fn() -> Seen) {
    let rounds: Vec<_> = (0..scaled(1, 7)).map(|_| Round { bare: bare(), node: node() }).collect();
    let each = |of: &dyn Fn(&Round) -> f64| rounds.iter().map(of).collect::<Vec<_>>();
    let ratios = each(&Round::ratio);
    let ratio = median(&ratios);
    figures(
        &format!("{what}, in turns"),
        &format!(
            "\"p99_alone_ms\":{:.2?},\"p99_beside_ms\":{:.2?},\"bare_p99_alone_ms\":{:.2?},\
             \"bare_p99_beside_ms\":{:.2?},\"ratios\":{ratios:.2?},\"ratio\":{ratio:.2}",
            each(&|it| ms(&it.node, Window::Alone)),
            each(&|it| ms(&it.node, Window::Beside)),
            each(&|it| ms(&it.bare, Window::Alone)),
            each(&|it| ms(&it.bare, Window::Beside)),
        ),
    );
    if is_long() {
        rounds.iter().flat_map(|it| [&it.bare, &it.node]).for_each(Seen::check_calm);
        assert!(ratio <= MOST, "{what}: those beside it wait {ratio:.2} times as long");
    }
}

/// What 99 of 100 deliveries did not exceed, in milliseconds.
fn ms(seen: &Seen, window: Window) -> f64 {
    seen.p99(window).as_secs_f64() * 1_000.0
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
