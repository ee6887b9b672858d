//! House rules that neither the compiler nor clippy can state: arrows between crates, the place of each package, words.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod manifests;
mod packages;
mod sources;
mod workspace;

use workspace::Workspace;

fn check(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn crates_depend_on_each_other_only_along_the_arrows() {
    check(&manifests::arrows(&Workspace::find()));
}

#[test]
fn every_package_has_a_place_and_a_line_in_the_decisions() {
    let workspace = Workspace::find();
    check(&packages::listed(&workspace));
    check(&packages::explained(&workspace));
}

#[test]
fn the_fuzz_targets_lock_what_their_crate_builds_on() {
    check(&manifests::unlocked(&Workspace::find()));
}

#[test]
fn packages_are_used_only_in_their_places() {
    check(&packages::in_place(&Workspace::find()));
}

#[test]
fn the_load_test_is_called_by_the_command_line_alone() {
    check(&sources::load_test_callers(&Workspace::find()));
}

#[test]
fn files_say_what_they_are_for_and_are_short() {
    check(&sources::shape(&Workspace::find()));
}

#[test]
fn no_file_has_words_that_do_not_belong_there() {
    check(&sources::words(&Workspace::find()));
}

#[test]
fn no_file_speaks_of_what_is_outside_the_repository() {
    check(&sources::outside(&Workspace::find()));
}

#[test]
fn every_setting_is_read_somewhere() {
    check(&sources::unread_settings(&Workspace::find()));
}
