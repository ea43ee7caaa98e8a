//! An association that is established, in either role: messages in and out, within the policy's time and bytes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::time::Duration;

use bytes::BytesMut;
use dicom_ul::pdu::{self, AbortRQServiceProviderReason, AbortRQSource, PDataValue, PDataValueType, Pdu};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::client::{Denial, Proposal};
use crate::command::{CommandSet, MAX_COMMAND_BYTES};
use crate::commitment::Report;
use crate::error::{DimseError, Malformed};
use crate::policy::{Deadlines, Limits};
use crate::refusal::Refusal;

/// Bytes of the header of a PDU.
const HEADER: usize = 6;
/// Bytes of the header of a PDV and its control header.
const PDV_HEADER: usize = 6;
/// The most bytes of an association request or answer: 128 contexts of some transfer syntaxes, and user information.
const MAX_NEGOTIATION: u32 = 128 * 1024;
/// The most bytes of any other PDU but P-DATA-TF.
const MAX_SHORT: u32 = 64;

/// A connection, plain or TLS.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Its AE title.
    pub ae_title: String,
    /// The title that was called.
    pub called: String,
    /// Its implementation class UID and version name.
    pub implementation: (String, String),
    /// SHA-256 of its certificate, in hexadecimal digits, where it showed one.
    pub certificate: Option<String>,
}

/// A presentation context that was agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Its number, odd.
    pub id: u8,
    /// The SOP class UID.
    pub abstract_syntax: String,
    /// The transfer syntax UID.
    pub transfer_syntax: String,
}

/// What arrives next.
#[derive(Debug)]
pub enum Incoming {
    /// A command; its data set, if it has one, is read by [`Association::data`].
    Command {
        /// The context that it came on.
        context: Context,
        /// The command set.
        command: CommandSet,
    },
    /// The peer releases the association; it was answered.
    Released,
}

/// A PDU stream with its deadlines and limits.
pub(crate) struct Wire {
    connection: Box<dyn Connection>,
    input: BytesMut,
    idle: Duration,
    ends: Instant,
    bytes_left: u64,
    pub(crate) max_receive: u32,
}

impl Wire {
    pub(crate) fn new(connection: Box<dyn Connection>, deadlines: &Deadlines, limits: &Limits) -> Self {
        Self {
            connection,
            input: BytesMut::new(),
            idle: deadlines.idle,
            ends: Instant::now() + deadlines.total,
            bytes_left: limits.association,
            max_receive: limits.pdu.clamp(*Limits::PDU.start(), *Limits::PDU.end()),
        }
    }

    /// The next PDU; its header is judged before any room is made for it.
    pub(crate) async fn receive(&mut self, doing: &'static str) -> Result<Pdu, DimseError> {
        self.fill(HEADER, doing).await?;
        let header = self.input.first_chunk::<HEADER>().copied().unwrap_or_default();
        let [kind, _, length @ ..] = header;
        let length = u32::from_be_bytes(length);
        judge(&header, length, self.max_receive)?;
        let whole = HEADER + length as usize;
        self.fill(whole, doing).await?;
        let bytes = self.input.split_to(whole).freeze();
        let most = self.max_receive.max(MAX_NEGOTIATION);
        // The codec takes fields on trust in places; what it stumbles on is a malformed PDU.
        let parsed = catch_unwind(|| pdu::read_pdu(bytes, most, true)).map_err(|_| Malformed::Pdu)?;
        match parsed {
            Ok(Some(Pdu::Unknown { .. })) => Err(Malformed::PduType(kind).into()),
            Ok(Some(pdu)) => Ok(pdu),
            Ok(None) | Err(_) => Err(Malformed::Pdu.into()),
        }
    }

    async fn fill(&mut self, wanted: usize, doing: &'static str) -> Result<(), DimseError> {
        while self.input.len() < wanted {
            let missing = wanted - self.input.len();
            // No more than a PDU at once, so that a length that was announced takes no room before its bytes come.
            self.input.reserve(missing.min(64 * 1024));
            let until = (Instant::now() + self.idle).min(self.ends);
            let read = timeout_at(until, self.connection.read_buf(&mut self.input)).await;
            let n = match read {
                Ok(result) => result?,
                Err(_) if Instant::now() >= self.ends => return Err(DimseError::Limit("time")),
                Err(_) => return Err(DimseError::Timeout { doing, after: self.idle }),
            };
            if n == 0 {
                return Err(DimseError::Closed(doing));
            }
            self.bytes_left = self.bytes_left.checked_sub(n as u64).ok_or(DimseError::Limit("bytes"))?;
        }
        Ok(())
    }

