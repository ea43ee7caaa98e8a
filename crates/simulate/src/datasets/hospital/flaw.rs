//! Why linkage of the registry should leave an injury out.

/// Why linkage should leave an injury out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// None: it belongs in the cohort.
    None,
    /// The patient was not admitted.
    NotAdmitted,
    /// No film at all.
    NoFilm,
    /// The frontal film is of another day.
    OtherDay,
    /// Only a lateral film of the hip.
    OtherView,
    /// The film has a defect.
    Defect(&'static str),
    /// A fracture of the femoral shaft or the pelvis.
    OtherFracture,
    /// A code that names a hip fracture of unspecified kind: the film stays in, its label is to be reviewed.
    Questionable,
}
