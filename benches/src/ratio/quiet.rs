//! Measurements that count: taken while the machine's cores were its own.

use super::Bench;
use crate::Failure;
use crate::machine::Spent;
use crate::table;

/// A measurement that wanted a core and was not given it for more than this share of its time is taken again.
pub(crate) const STOLEN_MAX: f64 = 0.03;
/// Times that one measurement is taken again.
const AGAIN_MAX: u32 = 5;

/// Measures. On a virtual machine others take the cores away now and then; of what is measured meanwhile neither rates nor
/// CPU time mean anything, so it is measured again, for a bounded number of times. What was disturbed least counts.
pub(crate) fn quiet<T>(
    bench: &Bench,
    mut work: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut best: Option<(f64, T)> = None;
    for _ in 0..=AGAIN_MAX {
        let before = Spent::read()?;
        let result = work()?;
        let stolen = Spent::read()?.stolen_since(&before);
        if best.as_ref().is_none_or(|(least, _)| stolen < *least) {
            best = Some((stolen, result));
        }
        if stolen <= STOLEN_MAX {
            break;
        }
        table::note(&format!("    other machines took {:.0} % of the time", stolen * 100.0));
    }
    let (stolen, result) = best.ok_or("nothing was measured")?;
    bench.stolen.set(bench.stolen.get().max(stolen));
    Ok(result)
}
