//! The learning rate of every step.

use serde::{Deserialize, Serialize};

use crate::recipe::{ScheduleKind, Stage};

/// What the learning rate depends on besides the step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScheduleState {
    /// The product of all reductions on plateaus so far.
    pub reduction: f64,
    /// The least monitored value so far.
    pub best: Option<f64>,
    /// Epochs since then.
    pub bad_epochs: usize,
}

impl Default for ScheduleState {
    fn default() -> Self {
        ScheduleState { reduction: 1.0, best: None, bad_epochs: 0 }
    }
}

/// The learning rate of step `step` (from 0) of `n_steps`.
///
/// Along the cosine it is min + (full − min)·(1 + cos(π·t))/2 (Loshchilov and Hutter 2017, eq. 5, without restarts), t from 0 after
/// the warm-up to 1 at the end.
pub(crate) fn learning_rate(stage: &Stage, state: &ScheduleState, step: usize, n_steps: usize) -> f64 {
    let schedule = &stage.schedule;
    let full = stage.optimizer.learning_rate;
    let warm_up = schedule.warm_up_steps.min(n_steps);
    let rate = match schedule.kind {
        ScheduleKind::Constant => full,
        ScheduleKind::Plateau => (full * state.reduction).max(schedule.min_lr),
        ScheduleKind::Cosine => {
            let t = step.saturating_sub(warm_up) as f64 / (n_steps - warm_up).max(1) as f64;
            schedule.min_lr + (full - schedule.min_lr) * 0.5 * (1.0 + (std::f64::consts::PI * t).cos())
        }
    };
    if step < warm_up { rate * (step + 1) as f64 / (warm_up + 1) as f64 } else { rate }
}

/// Takes in the monitored value of an epoch. After more than `patience` epochs in a row that are not better, the rate falls by
/// `factor`, as in PyTorch's `ReduceLROnPlateau` with an absolute threshold.
pub(crate) fn after_epoch(stage: &Stage, state: &mut ScheduleState, monitored: f64) {
    let schedule = &stage.schedule;
    if schedule.kind != ScheduleKind::Plateau {
        return;
    }
    if state.best.is_none_or(|best| monitored < best - schedule.min_delta) {
        state.best = Some(monitored);
        state.bad_epochs = 0;
        return;
    }
    state.bad_epochs += 1;
    if state.bad_epochs > schedule.patience {
        state.reduction *= schedule.factor;
        state.bad_epochs = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Recipe;

    fn stage(kind: ScheduleKind) -> Stage {
        let mut stage = Recipe::built_in("paper").unwrap().stages.remove(0);
        stage.schedule.kind = kind;
        stage.schedule.patience = 2;
        stage
    }

    #[test]
    fn a_plateau_of_more_than_patience_epochs_reduces_once() {
        let mut stage = stage(ScheduleKind::Plateau);
        stage.schedule.min_lr = 5e-5;
        let mut state = ScheduleState::default();
        let mut rates = Vec::new();
        for value in [1.0, 0.9, 0.9, 0.89995, 0.95, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9] {
            after_epoch(&stage, &mut state, value);
            rates.push((learning_rate(&stage, &state, 0, 10) * 1e6).round());
        }
        assert_eq!(rates, [1000., 1000., 1000., 1000., 100., 100., 100., 100., 50., 50., 50., 50.]);
    }

    #[test]
    fn the_cosine_goes_from_full_to_least_after_the_warm_up() {
        let mut stage = stage(ScheduleKind::Cosine);
        stage.schedule.warm_up_steps = 4;
        stage.schedule.min_lr = 1e-5;
        let rate = |step| learning_rate(&stage, &ScheduleState::default(), step, 104);
        assert!((rate(0) - 0.2e-3).abs() < 1e-12 && (rate(3) - 0.8e-3).abs() < 1e-12);
        assert!((rate(4) - 1e-3).abs() < 1e-12);
        assert!((rate(54) - (1e-3 + 1e-5) / 2.0).abs() < 1e-12);
        assert!(rate(103) > 1e-5 && rate(103) < 1.1e-5);
    }
}
