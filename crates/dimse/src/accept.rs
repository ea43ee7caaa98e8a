//! The acceptor: an association request is judged by the policy and answered; every refusal is kept with its reason.

use std::net::SocketAddr;
use std::time::SystemTime;

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceProviderASCEReason as AcseReason,
    AssociationRJServiceProviderPresentationReason as PresentationReason, AssociationRJServiceUserReason as UserReason,
    AssociationRJSource, AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResult,
    PresentationContextResultReason as ResultReason, RequestorRoles, UserVariableItem,
};

use tokio::time::Instant;

use crate::association::{Association, Connection, Context, Peer, Wire, kind_of};
use crate::commitment::STORAGE_COMMITMENT;
use crate::error::{DimseError, Malformed};
use crate::policy::{PeerRule, Policy};
use crate::query::is_get;
use crate::refusal::{Refusal, RefusalReason, similar};

/// The DICOM application context (PS3.7 A.2.1).
pub(crate) const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// A transfer syntax to name where none was accepted; it is not significant (PS3.8 9.3.3.2).
const NOT_SIGNIFICANT: &str = "1.2.840.10008.1.2";

/// Where a connection comes from, before its association request is read.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The address.
    pub address: SocketAddr,
    /// SHA-256 of the peer's certificate in hexadecimal digits, where TLS asked for one and it was shown.
    pub certificate: Option<String>,
    /// When the connection came: the deadline for opening counts from then, with whatever TLS took of it.
    pub since: Instant,
}

impl Origin {
    /// A connection without TLS that came now.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, certificate: None, since: Instant::now() }
    }
}

/// Accepts an association, or refuses it.
///
/// # Errors
/// [`DimseError::Refused`] for what the policy does not allow; the peer was answered. Other [`DimseError`]s where the connection or the
/// protocol broke.
pub async fn accept(
    connection: Box<dyn Connection>,
    origin: Origin,
    policy: &Policy,
) -> Result<Association, DimseError> {
    let mut wire = Wire::new(connection, &policy.deadlines, &policy.limits);
    let due = origin.since + policy.deadlines.opening;
    let opened = tokio::time::timeout_at(due, wire.receive("an association request was due")).await;
    let opened = opened.unwrap_or(Err(DimseError::Timeout { doing: "opening", after: policy.deadlines.opening }));
    let request = match opened {
        Ok(Pdu::AssociationRQ(request)) => request,
        Ok(other) => {
            let broken = Malformed::Unexpected(kind_of(&other));
            wire.abort(dicom_ul::pdu::AbortRQServiceProviderReason::UnexpectedPdu).await;
            return Err(protocol(&origin, broken));
        }
        Err(DimseError::Malformed(broken @ Malformed::Protocol(_))) => {
            // A peer of another protocol would not understand an abort.
            wire.close().await;
            return Err(protocol(&origin, broken));
        }
        Err(DimseError::Malformed(broken)) => {
            wire.abort(dicom_ul::pdu::AbortRQServiceProviderReason::InvalidPduParameter).await;
            return Err(protocol(&origin, broken));
        }
        Err(error) => return Err(error),
    };
    match judge(&request, &origin, policy) {
        Ok(answers) => {
            let unsupported = unsupported(&request, &origin, &answers);
            let mut association = establish(wire, request, origin, answers, policy).await?;
            association.unsupported = unsupported;
            Ok(association)
        }
        Err(reason) => {
            let answer = rejection(&reason);
            let refusal = refusal(&request, &origin, reason);
            // The refusal stands whether or not the peer still listens.
            let _ = wire.send(&Pdu::AssociationRJ(answer)).await;
            wire.close().await;
            Err(DimseError::Refused(Box::new(refusal)))
        }
    }
}

