//! STOW-RS: files to a server, read as they are sent.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use reqwest::Body;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

use super::{Service, WebError};
use crate::{Status, Uid};

const DOING: &str = "storing";
/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// What a server made of the files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// The instances that it stored.
    pub stored: Vec<Uid>,
    /// Those that it did not, each with the reason.
    pub failed: Vec<(Uid, Status)>,
}

impl Service {
    /// Stores DICOM files; no more than one piece of one file is in memory.
    ///
    /// # Errors
    /// [`WebError`] where a file cannot be read, the server refuses, or its answer names no instance. A file that changes its length
    /// while it is sent breaks the connection.
    pub async fn store(&self, files: &[impl AsRef<Path>]) -> Result<Stored, WebError> {
        // Random enough: a boundary that a file holds would have to be guessed before this process began to send it.
        let boundary = format!("coxa-{:032x}", unique());
        let mut length = 0;
        let mut pieces = Vec::new();
        for file in files {
            let file = file.as_ref().to_owned();
            let head = format!("--{boundary}\r\nContent-Type: application/dicom\r\n\r\n");
            length += head.len() as u64 + tokio::fs::metadata(&file).await?.len() + 2;
            pieces.extend([Piece::Text(head), Piece::File(file), Piece::Text("\r\n".to_owned())]);
        }
        let tail = format!("--{boundary}--\r\n");
        length += tail.len() as u64;
        pieces.push(Piece::Text(tail));
        let body = stream::iter(pieces).map(|piece| Ok::<_, io::Error>(piece.bytes())).try_flatten();
        let request = self
            .http
            .post(self.address(&["studies"])?)
            .header(ACCEPT, "application/dicom+json")
            .header(CONTENT_TYPE, format!("multipart/related; type=\"application/dicom\"; boundary={boundary}"))
            .header(CONTENT_LENGTH, length)
            .body(Body::wrap_stream(body));
        let response = self.send(request, DOING).await?;
        // Some stored, or none: the answer names each either way.
        if !matches!(response.status().as_u16(), 200 | 202 | 409) {
            return Err(self.refused(DOING, &response));
        }
        let refused = self.refused(DOING, &response);
        let is_conflict = response.status().as_u16() == 409;
        let body = self.body(DOING, response).await?;
        match serde_json::from_slice(&body) {
            Ok(answer) => Ok(read(&answer)?),
            Err(_) if is_conflict => Err(refused),
            Err(_) => Err(WebError::Answer("is no JSON")),
        }
    }
}

/// A part of a body.
enum Piece {
    Text(String),
    File(PathBuf),
}

impl Piece {
    fn bytes(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::try_unfold(State::New(self), |state| async move {
            let mut file = match state {
                State::New(Piece::Text(text)) => return Ok(Some((Bytes::from(text), State::End))),
                State::New(Piece::File(path)) => tokio::fs::File::open(path).await?,
                State::Open(file) => file,
                State::End => return Ok(None),
            };
            let mut piece = BytesMut::with_capacity(PIECE);
            let n = file.read_buf(&mut piece).await?;
            Ok((n > 0).then(|| (piece.freeze(), State::Open(file))))
        })
    }
}

enum State {
    New(Piece),
    Open(tokio::fs::File),
    End,
}

/// A number that no other call has: the hasher of the standard library is seeded by the system.
fn unique() -> u128 {
    use std::hash::{BuildHasher as _, RandomState};
    let half = |n: u8| u128::from(RandomState::new().hash_one(n));
    half(0) << 64 | half(1)
}

/// Reads a store instance response (PS3.18 table 10.5.3-1, in DICOM JSON).
fn read(answer: &Value) -> Result<Stored, WebError> {
    let items = |tag: &str| answer.get(tag).and_then(|element| element.get("Value")).and_then(Value::as_array);
    let value = |item: &Value, tag: &str| item.get(tag).and_then(|element| element.get("Value")?.get(0).cloned());
    let instance = |item: &Value| {
        let uid = value(item, "00081155").and_then(|uid| Uid::parse(uid.as_str()?));
        uid.ok_or(WebError::Answer("names an instance without a valid UID"))
    };
    let mut stored = Stored::default();
    for item in items("00081199").into_iter().flatten() {
        stored.stored.push(instance(item)?);
    }
    for item in items("00081198").into_iter().flatten() {
        let reason = value(item, "00081197").and_then(|reason| u16::try_from(reason.as_u64()?).ok());
        stored.failed.push((instance(item)?, reason.map_or(Status::PROCESSING_FAILURE, Status)));
    }
    if stored == Stored::default() {
        return Err(WebError::Answer("names no instance"));
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_what_was_stored_and_what_was_not() {
        let answer = serde_json::json!({
            "00081199": { "vr": "SQ", "Value": [{ "00081155": { "vr": "UI", "Value": ["2.25.1"] } }] },
            "00081198": { "vr": "SQ", "Value": [
                { "00081155": { "vr": "UI", "Value": ["2.25.2"] }, "00081197": { "vr": "US", "Value": [272] } },
            ] },
        });
        let uid = |text| Uid::parse(text).unwrap();
        let expected = Stored { stored: vec![uid("2.25.1")], failed: vec![(uid("2.25.2"), Status(0x0110))] };
        assert_eq!(read(&answer).unwrap(), expected);
        assert!(read(&serde_json::json!({})).is_err());
        let path = serde_json::json!({ "00081199": { "Value": [{ "00081155": { "Value": ["../../x"] } }] } });
        assert!(read(&path).is_err());
    }
}
