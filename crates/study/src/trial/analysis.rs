//! The arms compared: accuracy, missed fractures and time to diagnosis, by intention to treat and per protocol.
//!
//! A decision is correct where it states what the final diagnosis states; *unsure* is never correct, and a fracture that was not called
//! one is missed. Several physicians may decide on a patient: intervals take patients as independent, not decisions. Time to diagnosis is
//! a patient's: from the arrival of the first film to the first decision that is not *unsure*; patients without one are censored at the
//! trial's end. A patient who was withdrawn is in no comparison; patients whose results were shown early stay in the arm that they were
//! randomized to, and are left out per protocol.

use std::collections::BTreeMap;

use coxa_stats::independent::{self, Group};
use coxa_stats::survival::{Times, log_rank, median_difference, median_estimate};
use coxa_stats::{Clusters, Estimate, Level, Plan, Test, Undefined};
use serde::Serialize;

use super::flow::Flow;
use super::{Arm, Decision, Status, TrialRow, TrialTable};
use crate::statistic::{Defined, Statistic};

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// Everybody who was randomized and not withdrawn, in the arm of the allocation.
    IntentionToTreat,
    /// The same without those whose results were shown early.
    PerProtocol,
}

impl Population {
    /// Both.
    pub const ALL: [Self; 2] = [Self::IntentionToTreat, Self::PerProtocol];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::IntentionToTreat => "Intention to treat",
            Self::PerProtocol => "Per protocol",
        }
    }

    fn has(self, row: &TrialRow) -> bool {
        match row.status {
            Status::Randomized => true,
            Status::Unblinded => self == Self::IntentionToTreat,
            Status::Withdrawn | Status::Excluded => false,
        }
    }
}

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialOptions {
    /// The confidence level.
    pub level: Level,
    /// The bootstrap of differences of medians.
    pub plan: Plan,
}

impl Default for TrialOptions {
    fn default() -> Self {
        Self { level: Level::P95, plan: Plan::default() }
    }
}

/// What is measured in one arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmMeasures {
    /// Which.
    pub arm: Arm,
    /// Patients in the population.
    pub patients: usize,
    /// Patients with a decision and a final diagnosis.
    pub analyzed: usize,
    /// Decisions on them.
    pub decisions: usize,
    /// Decisions on patients with a fracture, and how many of them did not call it.
    pub fractures: usize,
    /// Of those: decided as none, or unsure.
    pub missed_fractures: usize,
    /// Correct decisions.
    pub accuracy: Statistic,
    /// Fractures that were called.
    pub sensitivity: Statistic,
    /// Patients without a fracture who were called so.
    pub specificity: Statistic,
    /// Fractures that were not called: 1 − sensitivity.
    pub missed: Statistic,
    /// Hours from the first film's arrival to the first decision that is not unsure: the median.
    pub hours_to_diagnosis: Statistic,
    /// Seconds from opening the film to that decision: the median.
    pub seconds_to_decision: Statistic,
}

/// Shown less withheld.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Differences {
    /// Of accuracy.
    pub accuracy: Statistic,
    /// Of sensitivity.
    pub sensitivity: Statistic,
    /// Of specificity.
    pub specificity: Statistic,
    /// Of the share of missed fractures.
    pub missed: Statistic,
    /// Of the median hours to diagnosis.
    pub hours_to_diagnosis: Statistic,
    /// That times to diagnosis have one distribution.
    pub hours_log_rank: Defined<Test>,
    /// Of the median seconds to the decision.
    pub seconds_to_decision: Statistic,
}

/// The comparison in one population.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PopulationAnalysis {
    /// Who is compared.
    pub population: Population,
    /// Shown, withheld.
    pub arms: [ArmMeasures; 2],
    /// Shown less withheld.
    pub difference: Differences,
}

/// A trial's analysis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialAnalysis {
    /// Research use only.
    pub notice: &'static str,
    /// The confidence level of all intervals.
    pub level: f64,
    /// Who entered, and who was analyzed.
    pub flow: Flow,
    /// Intention to treat, per protocol.
    pub populations: [PopulationAnalysis; 2],
}

/// Compares the arms of a closed trial.
pub fn analyze(table: &TrialTable, options: &TrialOptions) -> TrialAnalysis {
    TrialAnalysis {
        notice: coxa_schema::NOTICE,
        level: options.level.get(),
        flow: Flow::of(table),
        populations: Population::ALL.map(|population| compare(table, population, options)),
    }
}