/// Refuses a connection for want of a place, once its request is read.
///
/// # Errors
/// Always: [`DimseError::Refused`], or what broke before.
pub async fn refuse_for_congestion(
    connection: Box<dyn Connection>,
    origin: Origin,
    policy: &Policy,
) -> Result<std::convert::Infallible, DimseError> {
    let mut wire = Wire::new(connection, &policy.deadlines, &policy.limits);
    let due = origin.since + policy.deadlines.opening;
    let opened = tokio::time::timeout_at(due, wire.receive("an association request was due")).await;
    if let Ok(Ok(Pdu::AssociationRQ(request))) = opened {
        let reason = RefusalReason::Congestion;
        // The refusal stands whether or not the peer still listens.
        let _ = wire.send(&Pdu::AssociationRJ(rejection(&reason))).await;
        wire.close().await;
        return Err(DimseError::Refused(Box::new(refusal(&request, &origin, reason))));
    }
    Err(DimseError::Closed("it waited for a place"))
}

fn protocol(origin: &Origin, broken: Malformed) -> DimseError {
    DimseError::Refused(Box::new(nameless(origin.address, RefusalReason::Protocol(broken.to_string()))))
}

/// A refusal of a peer that never said its title.
pub(crate) fn nameless(address: SocketAddr, reason: RefusalReason) -> Refusal {
    Refusal {
        at: SystemTime::now(),
        address,
        calling: String::new(),
        called: String::new(),
        asked: Vec::new(),
        implementation: (String::new(), String::new()),
        reason,
    }
}

fn refusal(request: &AssociationRQ, origin: &Origin, reason: RefusalReason) -> Refusal {
    Refusal {
        at: SystemTime::now(),
        address: origin.address,
        calling: title(&request.calling_ae_title),
        called: title(&request.called_ae_title),
        asked: request.presentation_contexts.iter().map(|context| context.abstract_syntax.clone()).collect(),
        implementation: implementation(&request.user_variables),
        reason,
    }
}

/// What is kept of an association of which no context was accepted: its answer says so to the peer, context by context.
fn unsupported(
    request: &AssociationRQ,
    origin: &Origin,
    answers: &[PresentationContextResult],
) -> Option<Box<Refusal>> {
    if answers.iter().any(|answer| answer.reason == ResultReason::Acceptance) {
        return None;
    }
    let is_class_known = answers.iter().any(|answer| answer.reason == ResultReason::TransferSyntaxesNotSupported);
    Some(Box::new(refusal(request, origin, RefusalReason::Unsupported { is_class_known })))
}

/// A title as it may be shown: 16 printable ASCII characters at most, quotes and backslashes left out, as it goes into lines of
/// configuration.
fn title(text: &str) -> String {
    text.chars()
        .filter(|c| (' '..='~').contains(c) && !['"', '\\', '`'].contains(c))
        .take(16)
        .collect::<String>()
        .trim()
        .to_owned()
}

pub(crate) fn implementation(items: &[UserVariableItem]) -> (String, String) {
    let (mut class, mut version) = (String::new(), String::new());
    for item in items {
        match item {
            UserVariableItem::ImplementationClassUID(uid) => class = title_of_uid(uid),
            UserVariableItem::ImplementationVersionName(name) => version = title(name),
            _ => {}
        }
    }
    (class, version)
}

fn title_of_uid(text: &str) -> String {
    crate::Uid::parse(text).map_or_else(String::new, |uid| uid.as_str().to_owned())
}

/// The most bytes of a PDU that a peer takes; 0 stands for any length.
pub(crate) fn max_length(items: &[UserVariableItem], own: u32) -> u32 {
    let found = items.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(length) => Some(*length),
        _ => None,
    });
    match found.unwrap_or(16 * 1024) {
        0 => own,
        // Less than this leaves no room for data.
        length => length.clamp(64, own),
    }
}

