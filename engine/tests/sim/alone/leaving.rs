//! Who is put out of a channel, and what they are told.

use engine::control::Operate;
use engine::limits::Limits;

use super::{Alone, OPEN};

/// A client that was refused a channel was told so. When that is closed, or the client is put out of it, there is nothing to tell,
/// and nobody to count.
#[test]
fn who_was_never_in_a_channel_does_not_leave_it() {
    let mut alone = Alone::new(Limits { channels_max: 1, ..Limits::default() });
    let conn = alone.enter(OPEN, "ada");
    for (channel, is_in) in [("a", true), ("b", false)] {
        let text = format!(r#"420["realtime:subscribe",{{"channel":"{channel}"}}]"#);
        let answer = alone.tell(conn, &text);
        assert!(answer.contains(&format!("\"ok\":{is_in}")), "{answer}");
    }
    let put_out = |channel: &str| Operate::Disconnect("ada".into(), Some(channel.into()));
    let close = |channel: &str| Operate::DeleteChannel(channel.into());
    for what in [put_out("b"), close("b")] {
        let number = alone.ask(OPEN, what);
        assert_eq!(alone.heard(conn), "", "it leaves what it was never in");
        if let Some(answer) = alone.answer(number) {
            assert_eq!(answer.unwrap(), "{\"done\":0}");
        }
    }
    let number = alone.ask(OPEN, put_out("a"));
    assert!(alone.heard(conn).contains("realtime:error"));
    assert_eq!(alone.answer(number).unwrap().unwrap(), "{\"done\":1}");
}
