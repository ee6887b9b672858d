//! Bytes to meaning and back, a message of 128 bytes.

use std::hint::black_box;

use protocol::client::{Target, write_post, write_publish_body, write_publish_frame};
use protocol::dialect::cohesivity::{decode_frame, decode_publish_body};
use protocol::dialect::{Dialect, MessageView};
use protocol::http::{KnownHead, parse_head};
use protocol::ws::{Payload, Reader, Role, Step};
use protocol::{Keep, Limits};

use super::{Meter, What};
use crate::Failure;

/// A JSON string of so many bytes.
pub(super) fn payload(bytes: usize) -> Vec<u8> {
    let mut text = vec![b'.'; bytes];
    if let [first, .., last] = text.as_mut_slice() {
        (*first, *last) = (b'"', b'"');
    }
    text
}

/// Measures the room.
pub(super) fn measure(meter: &mut Meter<'_>) -> Result<(), Failure> {
    let limits = Limits::default();
    let (body, request) = request();
    meter.measure(&What::once("decode", "head of an HTTP publish"), || {
        black_box(parse_head(black_box(&request), &limits)).map_err(|it| it.message)?;
        Ok(())
    })?;
    let first = parse_head(&request, &limits).map_err(|it| it.message)?;
    let known = first.and_then(|it| KnownHead::of(&request, &it)).ok_or("the head is not known")?;
    meter.measure(&What::once("decode", "the same head again"), || {
        black_box(known.comes_again(black_box(&request), &limits));
        Ok(())
    })?;
    let mut scratch = body.clone();
    meter.measure(&What::once("decode", "body of an HTTP publish, 128 B"), || {
        scratch.copy_from_slice(&body);
        let publish = decode_publish_body(&mut scratch, &limits).map_err(|it| it.to_string())?;
        black_box(publish);
        Ok(())
    })?;
    frame(meter, &limits)?;
    let data = payload(128);
    let message = MessageView {
        id: 1,
        sender: None,
        channel: "bench-0",
        event: "message",
        data: &data,
        at_ms: 1_700_000_000_000,
        offset: Some(7),
    };
    let mut out = Vec::new();
    meter.measure(&What::once("encode", "message frame, 128 B"), || {
        out.clear();
        Dialect::Cohesivity.encode_publication(&mut out, black_box(&message));
        black_box(&out);
        Ok(())
    })
}

/// A publish: its body, and the whole request.
fn request() -> (Vec<u8>, Vec<u8>) {
    let (mut body, mut request) = (Vec::new(), Vec::new());
    write_publish_body(&mut body, "bench-0", "message", &payload(128), Keep::Pass);
    let path = "/edge/realtime?key=coh_app_0123456789abcdefghij";
    let target = Target { host: "127.0.0.1:8080", path, bearer: None };
    write_post(&mut request, &target, &body);
    (body, request)
}

fn frame(meter: &mut Meter<'_>, limits: &Limits) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    write_publish_frame(&mut bytes, "message", &payload(128), Keep::Pass, [1, 2, 3, 4]);
    let mut scratch = bytes.clone();
    let mut reader = Reader::new(Role::Server);
    meter.measure(&What::once("decode", "WebSocket frame with a publish, 128 B"), || {
        scratch.copy_from_slice(&bytes);
        let Step::Text(Payload::Whole(text)) = reader.next(&mut scratch, limits).step else {
            return Err("the frame was not read".into());
        };
        black_box(decode_frame(text, limits).map_err(|it| it.to_string())?);
        Ok(())
    })
}
