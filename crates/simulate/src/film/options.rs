//! Which film to make.

use coxa_schema::FractureType;

/// Which class of film is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FilmKind {
    /// By the shares of [`Proportions::default`].
    #[default]
    Random,
    /// No fracture.
    Normal,
    /// A fracture of the femoral neck.
    FemoralNeck,
    /// A trochanteric fracture.
    Trochanteric,
    /// A fracture below the trochanters.
    Subtrochanteric,
}

impl FilmKind {
    /// The fracture of a film of this kind; that of [`FilmKind::Random`] is not decided yet.
    #[must_use]
    pub(crate) fn fracture(self) -> Option<FractureType> {
        match self {
            Self::Random | Self::Normal => None,
            Self::FemoralNeck => Some(FractureType::FemoralNeck),
            Self::Trochanteric => Some(FractureType::Trochanteric),
            Self::Subtrochanteric => Some(FractureType::Subtrochanteric),
        }
    }
}

/// Shares of the classes of pelvic films; they need not sum to one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proportions {
    /// No fracture.
    pub normal: f32,
    /// Fracture of the femoral neck.
    pub femoral_neck: f32,
    /// Trochanteric fracture.
    pub trochanteric: f32,
    /// Fracture below the trochanters.
    pub subtrochanteric: f32,
}

impl Proportions {
    /// Each kind of film with its share, that without a fracture first.
    #[must_use]
    pub(crate) fn kinds(&self) -> [(FilmKind, f32); 4] {
        [
            (FilmKind::Normal, self.normal),
            (FilmKind::FemoralNeck, self.femoral_neck),
            (FilmKind::Trochanteric, self.trochanteric),
            (FilmKind::Subtrochanteric, self.subtrochanteric),
        ]
    }
}

impl Default for Proportions {
    fn default() -> Self {
        Self { normal: 0.5, femoral_neck: 0.25, trochanteric: 0.22, subtrochanteric: 0.03 }
    }
}

/// How far the simulated world is varied beyond the ordinary film. Each knob is a factor or probability in `0..=1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Domain {
    /// Spread of pose, anatomy, exposure and processing: 0 is a tidy department, 1 the full randomization for training.
    pub variation: f32,
    /// Probability of hardware in a hip, the same with and without fracture.
    pub hardware: f32,
    /// Probability of a close-up of one hip instead of the whole pelvis.
    pub close_up: f32,
    /// Probability of each kind of clutter: lines, clothing, markers, labels.
    pub clutter: f32,
}

impl Domain {
    /// Pelves of one tidy department: no variation, no metal, no close-ups, no clutter.
    pub const PLAIN: Self = Self { variation: 0.0, hardware: 0.0, close_up: 0.0, clutter: 0.0 };
}

impl Default for Domain {
    fn default() -> Self {
        Self { variation: 1.0, hardware: 0.08, close_up: 0.35, clutter: 0.3 }
    }
}

/// The film to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilmOptions {
    /// Longest side of the film in pixels, 64 to 4096.
    pub size: usize,
    /// Class of the film.
    pub kind: FilmKind,
    /// How much everything else varies.
    pub domain: Domain,
}

impl Default for FilmOptions {
    fn default() -> Self {
        Self { size: 512, kind: FilmKind::Random, domain: Domain::default() }
    }
}
