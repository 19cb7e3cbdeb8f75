//! What these tests share: ids, a seal, and a web server that answers as it is told and remembers what it was asked.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::id::Ids;
use domain::seal::Seal;
use outbound::{Outbound, Rules};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Ids from the clock.
pub struct Fresh;

impl Ids for Fresh {
    #[allow(clippy::disallowed_methods, reason = "this test has an id source of its own")]
    fn next(&self) -> uuid::Uuid {
        uuid::Uuid::now_v7()
    }
}

/// Closes nothing, but opens only where it was closed for.
pub struct Labelled;

impl Seal for Labelled {
    fn close(&self, secret: &[u8], context: &[u8]) -> Vec<u8> {
        [context, secret].concat()
    }

    fn open(&self, closed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        closed.strip_prefix(context).map(<[u8]>::to_vec)
    }
}

/// A client that may reach this machine.
pub fn outbound() -> Outbound {
    let allow = vec!["127.0.0.1".parse().unwrap()];
    Outbound::new(Rules { allow, ..Rules::default() }).unwrap()
}

/// What a server was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub path: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Arc<Vec<u8>>,
    /// Sends its head and then nothing.
    pub hangs: bool,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Arc::default(), hangs: false }
    }

    pub fn file(body: Vec<u8>) -> Self {
        Self { body: Arc::new(body), ..Self::status(200) }
    }
}

/// A web server on loopback: answers by the path and by how often it was asked for it before.
pub struct Server {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    pub async fn start(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, remembered) = (Arc::new(answer), asked.clone());
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (answer, remembered) = (answer.clone(), remembered.clone());
                tokio::spawn(async move {
                    let Some(one) = read(&mut stream).await else { return };
                    let reply = {
                        let mut asked = remembered.lock().unwrap();
                        let before = asked.iter().filter(|other| other.path == one.path).count();
                        let reply = answer(&one.path, before);
                        asked.push(one);
                        reply
                    };
                    write(&mut stream, &reply).await;
                });
            }
        });
        Self { address, asked, serving }
    }

    /// What it was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Returns once it was asked so many times.
    pub async fn asked_times(&self, many: usize) -> Vec<Asked> {
        until(async || {
            let asked = self.asked();
            (asked.len() >= many).then_some(asked)
        })
        .await
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut buffer).await.ok()? {
            0 => return None,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let mut asked = Asked { path, headers, body: bytes[head_end + 4..].to_vec() };
    let length: usize = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
    while asked.body.len() < length {
        match stream.read(&mut buffer).await.ok()? {
            0 => return None,
            read => asked.body.extend_from_slice(&buffer[..read]),
        }
    }
    Some(asked)
}

async fn write(stream: &mut TcpStream, reply: &Reply) {
    let length = if reply.hangs { reply.body.len() + 1000 } else { reply.body.len() };
    let mut head = format!("HTTP/1.1 {} Said\r\ncontent-length: {length}\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&reply.body).await;
    let _ = stream.flush().await;
    if reply.hangs {
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
}

/// Looks again until there is something to be seen, for a minute at most.
pub async fn until<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.expect("it happens within a minute")
}
