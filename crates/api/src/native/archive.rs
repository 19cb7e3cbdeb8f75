//! An order's results as one ZIP file, sent while it is made: however large it is, it costs a few hundred bytes a run.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::iter::once;
use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::access::Caller;
use domain::batch::Batch;
use domain::image::{ContentHash, FileName};
use domain::run::{Run, RunFilter, State, Status};
use domain::time::Timestamp;
use futures::{StreamExt, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use service::{Handout, OrgChoice, Service};
use tokio::sync::mpsc;

use super::problem::Problem;
use super::zip::{Member, Writer};
use crate::observe::chain;

/// Runs read at once.
const PART: u32 = 500;
/// Pieces that wait to be sent; a slow client holds up the reading.
const AHEAD: usize = 4;
/// A manifest is sent in pieces of about so many bytes.
const PIECE: usize = 64 * 1024;
const MANIFEST_CSV: &str = "manifest.csv";
const MANIFEST_JSON: &str = "manifest.json";
const COLUMNS: &str = "file,run_id,status,input_name,input_sha256,result_sha256,media_type,bytes,width,height,\
                       created_at,finished_at,charged,failure\r\n";

/// What is told of one run.
struct Row {
    /// The result and its name in the archive, if the run succeeded.
    file: Option<(String, Handout)>,
    /// Further files that the run wrote: label, name in the archive, bytes.
    more: Vec<(String, String, Handout)>,
    run: String,
    status: Status,
    input_name: FileName,
    /// None for a run that failed before its picture was fetched.
    input: Option<ContentHash>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
    charged: u32,
    failure: Option<String>,
    labels: BTreeMap<String, String>,
}

/// What an archive will hold.
struct Contents {
    order: serde_json::Value,
    made_at: Timestamp,
    rows: Vec<Row>,
}

/// The answer that sends an order's results, oldest run first. Runs that end later are not in it.
pub(super) async fn of_order(
    service: &Service,
    caller: &Caller,
    choice: &OrgChoice,
    batch: &Batch,
) -> Result<Response, Problem> {
    let filter = RunFilter { batch: Some(batch.id.clone()), ..RunFilter::default() };
    let mut rows: Vec<Row> = Vec::new();
    let mut before = None;
    loop {
        let part = service.runs_before(caller, choice, &filter, before, PART).await?;
        let Some(last) = part.last() else { break };
        before = Some(last.id);
        let is_last = part.len() < PART as usize;
        rows.extend(part.into_iter().map(|run| row_of(service, run)));
        if is_last {
            break;
        }
    }
    rows.reverse();
    let mut names = Names::default();
    // Results first: it is their names that should not need a number.
    for (name, _) in rows.iter_mut().filter_map(|row| row.file.as_mut()) {
        *name = names.unique(name);
    }
    for (_, name, _) in rows.iter_mut().flat_map(|row| &mut row.more) {
        *name = names.unique(name);
    }
    let order = json!({ "id": batch.id, "name": batch.name, "created_at": batch.created_at.to_string() });
    let contents = Arc::new(Contents { order, made_at: service.now(), rows });
    let length = Writer::length(&contents.members().collect::<Vec<_>>());

    let (to, from) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        if let Err(Stopped::Broken(error)) = write(&contents, &to).await {
            tracing::error!(error = %chain(&error), "cannot write an archive to its end");
            // The status is out already: all that can be done is to break off, which the length makes noticeable.
            let _ = to.send(Err(error)).await;
        }
    });
    let pieces = stream::unfold(from, |mut from| async move { Some((from.recv().await?, from)) });
    let mut response = Body::from_stream(pieces).into_response();
    let called = if batch.name.is_empty() { &batch.id } else { &batch.name };
    let name = FileName::clean(&format!("{}.zip", called.replace(['/', '\\'], "_")));
    let name = utf8_percent_encode(name.as_str(), NON_ALPHANUMERIC).to_string();
    for (header, value) in [
        (CONTENT_TYPE, "application/zip".to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(header, value);
        }
    }
    Ok(response)
}

