//! Whole answers that refuse, in the shapes of the dialects.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use protocol::client::parse_response;
use protocol::dialect::cohesivity;
use protocol::dialect::insforge::rest;
use protocol::http::{HttpFault, KeepAlive, Method, parse_head};
use protocol::{Limits, Rejection};
use serde_json::Value;

/// The status, the header lines and the body of an answer; of HEAD's the length that is said.
fn read(write: impl FnOnce(&mut Vec<u8>)) -> (u16, String, Result<Value, usize>) {
    let mut bytes = Vec::new();
    write(&mut bytes);
    let head = parse_response(&bytes).unwrap().unwrap();
    let (lines, body) = bytes.split_at(head.head_bytes);
    let lines = String::from_utf8(lines.to_vec()).unwrap();
    let body = match body {
        [] => Err(head.content_length),
        body => {
            assert_eq!(body.len(), head.content_length, "{lines}");
            Ok(serde_json::from_slice(body).unwrap())
        }
    };
    (head.status, lines, body)
}

fn fault(request: &str) -> HttpFault {
    parse_head(request.as_bytes(), &Limits::default()).unwrap_err()
}

#[test]
fn a_request_that_cannot_be_understood_ends_its_connection() {
    for (request, status, word) in [
        ("GET / HTTP/1.1\r\n\r\n", 400, "INVALID_INPUT"),
        ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "NOT_IMPLEMENTED"),
    ] {
        let fault = fault(request);
        assert_eq!(fault.to_string(), format!("{status} {}", fault.message));
        let (said, lines, body) = read(|out| cohesivity::write_fault(out, &fault));
        assert!(said == status && lines.contains("\r\nConnection: close\r\n"), "{lines}");
        let error = &body.unwrap()["error"];
        assert_eq!((&error["code"], &error["message"]), (&status.into(), &fault.message.into()));
        let (said, lines, body) = read(|out| rest::write_fault(out, &fault));
        assert!(said == status && lines.contains("\r\nConnection: close\r\n"), "{lines}");
        let body = body.unwrap();
        assert_eq!((&body["error"], &body["statusCode"]), (&word.into(), &status.into()));
        assert_eq!(body["message"], fault.message);
    }
}

#[test]
fn a_refusal_has_no_body_where_none_was_asked_for() {
    let why = Rejection::NotFound;
    type Write = fn(&mut Vec<u8>, &Rejection, Method, KeepAlive);
    for write in [cohesivity::write_rejection as Write, rest::write_rejection] {
        let of = |method| read(|out| write(out, &why, method, KeepAlive::Keep));
        let (status, lines, body) = of(Method::Get);
        assert!(status == 404 && !lines.contains("Connection"), "{lines}");
        let body = body.unwrap();
        assert!(body.get("error").is_some(), "{body}");
        let (again, head, none) = of(Method::Head);
        assert_eq!((again, head, none.is_err_and(|it| it > 0)), (404, lines, true));
    }
}
