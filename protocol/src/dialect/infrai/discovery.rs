//! What the node says of its own calls, from the table of the capabilities.

use super::capabilities::{CAPABILITIES, COMMON_ERRORS, Capability, Need, Param, Place};
use super::envelope::push_micros;
use super::error_code::ErrorCode;
use super::operation::Operation;
use crate::dialect::write::{
    push_array, push_field, push_name, push_number_field, push_time_field,
};
use crate::http::Method;
use crate::json::push_string;

/// What the table does not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Discovery<'a> {
    /// The version of the node.
    pub version: &'a str,
    /// When this was written, in milliseconds since 1970.
    pub generated_at_ms: u64,
    /// Where the node runs.
    pub region: &'a str,
    /// What calls cost, in millionths of a dollar: of a batch, each of its messages. What is not here costs nothing.
    pub micro_usd: &'a [(Operation, u64)],
}

/// The capability of an id.
#[must_use]
pub fn find_capability(id: &str) -> Option<&'static Capability> {
    CAPABILITIES.iter().find(|it| it.operation.id() == id)
}

/// Appends the answer of GET /v1/discovery.
pub fn data_discovery(out: &mut Vec<u8>, discovery: &Discovery<'_>) {
    out.extend_from_slice(b"{\"version\":");
    push_string(out, discovery.version);
    push_time_field(out, "generated_at", discovery.generated_at_ms);
    push_name(out, "capabilities");
    push_array(out, CAPABILITIES.iter(), |out, capability| {
        push_start(out, capability, discovery);
        out.push(b'}');
    });
    out.push(b'}');
}

/// Appends the answer of GET /v1/discovery/{id}.
pub fn data_capability(out: &mut Vec<u8>, capability: &Capability, discovery: &Discovery<'_>) {
    push_start(out, capability, discovery);
    push_field(out, "summary", capability.summary);
    push_name(out, "paths");
    push_array(out, capability.paths.iter(), |out, (method, path)| {
        out.extend_from_slice(b"{\"method\":");
        push_string(out, method.name());
        push_field(out, "path", path);
        out.push(b'}');
    });
    push_name(out, "params");
    push_array(out, capability.params.iter(), push_param);
    push_field(out, "returns", capability.returns);
    push_name(out, "errors");
    push_array(out, COMMON_ERRORS.iter().chain(capability.errors), push_error);
    push_name(out, "examples");
    push_array(out, std::iter::once(capability), push_example);
    push_field(out, "version", discovery.version);
    push_time_field(out, "generated_at", discovery.generated_at_ms);
    out.push(b'}');
}

/// What both answers say of a capability.
fn push_start(out: &mut Vec<u8>, capability: &Capability, discovery: &Discovery<'_>) {
    out.extend_from_slice(b"{\"id\":");
    push_string(out, capability.operation.id());
    push_path(out, capability);
    push_flag(out, "available", true);
    push_name(out, "regions");
    push_array(out, std::iter::once(discovery.region), push_string);
    for name in ["vendors", "vendors_ready"] {
        push_name(out, name);
        push_array(out, capability.vendors.iter().copied(), push_string);
    }
    let operation = capability.operation;
    let cost = discovery.micro_usd.iter().find(|(it, _)| *it == operation).map_or(0, |it| it.1);
    push_name(out, "billing");
    out.extend_from_slice(b"{\"unit\":");
    push_string(out, if operation == Operation::PublishBatch { "message" } else { "call" });
    push_name(out, "cost_usd");
    push_micros(out, cost);
    out.push(b'}');
    push_flag(out, "idempotent", capability.idempotent);
}

fn push_path(out: &mut Vec<u8>, capability: &Capability) {
    if let Some((method, path)) = capability.paths.first() {
        push_field(out, "method", method.name());
        push_field(out, "path", path);
    }
}

fn push_param(out: &mut Vec<u8>, param: &Param) {
    out.extend_from_slice(b"{\"name\":");
    push_string(out, param.name);
    push_field(
        out,
        "in",
        match param.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Body => "body",
        },
    );
    push_field(out, "type", param.json_type);
    push_flag(out, "required", param.need == Need::Required);
    push_field(out, "description", param.description);
    out.push(b'}');
}

fn push_error(out: &mut Vec<u8>, code: &ErrorCode) {
    out.extend_from_slice(b"{\"code\":");
    push_string(out, code.name());
    push_number_field(out, "status", u64::from(code.status()));
    push_flag(out, "retryable", code.is_retryable());
    out.push(b'}');
}

/// An example is a request with the values that its documents use.
fn push_example(out: &mut Vec<u8>, capability: &Capability) {
    let (method, path) = capability.paths.first().copied().unwrap_or((Method::Get, ""));
    out.extend_from_slice(b"{\"method\":");
    push_string(out, method.name());
    push_field(out, "path", &path.replace("{channel}", "room-42"));
    if let Some(body) = capability.example {
        push_name(out, "body");
        out.extend_from_slice(body.as_bytes());
    }
    out.push(b'}');
}

fn push_flag(out: &mut Vec<u8>, name: &'static str, flag: bool) {
    push_name(out, name);
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}
