//! Names in paths, and the tricks that are played with them.

use proptest::prelude::*;
use protocol::Limits;
use protocol::client::write_percent_encoded;
use protocol::dialect::infrai::{Operation, decode_path_channel};
use protocol::http::{Route, Routed, parse_head, route};

use crate::understood;

/// The paths that name a channel, without it.
const PATHS: [(&str, &str, &str, Operation); 6] = [
    ("GET", "/v1/realtime/channel/get/", "", Operation::ChannelGet),
    ("GET", "/v1/realtime/channels/", "", Operation::ChannelGet),
    ("DELETE", "/v1/realtime/channel/delete/", "", Operation::ChannelDelete),
    ("DELETE", "/v1/realtime/channels/", "", Operation::ChannelDelete),
    ("GET", "/v1/realtime/presence/get/", "", Operation::PresenceGet),
    ("GET", "/v1/realtime/channels/", "/presence", Operation::PresenceGet),
];

#[test]
fn a_name_in_a_path_is_decoded_once_and_then_checked() {
    for (method, before, behind, of) in PATHS {
        let check = |name: &str, expected: Result<&str, &str>| {
            let expected = expected.map(|it| format!("{} channel={it}", of.id()));
            let request = format!("{method} {before}{name}{behind}");
            let expected = expected.map_err(str::to_owned);
            assert_eq!(understood::request(&request), expected, "{request}");
        };
        check("room-42", Ok("room-42"));
        check("a%20b+c", Ok("a b+c"));
        check("k%C3%A4se%E2%98%83", Ok("käse☃"));
        check("%252e%252e", Ok("%2e%2e"));
        check("%2561", Ok("%61"));
        check("...", Ok("..."));
        check("presence", Ok("presence"));
        check("a%3Fb%23c", Ok("a?b#c"));
        check(&"n".repeat(200), Ok(&"n".repeat(200)));
        let invalid = Err("400 invalid path");
        for name in [
            "%2e",
            "%2e%2e",
            ".%2E",
            "..",
            ".",
            "a%2Fb",
            "a%2fb",
            "a%5Cb",
            "a\\b",
            "%00",
            "a%0d%0ab",
            "%7f",
            "%c2%85",
            "%",
            "%2",
            "%zz",
            "%ff",
            "%c0%af",
            "%ed%a0%80",
            "käse",
            "<a>",
            "a|b",
        ] {
            check(name, invalid);
        }
        check(&"n".repeat(201), {
            Err("400 INVALID_REQUEST \"channel\" is over its limit: 201 of 200 bytes")
        });
    }
}

#[test]
fn a_path_that_is_nearly_right_leads_nowhere() {
    for path in [
        "/v1/realtime/channel/get",
        "/v1/realtime/channel/get/",
        "/v1/realtime/channel/get//",
        "/v1/realtime/channel/get/a/",
        "/v1/realtime/channel/get/a/b",
        "/v1/realtime/channels/",
        "/v1/realtime/channels//presence",
        "/v1/realtime/channels/a/presence/",
        "/v1/realtime/channels/a/Presence",
        "/V1/realtime/channels",
        "//v1/realtime/channels",
        "/v1/realtime",
        "/v1/realtime/",
        "/v1/discovery/",
        "/v1/discovery/a/b",
        "/v2/realtime/channels",
    ] {
        let routed = understood::request(&format!("GET {path}"));
        assert_eq!(routed.as_deref(), Ok("404"), "{path}");
    }
}

proptest! {
    #[test]
    fn any_name_comes_out_as_it_went_in(name in "\\PC{1,60}") {
        let is_step = matches!(&*name, "." | "..");
        prop_assume!(name.len() <= 200 && !is_step && !name.contains(['/', '\\']));
        let limits = Limits::default();
        for (method, before, behind, of) in PATHS {
            let mut request = format!("{method} {before}");
            write_percent_encoded(&mut request, &name);
            request.push_str(behind);
            request.push_str(" HTTP/1.1\r\nHost: a\r\n\r\n");
            let head = parse_head(request.as_bytes(), &limits).unwrap().unwrap();
            prop_assert_eq!(route(&head), Routed::Found(Route::Infrai(of)));
            let channel = decode_path_channel(&head, &limits).unwrap();
            prop_assert_eq!(channel.as_str(), &name);
        }
    }
}