    pub(crate) async fn send(&mut self, pdu: &Pdu) -> Result<(), DimseError> {
        let mut bytes = Vec::new();
        pdu::write_pdu(&mut bytes, pdu).map_err(|_| DimseError::Misuse("a PDU cannot be encoded"))?;
        self.send_bytes(&bytes).await
    }

    async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), DimseError> {
        let until = (Instant::now() + self.idle).min(self.ends);
        let sent = timeout_at(until, async {
            self.connection.write_all(bytes).await?;
            self.connection.flush().await
        });
        match sent.await {
            Ok(result) => Ok(result?),
            Err(_) => Err(DimseError::Timeout { doing: "it was to take a PDU", after: self.idle }),
        }
    }

    /// Aborts, as far as the peer still listens, and closes.
    pub(crate) async fn abort(&mut self, reason: AbortRQServiceProviderReason) {
        let source = AbortRQSource::ServiceProvider(reason);
        // The connection ends either way.
        let _ = self.send(&Pdu::AbortRQ { source }).await;
        self.close().await;
    }

    pub(crate) async fn close(&mut self) {
        let until = Instant::now() + self.idle.min(Duration::from_secs(2));
        // The peer may be gone already.
        let _ = timeout_at(until, self.connection.shutdown()).await;
    }
}

/// Refuses a PDU by its first six bytes.
fn judge(header: &[u8; HEADER], length: u32, max_receive: u32) -> Result<(), Malformed> {
    let kind = header[0];
    if let Some(protocol) = other_protocol(header) {
        return Err(Malformed::Protocol(protocol));
    }
    let most = match kind {
        0x01 | 0x02 => MAX_NEGOTIATION,
        0x04 => max_receive,
        0x03 | 0x05..=0x07 => MAX_SHORT,
        _ => return Err(Malformed::PduType(kind)),
    };
    if length > most { Err(Malformed::PduLength { length, most }) } else { Ok(()) }
}

/// Another protocol than DICOM's, by how it begins.
fn other_protocol(header: &[u8; HEADER]) -> Option<&'static str> {
    const METHODS: [&[u8]; 6] = [b"GET ", b"POST", b"PUT ", b"HEAD", b"OPTI", b"PRI "];
    if header.starts_with(&[0x16, 0x03]) {
        return Some("a TLS handshake");
    }
    if header.starts_with(&[0x15, 0x03]) {
        return Some("a TLS alert");
    }
    if METHODS.iter().any(|method| header.starts_with(method)) {
        return Some("an HTTP request");
    }
    header.starts_with(b"SSH-").then_some("SSH")
}

/// An association that is established.
pub struct Association {
    pub(crate) wire: Wire,
    pub(crate) peer: Peer,
    pub(crate) contexts: Vec<Context>,
    /// The most bytes of a PDU that the peer takes.
    pub(crate) max_send: u32,
    pub(crate) max_data_set: u64,
    pending: VecDeque<PDataValue>,
    open_data: Option<OpenData>,
    next_message: u16,
    /// What the peer did not accept of what was proposed.
    pub(crate) denied: Vec<(Proposal, Denial)>,
    /// Reports that came before they were asked for.
    pub(crate) early_reports: VecDeque<Report>,
    /// What is kept of it where no context was accepted.
    pub(crate) unsupported: Option<Box<Refusal>>,
}

/// A data set that has begun to arrive.
struct OpenData {
    context: u8,
    bytes_left: u64,
}