/// Judges a request; of one that is accepted, the answer to each context.
fn judge(
    request: &AssociationRQ,
    origin: &Origin,
    policy: &Policy,
) -> Result<Vec<PresentationContextResult>, RefusalReason> {
    if request.protocol_version & 1 == 0 {
        return Err(RefusalReason::Protocol("a protocol version other than 1".to_owned()));
    }
    if request.application_context_name.trim_end_matches(['\0', ' ']) != APPLICATION_CONTEXT {
        return Err(RefusalReason::Protocol("another application context than DICOM's".to_owned()));
    }
    if request.called_ae_title != policy.ae_title {
        return Err(RefusalReason::CalledTitle { own: policy.ae_title.clone() });
    }
    let peer = known(request, origin, policy)?;
    let mut ids = Vec::new();
    for context in &request.presentation_contexts {
        if context.id % 2 == 0 || ids.contains(&context.id) {
            return Err(RefusalReason::Protocol(format!("the presentation context id {}", context.id)));
        }
        ids.push(context.id);
    }
    let answers: Vec<_> = request.presentation_contexts.iter().map(|context| answer(context, peer, policy)).collect();
    let is_denied = |context: &PresentationContextResult| context.reason == ResultReason::UserRejection;
    if !answers.is_empty() && answers.iter().all(is_denied) {
        return Err(RefusalReason::NothingOffered);
    }
    Ok(answers)
}

/// The rule of the peer that asks; `None` where the policy knows no peers.
fn known<'a>(
    request: &AssociationRQ,
    origin: &Origin,
    policy: &'a Policy,
) -> Result<Option<&'a PeerRule>, RefusalReason> {
    if policy.peers.is_empty() {
        return Ok(None);
    }
    let Some(peer) = policy.peer(&request.calling_ae_title) else {
        let titles = policy.peers.iter().map(|peer| peer.ae_title.as_str());
        return Err(RefusalReason::CallingTitle { similar: similar(&request.calling_ae_title, titles) });
    };
    if !peer.addresses.is_empty() && !peer.addresses.contains(&origin.address.ip().to_canonical()) {
        return Err(RefusalReason::Address);
    }
    match &peer.certificate {
        Some(expected) if origin.certificate.as_ref() != Some(expected) => {
            Err(RefusalReason::Certificate { shown: origin.certificate.clone() })
        }
        _ => Ok(Some(peer)),
    }
}

fn answer(
    context: &PresentationContextProposed,
    peer: Option<&PeerRule>,
    policy: &Policy,
) -> PresentationContextResult {
    let plain = |text: &str| text.trim_end_matches(['\0', ' ']).to_owned();
    let refused =
        |reason| PresentationContextResult { id: context.id, reason, transfer_syntax: NOT_SIGNIFICANT.to_owned() };
    let wanted = plain(&context.abstract_syntax);
    let Some(offer) = policy.offers.iter().find(|offer| offer.abstract_syntax == wanted) else {
        return refused(ResultReason::AbstractSyntaxNotSupported);
    };
    if !policy.permits(peer, offer.permission) {
        return refused(ResultReason::UserRejection);
    }
    let proposed: Vec<String> = context.transfer_syntaxes.iter().map(|syntax| plain(syntax)).collect();
    match offer.transfer_syntaxes.iter().find(|syntax| proposed.contains(syntax)) {
        Some(syntax) => PresentationContextResult {
            id: context.id,
            reason: ResultReason::Acceptance,
            transfer_syntax: syntax.clone(),
        },
        None => refused(ResultReason::TransferSyntaxesNotSupported),
    }
}

