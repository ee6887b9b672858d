//! `{...payload, meta}` on bytes is what it is on values.

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{collection, proptest};
use protocol::dialect::MessageView;
use protocol::dialect::insforge::{plain, socket};
use serde_json::{Map, Value, json};

use crate::transcript::frame;

/// Objects whose keys are near those that matter.
fn value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("meta".to_owned()),
        Just("metal".to_owned()),
        Just("data".to_owned()),
        Just("\\u0065".to_owned()),
        "[\"\\\\\u{0}-\u{7f}é☃]{0,4}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[\"\\\\{}:,a\u{0}é☃]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::vec((key.clone(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// As JavaScript has it, for objects; anything else becomes `data`.
fn spread(payload: &Value, meta: Value) -> Value {
    let alone = || Map::from_iter([("data".to_owned(), payload.clone())]);
    let mut members = payload.as_object().cloned().unwrap_or_else(alone);
    members.insert("meta".to_owned(), meta);
    Value::Object(members)
}

/// The same strings with two of their letters escaped.
fn escaped(text: &str) -> String {
    text.replace('m', "\\u006d").replace('t', "\\u0074")
}

proptest! {
    #[test]
    fn a_payload_is_spread_as_a_value_is(payload in value(), is_pretty in any::<bool>()) {
        let text = if is_pretty { serde_json::to_string_pretty(&payload) } else { serde_json::to_string(&payload) };
        let text = text.unwrap();
        let view = |data| MessageView { id: 1, channel: "c", event: "e", data, sender: None, at_ms: 0, offset: None };
        // Letters of literals and of escapes have to stay, so only texts without them can be written another way.
        let is_plain = ["true", "null", "\\"].iter().all(|it| !text.contains(it));
        let other = if is_plain { escaped(&text) } else { text.clone() };
        for data in [&text, &other] {
            let sent = frame(|out| socket::frame_message(out, &view(data.as_bytes())));
            let arguments: Value = serde_json::from_str(sent.strip_prefix("S 42").unwrap()).unwrap();
            let meta = json!({
                "channel": "realtime:c",
                "senderType": "system",
                "messageId": "00000000-0000-0000-0000-000000000001",
                "timestamp": "1970-01-01T00:00:00.000Z",
            });
            assert_eq!(arguments, json!(["e", spread(&payload, meta)]), "{data}");
            let sent = frame(|out| plain::frame_message(out, &view(data.as_bytes())));
            assert!(sent.contains(&format!("\"payload\":{data},")), "{data}");
        }
    }
}
