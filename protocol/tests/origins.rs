//! Which pages pass a list of origins, with what people try so that theirs does.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use protocol::http::parse_head;
use protocol::{Limits, Origins, page_of};

fn list(origins: &[&str]) -> Origins {
    origins.iter().try_fold(Origins::default(), |list, it| list.and(it)).unwrap()
}

fn check(list: &Origins, origin: &str, passes: bool) {
    assert_eq!(list.admit(origin), passes, "{origin}");
}

#[test]
fn an_origin_passes_that_is_on_the_list_and_no_other() {
    let list = list(&["https://example.com", "http://localhost:3000", "capacitor://app"]);
    for origin in [
        "https://example.com",
        "https://example.com:443",
        "HTTPS://Example.COM",
        "http://localhost:3000",
        "capacitor://app",
    ] {
        check(&list, origin, true);
    }
    for origin in [
        // Other hosts that look like it.
        "https://evil-example.com",
        "https://evilexample.com",
        "https://example.com.evil.org",
        "https://example.com-evil.org",
        "https://example.comevil.org",
        "https://evil.org/example.com",
        "https://evil.org#https://example.com",
        "https://evil.org?https://example.com",
        "https://example.com@evil.org",
        "https://evil.org\\example.com",
        "https://sub.example.com",
        "https://www.example.com",
        "https://com",
        "https://example",
        "https://exam\u{440}le.com",
        "https://example.com\u{2024}evil.org",
        // The root's dot makes another origin.
        "https://example.com.",
        // Other schemes and ports.
        "http://example.com",
        "wss://example.com",
        "https://example.com:444",
        "https://example.com:80",
        "http://example.com:443",
        "http://localhost",
        "http://localhost:3001",
        "http://localhost:03000",
        "http://localhost:3000x",
        "http://localhost:+3000",
        "http://localhost:68536",
        "http://localhost:",
        // What is no origin.
        "null",
        "NULL",
        "",
        "*",
        "example.com",
        "//example.com",
        "https:example.com",
        "https:/example.com",
        "https://",
        "https://example.com/",
        "https://example.com https://evil.org",
        "https://evil.org https://example.com",
        "https://example.com,https://evil.org",
        " https://example.com",
        "https://example.com\t",
        "https://*.example.com",
        "file://",
    ] {
        check(&list, origin, false);
    }
}

#[test]
fn a_page_without_an_origin_passes_only_where_null_is_listed() {
    check(&list(&["null"]), "null", true);
    check(&list(&["null"]), "https://null", false);
    check(&list(&["https://null"]), "null", false);
    check(&Origins::default(), "null", false);
    check(&Origins::default(), "https://example.com", false);
}

#[test]
fn addresses_are_origins_too() {
    let list = list(&["http://[::1]:8080", "http://127.0.0.1"]);
    check(&list, "http://[::1]:8080", true);
    check(&list, "http://127.0.0.1:80", true);
    for origin in
        ["http://[::1]", "http://[::2]:8080", "http://[::1", "http://[::1]8080", "http://[]"]
    {
        check(&list, origin, false);
    }
}

#[test]
fn a_list_takes_origins_alone_and_each_once() {
    for text in
        ["", "*", "https://*.example.com", "example.com", "https://a/", "https://a b", "https://.a"]
    {
        assert!(Origins::default().and(text).is_err(), "{text}");
    }
    let twice = list(&["https://A.example:443", "https://a.example"]);
    assert_eq!(twice.iter().collect::<Vec<_>>(), ["https://a.example"]);
}

#[test]
fn a_request_has_one_page_or_none() {
    let check = |lines: &str, page: Option<&str>| {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let limits = Limits::default();
        let head = parse_head(text.as_bytes(), &limits).unwrap().unwrap();
        let found = page_of(&head);
        assert_eq!(found.as_deref(), page);
        found.is_some_and(|it| list(&["https://a"]).admit(&it))
    };
    assert!(!check("", None));
    assert!(check("Origin: https://a\r\n", Some("https://a")));
    assert!(check("oRiGiN:https://a\r\n", Some("https://a")));
    assert!(!check("Origin: https://a\r\nOrigin: https://a\r\n", Some("https://a, https://a")));
    assert!(!check(
        "Origin: https://a\r\nX: b\r\nOrigin: https://b\r\n",
        Some("https://a, https://b")
    ));
    assert!(!check("Origin:\r\n", Some("")));
}
