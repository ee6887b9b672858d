//! The example of docs/examples/chat, as a reader of it runs it.

use std::path::Path;

use super::super::tools::check_packages;
use super::again::through_a_crash;

#[test]
fn a_chat_in_two_tabs_goes_on_after_a_crash_and_its_webhook_brought_everything() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/chat");
    check_packages(&example, &["@insforge/sdk", "esbuild"]);
    let folder = tempfile::tempdir().unwrap();
    let webhooks =
        ["--webhooks-allow-private-targets", "--webhooks-signing-secret", "secret-of-the-chat"];
    through_a_crash(folder.path(), "insforge/chat.mjs", &webhooks);
}
