//! Whole HTTP answers, and what every refusal has in common.

use protocol::auth::vendor::VendorFault;
use protocol::dialect::Dialect;
use protocol::dialect::cohesivity;
use protocol::dialect::infrai::{self, Metadata, Source, error_code};
use protocol::http::{KeepAlive, Method, Methods};
use protocol::{KeptId, NameError, Rejection, Window};

fn every_rejection() -> Vec<Rejection> {
    let field = "field";
    let all = vec![
        Rejection::InvalidJson,
        Rejection::JsonTooDeep { max: 32 },
        Rejection::MissingField { field },
        Rejection::WrongType { field, expected: "a string" },
        Rejection::InvalidName { field, cause: NameError::Empty },
        Rejection::OutOfRange { field, min: 1, max: 2 },
        Rejection::DuplicateKey { field },
        Rejection::InvalidHeader { name: field },
        Rejection::Contradiction { field, other: "other" },
        Rejection::TooMany { field, max: 100 },
        Rejection::TokenTooLarge { max: 4096 },
        Rejection::UnknownAction("x".into()),
        Rejection::CredentialMissing,
        Rejection::CredentialInvalid,
        Rejection::InsufficientCredit,
        Rejection::Forbidden,
        Rejection::OriginDenied { origin: "https://evil.example".into() },
        Rejection::NotProvisioned,
        Rejection::NotFound,
        Rejection::ChannelNotFound,
        Rejection::IdempotencyConflict,
        Rejection::ChannelTypeConflict,
        Rejection::Gone,
        Rejection::VendorNotConfigured { vendor: "ably" },
        Rejection::Vendor { vendor: "ably", cause: VendorFault::TimedOut },
        Rejection::UpstreamFailed { upstream: "x" },
        Rejection::Query("x".into()),
        Rejection::Unimplemented { what: "x" },
        Rejection::MethodNotAllowed { allow: Methods::default().with(Method::Post) },
        Rejection::UpgradeRequired,
        Rejection::UnsupportedMediaType,
        Rejection::TimedOut { limit: "head_timeout_ms" },
        Rejection::PayloadTooLarge { max: 1 },
        Rejection::RateLimited { limit: "publishes_per_s", retry_after_s: 7 },
        Rejection::QuotaExceeded { quota: "x", window: Window::Month, retry_after_s: 9 },
        Rejection::TooManyConnections { max: 5 },
        Rejection::Overloaded { limit: "x" },
        Rejection::StorageFull,
        Rejection::StorageUnavailable,
        Rejection::Draining,
        Rejection::Internal,
    ];
    let item = |why: &Rejection| {
        let cause = Box::new(why.clone());
        Rejection::Item { field: "messages", index: 2, cause }
    };
    let items: Vec<_> = all.iter().map(item).collect();
    all.into_iter().chain(items).collect()
}

fn metadata() -> Metadata<'static> {
    let vendor = infrai::VENDOR;
    Metadata { request_id: 1, latency_ms: 0, cost_micro_usd: 0, vendor, source: Source::Work }
}

/// Head and body of an answer.
fn answer(why: &Rejection, method: Method) -> (String, String) {
    let mut out = Vec::new();
    infrai::write_rejection(&mut out, why, &metadata(), method, KeepAlive::Keep);
    let text = String::from_utf8(out).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn every_refusal_has_its_code_its_status_and_its_lines() {
    for why in every_rejection() {
        assert_eq!(error_code(&why).status(), why.status(), "{why:?}");
        let (head, body) = answer(&why, Method::Post);
        assert!(head.starts_with(&format!("HTTP/1.1 {} ", why.status())), "{head}");
        let line = format!("\r\nRetry-After: {}\r\n", why.retry_after_s().unwrap_or_default());
        assert_eq!(head.contains(&line), why.retry_after_s().is_some(), "{why:?}: {head}");
        if why.status() == 429 {
            assert!(head.contains("\r\nRetry-After: "), "{head}");
        }
        check_body(&why, &body);
    }
}

fn check_body(why: &Rejection, body: &str) {
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(json["ok"], false, "{body}");
    assert_eq!(json["data"], serde_json::Value::Null, "{body}");
    let error = &json["error"];
    assert_eq!(error["code"], error_code(why).name(), "{body}");
    assert_eq!(error["message"], why.to_string(), "{body}");
    assert!(error["retryable"].is_boolean(), "{body}");
    if let Some(field) = why.field().filter(|it| *it != "messages") {
        assert_eq!(error["details"]["field"], field, "{body}");
    }
    if let Rejection::Item { .. } = why {
        assert_eq!(error["details"]["index"], 2, "{body}");
    }
}

#[test]
fn a_used_up_plan_says_so_in_both_dialects() {
    let credit = answer(&Rejection::InsufficientCredit, Method::Post);
    assert!(credit.0.starts_with("HTTP/1.1 402 Payment Required\r\n"), "{}", credit.0);
    assert!(credit.1.contains("credit_micro_usd"), "{}", credit.1);
    for window in [Window::UtcMinute, Window::Month, Window::Lifetime] {
        let why = Rejection::QuotaExceeded { quota: "messages", window, retry_after_s: 60 };
        let mut body = Vec::new();
        cohesivity::body_rejection(&mut body, &why);
        let expected = format!(
            "{{\"error\":{{\"code\":429,\"message\":\"Quota reached: messages ({0})\",\
             \"status\":\"RESOURCE_EXHAUSTED\"}},\"window_kind\":\"{0}\"}}",
            window.name()
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}

#[test]
fn the_answer_to_head_has_no_body() {
    let (head, body) = answer(&Rejection::ChannelNotFound, Method::Head);
    assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
    assert_eq!(body, "");
}

#[test]
fn a_lost_request_is_answered_in_the_shape_of_its_path() {
    for (path, dialect) in [
        ("/v1", Dialect::Infrai),
        ("/v1/realtime/nothing", Dialect::Infrai),
        ("/v10", Dialect::Cohesivity),
        ("/", Dialect::Cohesivity),
        ("/edge/realtime", Dialect::Cohesivity),
    ] {
        assert_eq!(Dialect::of_path(path), dialect, "{path}");
    }
}

#[test]
fn header_and_body_have_one_key() {
    let check = |header, body, expected| {
        assert_eq!(infrai::one_idempotency_key(header, body), expected, "{header:?} {body:?}");
    };
    check(None, None, Ok(None));
    check(Some("k"), None, Ok(Some("k")));
    check(None, Some("k"), Ok(Some("k")));
    check(Some("k"), Some("k"), Ok(Some("k")));
    let differ = Rejection::Contradiction { field: "idempotency_key", other: "Idempotency-Key" };
    check(Some("k"), Some("K"), Err(differ));
}

#[test]
fn the_id_of_a_frame_ends_at_its_limit_and_comes_back_as_it_was() {
    for (length, is_fine) in [(127, true), (128, true), (129, false)] {
        let id = format!("\"{}\\n\"", "i".repeat(length - 4));
        assert_eq!(id.len(), length);
        let mut text = format!("{{\"type\":\"ping\",\"id\":{id}}}").into_bytes();
        let read = infrai::decode_frame(&mut text, &protocol::Limits::default());
        let Ok(protocol::Command::Ping { id: Some(read) }) = read else {
            assert!(!is_fine, "{length}: {read:?}");
            continue;
        };
        assert!(is_fine, "{length}");
        let kept: KeptId = read.keep();
        assert_eq!((read.as_json(), kept.id()), (&*id, read));
    }
}
