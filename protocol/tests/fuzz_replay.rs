//! Replays the corpus of each fuzz target, and goes on from it with changes drawn from a fixed seed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::path::Path;

use protocol::fuzzing::TARGETS;

/// Changed inputs per target. `STENTOR_FUZZ_ROUNDS` asks for more.
const ROUNDS: usize = 20_000;

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
        let words: Vec<_> = inputs.iter().flat_map(|it| it.split(|byte| *byte == b' ')).collect();
        let mut dice = Dice(0x5eed_0000 + name.len() as u64);
        for _ in 0..rounds {
            let mut input = inputs[dice.below(inputs.len())].clone();
            for _ in 0..=dice.below(4) {
                change(&mut input, &words, &mut dice);
            }
            target(&input);
        }
    }
}

fn change(input: &mut Vec<u8>, words: &[&[u8]], dice: &mut Dice) {
    const ODD: &[u8] = b"\0\r\n\t \"\\{}[]:,%/.+-0e\x7f\x80\xff\xc3\xed\xf4";
    let at = dice.below(input.len() + 1);
    match dice.below(7) {
        0 => input.truncate(at),
        1 => input.insert(at, ODD[dice.below(ODD.len())]),
        2 if at < input.len() => input[at] ^= 1 << dice.below(8),
        3 if at < input.len() => input[at] = ODD[dice.below(ODD.len())],
        4 if at < input.len() => drop(input.remove(at)),
        5 => {
            let copy = input[at..input.len().min(at + dice.below(20))].to_vec();
            let to = dice.below(input.len() + 1);
            input.splice(to..to, copy);
        }
        _ => {
            let word = words[dice.below(words.len())];
            input.splice(at..at, word.iter().copied());
        }
    }
}

/// Repeatable numbers (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % end
    }
}
