//! The provider of C-FIND, C-GET and C-MOVE (PS3.4 annex C): a handler says what matches and what is sent, this does the protocol.
//!
//! A C-CANCEL takes effect between messages only: it is read after the last response.

use crate::association::{Association, Context};
use crate::client::{Call, Object, Proposal, SubOperations, connect};
use crate::command::{CommandSet, Operation, element};
use crate::error::DimseError;
use crate::query::is_model;
use crate::server::{Handler, is_of};
use crate::status::Outcome;
use crate::{Status, Uid};

/// The most bytes of an identifier.
const MAX_IDENTIFIER: usize = 1 << 20;
/// Refused: out of resources, sub-operations cannot be performed.
const CANNOT_PERFORM: Status = Status(0xA702);
/// The move destination is unknown.
const UNKNOWN_DESTINATION: Status = Status(0xA801);
/// Sub-operations are complete, some of them failed.
const SOME_FAILED: Status = Status(0xB000);

/// What a peer asks for by C-FIND, C-GET or C-MOVE. Its `Debug` does not show the identifier.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    /// The query/retrieve model: a SOP class UID.
    pub model: Uid,
    /// The identifier, in `transfer_syntax`; [`Identifier::parse`](crate::query::Identifier::parse) reads it.
    pub identifier: Vec<u8>,
    /// A transfer syntax UID.
    pub transfer_syntax: String,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Query({})", self.model)
    }
}

/// Answers a C-FIND, C-GET or C-MOVE.
pub(crate) async fn answer<H: Handler>(
    handler: &H,
    association: &mut Association,
    context: &Context,
    command: &CommandSet,
) -> Result<(), DimseError> {
    let identifier = association.data_whole(MAX_IDENTIFIER).await?;
    let refuse = CommandSet::response_to(command, Status::SOP_CLASS_NOT_SUPPORTED);
    let Some(model) = command.uid(element::AFFECTED_SOP_CLASS).filter(|model| is_model(model.as_str())) else {
        return association.send_command(context.id, &refuse).await;
    };
    if !is_of(context, command, element::AFFECTED_SOP_CLASS) {
        return association.send_command(context.id, &refuse).await;
    }
    let query = Query { model, identifier, transfer_syntax: context.transfer_syntax.clone() };
    let status = match command.operation() {
        Some(Operation::Find) => find(handler, association, context, command, &query).await?,
        Some(Operation::Get) => get(handler, association, context, command, &query).await?,
        _ => relocate(handler, association, context, command, &query).await?,
    };
    let (status, counts) = status;
    let response = with_counts(CommandSet::response_to(command, status), counts);
    association.send_command(context.id, &response).await
}

type Answered = (Status, Option<SubOperations>);

async fn find<H: Handler>(
    handler: &H,
    association: &mut Association,
    context: &Context,
    command: &CommandSet,
    query: &Query,
) -> Result<Answered, DimseError> {
    let found = match handler.find(&association.peer, query).await {
        Ok(found) => found,
        Err(status) => return Ok((status, None)),
    };
    for identifier in found {
        let pending = CommandSet::response_to(command, Status::PENDING).with_u16(element::DATA_SET_TYPE, 1);
        association.send_command(context.id, &pending).await?;
        association.send_data(context.id, &identifier).await?;
    }
    Ok((Status::SUCCESS, None))
}

async fn get<H: Handler>(
    handler: &H,
    association: &mut Association,
    context: &Context,
    command: &CommandSet,
    query: &Query,
) -> Result<Answered, DimseError> {
    let objects = match handler.select(&association.peer, query).await {
        Ok(objects) => objects,
        Err(status) => return Ok((status, None)),
    };
    let mut counts = SubOperations::default();
    for object in &objects {
        let agreed = association.context(object.sop_class.as_str(), Some(&object.transfer_syntax)).is_ok();
        let status = match handler.load(object).await {
            Ok(data) if agreed => association.store(object, &data[..]).await?,
            _ => CANNOT_PERFORM,
        };
        count(&mut counts, status);
        pending(association, context, command, counts).await?;
    }
    Ok((overall(counts), Some(counts)))
}

/// C-MOVE: the objects go to the destination on an association of their own.
async fn relocate<H: Handler>(
    handler: &H,
    association: &mut Association,
    context: &Context,
    command: &CommandSet,
    query: &Query,
) -> Result<Answered, DimseError> {
    let destination = command.text(element::MOVE_DESTINATION).and_then(|title| handler.destination(title));
    let Some(call) = destination else { return Ok((UNKNOWN_DESTINATION, None)) };
    let objects = match handler.select(&association.peer, query).await {
        Ok(objects) => objects,
        Err(status) => return Ok((status, None)),
    };
    let mut counts = SubOperations::default();
    let originator = (association.peer.ae_title.clone(), command.message_id());
    let mut target = if objects.is_empty() { None } else { reach(call, &objects).await };
    for object in &objects {
        let status = match (handler.load(object).await, target.as_mut()) {
            (Ok(data), Some(open)) => {
                let sent = open.store_for(Some((&originator.0, originator.1)), object, &data[..]).await;
                if matches!(sent, Err(ref error) if !matches!(error, DimseError::NoContext(_))) {
                    // What broke the association cannot send the next object.
                    target = None;
                }
                sent.unwrap_or(CANNOT_PERFORM)
            }
            _ => CANNOT_PERFORM,
        };
        count(&mut counts, status);
        pending(association, context, command, counts).await?;
    }
    if let Some(target) = target {
        // Its objects were answered already.
        let _ = target.release().await;
    }
    Ok((overall(counts), Some(counts)))
}

/// An association with a destination for what is to be sent; `None` where it cannot be reached.
async fn reach(mut call: Call, objects: &[Object]) -> Option<Association> {
    let mut proposals: Vec<Proposal> = Vec::new();
    for object in objects {
        let proposal = Proposal::new(object.sop_class.as_str(), &[&object.transfer_syntax]);
        if !proposals.contains(&proposal) {
            proposals.push(proposal);
        }
    }
    proposals.truncate(128);
    call.proposals = proposals;
    connect(&call).await.ok()
}

fn count(counts: &mut SubOperations, status: Status) {
    match status.outcome() {
        Outcome::Accepted => counts.completed += 1,
        Outcome::AcceptedWithWarning => counts.warnings += 1,
        _ => counts.failed += 1,
    }
}

fn overall(counts: SubOperations) -> Status {
    match counts {
        SubOperations { failed: 0, .. } => Status::SUCCESS,
        SubOperations { completed: 0, warnings: 0, .. } => CANNOT_PERFORM,
        _ => SOME_FAILED,
    }
}

async fn pending(
    association: &mut Association,
    context: &Context,
    command: &CommandSet,
    counts: SubOperations,
) -> Result<(), DimseError> {
    let response = with_counts(CommandSet::response_to(command, Status::PENDING), Some(counts));
    association.send_command(context.id, &response).await
}

fn with_counts(response: CommandSet, counts: Option<SubOperations>) -> CommandSet {
    let Some(SubOperations { completed, failed, warnings }) = counts else { return response };
    response
        .with_u16(element::COMPLETED, completed)
        .with_u16(element::FAILED, failed)
        .with_u16(element::WARNINGS, warnings)
}
