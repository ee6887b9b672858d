//! Where a webhook goes.

/// Whether a text is a URL that can be called: `http` or `https`, a host, and no user. Where it leads is judged when it is
/// called, not here.
pub(super) fn is_web_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return false;
    }
    let is_visible =
        |it: char| !it.is_control() && !it.is_whitespace() && !"\"<>\\^`{|}".contains(it);
    if !rest.chars().all(is_visible) {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = split_port(authority);
    let is_port = port.is_none_or(|it| it.is_empty() || it.parse::<u16>().is_ok() && is_digits(it));
    is_port && (is_address(host) || is_name(host))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_digit())
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    // The colons of an IPv6 address stand in brackets.
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}

fn is_address(host: &str) -> bool {
    let inside = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    inside.is_some_and(|it| it.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_name(host: &str) -> bool {
    let is_part = |it: char| it.is_alphanumeric() || matches!(it, '-' | '.' | '_');
    !host.is_empty() && !host.starts_with('.') && !host.contains("..") && host.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_and_a_host() {
        for text in [
            "https://example.com/webhook",
            "HTTP://example.com",
            "http://localhost:7130/hook?a=b#c",
            "http://127.0.0.1:80",
            "http://[::1]:8080/x",
            "https://hooks.käse.example/%20",
            "http://a:/",
        ] {
            assert!(is_web_url(text), "{text}");
        }
        for text in [
            "",
            "example.com",
            "https://",
            "https:///x",
            "ftp://example.com",
            "http:/a",
            "http://a b",
            "http://a\r\nb",
            "http://user@a",
            "http://user:secret@a/",
            "http://a:65536",
            "http://a:+1",
            "http://a:b",
            "http://[::1",
            "http://[::g]",
            "http://..",
            "http://.a",
            "javascript:alert(1)",
            "http://a\\b",
            "http://a/\"",
            "http://?x",
        ] {
            assert!(!is_web_url(text), "{text}");
        }
    }
}
