//! A checker that finds nothing may be blind: each fault that the engine can be told to make is found within [`SEEDS`] seeds.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};

use engine::planted::{Fault, plant};

use crate::faults::{Fault as Trouble, Plan};
use crate::run;

/// Seeds that a fault may survive.
const SEEDS: u64 = 1_000;

/// Seeds that showed what few do: they are tried first, and all others behind them.
const RARE: [(Fault, u64); 3] =
    [(Fault::DropOvertakes, 1304), (Fault::DropBeforeAppends, 154), (Fault::TailUncut, 101)];

thread_local! {
    /// Whether failures of this thread are what it looks for.
    static IS_LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// The plan of a seed in which a fault is looked for: what few seeds show is looked for where it happens often.
fn plan(fault: Fault, seed: u64) -> Plan {
    let plan = Plan::new(seed);
    match fault {
        Fault::DropOvertakes | Fault::DropBeforeAppends => plan.deleting(),
        Fault::TailUncut => plan.deleting().remembering(),
        Fault::PassedBytesLost => plan.polling(),
        Fault::KeysUnseen => plan.suffering(Trouble::KeyRotation),
        Fault::SilenceIgnored => plan.suffering(Trouble::MutePeers),
        Fault::HalfStays => plan.suffering(Trouble::HalfFrames),
        Fault::AnswerBeforeCommit
        | Fault::NoCut
        | Fault::NoRollBack
        | Fault::LeaveOnAnyClose
        | Fault::PassOvertakes
        | Fault::StaleSeat
        | Fault::AnswersOvertake
        | Fault::GenerationIgnored
        | Fault::ShedStays
        | Fault::HistoryGap
        | Fault::LateJoined
        | Fault::DamageUntold
        | Fault::AnswerBeforeEnforced
        | Fault::ClaimForgotten
        | Fault::QuotaForgotten
        | Fault::AnswerBeforeKept
        | Fault::RuleUnseen
        | Fault::PublishOvertakes
        | Fault::LeaverHears
        | Fault::DeniedPublishes => plan,
        Fault::PressureIgnored => plan.suffering(Trouble::ShortMemory),
    }
}

/// The seed that shows a fault, and shows nothing without it.
fn find(fault: Fault) -> Option<u64> {
    IS_LOOKING.set(true);
    plant(Some(fault));
    let run = |seed: u64| run::run(plan(fault, seed));
    let first = RARE.into_iter().filter(|it| it.0 == fault).map(|it| it.1);
    let found =
        first.chain(0..SEEDS).find(|seed| catch_unwind(AssertUnwindSafe(|| run(*seed))).is_err());
    plant(None);
    IS_LOOKING.set(false);
    eprintln!("{fault:?}: found by seed {found:?}");
    found.inspect(|seed| _ = run(*seed))
}

#[test]
fn every_planted_fault_is_found() {
    // What is looked for is no news, and its backtrace takes longer than finding it.
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |failure| {
        if !IS_LOOKING.get() {
            tell(failure);
        }
    }));
    let all: Vec<_> = Fault::ALL.into_iter().chain(Fault::CONTROL).collect();
    let half = |odd: usize| {
        let faults = all.iter().enumerate().filter(move |(place, _)| place % 2 == odd);
        faults.filter(|(_, fault)| find(**fault).is_none()).map(|(_, it)| *it).collect::<Vec<_>>()
    };
    let missed = std::thread::scope(|scope| {
        let halves = [0, 1].map(|odd| scope.spawn(move || half(odd)));
        halves.map(|it| it.join().unwrap()).concat()
    });
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}
