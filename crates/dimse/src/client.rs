//! A service class user: requests an association and asks for services.

use std::collections::BTreeSet;
use std::time::Duration;

use dicom_ul::pdu::{
    AssociationRJResult, AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResultReason,
    RequestorRoles, UserVariableItem,
};
use tokio::io::AsyncRead;
use tokio::net::TcpStream;

use crate::accept::{APPLICATION_CONTEXT, implementation, max_length, user_information};
use crate::association::{Association, Connection, Context, Incoming, Peer, Wire, kind_of};
use crate::command::{CommandSet, DataSet, Operation, element};
use crate::error::{DimseError, Malformed};
use crate::policy::{Deadlines, Limits};
use crate::tls::Connector;
use crate::{Status, Uid};

/// The verification SOP class (C-ECHO).
pub const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Implicit VR Little Endian.
pub const IMPLICIT_VR: &str = "1.2.840.10008.1.2";
/// Explicit VR Little Endian.
pub const EXPLICIT_VR: &str = "1.2.840.10008.1.2.1";

/// How an association is requested.
#[derive(Clone)]
pub struct Call {
    /// `host:port`.
    pub to: String,
    /// The title of the peer.
    pub called: String,
    /// This node's title.
    pub calling: String,
    /// What is asked for: SOP class UIDs, each with the transfer syntaxes to choose from, and whether the peer is to send objects of it
    /// (C-GET).
    pub proposals: Vec<Proposal>,
    /// TLS, where the peer wants it.
    pub tls: Option<Connector>,
    /// How long the peer may take.
    pub deadlines: Deadlines,
    /// How much it may send.
    pub limits: Limits,
    /// This node's implementation class UID and version name.
    pub implementation: (String, String),
}

/// A presentation context to propose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The SOP class UID.
    pub abstract_syntax: String,
    /// Transfer syntax UIDs.
    pub transfer_syntaxes: Vec<String>,
    /// Who sends the objects.
    pub direction: Direction,
}

/// Who sends the objects of a SOP class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The requestor.
    Ours,
    /// The acceptor, in answer to a C-GET. The requestor is then the provider of the service, as one that reports storage commitment is
    /// too ([`commitment::reporting`](crate::commitment::reporting)).
    Theirs,
}

impl Proposal {
    /// For services other than a C-GET's stores.
    pub fn new(abstract_syntax: &str, transfer_syntaxes: &[&str]) -> Self {
        Self {
            abstract_syntax: abstract_syntax.to_owned(),
            transfer_syntaxes: transfer_syntaxes.iter().map(|&syntax| syntax.to_owned()).collect(),
            direction: Direction::Ours,
        }
    }
}

/// Why a peer does not accept a presentation context (PS3.8 table 9-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denial {
    /// It knows the service, but does not allow it.
    User,
    /// It gives no reason.
    NoReason,
    /// It does not offer the service.
    AbstractSyntax,
    /// It offers the service, but in other transfer syntaxes.
    TransferSyntaxes,
}

impl Denial {
    /// The reason of an answer; `None` for an acceptance.
    pub(crate) fn of(reason: &PresentationContextResultReason) -> Option<Self> {
        match reason {
            PresentationContextResultReason::Acceptance => None,
            PresentationContextResultReason::UserRejection => Some(Self::User),
            PresentationContextResultReason::NoReason => Some(Self::NoReason),
            PresentationContextResultReason::AbstractSyntaxNotSupported => Some(Self::AbstractSyntax),
            PresentationContextResultReason::TransferSyntaxesNotSupported => Some(Self::TransferSyntaxes),
        }
    }
}

