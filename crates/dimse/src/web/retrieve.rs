//! WADO-RS: objects as they are stored, part by part and piece by piece.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::{Service, WebError};
use crate::Uid;

const DOING: &str = "retrieving";

/// What is retrieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retrieve<'a> {
    /// Every instance of a study.
    Study(&'a Uid),
    /// Every instance of a series: study and series.
    Series(&'a Uid, &'a Uid),
    /// One instance: study, series and instance.
    Instance(&'a Uid, &'a Uid, &'a Uid),
}

/// The objects of an answer.
pub struct Parts {
    parts: Source,
}

enum Source {
    Multipart(multer::Multipart<'static>),
    /// An answer that is one object; `None` once it was taken.
    Single(Option<BoxStream<'static, Result<Bytes, WebError>>>, u64),
}

/// One object: a DICOM file.
pub struct Part {
    pieces: Pieces,
}

enum Pieces {
    Field(Box<multer::Field<'static>>),
    Whole(BoxStream<'static, Result<Bytes, WebError>>, u64),
}

impl Service {
    /// Asks for objects in the transfer syntax that they are stored in. They are read from the connection as they are taken.
    ///
    /// # Errors
    /// [`WebError`] where the server refuses, or answers with something other than DICOM objects.
    pub async fn retrieve(&self, what: Retrieve<'_>) -> Result<Parts, WebError> {
        let address = match what {
            Retrieve::Study(study) => self.address(&["studies", study.as_str()])?,
            Retrieve::Series(study, series) => self.address(&["studies", study.as_str(), "series", series.as_str()])?,
            Retrieve::Instance(study, series, instance) => {
                self.address(&["studies", study.as_str(), "series", series.as_str(), "instances", instance.as_str()])?
            }
        };
        let accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
        let response = self.send(self.http.get(address).header(ACCEPT, accept), DOING).await?;
        if response.status().as_u16() != 200 {
            return Err(self.refused(DOING, &response));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let host = self.host.clone();
        let pieces = response.bytes_stream().map(move |piece| {
            piece.map_err(|error| match error.is_timeout() {
                true => WebError::Timeout { doing: DOING, host: host.clone() },
                false => WebError::Connection { doing: DOING, host: host.clone(), reason: super::innermost(&error) },
            })
        });
        let (media, parameters) = kind.split_once(';').unwrap_or((&kind, ""));
        let parts = match media.trim().to_ascii_lowercase().as_str() {
            "application/dicom" => Source::Single(Some(pieces.boxed()), self.limits.object),
            "multipart/related" => {
                let boundary = boundary(parameters).ok_or(WebError::Answer("is multipart without a boundary"))?;
                let sizes = multer::SizeLimit::new().per_field(self.limits.object).whole_stream(self.limits.retrieve);
                let constraints = multer::Constraints::new().size_limit(sizes);
                Source::Multipart(multer::Multipart::with_constraints(pieces, boundary, constraints))
            }
            _ => return Err(WebError::Answer("is neither multipart/related nor application/dicom")),
        };
        Ok(Parts { parts })
    }

    /// Retrieves one instance into `sink`; returns the file's bytes in number. What is written is the server's: neither its UIDs nor its
    /// content were judged.
    ///
    /// # Errors
    /// As [`Service::retrieve`], where the answer holds none or several objects, and those of `sink`.
    pub async fn retrieve_instance(
        &self,
        (study, series, instance): (&Uid, &Uid, &Uid),
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, WebError> {
        let mut parts = self.retrieve(Retrieve::Instance(study, series, instance)).await?;
        let mut part = parts.next().await?.ok_or(WebError::Answer("holds no object"))?;
        let mut n = 0;
        while let Some(piece) = part.next().await? {
            sink.write_all(&piece).await?;
            n += piece.len() as u64;
        }
        drop(part);
        if parts.next().await?.is_some() {
            return Err(WebError::Answer("holds several objects, where one was asked for"));
        }
        sink.flush().await?;
        Ok(n)
    }
}

impl Parts {
    /// The next object; the one before must have been dropped. `None` after the last.
    ///
    /// # Errors
    /// [`WebError`] where the connection breaks, a limit is reached, or the answer is cut short.
    pub async fn next(&mut self) -> Result<Option<Part>, WebError> {
        match &mut self.parts {
            Source::Single(stream, left) => {
                Ok(stream.take().map(|stream| Part { pieces: Pieces::Whole(stream, *left) }))
            }
            Source::Multipart(multipart) => {
                let Some(field) = multipart.next_field().await.map_err(unpack)? else { return Ok(None) };
                // The parser takes a part without headers for the headers of the next one; each part must have its type.
                if field.content_type().is_none_or(|kind| kind.essence_str() != "application/dicom") {
                    return Err(WebError::Answer("holds a part that is not application/dicom"));
                }
                Ok(Some(Part { pieces: Pieces::Field(Box::new(field)) }))
            }
        }
    }
}

impl Part {
    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// As [`Parts::next`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, WebError> {
        match &mut self.pieces {
            Pieces::Field(field) => field.chunk().await.map_err(unpack),
            Pieces::Whole(stream, left) => {
                let Some(piece) = stream.next().await.transpose()? else { return Ok(None) };
                *left = left.checked_sub(piece.len() as u64).ok_or(WebError::Limit("bytes of an object"))?;
                Ok(Some(piece))
            }
        }
    }
}

/// The parser's errors: a limit, the connection's own, or a malformed answer.
fn unpack(error: multer::Error) -> WebError {
    match error {
        multer::Error::FieldSizeExceeded { .. } => WebError::Limit("bytes of an object"),
        multer::Error::StreamSizeExceeded { .. } => WebError::Limit("bytes of a retrieve"),
        multer::Error::StreamReadFailed(inner) => match inner.downcast::<WebError>() {
            Ok(error) => *error,
            Err(_) => WebError::Answer("broke off"),
        },
        multer::Error::IncompleteStream | multer::Error::IncompleteFieldData { .. } => WebError::Answer("is cut short"),
        _ => WebError::Answer("is no multipart body"),
    }
}

/// The boundary among a media type's parameters, quoted or not; 1 to 70 characters (RFC 2046 5.1.1).
fn boundary(parameters: &str) -> Option<String> {
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    (1..=70).contains(&value.len()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_found_quoted_or_not() {
        assert_eq!(boundary(r#" type="application/dicom"; boundary="a-b""#).as_deref(), Some("a-b"));
        assert_eq!(boundary("Boundary=x; start=y").as_deref(), Some("x"));
        assert_eq!(boundary("type=x"), None);
        assert_eq!(boundary("boundary="), None);
    }
}
