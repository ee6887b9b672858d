//! What a channel keeps, page by page, however it is asked for.

use serde_json::Value;

/// Goes through a channel's history behind an id, oldest first. `ask` gives the answer to a path; of each message `take` is given its
/// id and all of it.
pub(crate) fn each_kept(
    channel: &str,
    mut after: u64,
    ask: impl Fn(&str) -> Value,
    mut take: impl FnMut(u64, &Value),
) {
    loop {
        let path = format!("/edge/realtime/history?channel={channel}&after={after}&limit=100");
        let answer = ask(&path);
        let page = answer["messages"].as_array().unwrap();
        if page.is_empty() {
            return;
        }
        for message in page {
            after = message["id"].as_u64().unwrap();
            take(after, message);
        }
    }
}
