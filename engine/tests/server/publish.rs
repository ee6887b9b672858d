//! `stentor publish`: lines go in, the history and the exit code say what came of them.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use serde_json::Value;

use super::node::{Node, pause, stentor, wait};
use super::pages::each_kept;
use super::tools::curl;

/// What a run said, and how it ended.
struct Said {
    code: i32,
    out: String,
    error: String,
}

fn command(url: &str, key: &str, arguments: &[&str]) -> Command {
    let mut command = stentor(Path::new("/"));
    command.args(["publish", "--lines", "-", "--no-progress", "--url", url]).args(arguments);
    command.env("STENTOR_PUBLISH_KEY", key);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ended(mut child: Child) -> Said {
    let code = wait(&mut child).code().unwrap();
    let (mut out, mut error) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    Said { code, out, error }
}

/// Runs it with these lines on standard input. A run that stops early does not take them all.
fn publish_to(url: &str, key: &str, arguments: &[&str], lines: &str) -> Said {
    let mut child = command(url, key, arguments).spawn().unwrap();
    let mut stdin: ChildStdin = child.stdin.take().unwrap();
    let lines = lines.to_owned();
    let feeding = thread::spawn(move || {
        let _ = stdin.write_all(lines.as_bytes()); // broken when the run stops early
    });
    let said = ended(child);
    feeding.join().unwrap();
    said
}

fn publish(node: &Node, arguments: &[&str], lines: &str) -> Said {
    publish_to(&node.url(""), node.key(), arguments, lines)
}

/// The bodies of a channel's whole history, as they were sent: `(event, data)`.
fn history(node: &Node, channel: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let ask = |path: &str| curl(&[&node.keyed(path)]).json();
    each_kept(channel, 0, ask, |_, it| {
        found.push((it["event"].as_str().unwrap().to_owned(), it["data"].clone()));
    });
    found
}

#[test]
fn every_line_is_published_in_its_channels_order() {
    const LINES: u64 = 3000;
    let node = Node::ephemeral();
    let mut lines = String::new();
    for number in 0..LINES {
        let channel = number % 7;
        writeln!(lines, r#"{{"channel":"c{channel}","event":"e{channel}","data":{number}}}"#)
            .unwrap();
    }
    let said = publish(&node, &["--connections", "3"], &lines);
    assert_eq!((said.code, said.error.as_str()), (0, ""), "{}", said.out);
    assert!(said.out.starts_with("lines      3000\npublished  3000 in "), "{}", said.out);
    for channel in 0..7 {
        let expected: Vec<(String, Value)> = (0..LINES)
            .filter(|number| number % 7 == channel)
            .map(|number| (format!("e{channel}"), number.into()))
            .collect();
        let kept = history(&node, &format!("c{channel}"));
        assert_eq!(kept, expected[expected.len() - kept.len()..], "c{channel}");
        assert_eq!(kept.len(), expected.len());
    }
    node.stop();
}

#[test]
fn a_payload_is_passed_on_byte_for_byte() {
    let node = Node::ephemeral();
    let data = r#"{ "a" : 1.50e+3, "b":"\u00e9\/ü", "a":[ ] }"#;
    let lines = format!("\n  \n{{\"data\":{data},\"channel\":\"raw\"}}\r\n{{\"data\":null}}");
    let said = publish(&node, &["--channel", "other"], &lines);
    assert_eq!(said.code, 0, "{}{}", said.out, said.error);
    assert!(said.out.starts_with("lines      2\npublished  2 in "), "{}", said.out);
    let answer = curl(&[&node.keyed("/edge/realtime/history?channel=raw")]);
    assert!(answer.body.contains(&format!("\"data\":{data}")), "{}", answer.body);
    assert_eq!(history(&node, "other"), [("message".to_owned(), Value::Null)]);
    node.stop();
}

#[test]
fn ephemeral_lines_are_not_kept_unless_they_say_so() {
    let node = Node::ephemeral();
    let lines = "{\"channel\":\"e\",\"data\":1}\n{\"channel\":\"e\",\"data\":2,\"persist\":true}\n";
    assert_eq!(publish(&node, &["--ephemeral"], lines).code, 0);
    assert_eq!(history(&node, "e"), [("message".to_owned(), 2.into())]);
    node.stop();
}

#[test]
fn a_wrong_line_ends_the_stream_or_is_counted() {
    let node = Node::ephemeral();
    let good = "{\"channel\":\"w\",\"data\":1}\n";
    let lines =
        format!("{good}nonsense\n{good}{{\"data\":1}}\n{{\"channel\":\"\",\"data\":1}}\n{good}");
    let said = publish(&node, &["--continue-on-error"], &lines);
    assert_eq!(said.code, 65, "{}{}", said.out, said.error);
    for expected in [
        "lines      6\npublished  3 in ",
        "refused    1: Invalid JSON (line 2)\n",
        "refused    1: \"channel\" is required (or --channel) (line 4)\n",
        "refused    1: 400 \"channel\" must not be empty (line 5)\n",
    ] {
        assert!(said.out.contains(expected), "{expected}: {}", said.out);
    }
    assert_eq!(history(&node, "w").len(), 3);
    let said = publish(&node, &[], &format!("{good}nonsense\n{good}"));
    assert_eq!(said.code, 65, "{}{}", said.out, said.error);
    assert!(said.out.starts_with("lines      2\n"), "{}", said.out);
    assert!(history(&node, "w").len() <= 4);
    node.stop();
}

#[test]
fn exit_codes_tell_what_is_to_be_mended() {
    let node = Node::ephemeral();
    let line = "{\"channel\":\"x\",\"data\":1}\n";
    let url = node.url("");
    let wrong_key = publish_to(&url, "coh_app_wrongwrongwrongwrong", &[], line);
    assert_eq!(wrong_key.code, 77, "{}{}", wrong_key.out, wrong_key.error);
    assert!(!format!("{}{}", wrong_key.out, wrong_key.error).contains("wrongwrong"));
    for (arguments, code) in [
        (&["--batch", "2"][..], 64),
        (&["--batch", "0"], 64),
        (&["--window", "17"], 64),
        (&["--connections", "0"], 64),
        (&["--dialect", "morse"], 64),
    ] {
        let said = publish_to(&url, node.key(), arguments, line);
        assert_eq!(said.code, code, "{arguments:?}: {}", said.error);
        assert!(!said.error.is_empty(), "{arguments:?}");
    }
    let mut no_file = stentor(Path::new("/"));
    no_file.args(["publish", "--lines", "/does/not/exist", "--key", "k", "--url", &url]);
    assert_eq!(no_file.stderr(Stdio::null()).status().unwrap().code(), Some(66));
    node.stop();
    let gone = publish_to(&url, "coh_app_k", &[], line);
    assert_eq!(gone.code, 69, "{}{}", gone.out, gone.error);
    assert!(gone.out.contains("unsent     1\n"), "{}", gone.out);
}

#[test]
fn input_is_read_no_faster_than_it_is_published_and_at_once_when_it_comes_late() {
    let node = Node::ephemeral();
    let mut child = command(&node.url(""), node.key(), &[]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for number in 0..3 {
        writeln!(stdin, "{{\"channel\":\"late\",\"data\":{number}}}").unwrap();
        stdin.flush().unwrap();
        // The stream is still open: what was written must not wait for more.
        while history(&node, "late").len() <= number {
            pause(std::time::Duration::from_millis(5));
        }
    }
    drop(stdin);
    assert_eq!(ended(child).code, 0);
    node.stop();
}

/// The body of the next request, unless the connection ended.
fn request_body(reader: &mut impl BufRead) -> Option<String> {
    let mut length = 0;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some(String::from_utf8(body).unwrap())
}

/// A server that answers each request with the next of these, then as often as it is asked with 200.
fn scripted(answers: &'static [&'static str]) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        let mut bodies = Vec::new();
        let mut answers = answers.iter();
        loop {
            let Some(body) = request_body(&mut reader) else { return bodies };
            bodies.push(body);
            let answer = answers.next().unwrap_or(&"200 OK\r\nContent-Length: 2\r\n\r\n{}");
            write!(writer, "HTTP/1.1 {answer}").unwrap();
        }
    });
    (url, serving)
}