/// Requests an association.
///
/// # Errors
/// [`DimseError`]: the peer cannot be reached, rejects the association, or breaks the protocol.
pub async fn connect(call: &Call) -> Result<Association, DimseError> {
    let opening = call.deadlines.opening;
    let late = |_| DimseError::Timeout { doing: "a connection was to open", after: opening };
    let connect_error = |source| DimseError::Connect { to: call.to.clone(), source };
    let stream =
        tokio::time::timeout(opening, TcpStream::connect(&call.to)).await.map_err(late)?.map_err(connect_error)?;
    stream.set_nodelay(true)?;
    let address = stream.peer_addr()?;
    let connection: Box<dyn Connection> = match &call.tls {
        None => Box::new(stream),
        Some(tls) => {
            let host = call.to.rsplit_once(':').map_or(call.to.as_str(), |(host, _)| host);
            tokio::time::timeout(opening, tls.connect(host, stream)).await.map_err(late)??
        }
    };
    let mut wire = Wire::new(connection, &call.deadlines, &call.limits);
    let request = request(call, wire.max_receive)?;
    wire.send(&Pdu::AssociationRQ(request.clone())).await?;
    match wire.receive("an association was to be answered").await? {
        Pdu::AssociationAC(answer) => {
            let contexts = answer
                .presentation_contexts
                .iter()
                .filter(|context| context.reason == PresentationContextResultReason::Acceptance)
                .filter_map(|context| {
                    let proposed = request.presentation_contexts.iter().find(|p| p.id == context.id)?;
                    let transfer_syntax = context.transfer_syntax.trim_end_matches(['\0', ' ']).to_owned();
                    // A peer that answers with what was not proposed is not understood later.
                    let is_ours = proposed.transfer_syntaxes.contains(&transfer_syntax);
                    let abstract_syntax = proposed.abstract_syntax.clone();
                    is_ours.then_some(Context { id: context.id, abstract_syntax, transfer_syntax })
                })
                .collect();
            let refused = answer.presentation_contexts.iter().filter_map(|context| {
                let denial = Denial::of(&context.reason)?;
                let place = usize::from(context.id / 2);
                Some((call.proposals.get(place)?.clone(), denial))
            });
            let denied = refused.collect();
            let max_send = max_length(&answer.user_variables, wire.max_receive);
            let peer = Peer {
                address,
                ae_title: call.called.clone(),
                called: call.called.clone(),
                implementation: implementation(&answer.user_variables),
                certificate: None,
            };
            let mut association = Association::new(wire, peer, contexts, max_send, call.limits.data_set);
            association.denied = denied;
            Ok(association)
        }
        Pdu::AssociationRJ(rejection) => {
            wire.close().await;
            let is_transient = rejection.result == AssociationRJResult::Transient;
            Err(DimseError::Rejected { reason: rejection.source.to_string(), is_transient })
        }
        Pdu::AbortRQ { .. } => Err(DimseError::Aborted),
        other => Err(Malformed::Unexpected(kind_of(&other)).into()),
    }
}

fn request(call: &Call, max_receive: u32) -> Result<AssociationRQ, DimseError> {
    let is_title = |title: &str| {
        (1..=16).contains(&title.len()) && title.bytes().all(|byte| (0x20..0x7F).contains(&byte) && byte != b'\\')
    };
    if !is_title(&call.called) || !is_title(&call.calling) {
        return Err(DimseError::Misuse("an AE title is 1 to 16 printable ASCII characters without a backslash"));
    }
    if call.proposals.is_empty() || call.proposals.len() > 128 {
        return Err(DimseError::Misuse("an association has 1 to 128 presentation contexts"));
    }
    let contexts = call.proposals.iter().enumerate().map(|(i, proposal)| PresentationContextProposed {
        // At most 128 of them, so the last is 255.
        id: (2 * i + 1) as u8,
        abstract_syntax: proposal.abstract_syntax.clone(),
        transfer_syntaxes: proposal.transfer_syntaxes.clone(),
    });
    let mut user_variables = user_information(max_receive, &call.implementation);
    // A role is selected for a SOP class, however many contexts propose it.
    let reversed = call.proposals.iter().filter(|proposal| proposal.direction == Direction::Theirs);
    let reversed: BTreeSet<&String> = reversed.map(|proposal| &proposal.abstract_syntax).collect();
    user_variables.extend(reversed.into_iter().map(|class| {
        let roles = RequestorRoles { scu: false, scp: true };
        UserVariableItem::ScuScpRoleSelectionSubItem(class.clone(), roles)
    }));
    Ok(AssociationRQ {
        protocol_version: 1,
        calling_ae_title: call.calling.clone(),
        called_ae_title: call.called.clone(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: contexts.collect(),
        user_variables,
    })
}

/// An object to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The SOP class.
    pub sop_class: Uid,
    /// The instance.
    pub sop_instance: Uid,
    /// The transfer syntax of the data set.
    pub transfer_syntax: String,
}

/// Counts of a C-MOVE's or C-GET's sub-operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubOperations {
    /// Done.
    pub completed: u16,
    /// Failed.
    pub failed: u16,
    /// Done with a warning.
    pub warnings: u16,
}

