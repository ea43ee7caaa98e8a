//! The log as DICOM audit messages (PS3.15, A.5): a line each, a whole XML document by the schema of A.5.1.
//!
//! A message names the study and the patient's number of a film, as A.5.3 wants it: it is an export for the hospital's own audit
//! repository. The log itself has neither.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::chain::Body;
use super::{Deed, Outcome};
use crate::db::AuditRow;

/// What a message says of a film.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilmOf {
    /// The study.
    pub study_uid: String,
    /// What kind of object it is.
    pub sop_class_uid: String,
    /// The patient's number.
    pub patient_id: String,
}

/// A code of DICOM's own scheme: value and meaning.
type Code = (&'static str, &'static str);

const APPLICATION_ACTIVITY: Code = ("110100", "Application Activity");
const AUDIT_LOG_USED: Code = ("110101", "Audit Log Used");
const INSTANCES_ACCESSED: Code = ("110103", "DICOM Instances Accessed");
const INSTANCES_TRANSFERRED: Code = ("110104", "DICOM Instances Transferred");
const STUDY_DELETED: Code = ("110105", "DICOM Study Deleted");
const EXPORT: Code = ("110106", "Export");
const QUERY: Code = ("110112", "Query");
const SECURITY_ALERT: Code = ("110113", "Security Alert");
const USER_AUTHENTICATION: Code = ("110114", "User Authentication");

/// Event, type and action (`C`reate, `R`ead, `U`pdate, `D`elete, `E`xecute) of a deed.
fn event_of(deed: Deed) -> (Code, Option<Code>, char) {
    use Deed::{
        AuditExported, AuditRead, AuditVerified, BaselineChosen, CalibrationProposed, CalibrationTaken,
        DiagnosesEntered, Echoed, EnrollingStopped, FactorAdded, FactorRemoved, FilmOpened, FilmRemoved, FilmsListed,
        LabelingClosed, LabelingExported, LabelingMade, LabelsAdded, NodeStarted, NodeStopped, ObjectSent,
        ObjectsRetrieved, ObjectsSearched, ObjectsStored, PasswordChanged, PasswordReset, PatientOptedOut,
        PatientRandomized, PatientWithdrawn, PeerAllowed, PeerDisallowed, PersonAdded, PersonChanged, Refused, Resent,
        ResultPushed, ResultsRead, ReviewUndone, Reviewed, SessionsEnded, SignInFailed, SignedIn, SignedOut,
        StudyExported, StudyJoined, StudyLinkRenewed, StudyLocked, StudyMade, TestSent, TokenCreated, TokenRevoked,
        TrialBegun, TrialClosed, TrialExported, TrialRevealed, Unblinded, WithheldDecided, WithheldOpened,
    };
    match deed {
        NodeStarted => (APPLICATION_ACTIVITY, Some(("110120", "Application Start")), 'E'),
        NodeStopped => (APPLICATION_ACTIVITY, Some(("110121", "Application Stop")), 'E'),
        SignedIn | SignInFailed => (USER_AUTHENTICATION, Some(("110122", "Login")), 'E'),
        SignedOut => (USER_AUTHENTICATION, Some(("110123", "Logout")), 'E'),
        Refused => (SECURITY_ALERT, Some(("110132", "Use of Restricted Function")), 'E'),
        FilmOpened | ResultsRead => (INSTANCES_ACCESSED, None, 'R'),
        Reviewed => (INSTANCES_ACCESSED, None, 'C'),
        ReviewUndone => (INSTANCES_ACCESSED, None, 'U'),
        StudyMade | StudyLinkRenewed | StudyLocked | LabelingMade | LabelingClosed => {
            (SECURITY_ALERT, Some(("110132", "Use of Restricted Function")), 'E')
        }
        StudyJoined => (SECURITY_ALERT, Some(("110137", "User Security Attributes Changed")), 'E'),
        StudyExported | LabelingExported => (EXPORT, None, 'R'),
        FilmsListed | ObjectsSearched => (QUERY, None, 'E'),
        ObjectsRetrieved => (EXPORT, None, 'R'),
        ObjectsStored => (INSTANCES_TRANSFERRED, None, 'C'),
        ObjectSent => (INSTANCES_TRANSFERRED, None, 'R'),
        ResultPushed => (EXPORT, None, 'R'),
        FilmRemoved => (STUDY_DELETED, None, 'D'),
        TrialExported => (EXPORT, None, 'R'),
        DiagnosesEntered => (INSTANCES_ACCESSED, None, 'C'),
        WithheldOpened => (INSTANCES_ACCESSED, None, 'R'),
        WithheldDecided => (INSTANCES_ACCESSED, None, 'U'),
        Resent | Echoed | TestSent | TrialBegun | PatientRandomized | PatientOptedOut | PatientWithdrawn
        | Unblinded | EnrollingStopped | TrialClosed | TrialRevealed => {
            (SECURITY_ALERT, Some(("110132", "Use of Restricted Function")), 'E')
        }
        PeerAllowed | PeerDisallowed => (SECURITY_ALERT, Some(("110128", "Network Configuration")), 'E'),
        LabelsAdded | CalibrationProposed | CalibrationTaken | BaselineChosen => {
            (SECURITY_ALERT, Some(("110131", "Software Configuration")), 'E')
        }
        PersonAdded | PersonChanged => (SECURITY_ALERT, Some(("110136", "Security Roles Changed")), 'E'),
        PasswordChanged | PasswordReset | FactorAdded | FactorRemoved | SessionsEnded | TokenCreated | TokenRevoked => {
            (SECURITY_ALERT, Some(("110137", "User Security Attributes Changed")), 'E')
        }
        AuditRead | AuditVerified | AuditExported => (AUDIT_LOG_USED, None, 'R'),
    }
}

