//! What a channel keeps, as a server sees it that asks in Cohesivity's words.

use super::http::Http;
use super::pages::each_kept;

/// How many messages a channel keeps.
pub(crate) fn kept(port: u16, key: &str, channel: &str) -> u64 {
    let mut count = 0;
    let ask = |path: &str| {
        let answer = Http::once(port, &format!("{path}&key={key}"), None, None).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    each_kept(channel, 0, ask, |_, _| count += 1);
    count
}
