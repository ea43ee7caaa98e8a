//! Everything that is computed from a study's ratings.

use coxa_stats::mrmc::{
    Analysis, AnalysisOptions, CovarianceMethod, Dbm, Design, Endpoint, NextStudy, Random, ReaderStudy, Standalone,
    StudySize,
};
use coxa_stats::{Level, Plan, Test, Undefined};
use serde::Serialize;

use super::performance::{ModelCurve, Performance, performance};
use super::side_results::{Agreement, ReadingTimes, TimeModel, agreement, reading_times, time_model};
use super::table::{RatedRow, ReaderTable};
use crate::error::StudyError;
use crate::evaluate::Dependence;
use crate::statistic::{Defined, Number, Statistic};

/// What is computed.
#[derive(Debug, Clone, Default)]
pub struct ReaderOptions {
    /// Endpoint, covariances, what is random.
    pub analysis: AnalysisOptions,
    /// The level of intervals.
    pub level: Level,
    /// The reader that stands alone, as a network does.
    pub alone: Option<String>,
    /// Test non-inferiority by this margin.
    pub margin: Option<f64>,
    /// A rating of this much or more calls the finding present, for rates and agreement.
    pub threshold: Option<f64>,
    /// The network's ROC curve, beside which readers are placed.
    pub curve: Option<ModelCurve>,
    /// Size of the next study: the difference to find, readers, and power.
    pub next: Option<(f64, u32, f64)>,
}

/// What was computed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReaderAnalysis {
    /// Obuchowski & Rockette's analysis.
    #[serde(flatten)]
    pub analysis: Analysis,
    /// What is independent.
    pub dependence: Dependence,
    /// Cases, and how many are positive.
    pub cases: usize,
    /// Positive cases.
    pub positive: usize,
    /// Dorfman, Berbaum & Metz's analysis; none with one treatment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pseudovalues: Option<Defined<Dbm>>,
    /// Each difference's test of non-inferiority, in the order of `differences`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub noninferiority: Vec<Defined<Test>>,
    /// The readers' mean against the stand-alone reader, by treatment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub standalone: Vec<Defined<Standalone>>,
    /// The same analysis of marked lesions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub localization: Option<Defined<Analysis>>,
    /// Rates at the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performance: Option<Performance>,
    /// Kappas at the threshold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agreement: Vec<Agreement>,
    /// Reading times by paired ranks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<ReadingTimes>,
    /// Reading times by a mixed model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_model: Option<Defined<TimeModel>>,
    /// The next study.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Defined<Next>>,
    /// What a reader of the numbers should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The analysis in words for a paper's section on methods.
    pub methods: String,
}

/// The next study's size, and its power.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Next {
    /// Readers and cases.
    #[serde(flatten)]
    pub size: StudySize,
    /// The power with them, by the formula that gave the size.
    pub power: Number,
    /// The power with them where endpoints vary less the nearer they are to one, by simulation.
    pub simulated: Statistic,
}

/// The level of the test that the next study is planned for.
const ALPHA: f64 = 0.05;

/// Studies drawn for its simulated power, which is then known to one point.
const DRAWN: Plan = Plan { replicates: 10_000, seed: 0 };

/// Analyzes a study.
///
/// # Errors
/// [`StudyError`] for ratings that make no study; [`StudyError::Undefined`] where the analysis itself is undefined. What surrounds it is
/// [`Defined`] or not for itself.
pub fn analyze(table: &ReaderTable, options: &ReaderOptions) -> Result<ReaderAnalysis, StudyError> {
    let study = table.study(options.alone.as_deref())?;
    let undefined = |undefined: Undefined| StudyError::Undefined { path: table.path.clone(), undefined };
    let analysis = study.analyze(&options.analysis, options.level).map_err(undefined)?;
    let rows: Vec<&RatedRow> = table.rows.iter().collect();
    let of_readers: Vec<&RatedRow> =
        rows.iter().copied().filter(|row| Some(&row.rating.reader) != options.alone.as_ref()).collect();
    let margin = options.margin;
    let noninferiority = margin.map_or(Vec::new(), |margin| {
        analysis.differences.iter().map(|pair| Defined(pair.noninferiority(margin))).collect()
    });
    let next = options.next.map(|(difference, readers, power)| {
        let next = || {
            let next = NextStudy::of(&analysis, study.cases().len())?;
            let size = next.cases(difference, readers, power, ALPHA)?;
            Ok(Next {
                size,
                power: Number(next.power(difference, size, ALPHA)),
                simulated: Statistic(next.simulated_power(difference, size, ALPHA, DRAWN)),
            })
        };
        Defined(next())
    });
    let localization = match &table.marks {
        None => None,
        Some(marks) => {
            let marks: Vec<&RatedRow> = marks.rows.iter().collect();
            // The threshold of a binary endpoint has no meaning for lesions.
            let of = AnalysisOptions { endpoint: Endpoint::Area, ..options.analysis };
            let study = table.study_of(&marks)?;
            Some(Defined(study.analyze(&of, options.level)))
        }
    };
    let time_model = time_model(&of_readers, options.level);
    let mut methods = methods(&study, &analysis, options);
    if time_model.as_ref().is_some_and(|model| model.0.is_ok()) {
        methods += " Reading times were compared by a linear mixed model of log seconds with random readers and films (REML, Satterthwaite's \
                    degrees of freedom).";
    }
    let threshold = options.threshold.or(match options.analysis.endpoint {
        Endpoint::Area => None,
        Endpoint::Sensitivity(threshold) | Endpoint::Specificity(threshold) => Some(threshold),
    });
    Ok(ReaderAnalysis {
        dependence: if study.patients().is_some() { Dependence::Patients } else { Dependence::Films },
        cases: study.cases().len(),
        positive: study.truth().iter().filter(|&&positive| positive).count(),
        pseudovalues: (study.treatments().len() > 1).then(|| Defined(study.analyze_pseudovalues(&options.analysis))),
        noninferiority,
        standalone: standalone(table, &study, options)?,
        localization,
        performance: threshold.map(|threshold| performance(&rows, threshold, options.curve.as_ref(), options.level)),
        agreement: threshold.map_or(Vec::new(), |threshold| agreement(&rows, threshold, options.level)),
        times: reading_times(&rows, options.level),
        time_model,
        next,
        notes: notes(&study, &analysis),
        methods,
        analysis,
    })
}