impl Association {
    /// C-ECHO.
    ///
    /// # Errors
    /// [`DimseError::NoContext`] where verification was not agreed on; or the connection's.
    pub async fn echo(&mut self) -> Result<Status, DimseError> {
        let context = self.context(VERIFICATION, None)?;
        let id = self.message_id();
        let request = CommandSet::request(Operation::Echo, id, DataSet::Absent)
            .with_uid(element::AFFECTED_SOP_CLASS, &standard(VERIFICATION)?);
        self.send_command(context.id, &request).await?;
        let (_, response) = self.response(id).await?;
        self.skip_data().await?;
        status_of(&response)
    }

    /// C-STORE of a data set that is read from `source`.
    ///
    /// # Errors
    /// [`DimseError::NoContext`] where the class was not agreed on in this transfer syntax; or the connection's.
    pub async fn store(&mut self, object: &Object, source: impl AsyncRead + Unpin) -> Result<Status, DimseError> {
        self.store_for(None, object, source).await
    }

    /// [`Association::store`] on behalf of a peer that moves the object: its title and the number of its C-MOVE.
    pub(crate) async fn store_for(
        &mut self,
        originator: Option<(&str, u16)>,
        object: &Object,
        source: impl AsyncRead + Unpin,
    ) -> Result<Status, DimseError> {
        let context = self.context(object.sop_class.as_str(), Some(&object.transfer_syntax))?;
        let id = self.message_id();
        let mut request = CommandSet::request(Operation::Store, id, DataSet::Follows)
            .with_u16(element::PRIORITY, 0)
            .with_uid(element::AFFECTED_SOP_CLASS, &object.sop_class)
            .with_uid(element::AFFECTED_SOP_INSTANCE, &object.sop_instance);
        if let Some((title, message)) = originator {
            request =
                request.with_text(element::MOVE_ORIGINATOR, title).with_u16(element::MOVE_ORIGINATOR_MESSAGE, message);
        }
        self.send_command(context.id, &request).await?;
        self.send_data_from(context.id, source).await?;
        let (_, response) = self.response(id).await?;
        self.skip_data().await?;
        status_of(&response)
    }

    /// C-FIND: the identifiers of the matches, each in the context's transfer syntax. No more than `most` are taken; the rest is
    /// canceled.
    ///
    /// # Errors
    /// [`DimseError::NoContext`] where the model was not agreed on; or the connection's.
    pub async fn find(
        &mut self,
        model: &str,
        identifier: &[u8],
        most: usize,
    ) -> Result<(Status, Vec<Vec<u8>>), DimseError> {
        let context = self.context(model, None)?;
        let id = self.message_id();
        let request = CommandSet::request(Operation::Find, id, DataSet::Follows)
            .with_u16(element::PRIORITY, 0)
            .with_uid(element::AFFECTED_SOP_CLASS, &standard(model)?);
        self.send_command(context.id, &request).await?;
        self.send_data(context.id, identifier).await?;
        let (mut found, mut canceled) = (Vec::new(), false);
        loop {
            let (_, response) = self.response(id).await?;
            let status = status_of(&response)?;
            let identifier = self.data_whole(1 << 20).await?;
            if !matches!(status.0, 0xFF00 | 0xFF01) {
                return Ok((status, found));
            }
            if found.len() < most {
                found.push(identifier);
            } else if !canceled {
                canceled = true;
                let cancel = CommandSet::default()
                    .with_u16(element::COMMAND_FIELD, Operation::Cancel as u16)
                    .with_u16(element::RESPONDED_MESSAGE_ID, id)
                    .with_u16(element::DATA_SET_TYPE, 0x0101);
                self.send_command(context.id, &cancel).await?;
            }
        }
    }

    /// C-MOVE to a destination that the peer knows by its title; `progress` gets the counts as they come.
    ///
    /// # Errors
    /// [`DimseError::NoContext`] where the model was not agreed on; or the connection's.
    pub async fn move_to(
        &mut self,
        model: &str,
        destination: &str,
        identifier: &[u8],
        mut progress: impl FnMut(SubOperations),
    ) -> Result<(Status, SubOperations), DimseError> {
        let context = self.context(model, None)?;
        let id = self.message_id();
        let request = CommandSet::request(Operation::Move, id, DataSet::Follows)
            .with_u16(element::PRIORITY, 0)
            .with_uid(element::AFFECTED_SOP_CLASS, &standard(model)?)
            .with_text(element::MOVE_DESTINATION, destination);
        self.send_command(context.id, &request).await?;
        self.send_data(context.id, identifier).await?;
        loop {
            let (_, response) = self.response(id).await?;
            let (status, counts) = (status_of(&response)?, counts(&response));
            self.skip_data().await?;
            if status != Status::PENDING {
                return Ok((status, counts));
            }
            progress(counts);
        }
    }

