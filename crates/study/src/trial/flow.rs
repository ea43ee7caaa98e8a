//! The flow of patients through a trial (CONSORT 2010 with the extension CONSORT-AI): who was assessed, excluded and why, randomized,
//! allocated, and analyzed. What the network could not read is among the exclusions, as CONSORT-AI's item 4a (ii) asks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Arm, Status, TrialTable};
use crate::figures::{Anchor, Figure, Svg, color};

/// Patients of one arm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArmFlow {
    /// Which.
    pub arm: Arm,
    /// Randomized to it.
    pub allocated: usize,
    /// Whose results were shown early; they are analyzed by intention to treat.
    pub unblinded: usize,
    /// Withdrawn.
    pub withdrawn: usize,
    /// Of those who are left: without a decision.
    pub without_decision: usize,
    /// Of those with a decision: without a final diagnosis.
    pub without_diagnosis: usize,
    /// Analyzed by intention to treat.
    pub analyzed: usize,
    /// Analyzed per protocol.
    pub per_protocol: usize,
}

/// Patients of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// With a film while patients were enrolled.
    pub assessed: usize,
    /// Not randomized: reason and patients, in alphabetical order.
    pub excluded: Vec<(String, usize)>,
    /// Randomized.
    pub randomized: usize,
    /// Shown, withheld.
    pub arms: [ArmFlow; 2],
}

impl Flow {
    /// Counts a trial's patients.
    pub fn of(table: &TrialTable) -> Self {
        let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for row in table.rows.iter().filter(|row| row.status == Status::Excluded) {
            reasons.entry(&row.reason).or_default().insert(&row.subject);
        }
        let excluded: Vec<(String, usize)> =
            reasons.into_iter().map(|(reason, patients)| (reason.to_owned(), patients.len())).collect();
        let arms = Arm::ALL.map(|arm| ArmFlow::of(table, arm));
        let randomized = arms.iter().map(|arm| arm.allocated).sum();
        Self { assessed: randomized + excluded.iter().map(|(_, n)| n).sum::<usize>(), excluded, randomized, arms }
    }
}

impl ArmFlow {
    fn of(table: &TrialTable, arm: Arm) -> Self {
        #[derive(Default)]
        struct Patient {
            status: Option<Status>,
            is_decided: bool,
            is_diagnosed: bool,
        }
        let mut patients: BTreeMap<&str, Patient> = BTreeMap::new();
        for row in table.rows.iter().filter(|row| row.arm == Some(arm)) {
            let patient = patients.entry(&row.subject).or_default();
            patient.status = Some(row.status);
            patient.is_decided |= row.decision.is_some();
            patient.is_diagnosed |= row.fracture.is_some();
        }
        let count = |which: &dyn Fn(&Patient) -> bool| patients.values().filter(|patient| which(patient)).count();
        let stays = |patient: &Patient| patient.status != Some(Status::Withdrawn);
        let is_analyzed = |patient: &Patient| stays(patient) && patient.is_decided && patient.is_diagnosed;
        Self {
            arm,
            allocated: patients.len(),
            unblinded: count(&|patient| patient.status == Some(Status::Unblinded)),
            withdrawn: count(&|patient| !stays(patient)),
            without_decision: count(&|patient| stays(patient) && !patient.is_decided),
            without_diagnosis: count(&|patient| stays(patient) && patient.is_decided && !patient.is_diagnosed),
            analyzed: count(&is_analyzed),
            per_protocol: count(&|patient| is_analyzed(patient) && patient.status == Some(Status::Randomized)),
        }
    }
}

const WIDTH: f64 = 760.0;
const LINE: f64 = 17.0;
/// The middles of the two arms, and how wide their boxes are.
const MIDDLES: [f64; 2] = [190.0, 570.0];
const BOX: f64 = 350.0;

