//! Simulates reader studies of 5 readers and 114 cases by Roe & Metz's model: how often the analysis finds a difference where there is
//! none, and where there is one how near two computations of power come: Hillis' formula, and the simulation of bounded endpoints.
//!
//! Run: cargo run --release -p coxa-stats --example roe_metz [STUDIES]

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use coxa_stats::mrmc::{Analysis, AnalysisOptions, CovarianceMethod, NextStudy, Random, RoeMetz, StudySize};
use coxa_stats::{Interval, Level, Plan, interval};

fn analyses(model: &RoeMetz, studies: u64, options: &AnalysisOptions) -> Vec<Analysis> {
    (0..studies).filter_map(|number| model.draw(1, number).analyze(options, Level::P95).ok()).collect()
}

/// Roe and Metz's structures: high or low correlation of the data, high or low variance of readers. Their reader variances belong to areas:
/// 0.70 has 0.0055 and 0.011, 0.85 has 0.0055 and 0.03, 0.96 has 0.0055 and 0.1.
fn structures(separation: f64, high: f64) -> [(&'static str, RoeMetz); 4] {
    let of = |reader: f64, correlated: bool| {
        let common = if correlated { 0.3 } else { 0.1 };
        let error = if correlated { 0.2 } else { 0.6 };
        let model = RoeMetz { separation, reader, treatment_reader: reader, ..RoeMetz::default() };
        RoeMetz { case: common, treatment_case: common, error, ..model }
    };
    [("HL", of(0.0055, true)), ("LL", of(0.0055, false)), ("HH", of(high, true)), ("LH", of(high, false))]
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
    println!("area  structure  gain  difference  rejected  formula  bounded");
    for (separation, high) in [(0.75, 0.011), (1.5, 0.03), (2.5, 0.1)] {
        for (name, structure) in structures(separation, high) {
            for gain in [0.3, 0.5, 0.7, 0.9] {
                let found = analyses(&RoeMetz { gain, ..structure }, studies, &AnalysisOptions::default());
                let pilot = mean_of(&found).ok_or("no study could be analyzed")?;
                let difference = pilot.treatments[1].mean.value - pilot.treatments[0].mean.value;
                let area = (pilot.treatments[1].mean.value + pilot.treatments[0].mean.value) / 2.0;
                let size = StudySize { readers: 5, cases: 114 };
                let next = NextStudy::of(&pilot, 114)?;
                let formula = next.power(difference, size, 0.05)?;
                let bounded = next.simulated_power(difference, size, 0.05, Plan { replicates: 20_000, seed: 1 })?.value;
                let rejected = significant(&found) as f64 / found.len() as f64;
                println!(
                    "{area:.3} {name:<9}  {gain:.1}   {difference:.4}      {rejected:.4}    {:+.4}  {:+.4}",
                    formula - rejected,
                    bounded - rejected
                );
            }
        }
    }
    Ok(())
}

/// The first of the studies with all their means: of the components, which so stand for the true ones, and of the treatments.
fn mean_of(found: &[Analysis]) -> Option<Analysis> {
    let mean = |of: &dyn Fn(&Analysis) -> Option<f64>| found.iter().filter_map(of).sum::<f64>() / found.len() as f64;
    let mut pilot = found.first()?.clone();
    pilot.components.error = mean(&|of| Some(of.components.error));
    pilot.components.cov1 = Some(mean(&|of| of.components.cov1));
    pilot.components.cov2 = Some(mean(&|of| of.components.cov2));
    pilot.components.cov3 = Some(mean(&|of| of.components.cov3));
    pilot.components.reader = Some(mean(&|of| of.components.reader));
    pilot.components.treatment_reader = Some(mean(&|of| of.components.treatment_reader));
    for i in 0..2 {
        pilot.treatments[i].mean.value = mean(&|of| Some(of.treatments[i].mean.value));
    }
    Some(pilot)
}
