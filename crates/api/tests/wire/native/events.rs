//! Following what becomes of runs.

use domain::id::RunId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{End, House};

/// Somebody who follows the events.
struct Reader {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Reader {
    async fn new(house: &House, token: &str, more: &str) -> Self {
        let mut stream = TcpStream::connect(house.at).await.expect("connected");
        let request = format!(
            "GET /packshot/v1/events HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer {token}\r\n{more}\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut reader = Self { stream, read: Vec::new() };
        // Whoever has read this is being told from now on.
        reader.until("retry: 2000").await;
        reader
    }

    /// Reads on until that text has come.
    async fn until(&mut self, text: &str) -> String {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        while !self.text().contains(text) {
            let mut some = [0; 4096];
            let read = tokio::time::timeout_at(deadline, self.stream.read(&mut some)).await;
            let read = read.unwrap_or_else(|_| panic!("no `{text}` in `{}`", self.text())).expect("read");
            assert!(read > 0, "ended too early: {}", self.text());
            self.read.extend_from_slice(&some[..read]);
        }
        self.text()
    }

    async fn ended(mut self) -> String {
        let deadline = std::time::Duration::from_secs(20);
        tokio::time::timeout(deadline, self.stream.read_to_end(&mut self.read))
            .await
            .expect("ends")
            .expect("read");
        self.text()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }
}

/// The ids, names and runs of the events in a stream's text, as far as they are whole.
fn events(text: &str) -> Vec<(u64, String, String)> {
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
    };
    let body = text.split("retry: 2000").nth(1).unwrap_or_default().replace('\r', "");
    body.split("\n\n")
        .filter_map(|event| {
            let data: serde_json::Value = serde_json::from_str(&field(event, "data")?).ok()?;
            let run = data["run_id"].as_str().unwrap_or_default().to_owned();
            Some((field(event, "id")?.parse().ok()?, field(event, "event")?, run))
        })
        .collect()
}

async fn with_shoe() -> House {
    let house = House::new().await;
    let shoe = house.names["shoe.png"].clone();
    assert_eq!(house.upload(&shoe).await.status, 201);
    house
}

fn names_of(events: &[(u64, String, String)], run: RunId) -> Vec<&str> {
    events.iter().filter(|(_, _, of)| *of == run.to_string()).map(|(_, name, _)| name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_on_after_the_last_one() {
    let house = with_shoe().await;
    let token = house.get("token");
    let mut reader = Reader::new(&house, &token, "").await;
    let one = house.create().await;
    house.work(one, End::Success).await;
    let seen = events(&reader.until("run.succeeded").await);
    assert_eq!(names_of(&seen, one), ["run.queued", "run.running", "run.succeeded"]);
    assert!(seen.windows(2).all(|two| two[0].0 < two[1].0), "{seen:?}");
    drop(reader);

    // What happens while nobody listens is not lost, and nothing comes twice.
    let two = house.create().await;
    house.work(two, End::BadInput).await;
    let mut again = Reader::new(&house, &token, &format!("last-event-id: {}\r\n", seen[1].0)).await;
    let told = events(&again.until("run.failed").await);
    assert_eq!(names_of(&told, one), ["run.succeeded"]);
    assert_eq!(names_of(&told, two), ["run.queued", "run.running", "run.failed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_told_nothing_yet_can_be_gone_on_with() {
    let house = with_shoe().await;
    let token = house.get("token");
    let before = house.create().await;
    let reader = Reader::new(&house, &token, "").await;
    let text = reader.text();
    let place = text.lines().find_map(|line| line.strip_prefix("id: ")).expect("a place").to_owned();
    drop(reader);
    let run = house.create().await;
    let mut again = Reader::new(&house, &token, &format!("last-event-id: {place}\r\n")).await;
    let told = events(&again.until("run.queued").await);
    assert_eq!(names_of(&told, run), ["run.queued"]);
    assert!(names_of(&told, before).is_empty(), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_stream_says_that_it_lives() {
    let house = with_shoe().await;
    let mut reader = Reader::new(&house, &house.get("token"), "").await;
    reader.until(": \n\n").await;
    let run = house.create().await;
    assert!(reader.until("run.queued").await.contains(&run.to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hears_of_others_runs_nor_after_their_token_is_over() {
    let house = with_shoe().await;
    let mut theirs = Reader::new(&house, &house.get("their_token"), "").await;
    let mut mine = Reader::new(&house, &house.get("token"), "").await;
    let run = house.create().await;
    mine.until(&run.to_string()).await;
    theirs.until(": \n\n").await;
    assert!(events(&theirs.text()).is_empty(), "{}", theirs.text());
    house.clock.advance(domain::time::Millis::seconds(24 * 3600));
    theirs.ended().await;
    mine.ended().await;
}

#[tokio::test]
async fn a_place_that_is_none_is_refused() {
    let house = House::new().await;
    let answer = house.ask("/packshot/v1/events?last_event_id=yesterday").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["errors"][0]["parameter"], serde_json::json!("last_event_id"));
}