fn compare(table: &TrialTable, population: Population, options: &TrialOptions) -> PopulationAnalysis {
    let arms = Arm::ALL.map(|arm| {
        let rows = table.rows.iter().filter(|row| row.arm == Some(arm) && population.has(row));
        ArmData::of(arm, &rows.collect::<Vec<_>>())
    });
    let [shown, withheld] = &arms;
    let share = |of: fn(&ArmData) -> &Judged| Statistic(of(shown).less(of(withheld), options.level));
    let medians = |a: &Result<Times, Undefined>, b: &Result<Times, Undefined>| {
        Statistic(match (a, b) {
            (Ok(a), Ok(b)) => median_difference(a, b, options.level, options.plan),
            (Err(undefined), _) | (_, Err(undefined)) => Err(undefined.clone()),
        })
    };
    let hours = match (&shown.hours, &withheld.hours) {
        (Ok(a), Ok(b)) => log_rank(a, b),
        (Err(undefined), _) | (_, Err(undefined)) => Err(undefined.clone()),
    };
    PopulationAnalysis {
        population,
        difference: Differences {
            accuracy: share(|arm| &arm.all),
            sensitivity: share(|arm| &arm.with_fracture),
            specificity: share(|arm| &arm.without_fracture),
            missed: share(|arm| &arm.missed),
            hours_to_diagnosis: medians(&shown.hours, &withheld.hours),
            hours_log_rank: Defined(hours),
            seconds_to_decision: medians(&shown.seconds, &withheld.seconds),
        },
        arms: [shown, withheld].map(|arm| arm.measures(options)),
    }
}

/// Decisions, each with whether it is a hit and whose it is.
struct Judged {
    hits: Vec<bool>,
    patients: Vec<String>,
}

impl Judged {
    fn of<'a>(rows: impl Iterator<Item = (&'a TrialRow, bool)>) -> Self {
        let (patients, hits) = rows.map(|(row, hit)| (row.subject.clone(), hit)).unzip();
        Self { hits, patients }
    }

    fn share(&self, level: Level) -> Result<Estimate, Undefined> {
        independent::proportion(Group::clustered(&self.hits, &Clusters::new(&self.patients))?, level)
    }

    fn less(&self, other: &Self, level: Level) -> Result<Estimate, Undefined> {
        let (own, others) = (Clusters::new(&self.patients), Clusters::new(&other.patients));
        independent::difference(Group::clustered(&self.hits, &own)?, Group::clustered(&other.hits, &others)?, level)
    }
}

/// An arm's rows, as the statistics need them.
struct ArmData {
    arm: Arm,
    patients: usize,
    all: Judged,
    with_fracture: Judged,
    without_fracture: Judged,
    missed: Judged,
    hours: Result<Times, Undefined>,
    seconds: Result<Times, Undefined>,
}