/// Draws the flow from top to bottom.
pub fn draw(flow: &Flow, title: &str) -> Figure {
    let excluded = flow.excluded.iter().map(|(_, n)| n).sum::<usize>();
    let mut reasons = vec![format!("Excluded (n = {excluded})")];
    reasons.extend(flow.excluded.iter().map(|(reason, n)| format!("{reason}: {n}")));
    let beside = boxed(reasons.len());
    let randomized = 60.0 + beside + 30.0;
    let allocated = randomized + boxed(1) + 60.0;
    let followed = allocated + boxed(2) + 34.0;
    let analyzed = followed + boxed(5) + 34.0;
    let mut svg = Svg::new(WIDTH, analyzed + boxed(3) + 6.0, title);
    let center = WIDTH / 2.0;
    // From the top down to the randomization, with who left on the way.
    block(&mut svg, (center, 6.0), 300.0, &[format!("Assessed: a film while enrolling (n = {})", flow.assessed)]);
    arrow(&mut svg, (center, 6.0 + boxed(1)), (center, randomized));
    let middle = 60.0 + beside / 2.0;
    block(&mut svg, (center + 200.0, 60.0), 330.0, &reasons);
    svg.line((center, middle), (center + 35.0, middle), color::INK, 1.0);
    block(&mut svg, (center, randomized), 300.0, &[format!("Randomized by patient (n = {})", flow.randomized)]);
    // The arms.
    let fork = randomized + boxed(1) + 26.0;
    svg.line((center, randomized + boxed(1)), (center, fork), color::INK, 1.0);
    svg.line((MIDDLES[0], fork), (MIDDLES[1], fork), color::INK, 1.0);
    for (arm, middle) in flow.arms.iter().zip(MIDDLES) {
        let name = match arm.arm {
            Arm::Shown => "Results shown",
            Arm::Withheld => "Results withheld",
        };
        arrow(&mut svg, (middle, fork), (middle, allocated));
        block(&mut svg, (middle, allocated), BOX, &[name.to_owned(), format!("Allocated (n = {})", arm.allocated)]);
        arrow(&mut svg, (middle, allocated + boxed(2)), (middle, followed));
        let lost = [
            "Follow-up".to_owned(),
            format!("Withdrawn (n = {})", arm.withdrawn),
            format!("Shown early (n = {})", arm.unblinded),
            format!("Without a decision (n = {})", arm.without_decision),
            format!("Without a final diagnosis (n = {})", arm.without_diagnosis),
        ];
        block(&mut svg, (middle, followed), BOX, &lost);
        arrow(&mut svg, (middle, followed + boxed(5)), (middle, analyzed));
        let last = [
            "Analyzed".to_owned(),
            format!("By intention to treat (n = {})", arm.analyzed),
            format!("Per protocol (n = {})", arm.per_protocol),
        ];
        block(&mut svg, (middle, analyzed), BOX, &last);
    }
    svg.finish()
}

/// The height of a box of so many lines.
fn boxed(lines: usize) -> f64 {
    LINE * lines as f64 + 14.0
}

fn block(svg: &mut Svg, (middle, top): (f64, f64), width: f64, lines: &[String]) {
    let middle = middle.min(WIDTH - width / 2.0 - 4.0);
    svg.rect((middle - width / 2.0, top), (width, boxed(lines.len())), "none", color::INK);
    for (i, line) in lines.iter().enumerate() {
        // As much as fits in the box.
        let text: String = line.chars().take((width / 6.4) as usize).collect();
        svg.text((middle, top + LINE * (i as f64 + 1.0) + 2.0), Anchor::Middle, 12.5, color::INK, &text);
    }
}

fn arrow(svg: &mut Svg, from: (f64, f64), to: (f64, f64)) {
    svg.line(from, to, color::INK, 1.0);
    svg.area(&[(to.0 - 4.0, to.1 - 7.0), (to.0 + 4.0, to.1 - 7.0), to], color::INK, 1.0);
}