/// An entry's message in a line; `None` where the entry cannot be read.
pub fn message(row: &AuditRow, film: Option<&FilmOf>) -> Option<String> {
    let body: Body = serde_json::from_str(&row.body).ok()?;
    let deed = Deed::parse(&body.action)?;
    let (event, kind, action) = event_of(deed);
    let at = jiff::Timestamp::from_microsecond(row.at).ok()?;
    // 0 is a success; 4 a failure that somebody may repeat with other words, 8 one of what may not be done.
    let outcome = match (body.outcome, deed) {
        (Outcome::Success, _) => 0,
        (Outcome::Failure, Deed::Refused) => 8,
        (Outcome::Failure, _) => 4,
    };
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><AuditMessage>");
    let _ = write!(
        xml,
        "<EventIdentification EventActionCode=\"{action}\" EventDateTime=\"{at}\" EventOutcomeIndicator=\"{outcome}\">{}{}",
        code("EventID", event),
        kind.map(|kind| code("EventTypeCode", kind)).unwrap_or_default(),
    );
    let _ =
        write!(xml, "<EventOutcomeDescription>{}</EventOutcomeDescription></EventIdentification>", text(deed.words()));
    participants(&mut xml, &body, deed);
    let _ = write!(
        xml,
        "<AuditSourceIdentification AuditSourceID=\"{}\"><AuditSourceTypeCode csd-code=\"4\"/></AuditSourceIdentification>",
        text(&body.node)
    );
    objects(&mut xml, &body, row, film, event);
    xml.push_str("</AuditMessage>\n");
    Some(xml)
}

/// Who asked, this node, and where something was sent to.
fn participants(xml: &mut String, body: &Body, deed: Deed) {
    let id = if body.who.name.is_empty() { &body.who.kind } else { &body.who.name };
    let access = if body.address.is_empty() {
        String::new()
    } else {
        format!(" NetworkAccessPointID=\"{}\" NetworkAccessPointTypeCode=\"2\"", text(&body.address))
    };
    let is_node = body.who.kind == "node";
    let role = match (is_node, deed) {
        (true, Deed::NodeStarted | Deed::NodeStopped) => code("RoleIDCode", ("110150", "Application")),
        (true, Deed::ObjectSent | Deed::ResultPushed) => code("RoleIDCode", ("110153", "Source Role ID")),
        _ => String::new(),
    };
    let _ = write!(
        xml,
        "<ActiveParticipant UserID=\"{}\" UserName=\"{}\" UserIsRequestor=\"{}\"{access}>{role}</ActiveParticipant>",
        text(id),
        text(&body.who.name),
        !is_node,
    );
    if !is_node {
        let role = match deed {
            Deed::ObjectsRetrieved => code("RoleIDCode", ("110153", "Source Role ID")),
            Deed::ObjectsStored => code("RoleIDCode", ("110152", "Destination Role ID")),
            _ => code("RoleIDCode", ("110150", "Application")),
        };
        let _ = write!(
            xml,
            "<ActiveParticipant UserID=\"{}\" UserIsRequestor=\"false\">{role}</ActiveParticipant>",
            text(&body.node)
        );
    }
    if let Some(to) = body.detail.get("destination") {
        let role = code("RoleIDCode", ("110152", "Destination Role ID"));
        let _ = write!(
            xml,
            "<ActiveParticipant UserID=\"{}\" UserIsRequestor=\"false\">{role}</ActiveParticipant>",
            text(to)
        );
    }
}

