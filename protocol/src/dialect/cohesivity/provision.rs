//! Having the resource `realtime`, and having it no more: the calls under `/api/resources`.

use crate::dialect::fields::{fields, is_set, text};
use crate::dialect::write::push_field;
use crate::json::push_string;
use crate::limits::Limits;
use crate::rejection::Rejection;

/// What POST /api/resources/realtime asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProvisionRequest {
    /// Where to write, if it says so: a region or an alias, not checked.
    pub write_region: Option<Box<str>>,
}

/// What POST /api/resources/realtime answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProvisionAnswer<'a> {
    /// Whether the tenant had it before.
    pub already_provisioned: bool,
    /// Where it is written.
    pub write_region: &'a str,
    /// Where its calls are.
    pub edge_url: &'a str,
}

/// Reads the body of POST /api/resources/realtime; it may be empty.
///
/// # Errors
/// When it is no such request.
pub fn decode_provision_body(
    body: &mut [u8],
    limits: &Limits,
) -> Result<ProvisionRequest, Rejection> {
    if body.is_empty() {
        return Ok(ProvisionRequest::default());
    }
    let [region] = fields(body, &["write_region"], limits)?;
    let Some(region) = region.filter(is_set) else { return Ok(ProvisionRequest::default()) };
    let quoted = body.get_mut(region.span).unwrap_or_default();
    let name = text("write_region", region.kind, quoted)?;
    Ok(ProvisionRequest { write_region: Some(name.into()) })
}

/// Appends the answer of POST /api/resources/realtime.
pub fn body_provisioned(out: &mut Vec<u8>, answer: &ProvisionAnswer<'_>) {
    out.extend_from_slice(
        b"{\"success\":true,\"resource\":\"realtime\",\"status\":\"provisioned\",\"already_provisioned\":",
    );
    let already: &[u8] = if answer.already_provisioned { b"true" } else { b"false" };
    out.extend_from_slice(already);
    push_field(out, "write_region", answer.write_region);
    push_field(out, "edge_url", answer.edge_url);
    out.push(b'}');
}

/// Appends the answer of DELETE /api/resources/realtime.
pub fn body_unprovisioned(out: &mut Vec<u8>, status: &str) {
    out.extend_from_slice(b"{\"success\":true,\"resource\":\"realtime\",\"status\":");
    push_string(out, status);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Result<Option<&str>, Rejection>) {
        let mut bytes = body.as_bytes().to_vec();
        let found = decode_provision_body(&mut bytes, &Limits::default());
        let found = found.map(|it| it.write_region);
        assert_eq!(found, expected.map(|it| it.map(Box::from)), "{body}");
    }

    #[test]
    fn a_region_is_optional_and_a_string() {
        check("", Ok(None));
        check("{}", Ok(None));
        check(r#"{"write_region":null}"#, Ok(None));
        check(r#"{"write_region":"us\u002dwest"}"#, Ok(Some("us-west")));
        check(
            r#"{"write_region":7}"#,
            Err(Rejection::WrongType { field: "write_region", expected: "a string" }),
        );
        check("[]", Err(Rejection::InvalidJson));
        check(
            r#"{"write_region":"us","write_region":"eu"}"#,
            Err(Rejection::DuplicateKey { field: "write_region" }),
        );
    }

    #[test]
    fn answers_are_json() {
        let mut out = Vec::new();
        let answer = ProvisionAnswer {
            already_provisioned: true,
            write_region: "apac",
            edge_url: "/edge/realtime",
        };
        body_provisioned(&mut out, &answer);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"success":true,"resource":"realtime","status":"provisioned","already_provisioned":true,"write_region":"apac","edge_url":"/edge/realtime"}"#
        );
        let mut out = Vec::new();
        body_unprovisioned(&mut out, "deleted");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"success":true,"resource":"realtime","status":"deleted"}"#
        );
    }
}
