//! The weights that a stage starts from.

use coxa_engine::architecture::STRIDE;
use coxa_engine::{Architecture, Parameters};

use super::context::Context;
use crate::bundle::{Bundle, Seen};
use crate::recipe::Start;
use crate::{ModelError, weights};

/// The classifier's first bias where the class activation map is taught.
const CELL_PRIOR: f32 = -3.0;

/// Weights to start from.
pub(super) struct StartWeights {
    pub parameters: Parameters,
    /// Whether they stem from simulated films.
    pub simulated: bool,
}

/// The weights that a stage starts from, with a classifier for its classes.
pub(super) fn start_weights(
    context: &Context<'_>,
    classes: &[String],
    outputs: usize,
    previous: Option<&Bundle>,
) -> Result<StartWeights, ModelError> {
    let seed = context.seed();
    let (parameters, simulated, is_new) = match (&context.stage.start, previous) {
        (Start::Scratch, _) => (Parameters::initialize(&Architecture::new(outputs), seed), false, true),
        (Start::Previous, Some(bundle)) => of_bundle(context, bundle, classes, outputs)?,
        (Start::Previous, None) => return Err(context.fault("there is no stage before it to start from")),
        (Start::Bundle(folder), _) => of_bundle(context, &Bundle::load(folder)?, classes, outputs)?,
        (Start::Weights(path), _) => {
            let imported = weights::import(path, weights::Head::Fresh { outputs, seed })?;
            (imported.parameters, false, true)
        }
    };
    let parameters = if is_new && context.stage.localization.is_some() {
        // Nearly all cells show nothing: a new classifier that says so from the start need not learn it first (Lin et al. 2017).
        weights::with_bias(&parameters, CELL_PRIOR)?
    } else {
        parameters
    };
    Ok(StartWeights { parameters, simulated })
}

/// A bundle's weights, whether they stem from simulated films, and whether the classifier is new.
fn of_bundle(
    context: &Context<'_>,
    bundle: &Bundle,
    classes: &[String],
    outputs: usize,
) -> Result<(Parameters, bool, bool), ModelError> {
    let (card, parameters) = (bundle.card(), bundle.parameters());
    let same = card.classes == classes;
    let parameters = match (same, context.stage.localization) {
        (false, _) => weights::with_fresh_head(parameters, outputs, context.seed())?,
        (true, None) => parameters.clone(),
        // A finding covers a smaller share of a larger square, and its cells must say as much all the same.
        (true, Some(_)) => {
            let stage = context.stage;
            let before = cells_read(card.window, card.input.size);
            weights::with_scaled_head(parameters, cells_read(stage.window, stage.input_size) / before)?
        }
    };
    Ok((parameters, card.simulated(), !same))
}

/// Cells of the map whose mean a logit is: those of the window, or of the whole input of `size` pixels.
fn cells_read(window: Option<usize>, size: usize) -> f32 {
    let side = size / STRIDE;
    window.unwrap_or(side).min(side).pow(2) as f32
}

/// What the start of a stage was trained on, which the stage's network has seen too.
pub(super) fn seen_by_start(start: &Start, previous: Option<&Bundle>) -> Seen {
    match (start, previous) {
        (Start::Previous, Some(bundle)) => bundle.seen().clone(),
        // A folder that is gone since the run began takes its list with it.
        (Start::Bundle(folder), _) => Bundle::load(folder).map_or_else(|_| Seen::default(), |b| b.seen().clone()),
        _ => Seen::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::cells_read;

    #[test]
    fn a_window_reads_as_many_cells_as_a_whole_input_of_its_size() {
        assert_eq!(cells_read(Some(5), 256), cells_read(None, 160));
        assert_eq!(cells_read(None, 512), 256.0);
        assert_eq!(cells_read(Some(9), 160), 25.0);
    }
}