/// The stand-alone reader against the readers of each treatment. Its own ratings may be of any one treatment.
fn standalone(
    table: &ReaderTable,
    study: &ReaderStudy,
    options: &ReaderOptions,
) -> Result<Vec<Defined<Standalone>>, StudyError> {
    let Some(alone) = &options.alone else { return Ok(Vec::new()) };
    let (its, others): (Vec<&RatedRow>, Vec<&RatedRow>) =
        table.rows.iter().partition(|row| row.rating.reader == *alone);
    if its.is_empty() {
        let reason = format!("no rating is by reader {alone}");
        return Err(StudyError::Rating { path: table.path.clone(), place: String::new(), reason });
    }
    let mut found = Vec::new();
    for treatment in study.treatments() {
        let moved: Vec<RatedRow> = its
            .iter()
            .map(|&row| {
                let mut row = row.clone();
                row.rating.treatment.clone_from(treatment);
                row
            })
            .collect();
        let of = others.iter().copied().filter(|row| row.rating.treatment == *treatment);
        let rows: Vec<&RatedRow> = of.chain(&moved).collect();
        let study = table.study_of(&rows)?;
        found.push(Defined(study.against_standalone(alone, &options.analysis, options.level)));
    }
    Ok(found)
}

fn notes(study: &ReaderStudy, analysis: &Analysis) -> Vec<String> {
    let mut notes = Vec::new();
    if analysis.design == Design::PartlyCrossed
        && let Err(missing) = study.require_crossed()
    {
        notes.push(format!("the study is not fully crossed: {missing}"));
    }
    for (name, value) in
        [("readers", analysis.components.reader), ("treatments by readers", analysis.components.treatment_reader)]
    {
        if let Some(value) = value.filter(|value| *value < 0.0) {
            notes
                .push(format!("the variance of {name} is estimated as {value:.3e}, below zero: it is as good as none"));
        }
    }
    let [cov2, cov3] = [analysis.components.cov2, analysis.components.cov3].map(Option::unwrap_or_default);
    if cov2 < cov3 {
        notes.push("Cov2 is below Cov3: their difference counts as zero (Hillis 2007)".to_owned());
    }
    notes
}

/// The analysis in a paper's words.
fn methods(study: &ReaderStudy, analysis: &Analysis, options: &ReaderOptions) -> String {
    let endpoint = match options.analysis.endpoint {
        Endpoint::Area => "areas under the empirical ROC curves".to_owned(),
        Endpoint::Sensitivity(threshold) => format!("sensitivities at a rating of {threshold} or more"),
        Endpoint::Specificity(threshold) => format!("specificities at a rating below {threshold}"),
    };
    let random = match analysis.random {
        Random::ReadersAndCases => "readers and cases as random",
        Random::Readers => "readers as random and cases as fixed",
        Random::Cases => "cases as random and readers as fixed",
    };
    let covariance = match options.analysis.covariance {
        CovarianceMethod::Delong => "DeLong's method",
        CovarianceMethod::Jackknife => "the jackknife",
        CovarianceMethod::Unbiased => "Gallas' unbiased estimator",
        CovarianceMethod::Bootstrap(_) => "the bootstrap",
    };
    let clustered = if study.patients().is_some() { ", with cases of one patient taken as one cluster" } else { "" };
    let positive = study.truth().iter().filter(|&&positive| positive).count();
    let (under, done) = match study.treatments().len() {
        1 => ("one treatment".to_owned(), "averaged"),
        several => (format!("{several} treatments (design: {})", analysis.design.name()), "compared"),
    };
    format!(
        "{} readers rated {} cases, {positive} of them with the finding, under {under}. The readers' {endpoint} were {done} by the method of \
         Obuchowski and Rockette with the degrees of freedom of Hillis, taking {random}. Covariances were estimated by \
         {covariance}{clustered}. Intervals are of {}%.",
        study.readers().len(),
        study.cases().len(),
        100.0 * options.level.get(),
    )
}