/// The A-ASSOCIATE-RJ of a reason (PS3.8 table 9-21).
fn rejection(reason: &RefusalReason) -> AssociationRJ {
    let permanent = |source| AssociationRJ { result: AssociationRJResult::Permanent, source };
    match reason {
        RefusalReason::CalledTitle { .. } => {
            permanent(AssociationRJSource::ServiceUser(UserReason::CalledAETitleNotRecognized))
        }
        RefusalReason::CallingTitle { .. } | RefusalReason::Address | RefusalReason::Certificate { .. } => {
            permanent(AssociationRJSource::ServiceUser(UserReason::CallingAETitleNotRecognized))
        }
        RefusalReason::Congestion => AssociationRJ {
            result: AssociationRJResult::Transient,
            source: AssociationRJSource::ServiceProviderPresentation(PresentationReason::TemporaryCongestion),
        },
        // What was accepted in form or ended before a request has no such answer.
        RefusalReason::Unsupported { .. } | RefusalReason::Handshake(_) | RefusalReason::NothingOffered => {
            permanent(AssociationRJSource::ServiceUser(UserReason::NoReasonGiven))
        }
        RefusalReason::Protocol(what) if what.contains("application context") => {
            permanent(AssociationRJSource::ServiceUser(UserReason::ApplicationContextNameNotSupported))
        }
        RefusalReason::Protocol(what) if what.contains("protocol version") => {
            permanent(AssociationRJSource::ServiceProviderASCE(AcseReason::ProtocolVersionNotSupported))
        }
        RefusalReason::Protocol(_) => permanent(AssociationRJSource::ServiceProviderASCE(AcseReason::NoReasonGiven)),
    }
}

async fn establish(
    mut wire: Wire,
    request: AssociationRQ,
    origin: Origin,
    answers: Vec<PresentationContextResult>,
    policy: &Policy,
) -> Result<Association, DimseError> {
    let accepted = answers.iter().filter(|answer| answer.reason == ResultReason::Acceptance);
    let contexts: Vec<Context> = accepted
        .filter_map(|answer| {
            let proposed = request.presentation_contexts.iter().find(|context| context.id == answer.id)?;
            Some(Context {
                id: answer.id,
                abstract_syntax: proposed.abstract_syntax.trim_end_matches(['\0', ' ']).to_owned(),
                transfer_syntax: answer.transfer_syntax.clone(),
            })
        })
        .collect();
    let mut user_variables = user_information(wire.max_receive, &policy.implementation);
    user_variables.extend(roles(&request.user_variables, &contexts));
    let acceptance = AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title.clone(),
        called_ae_title: request.called_ae_title.clone(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: answers,
        user_variables,
    };
    wire.send(&Pdu::AssociationAC(acceptance)).await?;
    let max_send = max_length(&request.user_variables, wire.max_receive);
    let peer = Peer {
        address: origin.address,
        ae_title: title(&request.calling_ae_title),
        called: title(&request.called_ae_title),
        implementation: implementation(&request.user_variables),
        certificate: origin.certificate,
    };
    Ok(Association::new(wire, peer, contexts, max_send, policy.limits.data_set))
}

pub(crate) fn user_information(max_receive: u32, implementation: &(String, String)) -> Vec<UserVariableItem> {
    vec![
        UserVariableItem::MaxLength(max_receive),
        UserVariableItem::ImplementationClassUID(implementation.0.clone()),
        UserVariableItem::ImplementationVersionName(implementation.1.clone()),
    ]
}

/// The roles that are confirmed: the requestor is SCU; and SCP of storage commitment, whose reports come on associations of the
/// provider, and of what a C-GET sends, where one was agreed on.
fn roles(asked: &[UserVariableItem], contexts: &[Context]) -> Vec<UserVariableItem> {
    let gets = contexts.iter().any(|context| is_get(&context.abstract_syntax));
    let confirmed = asked.iter().filter_map(|item| match item {
        UserVariableItem::ScuScpRoleSelectionSubItem(class, roles)
            if contexts.iter().any(|context| context.abstract_syntax == class.trim_end_matches(['\0', ' '])) =>
        {
            let is_reporter = class.trim_end_matches(['\0', ' ']) == STORAGE_COMMITMENT;
            let roles = RequestorRoles { scu: roles.scu, scp: roles.scp && (is_reporter || gets) };
            Some(UserVariableItem::ScuScpRoleSelectionSubItem(class.clone(), roles))
        }
        _ => None,
    });
    confirmed.collect()
}
