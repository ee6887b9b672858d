//! Who comes while memory is short.

use engine::limits::Limits;
use engine::pressure::Pressure;
use engine::shard::input::Input;

use super::Alone;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn short_of_memory(limits: Limits) -> Alone {
    let mut alone = Alone::new(limits);
    alone.handle(Input::Pressure(Pressure::Connections));
    alone
}

#[test]
fn who_asks_how_the_node_is_is_told_and_anyone_else_refused() {
    let mut alone = short_of_memory(Limits::default());
    for (path, status, said) in [
        ("/health/live", 200, r#"{"status":"ok"}"#),
        ("/health/ready", 503, r#"{"status":"memory_short"}"#),
        ("/version", 503, r#""message":"Overloaded: memory_bytes_max""#),
        ("/nowhere", 503, "memory_bytes_max"),
        (
            "/v1/realtime/channels",
            503,
            r#""code":"UNAVAILABLE","message":"Overloaded: memory_bytes_max""#,
        ),
        ("/api/realtime/channels", 503, "memory_bytes_max"),
    ] {
        let conn = alone.connect();
        assert!(alone.effects.closes.is_empty(), "{path}: it is not heard");
        let heard = alone.say(conn, &get(path));
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {heard}");
        assert!(heard.contains("Connection: close") && heard.contains(said), "{path}: {heard}");
        let closes: Vec<_> = alone.effects.closes.drain(..).map(|it| it.0).collect();
        assert_eq!(closes, [conn], "{path}: it stays");
    }
}

#[test]
fn a_newcomer_is_heard_in_pieces_and_let_in_once_there_is_memory() {
    let mut alone = short_of_memory(Limits::default());
    let conns = [alone.connect(), alone.connect()];
    let whole = get("/health/live");
    let (first, second) = whole.split_at(9);
    assert_eq!(alone.say(conns[0], first), "");
    assert!(alone.say(conns[0], second).starts_with("HTTP/1.1 200 "));
    alone.handle(Input::Pressure(Pressure::Calm));
    let heard = alone.say(conns[1], &get("/version"));
    assert!(heard.starts_with("HTTP/1.1 200 ") && !heard.contains("close"), "{heard}");
}

#[test]
fn of_newcomers_that_say_nothing_a_few_stay_for_a_moment() {
    const HEARD: usize = 3;
    let mut alone = short_of_memory(Limits { newcomers_heard_max: HEARD, ..Limits::default() });
    let conns: Vec<_> = (0..HEARD).map(|_| alone.connect()).collect();
    assert!(alone.effects.closes.is_empty());
    let refused = |alone: &mut Alone| {
        let conn = alone.connect();
        alone.settle();
        alone.heard(conn).contains("memory_bytes_max")
    };
    assert!(refused(&mut alone), "one more is heard");
    alone.handle(Input::Closed(conns[0]));
    assert!(!refused(&mut alone) && refused(&mut alone));
    alone.pass(Limits::default().head_timeout_ms / 1000 + 1);
    alone.settle();
    let heard = alone.heard(conns[1]);
    assert!(heard.starts_with("HTTP/1.1 408 ") && heard.contains("head_timeout_ms"), "{heard}");
}