fn row_of(service: &Service, run: Run) -> Row {
    let status = run.state.status();
    // A result that waits for its check is not handed over yet.
    let file = match &run.state {
        State::Succeeded { result, .. } => {
            service.result_of(&run).map(|handout| (result.name.to_string(), handout))
        }
        _ => None,
    };
    let more = match (&file, run.state.result()) {
        (Some(_), Some(result)) => result
            .more
            .iter()
            .map(|(label, one)| (label.clone(), one.name.to_string(), service.handout(one.image.clone())))
            .collect(),
        _ => Vec::new(),
    };
    let failure = match &run.state {
        State::Failed { failure, .. } => Some(failure.code.clone()),
        _ => None,
    };
    Row {
        file,
        more,
        run: run.id.to_string(),
        status,
        finished_at: run.state.finished_at(),
        input_name: run.input_name,
        input: run.input.map(|input| input.hash),
        created_at: run.created_at,
        charged: run.charged,
        failure,
        labels: run.labels,
    }
}

/// Names that are taken, in any case: not every file system tells `A.jpg` from `a.jpg`.
struct Names {
    taken: HashSet<String>,
    /// How often a name was asked for, so that ten thousand of one name are numbered in one go.
    counts: BTreeMap<String, u32>,
}

impl Default for Names {
    fn default() -> Self {
        let taken = [MANIFEST_CSV, MANIFEST_JSON].map(str::to_owned).into();
        Self { taken, counts: BTreeMap::new() }
    }
}

impl Names {
    /// The name, with a number if it is taken: `shirt (2).png`.
    fn unique(&mut self, name: &str) -> String {
        if self.taken.insert(name.to_lowercase()) {
            return name.to_owned();
        }
        let clean = FileName::clean(name);
        let extension = clean.extension().map(|extension| format!(".{extension}")).unwrap_or_default();
        let count = self.counts.entry(name.to_lowercase()).or_insert(1);
        loop {
            *count += 1;
            let numbered = format!("{} ({count}){extension}", clean.stem());
            if self.taken.insert(numbered.to_lowercase()) {
                return numbered;
            }
        }
    }
}

impl Contents {
    /// Every file that a run wrote, in the order of the archive.
    fn files(&self) -> Vec<(&Row, (Member, &Handout))> {
        self.rows.iter().flat_map(|row| row.files().map(move |file| (row, file))).collect()
    }

    fn members(&self) -> impl Iterator<Item = Member> {
        let results = self.rows.iter().flat_map(Row::files).map(|(member, _)| member);
        let len = |pieces: &mut dyn Iterator<Item = String>| pieces.map(|piece| piece.len() as u64).sum();
        let manifests = [(MANIFEST_CSV, len(&mut self.csv())), (MANIFEST_JSON, len(&mut self.json()))];
        let at = self.made_at;
        results.chain(manifests.map(|(name, len)| Member { name: name.to_owned(), len, at }))
    }

    /// The manifest as a table (RFC 4180).
    fn csv(&self) -> impl Iterator<Item = String> {
        once(COLUMNS.to_owned()).chain(self.rows.iter().map(Row::csv))
    }

    /// The manifest as JSON, a line a run.
    fn json(&self) -> impl Iterator<Item = String> {
        let head = format!("{{\"order\": {}, \"runs\": [\n", self.order);
        let last = self.rows.len().saturating_sub(1);
        let rows = self.rows.iter().enumerate();
        let rows = rows.map(move |(n, row)| format!("  {}{}\n", row.json(), if n < last { "," } else { "" }));
        once(head).chain(rows).chain(once("]}\n".to_owned()))
    }
}

impl Row {
    /// Its result and its further files.
    fn files(&self) -> impl Iterator<Item = (Member, &Handout)> {
        let at = self.finished_at.unwrap_or(self.created_at);
        let result = self.file.iter().map(|(name, handout)| (name, handout));
        let more = self.more.iter().map(|(_, name, handout)| (name, handout));
        result.chain(more).map(move |(name, handout)| {
            (Member { name: name.clone(), len: handout.image.bytes, at }, handout)
        })
    }

    fn csv(&self) -> String {
        let image = self.file.as_ref().map(|(_, handout)| &handout.image);
        let cells = [
            self.file.as_ref().map(|(name, _)| name.clone()),
            Some(self.run.clone()),
            Some(self.status.as_str().to_owned()),
            Some(self.input_name.to_string()),
            self.input.map(|hash| hash.to_string()),
            image.map(|image| image.hash.to_string()),
            image.map(|image| image.media_type.clone()),
            image.map(|image| image.bytes.to_string()),
            image.map(|image| image.width.to_string()),
            image.map(|image| image.height.to_string()),
            Some(self.created_at.to_string()),
            self.finished_at.map(|at| at.to_string()),
            Some(self.charged.to_string()),
            self.failure.clone(),
        ];
        cells.map(|cell| quoted(&cell.unwrap_or_default())).join(",") + "\r\n"
    }