impl ArmData {
    fn of(arm: Arm, rows: &[&TrialRow]) -> Self {
        let judged = || {
            rows.iter().filter_map(|row| {
                let (decision, fracture) = (row.decision?, row.fracture?);
                let right = if fracture { Decision::Fracture } else { Decision::NoFracture };
                Some((*row, fracture, decision == right))
            })
        };
        let of_class = |class: bool| judged().filter(move |(_, fracture, _)| *fracture == class);
        let mut patients: BTreeMap<&str, Vec<&TrialRow>> = BTreeMap::new();
        for row in rows {
            patients.entry(&row.subject).or_default().push(row);
        }
        let first = |rows: &[&TrialRow]| -> Option<(f64, Option<f64>)> {
            let definite = rows.iter().filter(|row| row.decision.is_some_and(|decision| decision != Decision::Unsure));
            let times = definite.filter_map(|row| Some((row.hours?, row.seconds)));
            times.min_by(|a, b| a.0.total_cmp(&b.0))
        };
        let (mut times, mut events, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
        for rows in patients.values() {
            let decided = first(rows);
            let censored = || rows.iter().find_map(|row| row.follow_up_hours);
            if let Some(time) = decided.map(|(hours, _)| hours).or_else(censored) {
                times.push(time);
                events.push(decided.is_some());
            }
            seconds.extend(decided.and_then(|(_, seconds)| seconds));
        }
        Self {
            arm,
            patients: patients.len(),
            all: Judged::of(judged().map(|(row, _, hit)| (row, hit))),
            with_fracture: Judged::of(of_class(true).map(|(row, _, hit)| (row, hit))),
            without_fracture: Judged::of(of_class(false).map(|(row, _, hit)| (row, hit))),
            missed: Judged::of(of_class(true).map(|(row, _, hit)| (row, !hit))),
            hours: Times::new(&times, &events),
            seconds: Times::new(&seconds, &vec![true; seconds.len()]),
        }
    }

    fn measures(&self, options: &TrialOptions) -> ArmMeasures {
        let median = |times: &Result<Times, Undefined>| {
            Statistic(match times {
                Ok(times) => median_estimate(times, options.level, options.plan),
                Err(undefined) => Err(undefined.clone()),
            })
        };
        let share = |judged: &Judged| Statistic(judged.share(options.level));
        ArmMeasures {
            arm: self.arm,
            patients: self.patients,
            analyzed: Clusters::new(&self.all.patients).count(),
            decisions: self.all.hits.len(),
            fractures: self.with_fracture.hits.len(),
            missed_fractures: self.missed.hits.iter().filter(|&&missed| missed).count(),
            accuracy: share(&self.all),
            sensitivity: share(&self.with_fracture),
            specificity: share(&self.without_fracture),
            missed: share(&self.missed),
            hours_to_diagnosis: median(&self.hours),
            seconds_to_decision: median(&self.seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subject: usize, arm: Arm, decision: Option<Decision>, fracture: Option<bool>) -> TrialRow {
        TrialRow {
            subject: format!("S{subject}"),
            stratum: String::new(),
            place: Some(subject as u64),
            arm: Some(arm),
            status: Status::Randomized,
            reason: String::new(),
            network: None,
            probability: None,
            reader: "R1".into(),
            decision,
            hours: decision.map(|_| 1.0 + subject as f64),
            seconds: decision.map(|_| 30.0),
            follow_up_hours: Some(500.0),
            fracture,
            kind: String::new(),
            source: String::new(),
            diagnosis_days: None,
        }
    }

    fn trial() -> TrialTable {
        use Decision::{Fracture, NoFracture, Unsure};
        let mut rows = Vec::new();
        for (i, arm) in [(0, Arm::Shown), (100, Arm::Withheld)] {
            // Ten with a fracture, of whom the withheld arm misses four (one of them unsure); ten without.
            rows.extend((0..10).map(|k| {
                let decision = if arm == Arm::Shown || k >= 4 { Fracture } else { NoFracture };
                row(i + k, arm, Some(if k == 0 && arm == Arm::Withheld { Unsure } else { decision }), Some(true))
            }));
            rows.extend((10..20).map(|k| row(i + k, arm, Some(NoFracture), Some(false))));
        }
        TrialTable { rows }
    }

    #[test]
    fn counts_and_shares_are_those_of_the_rows() {
        let analysis = analyze(&trial(), &TrialOptions::default());
        let [shown, withheld] = &analysis.populations[0].arms;
        assert_eq!((shown.fractures, shown.missed_fractures), (10, 0));
        assert_eq!((withheld.fractures, withheld.missed_fractures), (10, 4));
        assert_eq!(withheld.sensitivity.value(), Some(0.6));
        assert_eq!(withheld.specificity.value(), Some(1.0));
        assert_eq!(withheld.accuracy.value(), Some(0.8));
        let difference = &analysis.populations[0].difference;
        assert!((difference.missed.value().unwrap() + 0.4).abs() < 1e-12);
        assert!(difference.missed.limits().unwrap().high < 0.0);
        // The patient whose only decision is unsure has no time to diagnosis, and is censored.
        assert!(difference.hours_to_diagnosis.value().unwrap() < -90.0);
        assert!(difference.hours_log_rank.0.as_ref().unwrap().p < 1e-6);
    }

    #[test]
    fn the_unblinded_are_left_out_per_protocol_and_the_withdrawn_always() {
        let mut table = trial();
        table.rows[20].status = Status::Unblinded;
        table.rows[21].status = Status::Withdrawn;
        let analysis = analyze(&table, &TrialOptions::default());
        let patients = |i: usize| analysis.populations[i].arms[1].patients;
        assert_eq!((patients(0), patients(1)), (19, 18));
        assert_eq!(analysis.flow.arms[1].withdrawn, 1);
        assert_eq!(analysis.flow.arms[1].unblinded, 1);
    }

    #[test]
    fn what_is_undefined_stays_undefined() {
        let empty = analyze(&TrialTable::default(), &TrialOptions::default());
        let text = serde_json::to_string(&empty).unwrap();
        assert!(text.contains("\"undefined\"") && !text.contains("\"value\""), "{text}");
        let none = TrialTable { rows: vec![row(0, Arm::Shown, None, None), row(1, Arm::Withheld, None, Some(true))] };
        let analysis = analyze(&none, &TrialOptions::default());
        assert!(analysis.populations[0].arms[0].accuracy.estimate().is_none());
        assert_eq!(analysis.populations[0].arms[0].patients, 1);
    }

    #[test]
    fn physicians_of_one_patient_are_one_cluster() {
        let twice: Vec<TrialRow> =
            trial().rows.into_iter().flat_map(|row| [row.clone(), TrialRow { reader: "R2".into(), ..row }]).collect();
        let (once, twice) = (
            analyze(&trial(), &TrialOptions::default()),
            analyze(&TrialTable { rows: twice }, &TrialOptions::default()),
        );
        let width = |analysis: &TrialAnalysis| {
            let limits = analysis.populations[0].arms[1].sensitivity.limits().unwrap();
            limits.high - limits.low
        };
        assert!((width(&once) - width(&twice)).abs() < 0.05, "{} {}", width(&once), width(&twice));
        assert_eq!(twice.populations[0].arms[1].analyzed, 20);
    }
}
