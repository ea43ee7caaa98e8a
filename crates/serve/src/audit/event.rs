//! What is recorded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::people::Asker;

macro_rules! deeds {
    ($($name:ident $word:literal $shown:literal,)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is what its words say")]
        pub enum Deed { $($name,)* }

        impl Deed {
            /// All.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it is stored.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// As a page shows it.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $shown,)* }
            }
        }
    };
}

deeds! {
    NodeStarted "node_started" "Node started",
    NodeStopped "node_stopped" "Node stopped",
    SignedIn "signed_in" "Signed in",
    SignInFailed "sign_in_failed" "Sign-in failed",
    SignedOut "signed_out" "Signed out",
    Refused "refused" "Refused",
    FilmOpened "film_opened" "Film opened",
    FilmsListed "films_listed" "Films listed",
    ObjectsSearched "objects_searched" "Objects searched",
    ObjectsRetrieved "objects_retrieved" "Objects retrieved",
    ObjectsStored "objects_stored" "Objects stored",
    ResultsRead "results_read" "Results read",
    ObjectSent "object_sent" "Object sent",
    ResultPushed "result_pushed" "Result pushed",
    FilmRemoved "film_removed" "Film removed",
    Reviewed "reviewed" "Reviewed",
    ReviewUndone "review_undone" "Review undone",
    StudyMade "study_made" "Reader study made",
    StudyJoined "study_joined" "Reader study joined",
    StudyLinkRenewed "study_link_renewed" "Reader's link renewed",
    StudyLocked "study_locked" "Reader study locked",
    StudyExported "study_exported" "Reader study exported",
    LabelingMade "labeling_made" "Labeling made",
    LabelingClosed "labeling_closed" "Labeling closed",
    LabelingExported "labeling_exported" "Labeling exported",
    Resent "resent" "Resend asked for",
    Echoed "echoed" "Destination tested",
    TestSent "test_sent" "Test picture sent",
    PeerAllowed "peer_allowed" "Peer allowed",
    PeerDisallowed "peer_disallowed" "Peer allowed no more",
    PersonAdded "person_added" "Account added",
    PersonChanged "person_changed" "Account changed",
    PasswordChanged "password_changed" "Password changed",
    PasswordReset "password_reset" "Password reset",
    FactorAdded "factor_added" "Second factor set up",
    FactorRemoved "factor_removed" "Second factor removed",
    SessionsEnded "sessions_ended" "Sessions ended",
    TokenCreated "token_created" "Token created",
    TokenRevoked "token_revoked" "Token revoked",
    LabelsAdded "labels_added" "Labels added",
    CalibrationProposed "calibration_proposed" "Recalibration proposed",
    CalibrationTaken "calibration_taken" "Calibration taken",
    BaselineChosen "baseline_chosen" "Baseline chosen",
    TrialBegun "trial_begun" "Trial begun",
    PatientRandomized "patient_randomized" "Patient randomized",
    PatientOptedOut "patient_opted_out" "Opt-out noted",
    PatientWithdrawn "patient_withdrawn" "Withdrawn from the trial",
    Unblinded "unblinded" "Withheld results shown early",
    DiagnosesEntered "diagnoses_entered" "Final diagnoses entered",
    EnrollingStopped "enrolling_stopped" "Enrolling stopped",
    TrialClosed "trial_closed" "Trial closed",
    TrialRevealed "trial_revealed" "Allocation revealed",
    TrialExported "trial_exported" "Trial exported",
    WithheldOpened "withheld_opened" "Withheld film opened",
    WithheldDecided "withheld_decided" "Withheld film decided about",
    AuditRead "audit_read" "Audit log read",
    AuditVerified "audit_verified" "Audit log verified",
    AuditExported "audit_exported" "Audit log exported",
}

impl Deed {
    /// Parses what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|deed| deed.as_str() == text)
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused, or failed.
    Failure,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// `person`, `token`, `local` (a program on this machine), `node`, `nobody`.
    pub kind: String,
    /// The person's row; 0 for anything else.
    pub id: i64,
    /// The person's, token's or node's name.
    pub name: String,
}

impl Who {
    /// The node itself.
    pub fn node(name: &str) -> Self {
        Self { kind: "node".into(), id: 0, name: name.to_owned() }
    }

    /// Somebody at the command line of the node's machine, by the name in the system.
    pub fn command_line() -> Self {
        Self { kind: "local".into(), id: 0, name: std::env::var("USER").unwrap_or_default().chars().take(64).collect() }
    }
}

impl From<&Asker> for Who {
    fn from(asker: &Asker) -> Self {
        let of = |kind: &str, id, name: &str| Self { kind: kind.into(), id, name: name.to_owned() };
        match asker {
            Asker::Nobody => of("nobody", 0, ""),
            Asker::Local => of("local", 0, ""),
            Asker::Token { name, .. } => of("token", 0, name),
            Asker::Unfinished(person, _) | Asker::Person(person) => of("person", person.id, &person.name),
        }
    }
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub deed: Deed,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub who: Who,
    /// The address it came from; empty for the node itself.
    pub address: String,
    /// The film's row.
    pub film: Option<i64>,
    /// What else there is to know, never of a patient.
    pub detail: BTreeMap<String, String>,
}

impl Event {
    /// Something that succeeded.
    pub fn new(deed: Deed, who: impl Into<Who>) -> Self {
        Self {
            deed,
            outcome: Outcome::Success,
            who: who.into(),
            address: String::new(),
            film: None,
            detail: BTreeMap::new(),
        }
    }

    /// The same, failed or refused.
    #[must_use]
    pub fn failed(mut self) -> Self {
        self.outcome = Outcome::Failure;
        self
    }

    /// From an address.
    #[must_use]
    pub fn at(mut self, address: impl ToString) -> Self {
        self.address = address.to_string();
        self
    }

    /// On a film.
    #[must_use]
    pub fn on(mut self, film: i64) -> Self {
        self.film = Some(film);
        self
    }

    /// With a detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.detail.insert(key.to_owned(), value.to_string());
        self
    }
}
