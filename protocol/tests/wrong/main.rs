//! Every wrong value of every field of every call and frame, as the decoders refuse it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod insforge;
mod table;

use protocol::dialect::infrai::{self, Operation};
use protocol::dialect::{Dialect, cohesivity};
use protocol::http::{Head, HttpFault, Route, Routed, parse_head, route};
use protocol::{Limits, Rejection};

use table::Call;

/// What a call comes to: the refusal, or nothing.
fn refused(call: &Call) -> Result<(), String> {
    let limits = Limits::default();
    let Call { method, target, .. } = call;
    let header = call.header.as_ref().map(|it| format!("{it}\r\n")).unwrap_or_default();
    let text = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{header}\r\n");
    let head = parse_head(text.as_bytes(), &limits).map_err(|it| faulty(&it, text.as_bytes()))?;
    let head = head.unwrap_or_else(|| panic!("no whole head: {call:?}"));
    let dialect = Dialect::of_path(head.path());
    let mut body = call.body.clone().unwrap_or_default().into_bytes();
    if matches!(dialect, Dialect::Insforge | Dialect::InsforgePlain) {
        return insforge::refused(&head, &mut body);
    }
    let told = |why: Rejection| match dialect {
        Dialect::Infrai => format!("{} {} {why}", why.status(), infrai::error_code(&why).name()),
        Dialect::Cohesivity => {
            let mut body = Vec::new();
            cohesivity::body_rejection(&mut body, &why);
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            format!("{} {} {why}", why.status(), body["error"]["status"].as_str().unwrap())
        }
        Dialect::Insforge | Dialect::InsforgePlain => panic!("it has a table of its own"),
    };
    match route(&head) {
        Routed::NotFound => Err(told(Rejection::NotFound)),
        Routed::MethodNotAllowed { allow } => Err(told(Rejection::MethodNotAllowed { allow })),
        Routed::Found(Route::Infrai(of)) => read_infrai(of, &head, &mut body).map_err(told),
        Routed::Found(found) => read_cohesivity(found, &head, &mut body).map_err(told),
        Routed::Preflight { .. } => panic!("{call:?}"),
    }
}

fn faulty(fault: &HttpFault, head: &[u8]) -> String {
    let code = match Dialect::of_unread_head(head) {
        Dialect::Infrai => infrai::fault_code(fault.status).name(),
        Dialect::Cohesivity => "INVALID_ARGUMENT",
        Dialect::Insforge | Dialect::InsforgePlain => return insforge::faulty(fault),
    };
    format!("{} {code} {}", fault.status, fault.message)
}

fn read_infrai(of: Operation, head: &Head<'_>, body: &mut [u8]) -> Result<(), Rejection> {
    let limits = Limits::default();
    let header = infrai::decode_idempotency_header(head)?;
    let key = match of {
        Operation::ChannelGet | Operation::PresenceGet => {
            infrai::decode_path_channel(head, &limits)?;
            // What is right about it can still not be there.
            return Err(Rejection::ChannelNotFound);
        }
        Operation::ChannelDelete => {
            infrai::decode_path_channel(head, &limits)?;
            infrai::decode_channel_delete(body, &limits)?
        }
        Operation::ChannelList => return infrai::decode_channel_list(head, &limits).map(|_| ()),
        Operation::TokenIssue => infrai::decode_token_issue(body, &limits)?.idempotency_key,
        Operation::TokenRevoke => infrai::decode_token_revoke(body, &limits)?.idempotency_key,
        Operation::ChannelCreate => infrai::decode_channel_create(body, &limits)?.idempotency_key,
        Operation::Publish => infrai::decode_publish(body, &limits)?.idempotency_key,
        Operation::PublishBatch => infrai::decode_publish_batch(body, &limits)?.idempotency_key,
        Operation::UserDisconnect => infrai::decode_user_disconnect(body, &limits)?.idempotency_key,
        Operation::AuthSign => infrai::decode_auth_sign(body, &limits)?.idempotency_key,
        Operation::EventTypes => None,
    };
    infrai::one_idempotency_key(header, key).map(|_| ())
}