impl Association {
    pub(crate) fn new(wire: Wire, peer: Peer, contexts: Vec<Context>, max_send: u32, max_data_set: u64) -> Self {
        Self {
            wire,
            peer,
            contexts,
            max_send,
            max_data_set,
            pending: VecDeque::new(),
            open_data: None,
            next_message: 0,
            denied: Vec::new(),
            early_reports: VecDeque::new(),
            unsupported: None,
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The contexts that were agreed on.
    pub fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// The proposals that the peer did not accept, each with its reason; none where the peer requested the association.
    pub fn denied(&self) -> &[(Proposal, Denial)] {
        &self.denied
    }

    /// A number for the next request; never 0.
    pub(crate) fn message_id(&mut self) -> u16 {
        self.next_message = self.next_message.checked_add(1).unwrap_or(1);
        self.next_message
    }

    /// Waits for the next command, or the peer's release.
    ///
    /// # Errors
    /// [`DimseError`]: after one, the association can only be aborted. [`DimseError::Misuse`] while a data set is not read to its end.
    pub async fn receive(&mut self) -> Result<Incoming, DimseError> {
        if self.open_data.is_some() {
            return Err(DimseError::Misuse("a data set was not read to its end"));
        }
        let mut bytes = Vec::new();
        let mut context = None;
        loop {
            let value = match self.next_value("a command was awaited").await? {
                Some(value) => value,
                None if context.is_some() => return Err(Malformed::Unexpected("release within a command").into()),
                None => return Ok(Incoming::Released),
            };
            let id = value.presentation_context_id;
            if value.value_type != PDataValueType::Command || context.is_some_and(|open| open != id) {
                return Err(Malformed::Unexpected("data where a command was due").into());
            }
            context = Some(id);
            bytes.extend_from_slice(&value.data);
            if bytes.len() > MAX_COMMAND_BYTES {
                return Err(Malformed::Command("longer than any command of the standard").into());
            }
            if !value.is_last {
                continue;
            }
            let context = self.contexts.iter().find(|context| context.id == id).cloned();
            let context = context.ok_or(Malformed::Context(id))?;
            let command = CommandSet::parse(&bytes)?;
            if command.has_data_set() {
                self.open_data = Some(OpenData { context: id, bytes_left: self.max_data_set });
            }
            return Ok(Incoming::Command { context, command });
        }
    }

    /// The next piece of the data set of the last command, as it comes; `None` after its end, and where there is none.
    ///
    /// # Errors
    /// As [`Association::receive`], and [`DimseError::Limit`] for a data set that is too large.
    pub async fn data(&mut self) -> Result<Option<Vec<u8>>, DimseError> {
        let Some(OpenData { context, bytes_left }) = self.open_data.take() else { return Ok(None) };
        let value = self.next_value("a data set was due").await?;
        let value = value.ok_or(Malformed::Unexpected("release within a data set"))?;
        if value.value_type != PDataValueType::Data || value.presentation_context_id != context {
            return Err(Malformed::Unexpected("command within a data set").into());
        }
        let left = bytes_left.checked_sub(value.data.len() as u64).ok_or(DimseError::Limit("bytes of a data set"))?;
        self.open_data = (!value.is_last).then_some(OpenData { context, bytes_left: left });
        Ok(Some(value.data))
    }

    /// Reads and drops what is left of the data set of the last command.
    ///
    /// # Errors
    /// As [`Association::data`].
    pub async fn skip_data(&mut self) -> Result<(), DimseError> {
        while self.data().await?.is_some() {}
        Ok(())
    }

    /// The whole data set of the last command, in memory.
    ///
    /// # Errors
    /// As [`Association::data`], and [`DimseError::Limit`] for more than `most` bytes.
    pub async fn data_whole(&mut self, most: usize) -> Result<Vec<u8>, DimseError> {
        let mut whole = Vec::new();
        while let Some(piece) = self.data().await? {
            if whole.len() + piece.len() > most {
                return Err(DimseError::Limit("bytes of a data set"));
            }
            whole.extend(piece);
        }
        Ok(whole)
    }

    /// The next PDV; `None` when the peer released, which is answered.
    async fn next_value(&mut self, doing: &'static str) -> Result<Option<PDataValue>, DimseError> {
        loop {
            if let Some(value) = self.pending.pop_front() {
                return Ok(Some(value));
            }
            match self.wire.receive(doing).await? {
                Pdu::PData { data } => self.pending.extend(data),
                Pdu::ReleaseRQ => {
                    self.wire.send(&Pdu::ReleaseRP).await?;
                    self.wire.close().await;
                    return Ok(None);
                }
                Pdu::AbortRQ { .. } => return Err(DimseError::Aborted),
                other => return Err(Malformed::Unexpected(kind_of(&other)).into()),
            }
        }
    }

    /// Sends a command.
    ///
    /// # Errors
    /// [`DimseError`] of the connection.
    pub async fn send_command(&mut self, context: u8, command: &CommandSet) -> Result<(), DimseError> {
        self.send_values(context, 1, &command.to_bytes(), true).await
    }

    /// Sends a data set that lies in memory.
    ///
    /// # Errors
    /// [`DimseError`] of the connection.
    pub async fn send_data(&mut self, context: u8, bytes: &[u8]) -> Result<(), DimseError> {
        self.send_values(context, 0, bytes, true).await
    }

    /// Sends a data set as it is read.
    ///
    /// # Errors
    /// [`DimseError`] of the connection, and of the source.
    pub async fn send_data_from(&mut self, context: u8, mut source: impl AsyncRead + Unpin) -> Result<(), DimseError> {
        let most = self.most_in_value();
        let (mut held, mut next) = (vec![0; most], vec![0; most]);
        let mut n = fill(&mut source, &mut held).await?;
        loop {
            // One piece is held back, so that the last one is known as the last.
            let n_next = fill(&mut source, &mut next).await?;
            self.send_values(context, 0, &held[..n], n_next == 0).await?;
            if n_next == 0 {
                return Ok(());
            }
            std::mem::swap(&mut held, &mut next);
            n = n_next;
        }
    }

    /// The most bytes of data in a PDV, an even number.
    fn most_in_value(&self) -> usize {
        (self.max_send as usize - PDV_HEADER) & !1
    }

    /// Sends a message's part in as many PDUs as the peer's maximum asks for.
    async fn send_values(&mut self, context: u8, kind: u8, bytes: &[u8], ends: bool) -> Result<(), DimseError> {
        let most = self.most_in_value();
        let mut rest = bytes;
        let mut pdu = Vec::with_capacity(HEADER + PDV_HEADER + most.min(rest.len()));
        loop {
            let piece = &rest[..rest.len().min(most)];
            rest = &rest[piece.len()..];
            let is_last = rest.is_empty() && ends;
            // Both lengths are below the peer's maximum, which is a u32.
            let value_length = piece.len() as u32 + 2;
            pdu.clear();
            pdu.extend([0x04, 0x00]);
            pdu.extend((value_length + 4).to_be_bytes());
            pdu.extend(value_length.to_be_bytes());
            pdu.extend([context, kind | (u8::from(is_last) << 1)]);
            pdu.extend_from_slice(piece);
            self.wire.send_bytes(&pdu).await?;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Releases the association and waits for the answer.
    ///
    /// # Errors
    /// [`DimseError`] where the peer does not answer.
    pub async fn release(mut self) -> Result<(), DimseError> {
        self.wire.send(&Pdu::ReleaseRQ).await?;
        loop {
            match self.wire.receive("a release was to be answered").await? {
                Pdu::ReleaseRP => break,
                // A collision (PS3.8 9.2): the peer releases too.
                Pdu::ReleaseRQ => self.wire.send(&Pdu::ReleaseRP).await?,
                Pdu::PData { .. } => {}
                Pdu::AbortRQ { .. } => return Err(DimseError::Aborted),
                other => return Err(Malformed::Unexpected(kind_of(&other)).into()),
            }
        }
        self.wire.close().await;
        Ok(())
    }

    /// Aborts the association.
    pub async fn abort(mut self) {
        self.wire.abort(AbortRQServiceProviderReason::ReasonNotSpecified).await;
    }
}

/// Reads until a buffer is full or the source ends.
async fn fill(source: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> Result<usize, DimseError> {
    let mut n = 0;
    while n < buffer.len() {
        match source.read(&mut buffer[n..]).await? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}

/// A PDU's name.
pub(crate) fn kind_of(pdu: &Pdu) -> &'static str {
    match pdu {
        Pdu::AssociationRQ(_) => "association request",
        Pdu::AssociationAC(_) => "association acceptance",
        Pdu::AssociationRJ(_) => "association rejection",
        Pdu::PData { .. } => "data",
        Pdu::ReleaseRQ => "release request",
        Pdu::ReleaseRP => "release answer",
        Pdu::AbortRQ { .. } => "abort",
        Pdu::Unknown { .. } => "PDU of an unknown type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pdu_is_judged_by_six_bytes() {
        let judged =
            |bytes: [u8; 6]| judge(&bytes, u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]), 16384);
        assert_eq!(judged(*b"GET / "), Err(Malformed::Protocol("an HTTP request")));
        assert_eq!(judged([0x16, 3, 1, 2, 0, 1]), Err(Malformed::Protocol("a TLS handshake")));
        assert_eq!(judged([4, 0, 0xFF, 0xFF, 0xFF, 0xFF]), Err(Malformed::PduLength { length: u32::MAX, most: 16384 }));
        assert_eq!(judged([1, 0, 0, 0x20, 0, 0]), Err(Malformed::PduLength { length: 1 << 21, most: MAX_NEGOTIATION }));
        assert_eq!(judged([9, 0, 0, 0, 0, 0]), Err(Malformed::PduType(9)));
        assert_eq!(judged([4, 0, 0, 0, 0x40, 0]), Ok(()));
        assert_eq!(judged([5, 0, 0, 0, 0, 4]), Ok(()));
    }
}
