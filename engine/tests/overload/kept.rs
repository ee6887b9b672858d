//! What a channel keeps, as a server sees it that asks in Cohesivity's words.

use super::http::Http;

/// How many messages a channel keeps.
pub(crate) fn kept(port: u16, key: &str, channel: &str) -> u64 {
    let (mut count, mut last) = (0, 0);
    loop {
        let query = format!("channel={channel}&after={last}&limit=100&key={key}");
        let path = format!("/edge/realtime/history?{query}");
        let answer = Http::once(port, &path, None, None).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = answer.json();
        let page = answer["messages"].as_array().unwrap();
        let Some(newest) = page.last() else { return count };
        (count, last) = (count + page.len() as u64, newest["id"].as_u64().unwrap());
    }
}
