//! The measures, the ROC curve and the calibration.

use coxa_stats::roc::{Roc, sensitivity_at_specificity};
use coxa_stats::{Bootstrap, Plan, Resampling};

use super::Study;
use super::cells::{cell, field_names, figure, percent, section, strings, with_fields};
use super::paper::paper_cell;
use crate::evaluate::Evaluation;
use crate::figures::calibration::Bin;
use crate::figures::roc::{self, RocCurve};
use crate::figures::{calibration, decision};
use crate::page::{Block, PageTable, Section};
use crate::predictions::Predictions;

pub(super) fn results(study: &Study<'_>) -> Section {
    let measures = &study.evaluation.measures;
    let c = &measures.confusion;
    let confusion = PageTable {
        name: "confusion".into(),
        caption: format!(
            "{} films; called positive at a probability of {:.4} or more.",
            measures.n, measures.threshold
        ),
        header: strings(["truth", "called fracture", "called none"]),
        rows: vec![
            vec!["fracture".into(), c.tp.to_string(), c.fn_.to_string()],
            vec!["no fracture".into(), c.fp.to_string(), c.tn.to_string()],
        ],
        data: None,
    };
    let kind = if study.simulated { "simulated films" } else { "these films" };
    let rows = measures.by_name().map(|(name, statistic)| {
        let method = statistic.limits().map_or(String::new(), |limits| limits.method.to_owned());
        vec![name.to_owned(), cell(statistic), paper_cell(name), method]
    });
    let data = measures.by_name().map(|(name, statistic)| with_fields(vec![name.to_owned()], &[statistic]));
    let table = PageTable {
        name: "measures".into(),
        caption: format!(
            "Value and {} interval; the paper's column has 95% intervals throughout. * Computed from the paper's table: 49 fractures \
             called, 1 missed, 8 false calls, 42 correctly called normal. Its interval of the false-negative rate is that of its negative \
             likelihood ratio, a slip.",
            percent(study.options.level)
        ),
        header: vec!["measure".into(), kind.to_owned(), "paper, 100 real films".into(), "interval".into()],
        rows: rows.to_vec(),
        data: Some((["measure".to_owned()].into_iter().chain(field_names("")).collect(), data.to_vec())),
    };
    let notes = study.evaluation.notes.iter().map(|note| Block::Text(note.clone()));
    section("Results", [Block::Table(confusion), Block::Table(table)].into_iter().chain(notes).collect())
}

/// The bootstrap behind the ROC curve's band: enough for a picture.
const BAND: Plan = Plan { replicates: 500, seed: 0 };

pub(super) fn curve(study: &Study<'_>) -> Section {
    let Ok(sample) = study.predictions.scored() else {
        return section(
            "ROC curve",
            vec![Block::Text("Undefined: the predictions are not scores of two classes.".into())],
        );
    };
    let Ok(curve) = Roc::new(sample) else {
        return section("ROC curve", vec![Block::Text("Undefined: there are films of one class only.".into())]);
    };
    let mut points: Vec<_> = curve.points().iter().map(|p| (1.0 - p.specificity, p.sensitivity)).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let clusters = study.predictions.dependent(study.options.clustering).ok().flatten();
    let (resampling, how) = match &clusters {
        Some(clusters) => (Resampling::Clustered(clusters), "bootstrap of patients"),
        None => (Resampling::Stratified, "stratified bootstrap"),
    };
    let bootstrap = Bootstrap::new(resampling).level(study.options.level).plan(BAND);
    let band = (0..20).filter_map(|i| {
        let specificity = 1.0 - f64::from(i) / 20.0;
        let limits = sensitivity_at_specificity(sample, specificity, &bootstrap).ok()?.limits.ok()?;
        Some((1.0 - specificity, limits.low, limits.high))
    });
    // Every curve ends here: a point without an interval.
    let band = band.chain([(1.0, 1.0, 1.0)]);
    let measures = &study.evaluation.measures;
    let operating = measures.specificity.value().zip(measures.sensitivity.value()).map(|(sp, se)| (1.0 - sp, se));
    let auc = measures.auc.value().map_or("AUC undefined".to_owned(), |auc| format!("model, AUC {auc:.3}"));
    let drawn = RocCurve { name: auc, points, band: band.collect(), operating };
    let drawing = roc::draw(&[drawn], &study.readers, "ROC curve");
    let caption = format!(
        "The ROC curve (Fig. 2 of the paper), the pointwise {} band of its sensitivity ({how}) and the operating point.",
        percent(study.options.level)
    );
    section("ROC curve", vec![figure("fig2-roc", drawing, &caption)])
}

pub(super) fn calibration_section(predictions: &Predictions, evaluation: &Evaluation) -> Section {
    let c = &evaluation.calibration;
    let bins: Vec<Bin> = c
        .bins
        .iter()
        .map(|bin| Bin {
            predicted: bin.predicted,
            observed: bin.observed.value,
            interval: bin.observed.limits.map_or((bin.observed.value, bin.observed.value), |l| (l.low, l.high)),
            n: bin.observed.n,
        })
        .collect();
    let captions =
        [("Brier", &c.brier), ("ECE", &c.expected_calibration_error), ("slope", &c.slope), ("intercept", &c.intercept)];
    let lines: Vec<String> = captions.iter().map(|(name, value)| format!("{name} {}", cell(value))).collect();
    let mut blocks = vec![figure(
        "calibration",
        calibration::draw(&bins, &lines, "Reliability"),
        "Observed proportion of fractures in ten bins of predicted probability, with Wilson's intervals.",
    )];
    if let Some(drawing) = predictions.scored().ok().and_then(|sample| decision::draw(sample, "Decision curve")) {
        blocks.push(figure(
            "decision",
            drawing,
            "Net benefit of reading by the model, of treating all films as fractured, and of treating none.",
        ));
    }
    section("Calibration and use", blocks)
}
