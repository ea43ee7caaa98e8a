//! What must hold for any sample.

use coxa_stats::auc::{self, AucInterval};
use coxa_stats::calibration::{Binning, Bins, brier_parts};
use coxa_stats::confusion::{F1Interval, YoudenInterval};
use coxa_stats::contingency::{Continuity, McNemar, chi_square, fisher_exact, mcnemar};
use coxa_stats::{
    Bootstrap, Clusters, Confusion, Estimate, Interval, Level, Limits, Metric, Plan, Resampling, Roc, Scored, decision,
};
use proptest::prelude::*;

/// Scores on a coarse grid, so that ties are common, with both classes present at least twice.
fn samples() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<bool>)> {
    (4usize..60).prop_flat_map(|n| {
        let scores = || prop::collection::vec((-20i32..20).prop_map(|v| f64::from(v) / 4.0), n);
        let truth = prop::collection::vec(any::<bool>(), n).prop_map(|mut truth| {
            (truth[0], truth[1], truth[2], truth[3]) = (true, false, true, false);
            truth
        });
        (scores(), scores(), truth)
    })
}

fn tables() -> impl Strategy<Value = Confusion> {
    (0u64..200, 0u64..200, 0u64..200, 0u64..200).prop_map(|(tp, fp, fn_, tn)| Confusion { tp, fp, fn_, tn })
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * (1.0 + a.abs().max(b.abs()))
}

/// DeLong's area and variance by comparing every case with every control.
fn naive(scores: &[f64], truth: &[bool]) -> (f64, f64) {
    let of = |class: bool| -> Vec<f64> {
        let pairs = scores.iter().zip(truth);
        pairs.filter(|&(_, &t)| t == class).map(|(&s, _)| s).collect()
    };
    let (cases, controls) = (of(true), of(false));
    let psi = |x: f64, y: f64| {
        if x > y {
            1.0
        } else if x == y {
            0.5
        } else {
            0.0
        }
    };
    let (m, n) = (cases.len() as f64, controls.len() as f64);
    let v10: Vec<f64> = cases.iter().map(|&x| controls.iter().map(|&y| psi(x, y)).sum::<f64>() / n).collect();
    let v01: Vec<f64> = controls.iter().map(|&y| cases.iter().map(|&x| psi(x, y)).sum::<f64>() / m).collect();
    let theta = v10.iter().sum::<f64>() / m;
    let square = |v: &[f64]| v.iter().map(|x| (x - theta).powi(2)).sum::<f64>();
    let variance = square(&v10) / (m - 1.0) / m + square(&v01) / (n - 1.0) / n;
    (theta, variance)
}

fn low(estimate: Estimate) -> f64 {
    estimate.low().unwrap()
}

fn high(estimate: Estimate) -> f64 {
    estimate.high().unwrap()
}

fn contains(estimate: Estimate) -> bool {
    estimate.value.is_finite()
        && estimate.limits.is_ok_and(|Limits { low, high, .. }| {
            low.is_finite() && high.is_finite() && low <= estimate.value && estimate.value <= high
        })
}

