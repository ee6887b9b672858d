//! The ring driver, without the cores that it works for.

#[path = "../../src/reactor/ring/mod.rs"]
pub mod ring;
#[expect(unused_imports, reason = "lanes are made of some of it, and are not here")]
#[path = "../../src/reactor/sync.rs"]
mod sync;
