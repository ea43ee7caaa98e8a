//! What `/api/v1` answers, as types: the document of the interface is made of the same ones.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A film, what is known of it, and what was sent. What is not known yet is `null`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReadingLine {
    /// The film.
    pub(super) sop_instance_uid: String,
    /// `received`, `reading`, `read`, `not_read`, `withheld` (by a trial) or `failed`.
    pub(super) state: String,
    /// The probability of a hip fracture, 0 to 1.
    #[schema(value_type = Option<f64>)]
    pub(super) probability: Value,
    /// Whether the probability reaches the network's threshold.
    #[schema(value_type = Option<bool>)]
    pub(super) finding: Value,
    /// Where on the film, in its pixels; none on a negative film.
    #[schema(value_type = Option<Vec<RegionOfFilm>>)]
    pub(super) regions: Value,
    /// Why the film was not read, or failed.
    pub(super) reason: Option<String>,
    /// The first digits of the network's hash.
    pub(super) model: Option<String>,
    /// The calibration that its threshold is of; none for the network's own.
    pub(super) calibration: Option<i64>,
    /// RFC 3339.
    pub(super) received_at: String,
    /// RFC 3339.
    pub(super) read_at: Option<String>,
    /// Research use only.
    pub(super) notice: &'static str,
    /// An entry for each object and destination.
    pub(super) sent: Vec<SentLine>,
}

/// An object on its way to a destination.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SentLine {
    /// The destination's name.
    pub(super) destination: String,
    /// `sr`, `gsps`, `sc` or `parametric_map`.
    pub(super) object: String,
    /// `due`, `leased`, `done` or `dead`.
    pub(super) state: String,
    /// The status of the last C-STORE response, four hexadecimal digits.
    pub(super) status: Option<String>,
    /// What the status means.
    pub(super) explained: Option<String>,
}

/// A region of a positive film, in its pixels.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes what the prediction's own JSON holds")]
pub(super) struct RegionOfFilm {
    /// The left edge.
    x: f64,
    /// The upper edge.
    y: f64,
    /// Its width.
    width: f64,
    /// Its height.
    height: f64,
    /// `left` or `right` of the patient, where it is known.
    side: Option<String>,
    /// The heat map's value, on its absolute scale.
    score: f64,
}

/// The node's state.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatusAnswer {
    /// How many films are in each state.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub(super) films: Value,
    /// How much waits in each queue.
    pub(super) queues: Vec<QueueLine>,
    /// Where results go.
    pub(super) destinations: Vec<DestinationLine>,
    /// Storage commitments that are not answered yet.
    pub(super) commitments: Vec<CommitmentLine>,
    /// Refused associations, each with the configuration that would allow it.
    pub(super) refused: Vec<RefusedLine>,
    /// Objects that came again under a UID with other bytes, and are kept apart.
    pub(super) conflicts: Vec<ConflictLine>,
}

/// Rows of a queue in a state.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QueueLine {
    pub(super) queue: String,
    pub(super) state: String,
    pub(super) rows: i64,
}

/// A destination, and what it was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DestinationLine {
    /// Its name.
    pub(super) name: String,
    /// Objects that wait.
    pub(super) due: i64,
    /// Objects that it has.
    pub(super) done: i64,
    /// Objects that need a person.
    pub(super) dead: i64,
    /// RFC 3339.
    pub(super) last_success: Option<String>,
    /// In words.
    pub(super) last_error: Option<String>,
}

/// A storage commitment that is not answered yet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CommitmentLine {
    /// Who asked.
    pub(super) peer: String,
    /// Tries so far.
    pub(super) attempts: i64,
    /// What became of the last one.
    pub(super) explained: String,
}

/// A refused association.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedLine {
    /// The calling AE title.
    pub(super) calling: String,
    /// The called AE title.
    pub(super) called: String,
    /// Where it came from.
    pub(super) address: String,
    /// Why it was refused.
    pub(super) reason: String,
    /// What it asked for.
    pub(super) asked: String,
    /// The peer's implementation.
    pub(super) implementation: String,
    /// The line of configuration that would allow it.
    pub(super) remedy: String,
    /// First, microseconds since 1970.
    pub(super) first_at: i64,
    /// Last.
    pub(super) last_at: i64,
    /// How often.
    pub(super) times: i64,
}

/// An object that is kept apart.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConflictLine {
    /// The number of the film that it contradicts.
    pub(super) film: i64,
    /// The hash of its bytes.
    pub(super) sha256: String,
    /// RFC 3339.
    pub(super) received_at: String,
    /// Where it came from.
    pub(super) source: String,
}

/// How much is due again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResendAnswer {
    /// Dead letters that were set free.
    pub(super) due_again: u64,
}

/// Why a request came to nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorAnswer {
    /// In a line.
    pub(super) error: String,
}