    /// C-GET: every object that the peer sends goes to `take`, whole, with its class, instance and transfer syntax.
    ///
    /// # Errors
    /// [`DimseError::NoContext`] where the model was not agreed on; or the connection's.
    pub async fn get(
        &mut self,
        model: &str,
        identifier: &[u8],
        mut take: impl AsyncFnMut(Object, Vec<u8>) -> Status,
    ) -> Result<(Status, SubOperations), DimseError> {
        let context = self.context(model, None)?;
        let id = self.message_id();
        let request = CommandSet::request(Operation::Get, id, DataSet::Follows)
            .with_u16(element::PRIORITY, 0)
            .with_uid(element::AFFECTED_SOP_CLASS, &standard(model)?);
        self.send_command(context.id, &request).await?;
        self.send_data(context.id, identifier).await?;
        let most = usize::try_from(self.max_data_set).unwrap_or(usize::MAX);
        loop {
            let Incoming::Command { context: on, command } = self.receive().await? else {
                return Err(DimseError::Closed("a C-GET was under way"));
            };
            let is_store = command.operation() == Some(Operation::Store) && !command.is_response();
            if is_store {
                let data = self.data_whole(most).await?;
                let uids = command.uid(element::AFFECTED_SOP_CLASS).zip(command.uid(element::AFFECTED_SOP_INSTANCE));
                let status = match uids {
                    Some((sop_class, sop_instance)) if sop_class.as_str() == on.abstract_syntax => {
                        take(Object { sop_class, sop_instance, transfer_syntax: on.transfer_syntax.clone() }, data)
                            .await
                    }
                    _ => Status::INVALID_INSTANCE,
                };
                self.send_command(on.id, &CommandSet::response_to(&command, status)).await?;
                continue;
            }
            let (status, counts) = (self.expected(id, &command)?, counts(&command));
            self.skip_data().await?;
            if status != Status::PENDING {
                return Ok((status, counts));
            }
        }
    }

    pub(crate) fn context(&self, abstract_syntax: &str, transfer_syntax: Option<&str>) -> Result<Context, DimseError> {
        let fits = |context: &&Context| {
            context.abstract_syntax == abstract_syntax
                && transfer_syntax.is_none_or(|syntax| context.transfer_syntax == syntax)
        };
        let found = self.contexts.iter().find(fits).cloned();
        found.ok_or_else(|| DimseError::NoContext(transfer_syntax.unwrap_or(abstract_syntax).to_owned()))
    }

    pub(crate) async fn response(&mut self, id: u16) -> Result<(Context, CommandSet), DimseError> {
        match self.receive().await? {
            Incoming::Released => Err(DimseError::Closed("a response was due")),
            Incoming::Command { context, command } => {
                self.expected(id, &command)?;
                Ok((context, command))
            }
        }
    }

    /// The status of a response to message `id`.
    pub(crate) fn expected(&self, id: u16, command: &CommandSet) -> Result<Status, DimseError> {
        if !command.is_response() || command.u16(element::RESPONDED_MESSAGE_ID) != Some(id) {
            return Err(Malformed::Unexpected("command where a response was due").into());
        }
        status_of(command)
    }
}

pub(crate) fn status_of(response: &CommandSet) -> Result<Status, DimseError> {
    response.status().ok_or_else(|| Malformed::Command("of a response has no Status (0000,0900)").into())
}

fn counts(response: &CommandSet) -> SubOperations {
    let count = |element| response.u16(element).unwrap_or(0);
    SubOperations {
        completed: count(element::COMPLETED),
        failed: count(element::FAILED),
        warnings: count(element::WARNINGS),
    }
}

pub(crate) fn standard(uid: &str) -> Result<Uid, DimseError> {
    Uid::parse(uid).ok_or(DimseError::Misuse("an abstract syntax that is no UID"))
}

/// The default deadlines of a client that a person waits for.
pub fn interactive() -> Deadlines {
    Deadlines { opening: Duration::from_secs(5), ..Deadlines::default() }
}
