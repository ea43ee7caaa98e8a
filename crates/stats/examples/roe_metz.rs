//! Simulates reader studies of 5 readers and 114 cases by Roe & Metz's model: how often the analysis finds a difference where there is
//! none, and where there is one how near the formula of power comes.
//!
//! Run: cargo run --release -p coxa-stats --example roe_metz [STUDIES]

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use coxa_stats::mrmc::{Analysis, AnalysisOptions, CovarianceMethod, NextStudy, Random, RoeMetz, StudySize};
use coxa_stats::{Interval, Level, interval};

fn analyses(model: &RoeMetz, studies: u64, options: &AnalysisOptions) -> Vec<Analysis> {
    (0..studies).filter_map(|number| model.draw(1, number).analyze(options, Level::P95).ok()).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let studies = std::env::args().nth(1).map_or(Ok(2000), |text| text.parse())?;
    let significant = |analyses: &[Analysis]| {
        analyses.iter().filter(|of| of.overall.as_ref().is_some_and(|test| test.p < 0.05)).count() as u64
    };
    // The model's readers and cases are random: only that analysis has to keep its level.
    for covariance in [CovarianceMethod::Delong, CovarianceMethod::Jackknife, CovarianceMethod::Unbiased] {
        let options = AnalysisOptions { covariance, random: Random::ReadersAndCases, ..AnalysisOptions::default() };
        let null = analyses(&RoeMetz::default(), studies, &options);
        let rate = interval::proportion(significant(&null), null.len() as u64, Level::P95, Interval::ClopperPearson)?;
        let limits = rate.limits.map(|limits| (limits.low, limits.high));
        println!("{:<10} null: {} studies, rejected {:.4} {limits:.4?}", covariance.name(), null.len(), rate.value);
    }
    for gain in [0.3, 0.45, 0.6] {
        let found = analyses(&RoeMetz { gain, ..RoeMetz::default() }, studies, &AnalysisOptions::default());
        let mean =
            |of: &dyn Fn(&Analysis) -> Option<f64>| found.iter().filter_map(of).sum::<f64>() / found.len() as f64;
        let mut pilot = found.first().ok_or("no study could be analyzed")?.clone();
        pilot.components.error = mean(&|of| Some(of.components.error));
        pilot.components.cov1 = Some(mean(&|of| of.components.cov1));
        pilot.components.cov2 = Some(mean(&|of| of.components.cov2));
        pilot.components.cov3 = Some(mean(&|of| of.components.cov3));
        pilot.components.treatment_reader = Some(mean(&|of| of.components.treatment_reader));
        let difference = -mean(&|of| Some(of.differences[0].difference.value));
        let size = StudySize { readers: 5, cases: 114 };
        let formula = NextStudy::of(&pilot, 114)?.power(difference, size, 0.05)?;
        let simulated = significant(&found) as f64 / found.len() as f64;
        println!(
            "gain {gain}: difference {difference:.4}, power by the formula {formula:.4}, simulated {simulated:.4}"
        );
    }
    Ok(())
}