fn read_cohesivity(found: Route, head: &Head<'_>, body: &mut [u8]) -> Result<(), Rejection> {
    let limits = Limits::default();
    match found {
        Route::RealtimeToken => cohesivity::decode_token_body(body, &limits).map(|_| ()),
        Route::RealtimePublish => cohesivity::decode_publish_body(body, &limits).map(|_| ()),
        Route::RealtimeHistory => cohesivity::decode_history_query(head, &limits).map(|_| ()),
        Route::EdgeDatabase => cohesivity::decode_database_body(body, &limits).map(|_| ()),
        Route::ResourceProvision => {
            let asked = cohesivity::decode_provision_body(body, &limits)?;
            // The node knows the regions.
            let is_known = asked.write_region.is_none_or(|it| &*it == "wnam");
            let wrong = Rejection::WrongType { field: "write_region", expected: "a region" };
            if is_known { Ok(()) } else { Err(wrong) }
        }
        Route::EdgeSession
        | Route::RealtimeSocket
        | Route::ResourceDelete
        | Route::RealtimeKit
        | Route::Infrai(_)
        | Route::Discovery
        | Route::DiscoveryOf
        | Route::InfraiSocket
        | Route::Insforge(_)
        | Route::HealthLive
        | Route::HealthReady
        | Route::Version => panic!("{found:?} takes no values"),
    }
}

#[test]
fn every_wrong_value_of_every_call_has_its_answer() {
    let tables = [table::infrai_calls(), table::cohesivity_calls(), table::insforge_calls()];
    let calls = tables.concat();
    assert!(calls.len() > 1_800, "only {} calls", calls.len());
    let mut wrong = Vec::new();
    for caller in [table::Caller::Management, table::Caller::Administrator] {
        assert!(calls.iter().any(|it| it.caller == caller));
    }
    for call in &calls {
        let told = refused(call);
        if told.as_ref().err() != Some(&call.expected) {
            let body: String = call.body.iter().flat_map(|it| it.chars().take(120)).collect();
            let Call { method, target, expected, .. } = call;
            wrong.push(format!("{method} {target} {body}\n  {told:?}\n  {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_wrong_value_of_every_frame_has_its_answer() {
    let limits = Limits::default();
    let frames = table::infrai_frames();
    assert!(frames.len() > 200, "only {} frames", frames.len());
    for (text, expected) in frames {
        let mut bytes = text.clone().into_bytes();
        let refused = infrai::decode_frame(&mut bytes, &limits);
        let why = refused.err().unwrap_or_else(|| panic!("taken: {text}")).why;
        let mut frame = Vec::new();
        infrai::frame_rejection(&mut frame, &why, None, None);
        let start = frame.iter().position(|it| *it == b'{').unwrap();
        let told: serde_json::Value = serde_json::from_slice(frame.get(start..).unwrap()).unwrap();
        let told = &told["error"];
        let told =
            format!("{} {}", told["code"].as_str().unwrap(), told["message"].as_str().unwrap());
        assert_eq!(told, expected, "{}", &text.chars().take(200).collect::<String>());
    }
    for (text, expected) in table::cohesivity_frames() {
        let mut bytes = text.clone().into_bytes();
        let refused = cohesivity::decode_frame(&mut bytes, &limits);
        let why = refused.err().unwrap_or_else(|| panic!("taken: {text}"));
        let mut frame = Vec::new();
        cohesivity::frame_rejection(&mut frame, &why);
        let start = frame.iter().position(|it| *it == b'{').unwrap();
        let told: serde_json::Value = serde_json::from_slice(frame.get(start..).unwrap()).unwrap();
        assert_eq!(told["error"], expected, "{}", &text.chars().take(200).collect::<String>());
    }
}
