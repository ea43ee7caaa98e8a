//! The coded terms of a DX image: part of the body and projection.

/// The part of the body that is imaged, with its code and its Body Part Examined (PS3.16 CID 4009 and annex L).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnatomicRegion {
    /// Pelvis with both hips.
    Pelvis,
    /// One hip.
    Hip,
    /// Thigh.
    Thigh,
    /// Knee.
    Knee,
    /// Lower leg.
    Leg,
    /// Ankle.
    Ankle,
    /// Foot.
    Foot,
    /// Shoulder.
    Shoulder,
    /// Elbow.
    Elbow,
    /// Forearm.
    Forearm,
    /// Wrist.
    Wrist,
    /// Hand.
    Hand,
}

impl AnatomicRegion {
    const ALL: [Self; 12] = [
        Self::Pelvis,
        Self::Hip,
        Self::Thigh,
        Self::Knee,
        Self::Leg,
        Self::Ankle,
        Self::Foot,
        Self::Shoulder,
        Self::Elbow,
        Self::Forearm,
        Self::Wrist,
        Self::Hand,
    ];

    /// By its lower-case English name: `pelvis`, `hip`, `thigh`, `knee`, `leg`, `ankle`, `foot`, `shoulder`, `elbow`, `forearm`,
    /// `wrist`, `hand`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.term().eq_ignore_ascii_case(name))
    }

    /// Body Part Examined (0018,0015).
    pub(super) fn term(self) -> &'static str {
        match self {
            Self::Pelvis => "PELVIS",
            Self::Hip => "HIP",
            Self::Thigh => "THIGH",
            Self::Knee => "KNEE",
            Self::Leg => "LEG",
            Self::Ankle => "ANKLE",
            Self::Foot => "FOOT",
            Self::Shoulder => "SHOULDER",
            Self::Elbow => "ELBOW",
            Self::Forearm => "FOREARM",
            Self::Wrist => "WRIST",
            Self::Hand => "HAND",
        }
    }

    /// SNOMED CT code and meaning.
    pub(super) fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::Pelvis => ("816092008", "Pelvis"),
            Self::Hip => ("29836001", "Hip"),
            Self::Thigh => ("68367000", "Thigh"),
            Self::Knee => ("72696002", "Knee"),
            Self::Leg => ("30021000", "Lower leg"),
            Self::Ankle => ("70258002", "Ankle joint"),
            Self::Foot => ("56459004", "Foot"),
            Self::Shoulder => ("16982005", "Shoulder"),
            Self::Elbow => ("16953009", "Elbow joint"),
            Self::Forearm => ("14975008", "Forearm"),
            Self::Wrist => ("74670003", "Wrist joint"),
            Self::Hand => ("85562004", "Hand"),
        }
    }
}

/// The projection (PS3.16 CID 4010).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Projection {
    /// From front to back: the frontal film of a pelvis.
    AnteroPosterior,
    /// From back to front: as hands and wrists are taken.
    PosteroAnterior,
    /// The patient's left side at the detector.
    LeftLateral,
    /// The patient's right side at the detector.
    RightLateral,
}

impl Projection {
    /// View Position (0018,5101), SNOMED CT code, meaning, and Patient Orientation of rows and columns.
    pub(super) fn terms(self) -> (&'static str, &'static str, &'static str, [&'static str; 2]) {
        match self {
            Self::AnteroPosterior => ("AP", "399348003", "antero-posterior", ["L", "F"]),
            Self::PosteroAnterior => ("PA", "272479007", "postero-anterior", ["R", "F"]),
            Self::LeftLateral => ("LL", "399173006", "left lateral", ["P", "F"]),
            Self::RightLateral => ("RL", "399198007", "right lateral", ["A", "F"]),
        }
    }
}
