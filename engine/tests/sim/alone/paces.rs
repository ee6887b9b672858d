//! Frames are counted, whatever is in them.

use engine::control::{Paced, Rate};
use engine::ids::{ChannelKey, ConnId};
use engine::limits::Limits;
use protocol::ws::Opcode;

use super::{Alone, ENGINE, OPEN};

const LIMITED: &str = "connection_requests_per_s";

/// A shard whose connections may say so much at once, and then a frame a second.
fn pacing(burst: u32) -> Alone {
    let mut limits = Limits::default();
    limits.connection_rates.set(Paced::Requests, Rate { per_second: 1, burst });
    Alone::new(limits)
}

/// Says something until it goes too fast. Returns how often it was taken for what it is.
fn taken(alone: &mut Alone, conn: ConnId, text: &str, answer: &str) -> usize {
    let heard: Vec<_> = (0..9).map(|_| alone.tell(conn, text)).collect();
    let count = heard.iter().filter(|it| it.contains(answer)).count();
    assert!(heard[count..].iter().all(|it| it.contains(LIMITED)), "{text}: {heard:?}");
    count
}

/// What is no frame is read and answered, so it counts; so does what a stranger asks for.
#[test]
fn what_is_refused_anyway_counts() {
    // Each upgrade is a request as well.
    for (said, answer) in
        [("nonsense", "Invalid JSON"), (r#"{"type":"ping"}"#, "Not authenticated")]
    {
        let mut alone = pacing(5);
        let conn = alone.open(OPEN, "/realtime");
        assert_eq!(taken(&mut alone, conn, said, answer), 4);
    }
    let mut alone = pacing(6);
    let conn = alone.enter(OPEN, "ada");
    assert_eq!(taken(&mut alone, conn, r#"42["realtime:subscribe",{}]"#, "is required"), 4);
    let mut alone = pacing(5);
    let conn = alone.open(OPEN, ENGINE);
    alone.heard(conn);
    let refused: Vec<_> = (0..9).map(|_| alone.tell(conn, "40/other,")).collect();
    assert!(refused.iter().all(|it| it.contains("Invalid namespace")), "{refused:?}");
    assert!(alone.tell(conn, "40{}").contains(LIMITED), "what was refused was not counted");
}

/// What a client sends too fast is answered by its name, and what follows it is skipped as before.
#[test]
fn a_frame_too_many_breaks_nothing() {
    let mut alone = pacing(4);
    let conn = alone.enter(OPEN, "ada");
    let channel = ChannelKey::new(OPEN, "a");
    let subscribe = |name| format!(r#"42{name}["realtime:subscribe",{{"channel":"a"}}]"#);
    assert!(alone.tell(conn, &subscribe("0")).contains("430[{\"ok\":true"));
    alone.tell(conn, "42[\"hello\"]");
    let refused = alone.tell(conn, &subscribe("1"));
    assert!(refused.contains("431[{\"ok\":false") && refused.contains(LIMITED), "{refused}");
    let publish = r#"42["realtime:publish",{"channel":"a","event":"e","payload":{}}]"#;
    let refused = alone.tell(conn, publish);
    assert!(refused.contains("realtime:error") && refused.contains(LIMITED), "{refused}");
    // Bytes come behind what they belong to, whether that is taken or not.
    let bytes = r#"451-["realtime:publish",{"channel":"a","event":"e","payload":{"_placeholder":true,"num":0}}]"#;
    assert!(alone.tell(conn, bytes).contains(LIMITED));
    alone.send(conn, Opcode::Binary, "bytes");
    assert!(alone.shard.is_socket(conn), "it is closed for what it announced");
    // It is let out all the same, and hears nothing of it.
    assert!(alone.shard.hub().listening(&channel).is_some());
    assert_eq!(alone.tell(conn, r#"42["realtime:unsubscribe",{"channel":"a"}]"#), "");
    assert!(alone.shard.hub().listening(&channel).is_none());
}