#[test]
fn a_server_without_room_is_asked_again_in_order() {
    let (url, serving) = scripted(&[
        "200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "429 Too Many\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        "503 No Room\r\nContent-Length: 0\r\n\r\n",
    ]);
    let lines: String = (0..4).map(|it| format!("{{\"channel\":\"c\",\"data\":{it}}}\n")).collect();
    let said = publish_to(&url, "k", &["--connections", "1", "--window", "1"], &lines);
    assert_eq!(said.code, 0, "{}{}", said.out, said.error);
    assert!(said.out.contains("published  4 in "), "{}", said.out);
    assert!(said.out.contains("retries    2\n"), "{}", said.out);
    let data =
        |body: &String| serde_json::from_str::<Value>(body).unwrap()["data"].as_u64().unwrap();
    assert_eq!(serving.join().unwrap().iter().map(data).collect::<Vec<_>>(), [0, 1, 1, 1, 2, 3]);
}

#[test]
fn a_refused_batch_is_taken_apart_to_find_the_line() {
    const REFUSED: &str = "400 Bad\r\nContent-Length: 59\r\n\r\n\
        {\"ok\":false,\"error\":{\"code\":\"X\",\"message\":\"not this one\"}} ";
    let (url, serving) = scripted(&[REFUSED, "200 OK\r\nContent-Length: 2\r\n\r\n{}", REFUSED]);
    let lines: String = (0..3).map(|it| format!("{{\"channel\":\"c\",\"data\":{it}}}\n")).collect();
    let arguments =
        ["--dialect", "infrai", "--batch", "3", "--connections", "1", "--continue-on-error"];
    let said = publish_to(&url, "ifr_pk_x", &arguments, &lines);
    assert_eq!(said.code, 65, "{}{}", said.out, said.error);
    assert!(said.out.contains("published  2 in "), "{}", said.out);
    assert!(said.out.contains("refused    1: 400 not this one (line 2)\n"), "{}", said.out);
    let bodies = serving.join().unwrap();
    let one = |it: u64| format!("{{\"channel\":\"c\",\"event\":\"message\",\"data\":{it}}}");
    let all = format!("{{\"messages\":[{},{},{}]}}", one(0), one(1), one(2));
    assert_eq!(bodies, [all, one(0), one(1), one(2)]);
}

#[test]
fn an_answer_that_never_comes_leaves_the_line_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).unwrap() > 0);
    });
    let said = publish_to(&url, "k", &[], "{\"channel\":\"c\",\"data\":1}\n");
    assert_eq!(said.code, 69, "{}{}", said.out, said.error);
    assert!(said.out.contains("unknown    1: the answer was lost (line 1)\n"), "{}", said.out);
    serving.join().unwrap();
}