/// The study, the patient, the log, or what was asked.
fn objects(xml: &mut String, body: &Body, row: &AuditRow, film: Option<&FilmOf>, event: Code) {
    if let Some(id) = body.film {
        let study = film.map(|film| film.study_uid.clone()).unwrap_or_else(|| format!("film {id}, removed"));
        let described = film.map_or_else(String::new, |film| {
            format!("<ParticipantObjectDescription><SOPClass UID=\"{}\" NumberOfInstances=\"1\"/></ParticipantObjectDescription>", text(&film.sop_class_uid))
        });
        let _ = write!(
            xml,
            "<ParticipantObjectIdentification ParticipantObjectID=\"{}\" ParticipantObjectTypeCode=\"2\" ParticipantObjectTypeCodeRole=\"3\">\
             {}<ParticipantObjectName>film {id}</ParticipantObjectName>{described}</ParticipantObjectIdentification>",
            text(&study),
            code("ParticipantObjectIDTypeCode", ("110180", "Study Instance UID")),
        );
        if let Some(patient) = film.map(|film| film.patient_id.as_str()).filter(|id| !id.is_empty()) {
            let _ = write!(
                xml,
                "<ParticipantObjectIdentification ParticipantObjectID=\"{}\" ParticipantObjectTypeCode=\"1\" ParticipantObjectTypeCodeRole=\"1\">\
                 <ParticipantObjectIDTypeCode csd-code=\"2\" codeSystemName=\"RFC-3881\" originalText=\"Patient Number\"/>\
                 <ParticipantObjectName>{}</ParticipantObjectName></ParticipantObjectIdentification>",
                text(patient),
                text(patient),
            );
        }
        return;
    }
    let (id, name, kind, role) = if event == AUDIT_LOG_USED {
        ("urn:coxa:audit", "Security Audit Log", "12", "13")
    } else if event == QUERY || event == INSTANCES_TRANSFERRED || event == EXPORT || event == INSTANCES_ACCESSED {
        ("urn:coxa:films", "films", "12", "3")
    } else if event == SECURITY_ALERT {
        ("urn:coxa:node", "node", "12", "13")
    } else {
        return;
    };
    let details: String = body
        .detail
        .iter()
        .chain([(&"entry".to_owned(), &row.seq.to_string())])
        .map(|(key, value)| {
            format!("<ParticipantObjectDetail type=\"{}\" value=\"{}\"/>", text(key), STANDARD.encode(value))
        })
        .collect();
    let _ = write!(
        xml,
        "<ParticipantObjectIdentification ParticipantObjectID=\"{id}\" ParticipantObjectTypeCode=\"2\" ParticipantObjectTypeCodeRole=\"{role}\">\
         <ParticipantObjectIDTypeCode csd-code=\"{kind}\" codeSystemName=\"RFC-3881\" originalText=\"URI\"/>\
         <ParticipantObjectName>{name}</ParticipantObjectName>{details}</ParticipantObjectIdentification>",
    );
}

fn code(element: &str, (value, meaning): Code) -> String {
    format!("<{element} csd-code=\"{value}\" codeSystemName=\"DCM\" originalText=\"{meaning}\"/>")
}

/// A text in XML. What XML 1.0 has no character for, and what is invisible, stands there as its number.
fn text(text: &str) -> String {
    crate::visible::visible(text).chars().fold(String::new(), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            _ => escaped.push(c),
        }
        escaped
    })
}