    fn json(&self) -> serde_json::Value {
        let image = self.file.as_ref().map(|(_, handout)| &handout.image);
        json!({
            "file": self.file.as_ref().map(|(name, _)| name),
            "run_id": self.run,
            "status": self.status.as_str(),
            "input_name": self.input_name.as_str(),
            "input_sha256": self.input.map(|hash| hash.to_string()),
            "result_sha256": image.map(|image| image.hash.to_string()),
            "media_type": image.map(|image| &image.media_type),
            "bytes": image.map(|image| image.bytes),
            "width": image.map(|image| image.width),
            "height": image.map(|image| image.height),
            "created_at": self.created_at.to_string(),
            "finished_at": self.finished_at.map(|at| at.to_string()),
            "charged": self.charged,
            "failure": self.failure,
            "labels": self.labels,
            "more": self.more.iter().map(further).collect::<BTreeMap<_, _>>(),
        })
    }
}

/// A further file as the manifest tells of it, by its label.
fn further((label, name, handout): &(String, String, Handout)) -> (&str, serde_json::Value) {
    let image = &handout.image;
    let told = json!({
        "file": name,
        "sha256": image.hash.to_string(),
        "media_type": image.media_type,
        "bytes": image.bytes,
        "width": image.width,
        "height": image.height,
    });
    (label, told)
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// Why an archive is not written to its end.
enum Stopped {
    /// Nobody reads it any more.
    Unread,
    /// It cannot be.
    Broken(io::Error),
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

async fn send(to: &Pieces, piece: impl Into<Bytes>) -> Result<(), Stopped> {
    to.send(Ok(piece.into())).await.map_err(|_| Stopped::Unread)
}

async fn write(contents: &Contents, to: &Pieces) -> Result<(), Stopped> {
    let mut writer = Writer::new();
    for (row, (member, handout)) in contents.files() {
        let run = &row.run;
        send(to, writer.begin(&member)).await?;
        let streamed =
            handout.stream(None).await.map_err(|refusal| Stopped::Broken(io::Error::other(refusal)))?;
        let (mut bytes, mut crc, mut len) = (streamed.bytes, crc32fast::Hasher::new(), 0);
        while let Some(next) = bytes.next().await {
            let piece = next.map_err(|error| Stopped::Broken(io::Error::other(error)))?;
            crc.update(&piece);
            len += piece.len() as u64;
            send(to, piece).await?;
        }
        if len != member.len {
            let text = format!("`{}` of run `{run}` has {len} bytes of {}", member.name, member.len);
            return Err(Stopped::Broken(io::Error::other(text)));
        }
        send(to, writer.end(&member, crc.finalize())).await?;
    }
    for member in contents.members().skip_while(|member| member.name != MANIFEST_CSV) {
        send(to, writer.begin(&member)).await?;
        let crc = if member.name == MANIFEST_CSV {
            send_text(to, contents.csv()).await?
        } else {
            send_text(to, contents.json()).await?
        };
        send(to, writer.end(&member, crc)).await?;
    }
    send(to, writer.finish()).await
}

/// Sends a text in pieces of a fair size; answers its CRC-32.
async fn send_text(to: &Pieces, lines: impl Iterator<Item = String>) -> Result<u32, Stopped> {
    let mut crc = crc32fast::Hasher::new();
    let mut piece = String::new();
    for line in lines.chain(once(String::new())) {
        let is_end = line.is_empty();
        piece.push_str(&line);
        if piece.len() >= PIECE || is_end {
            crc.update(piece.as_bytes());
            send(to, std::mem::take(&mut piece)).await?;
        }
    }
    Ok(crc.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_files_share_a_name_in_any_case() {
        let mut names = Names::default();
        let given =
            ["a.jpg", "A.JPG", "a.jpg", "a (2).jpg", "manifest.csv", "plain", "plain", ".hidden", ".hidden"];
        let made: Vec<_> = given.into_iter().map(|name| names.unique(name)).collect();
        assert_eq!(
            made,
            [
                "a.jpg",
                "A (2).JPG",
                "a (3).jpg",
                "a (2) (2).jpg",
                "manifest (2).csv",
                "plain",
                "plain (2)",
                ".hidden",
                ".hidden (2)"
            ]
        );
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    }
}