proptest! {
    #[test]
    fn fast_delong_is_naive_delong((a, _, truth) in samples()) {
        let sample = Scored::new(&a, &truth).unwrap();
        let (area, variance) = naive(&a, &truth);
        prop_assert!(near(auc::auc(sample).unwrap(), area));
        prop_assert!(near(auc::variance(sample).unwrap(), variance));
        prop_assert!(near(Roc::new(sample).unwrap().auc(), area));
        let matrix = auc::covariance(&[sample, sample]).unwrap();
        prop_assert!(near(matrix[0][1], variance));
    }

    #[test]
    fn reversal_is_the_complement((a, _, truth) in samples()) {
        let reversed: Vec<f64> = a.iter().map(|s| -s).collect();
        let (up, down) = (Scored::new(&a, &truth).unwrap(), Scored::new(&reversed, &truth).unwrap());
        let (area, other) = (auc::auc(up).unwrap(), auc::auc(down).unwrap());
        prop_assert!(near(area, 1.0 - other));
        prop_assert!(near(auc::variance(up).unwrap(), auc::variance(down).unwrap()));
        let opposite: Vec<bool> = truth.iter().map(|t| !t).collect();
        prop_assert!(near(auc::auc(Scored::new(&a, &opposite).unwrap()).unwrap(), other));
        let newcombe = |s| auc::delong(s, Level::P95, AucInterval::Newcombe).unwrap();
        prop_assert!((low(newcombe(up)) - (1.0 - high(newcombe(down)))).abs() < 1e-9);
    }

    #[test]
    fn monotone_transforms_change_nothing((a, b, truth) in samples()) {
        let transformed: Vec<f64> = a.iter().map(|s| (s / 2.0).exp() * 3.0 - 7.0).collect();
        let (x, y, z) = (
            Scored::new(&a, &truth).unwrap(),
            Scored::new(&transformed, &truth).unwrap(),
            Scored::new(&b, &truth).unwrap(),
        );
        prop_assert_eq!(auc::placements(x).unwrap(), auc::placements(y).unwrap());
        prop_assert_eq!(auc::paired_delong(x, z, Level::P95), auc::paired_delong(y, z, Level::P95));
    }

    #[test]
    fn tests_are_symmetric((a, b, truth) in samples()) {
        let (a, b) = (Scored::new(&a, &truth).unwrap(), Scored::new(&b, &truth).unwrap());
        if let (Ok(ab), Ok(ba)) = (auc::paired_delong(a, b, Level::P95), auc::paired_delong(b, a, Level::P95)) {
            prop_assert!(near(ab.statistic, -ba.statistic) && near(ab.p, ba.p));
            prop_assert!(near(low(ab.difference), -high(ba.difference)));
        }
        if let (Ok(ab), Ok(ba)) = (auc::unpaired_delong(a, b, Level::P95), auc::unpaired_delong(b, a, Level::P95)) {
            prop_assert!(near(ab.statistic, -ba.statistic) && near(ab.p, ba.p));
        }
    }

    #[test]
    fn single_clusters_are_plain_delong((a, b, truth) in samples()) {
        let ids: Vec<usize> = (0..truth.len()).collect();
        let clusters = Clusters::new(&ids);
        let (a, b) = (Scored::new(&a, &truth).unwrap(), Scored::new(&b, &truth).unwrap());
        let plain = auc::delong(a, Level::P95, AucInterval::Wald).unwrap();
        match auc::clustered_delong(a, &clusters, Level::P95, AucInterval::Wald) {
            Ok(clustered) if clustered.limits.is_ok() => {
                prop_assert!(near(low(plain), low(clustered)) && near(high(plain), high(clustered)));
            }
            Ok(clustered) => prop_assert!(clustered.value == plain.value && near(low(plain), high(plain))),
            Err(undefined) => prop_assert!(false, "{undefined}"),
        }
        if let Ok(plain) = auc::paired_delong(a, b, Level::P95) {
            let clustered = auc::paired_clustered_delong(a, b, &clusters, Level::P95).unwrap();
            prop_assert!(near(plain.statistic, clustered.statistic));
        }
    }

    #[test]
    fn area_intervals_contain_the_area((a, b, truth) in samples(), level in 0.5f64..0.999) {
        let level = Level::new(level).unwrap();
        let (a, b) = (Scored::new(&a, &truth).unwrap(), Scored::new(&b, &truth).unwrap());
        for interval in [AucInterval::Wald, AucInterval::Logit, AucInterval::Newcombe] {
            match auc::delong(a, level, interval) {
                Ok(estimate) if estimate.limits.is_ok() => {
                    prop_assert!(contains(estimate) && low(estimate) >= 0.0 && high(estimate) <= 1.0);
                }
                without => prop_assert!(interval == AucInterval::Logit && without.is_ok()),
            }
        }
        let how = Bootstrap::new(Resampling::Stratified).level(level).plan(Plan { replicates: 40, seed: 5 });
        for bootstrapped in [
            auc::bootstrap(a, &how),
            auc::paired_bootstrap(a, b, &how),
        ] {
            match bootstrapped {
                Ok(estimate) if estimate.limits.is_ok() => {
                    prop_assert!(contains(estimate) && low(estimate) < high(estimate));
                }
                without => prop_assert!(without.is_ok()),
            }
        }
    }

    #[test]
    fn table_intervals_contain_their_values(table in tables(), level in 0.5f64..0.999) {
        let level = Level::new(level).unwrap();
        let intervals = [
            Interval::ClopperPearson,
            Interval::Wilson,
            Interval::WilsonCorrected,
            Interval::Jeffreys,
            Interval::AgrestiCoull,
        ];
        for metric in [
            Metric::Sensitivity, Metric::Specificity, Metric::FalseNegativeRate, Metric::FalsePositiveRate,
            Metric::Ppv, Metric::Npv, Metric::Accuracy, Metric::Prevalence, Metric::BalancedAccuracy, Metric::F1,
            Metric::Mcc, Metric::Youden, Metric::LikelihoodRatioPositive, Metric::LikelihoodRatioNegative,
            Metric::DiagnosticOddsRatio,
        ] {
            for interval in intervals {
                match table.estimate(metric, level, interval) {
                    Ok(estimate) => {
                        prop_assert!(
                            contains(estimate) || estimate.limits.is_err(),
                            "{metric:?} {interval:?} {estimate:?}"
                        );
                        prop_assert_eq!(table.value(metric), Ok(estimate.value));
                    }
                    Err(_) => prop_assert!(table.value(metric).is_err()),
                }
            }
        }
        for interval in [F1Interval::WilsonFStar, F1Interval::DeltaMethod, F1Interval::WilsonOfAll] {
            if let Ok(estimate) = table.f1(level, interval) {
                prop_assert!(contains(estimate), "{interval:?} {estimate:?}");
            }
        }
        for interval in [YoudenInterval::Newcombe, YoudenInterval::Wald, YoudenInterval::SumOfLimits(Interval::Wilson)] {
            if let Ok(estimate) = table.youden(level, interval) {
                prop_assert!(contains(estimate), "{interval:?} {estimate:?}");
            }
        }
    }

    #[test]
    fn count_tests_are_symmetric(table in tables()) {
        let [a, b, c, d] = [table.tp, table.fp, table.fn_, table.tn];
        for form in [McNemar::Corrected, McNemar::Uncorrected, McNemar::Exact, McNemar::MidP] {
            if let Ok(test) = mcnemar(b, c, form) {
                prop_assert!(near(test.p, mcnemar(c, b, form).unwrap().p));
                prop_assert!((0.0..=1.0).contains(&test.p));
            }
        }
        if let Ok(test) = chi_square(&[&[a, b], &[c, d]], Continuity::Yates) {
            prop_assert!(near(test.p, chi_square(&[&[a, c], &[b, d]], Continuity::Yates).unwrap().p));
            let fisher = fisher_exact([[a, b], [c, d]], Level::P95).unwrap();
            let transposed = fisher_exact([[a, c], [b, d]], Level::P95).unwrap();
            prop_assert!((fisher.p - transposed.p).abs() < 1e-9);
            if let Ok(odds) = fisher.odds_ratio {
                prop_assert!(contains(odds), "{odds:?}");
            }
        }
    }

    #[test]
    fn curves_agree_with_counting((a, _, truth) in samples()) {
        let sample = Scored::new(&a, &truth).unwrap();
        for point in Roc::new(sample).unwrap().points() {
            prop_assert_eq!(Confusion::at_threshold(&a, &truth, point.threshold), Ok(point.confusion));
        }
        let probabilities: Vec<f64> = a.iter().map(|s| (s + 5.0) / 10.0).collect();
        let sample = Scored::new(&probabilities, &truth).unwrap();
        for point in decision::curve(sample, &[0.0, 0.1, 0.25, 0.5, 0.875]).unwrap() {
            let one = decision::net_benefit(sample, point.threshold, Level::P95).unwrap();
            prop_assert!(near(one.value, point.model) && contains(one));
        }
    }

    #[test]
    fn brier_parts_add_up((a, _, truth) in samples(), bins in 1usize..12) {
        let probabilities: Vec<f64> = a.iter().map(|s| (s + 5.0) / 10.0).collect();
        for binning in [Binning::EqualWidth, Binning::EqualCount] {
            let parts = brier_parts(&probabilities, &truth, Bins { count: bins, binning }).unwrap();
            let sum = parts.reliability - parts.resolution + parts.uncertainty + parts.within_variance
                - 2.0 * parts.within_covariance;
            prop_assert!(near(parts.score, sum));
        }
    }
}
