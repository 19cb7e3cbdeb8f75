//! `multipart/form-data` (RFC 7578) as clients really write it, parsed as a stream: no part is ever held in memory.
//! Tolerates unquoted names, raw UTF-8, `%22` for quotes, RFC 5987 names, parts without a type, and part headers that
//! say nothing.

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use memchr::memmem::Finder;

use crate::body::{BodyFault, fault};

mod disposition;

pub(crate) use disposition::boundary;
use disposition::{Disposition, disposition};

/// Longest headers of one part, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most parts in one body.
const PARTS_MAX: usize = 100;
/// Longest text before the first part, in bytes.
const PREAMBLE_BYTES_MAX: usize = 64 * 1024;

/// Why a body is no multipart form.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormFault {
    /// It could not be read.
    #[error(transparent)]
    Body(#[from] BodyFault),
    /// It is not what its type says.
    #[error("the multipart form is broken: {0}")]
    Malformed(&'static str),
}

/// What the headers of a part say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartHead {
    /// The field's name.
    pub(crate) name: Option<String>,
    /// The file's name, if it is a file.
    pub(crate) file_name: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Preamble,
    Head,
    Content,
    End,
}

/// A form being read, part after part.
pub(crate) struct Multipart {
    body: BodyDataStream,
    ended: bool,
    buffer: BytesMut,
    /// Finds carriage return, line feed, two hyphens, boundary.
    delimiter: Finder<'static>,
    at: At,
    parts: usize,
    /// Bytes the whole form may have yet.
    left: u64,
    /// Bytes the whole form may have.
    limit: u64,
}

impl Multipart {
    /// Reads that body, whose parts are divided by that boundary; refuses it past `limit` bytes in all.
    pub(crate) fn new(body: Body, boundary: &str, limit: u64) -> Self {
        // The first boundary may open the body; a line break before it makes it like the others.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        let delimiter = Finder::new(&[b"\r\n--", boundary.as_bytes()].concat()).into_owned();
        Self {
            body: body.into_data_stream(),
            ended: false,
            buffer,
            delimiter,
            at: At::Preamble,
            parts: 0,
            left: limit,
            limit,
        }
    }

    /// Reads more; answers whether there was more.
    async fn fill(&mut self) -> Result<bool, FormFault> {
        if self.ended {
            return Ok(false);
        }
        match self.body.next().await {
            Some(Ok(bytes)) => {
                let too_large = || BodyFault::TooLarge(usize::try_from(self.limit).unwrap_or(usize::MAX));
                self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(too_large)?;
                self.buffer.extend_from_slice(&bytes);
                Ok(true)
            }
            Some(Err(error)) => Err(fault(&error).into()),
            None => {
                self.ended = true;
                Ok(false)
            }
        }
    }

    async fn need(&mut self, what: &'static str) -> Result<(), FormFault> {
        if self.fill().await? { Ok(()) } else { Err(FormFault::Malformed(what)) }
    }

    /// The next part, passing over what is left of the present one; `None` after the last.
    pub(crate) async fn next_part(&mut self) -> Result<Option<PartHead>, FormFault> {
        loop {
            match self.at {
                At::End => return Ok(None),
                At::Content => while self.next_chunk().await?.is_some() {},
                At::Preamble => self.pass_preamble().await?,
                At::Head => {
                    self.parts += 1;
                    if self.parts > PARTS_MAX {
                        return Err(FormFault::Malformed("it has more than 100 parts"));
                    }
                    let head = self.read_head().await?;
                    self.at = At::Content;
                    return Ok(Some(head));
                }
            }
        }
    }

    async fn pass_preamble(&mut self) -> Result<(), FormFault> {
        let mut passed = 0;
        loop {
            if let Some(at) = self.delimiter.find(&self.buffer) {
                let _ = self.buffer.split_to(at + self.delimiter.needle().len());
                return self.after_delimiter().await;
            }
            let keep = self.delimiter.needle().len() - 1;
            let drop = self.buffer.len().saturating_sub(keep);
            let _ = self.buffer.split_to(drop);
            passed += drop;
            if passed > PREAMBLE_BYTES_MAX {
                return Err(FormFault::Malformed("its boundary is not the one its content type names"));
            }
            self.need("its boundary is not the one its content type names").await?;
        }
    }

    /// After a boundary comes a line break and another part, or two hyphens and the end. Blanks may stand between.
    async fn after_delimiter(&mut self) -> Result<(), FormFault> {
        const CUT: &str = "it ends within a boundary";
        while self.buffer.len() < 2 {
            self.need(CUT).await?;
        }
        if self.buffer.starts_with(b"--") {
            self.at = At::End;
            return Ok(());
        }
        loop {
            let blanks = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let rest = &self.buffer[blanks..];
            match rest {
                [b'\r', b'\n', ..] => {
                    let _ = self.buffer.split_to(blanks + 2);
                    self.at = At::Head;
                    return Ok(());
                }
                [b'\n', ..] => {
                    let _ = self.buffer.split_to(blanks + 1);
                    self.at = At::Head;
                    return Ok(());
                }
                [] | [b'\r'] if self.buffer.len() < HEAD_BYTES_MAX => self.need(CUT).await?,
                _ => {
                    return Err(FormFault::Malformed(
                        "a boundary is followed by neither a line break nor its end",
                    ));
                }
            }
        }
    }

    async fn read_head(&mut self) -> Result<PartHead, FormFault> {
        let mut head = PartHead::default();
        let mut read = 0;
        loop {
            let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
                if read + self.buffer.len() > HEAD_BYTES_MAX {
                    return Err(FormFault::Malformed("a part's headers are longer than 16 KiB"));
                }
                self.need("it ends within a part's headers").await?;
                continue;
            };
            read += end + 1;
            if read > HEAD_BYTES_MAX {
                return Err(FormFault::Malformed("a part's headers are longer than 16 KiB"));
            }
            let line = self.buffer.split_to(end + 1);
            let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
            if line.is_empty() {
                return Ok(head);
            }
            if let Some(Disposition { name, file_name }) = disposition(line) {
                head = PartHead { name, file_name };
            }
        }
    }

    /// More of the present part; `None` at its end.
    pub(crate) async fn next_chunk(&mut self) -> Result<Option<Bytes>, FormFault> {
        if self.at != At::Content {
            return Ok(None);
        }
        loop {
            if let Some(at) = self.delimiter.find(&self.buffer) {
                if at > 0 {
                    return Ok(Some(self.buffer.split_to(at).freeze()));
                }
                let _ = self.buffer.split_to(self.delimiter.needle().len());
                self.after_delimiter().await?;
                return Ok(None);
            }
            // The last bytes may begin a boundary whose end has not come yet.
            let sure = self.buffer.len().saturating_sub(self.delimiter.needle().len() - 1);
            if sure > 0 {
                return Ok(Some(self.buffer.split_to(sure).freeze()));
            }
            self.need("it ends before its last boundary; send the whole form").await?;
        }
    }

    /// The whole of the present part as text, if it is no longer than `limit` bytes.
    pub(crate) async fn text(&mut self, limit: usize) -> Result<String, FormFault> {
        let mut gathered = Vec::new();
        while let Some(chunk) = self.next_chunk().await? {
            if gathered.len() + chunk.len() > limit {
                return Err(FormFault::Malformed("a text field is too long"));
            }
            gathered.extend_from_slice(&chunk);
        }
        Ok(String::from_utf8_lossy(&gathered).into_owned())
    }
}

#[cfg(test)]
mod tests;
