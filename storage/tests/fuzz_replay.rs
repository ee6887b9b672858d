//! Replays the corpus of each fuzz target, and goes on from it with changes drawn from a fixed seed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::{fs, path::Path};

use storage::fuzzing::TARGETS;

mod support;

use support::Random;

fn below(random: &mut Random, end: usize) -> usize {
    usize::try_from(random.below(end as u64)).unwrap()
}

/// Changed inputs per target. `STENTOR_FUZZ_ROUNDS` asks for more.
const ROUNDS: usize = 3_000;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn every_corpus_holds() {
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(inputs.len() >= 3, "{name} has {} inputs", inputs.len());
        for input in inputs {
            target(&input);
        }
    }
}

#[test]
fn changed_inputs_hold() {
    let rounds = std::env::var("STENTOR_FUZZ_ROUNDS");
    let rounds = rounds.ok().and_then(|it| it.parse().ok()).unwrap_or(ROUNDS);
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        let mut random = Random(0x5eed_0000 + name.len() as u64);
        for _ in 0..rounds {
            let mut input = inputs[below(&mut random, inputs.len())].clone();
            for _ in 0..=below(&mut random, 4) {
                change(&mut input, &inputs, &mut random);
            }
            target(&input);
        }
    }
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], random: &mut Random) {
    const ODD: [u8; 6] = [0, 1, 0x10, 0x20, 0x7f, 0xff];
    let at = below(random, input.len() + 1);
    match below(random, 6) {
        0 => input.truncate(at),
        1 => input.insert(at, ODD[below(random, ODD.len())]),
        2 if at < input.len() => input[at] ^= 1 << below(random, 8),
        3 if at < input.len() => input[at] = ODD[below(random, ODD.len())],
        4 if at < input.len() => drop(input.remove(at)),
        _ => {
            let other = &inputs[below(random, inputs.len())];
            let from = below(random, other.len() + 1);
            input.splice(at..at, other[from..].iter().copied());
        }
    }
}
