//! Replays every recorded conversation, each in a house of its own.

use std::path::Path;

use domain::time::Millis;

use crate::case::{self, Exchange, Step};
use crate::house::{End, House};
use crate::http::{Answer, exchange};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_conversation_goes_as_recorded() {
    replay_all("autoretouch", 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_native_conversation_goes_as_recorded() {
    replay_all("native", 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_runflow_conversation_goes_as_recorded() {
    replay_all("runflow", 9).await;
}

/// Replays the conversations of one folder, of which there are so many at least.
async fn replay_all(folder: &str, at_least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(folder);
    let only = option_env!("ONLY");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "http"));
    files.sort();
    assert!(files.len() >= at_least, "only {} conversations", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        if only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a text file");
        let mut house = House::new().await;
        for step in case::parse(&text) {
            match step {
                Step::Beside(words) => beside(&mut house, &words).await,
                Step::Exchange(exchange) => {
                    if let Err(why) = replay(&mut house, &exchange).await {
                        wrong.push(format!("{name}: {}\n    {why}", exchange.request[0]));
                        // What follows may need what was not given here.
                        break;
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// What happens beside the wire.
async fn beside(house: &mut House, words: &[String]) {
    let filled: Vec<String> =
        words.iter().map(|word| String::from_utf8(case::fill(word, &house.names)).expect("text")).collect();
    let words: Vec<&str> = filled.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["succeed", run] => house.work(run.parse().expect("an id"), End::Success).await,
        ["fail", run] => house.work(run.parse().expect("an id"), End::BadInput).await,
        ["top-up", credits] => house.top_up(credits.parse().expect("a number")).await,
        ["top-up-theirs", credits] => house.top_up_theirs(credits.parse().expect("a number")).await,
        ["upload", name] => {
            let bytes = house.names.get(*name).expect("a picture").clone();
            assert_eq!(house.upload(&bytes).await.status, 201);
        }
        ["advance", seconds] => house.clock.advance(Millis::seconds(seconds.parse().expect("a number"))),
        ["confirm", code] => {
            let decision = service::access::Decision::Confirm {
                email: crate::house::EMAIL.to_owned(),
                password: house.password.clone(),
            };
            house.service.decide_device(code, decision, [127, 0, 0, 1].into()).await.expect("confirmed");
        }
        ["deny", code] => {
            let decision = service::access::Decision::Deny;
            house.service.decide_device(code, decision, [127, 0, 0, 1].into()).await.expect("denied");
        }
        other => panic!("nobody knows how to {other:?}"),
    }
}

async fn replay(house: &mut House, recorded: &Exchange) -> Result<(), String> {
    let mut lines = recorded.request.iter();
    let first = case::fill(lines.next().expect("a request line"), &house.names);
    let mut request = [first.as_slice(), b" HTTP/1.1\r\nhost: test\r\nconnection: close\r\n"].concat();
    let mut is_form = false;
    for line in lines {
        is_form |= line.to_lowercase().starts_with("content-type: multipart");
        request.extend_from_slice(&case::fill(line, &house.names));
        request.extend_from_slice(b"\r\n");
    }
    let body = recorded.body.as_ref().map(|body| {
        // Lines of a form end in a carriage return, too.
        let body = if is_form { format!("{}\r\n", body.replace('\n', "\r\n")) } else { body.clone() };
        case::fill(&body, &house.names)
    });
    if let Some(body) = &body {
        request.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(&body.unwrap_or_default());
    let answer = exchange(house.at, &request).await;
    check(house, recorded, &answer).map_err(|why| {
        let body: String = answer.text().chars().take(1500).collect();
        format!("{why}\n    answer: {} {:?}\n    {body}", answer.status, answer.headers)
    })
}

fn check(house: &mut House, recorded: &Exchange, answer: &Answer) -> Result<(), String> {
    if answer.status != recorded.status {
        return Err(format!("expected status {}", recorded.status));
    }
    if !answer.whole {
        return Err("the body was broken off".to_owned());
    }
    for (name, expected) in &recorded.headers {
        let found = answer.header(name);
        if expected == "(none)" {
            if found.is_some() {
                return Err(format!("header `{name}` is there"));
            }
            continue;
        }
        let expected = String::from_utf8(case::fill(expected, &house.names)).expect("text");
        if found != Some(expected.as_str()) {
            return Err(format!("header `{name}`: expected `{expected}`, found {found:?}"));
        }
    }
    match &recorded.expected {
        Some(expected) if expected == "(empty)" => {
            if answer.body.is_empty() {
                Ok(())
            } else {
                Err("expected no body".to_owned())
            }
        }
        Some(expected) => case::compare(expected, &answer.body, &mut house.names),
        None => Ok(()),
    }
}
