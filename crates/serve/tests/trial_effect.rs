//! 400 simulated patients and physicians of known accuracy: the analysis finds the effect that was put in, and none where there is none.

use coxa_serve::config::Role as NodeRole;
use coxa_serve::db::{Database, NewReview, Verdict};
use coxa_serve::people::Role;
use coxa_serve::trial::{NewDiagnosis, TrialPlan, Whose};
use coxa_study::trial::TrialAnalysis;

use crate::pages::read;
use crate::support::Running;
use crate::trial::{analysis, arrived, came, is_clean_with_figure, leave, plan, state};

/// Numbers from 0 to below 1 that are the same on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// How often simulated physicians are right: with a fracture, and without one.
#[derive(Clone, Copy)]
struct Physicians {
    sensitivity: f64,
    specificity: f64,
}

/// A trial of 400 patients, two in five with a fracture; two physicians, by arm, of whom a quarter of the patients see both.
async fn simulated(db: &Database, shown: Physicians, withheld: Physicians, seed: u64) -> TrialAnalysis {
    let trial =
        db.begin_trial(&TrialPlan { block_sizes: vec![2, 4, 6], ..plan(400) }, "simulation").await.unwrap().unwrap();
    let mut people = Vec::new();
    for name in ["first", "second"] {
        let person = coxa_serve::db::NewPerson {
            name: format!("{name}{seed}"),
            full_name: String::new(),
            roles: [Role::Physician].into_iter().collect(),
            password: "x".into(),
            is_local: false,
        };
        people.push(db.add_person(&person).await.unwrap().unwrap());
    }
    let mut chance = Chance(seed);
    let mut diagnoses = Vec::new();
    for number in 0..400 {
        let has_fracture = chance.next() < 0.4;
        let probability = if has_fracture { 0.9 } else { 0.1 };
        let patient = format!("P{number}");
        let id = came(db, &arrived(&patient, number + 10_000 * seed as usize), read(probability).unwrap(), &[]).await;
        let who = if state(db, id).await == "read" { shown } else { withheld };
        for (i, person) in people.iter().enumerate() {
            if i == 1 && chance.next() > 0.25 {
                continue;
            }
            db.opened_in_trial(id, *person).await.unwrap();
            let right = chance.next() < if has_fracture { who.sensitivity } else { who.specificity };
            let verdict = if right == has_fracture { Verdict::Fracture } else { Verdict::NoFracture };
            let review = NewReview {
                film: id,
                verdict,
                note: String::new(),
                mark: None,
                reviewer: String::new(),
                person: *person,
            };
            db.add_review(&review).await.unwrap();
        }
        diagnoses.push(NewDiagnosis {
            line: number as u64 + 2,
            whose: if number % 2 == 0 {
                Whose::Patient(patient)
            } else {
                Whose::Accession(format!("A{}", number + 10_000 * seed as usize))
            },
            day: "2026-12-24".parse().unwrap(),
            is_fracture: has_fracture,
            kind: "femoral neck".into(),
            source: "CT".into(),
        });
    }
    assert_eq!(db.add_diagnoses(&diagnoses, people[0]).await.unwrap(), Vec::<u64>::new());
    assert!(db.close_trial(trial).await.unwrap());
    analysis(db).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_effect_that_was_put_in_is_found_and_none_where_there_is_none() {
    let node = Running::start(|config| config.roles = vec![NodeRole::Pages]).await;
    let db = node.app.db.clone();
    let admin = node.visitor("roe", &[Role::Administrator]).await;
    let (good, poor) =
        (Physicians { sensitivity: 0.95, specificity: 0.92 }, Physicians { sensitivity: 0.75, specificity: 0.9 });
    let found = simulated(&db, good, poor, 1).await;
    assert_eq!((found.flow.randomized, found.flow.arms[0].allocated + found.flow.arms[1].allocated), (400, 400));
    assert!(found.flow.arms[0].allocated.abs_diff(found.flow.arms[1].allocated) <= 3);
    for population in &found.populations {
        let [shown, withheld] = &population.arms;
        assert!(shown.decisions > shown.analyzed, "some patients were judged twice");
        let covers = |statistic: &coxa_study::Statistic, value: f64| {
            statistic.limits().is_some_and(|limits| limits.low <= value && value <= limits.high)
        };
        assert!(covers(&shown.sensitivity, 0.95) && covers(&withheld.sensitivity, 0.75), "{population:?}");
        assert!(covers(&shown.specificity, 0.92) && covers(&withheld.specificity, 0.9));
        let difference = &population.difference;
        assert!(covers(&difference.sensitivity, 0.2) && !covers(&difference.sensitivity, 0.0), "{difference:?}");
        assert!(covers(&difference.missed, -0.2) && !covers(&difference.missed, 0.0));
        assert!(covers(&difference.specificity, 0.0));
    }
    let page = admin.page("/trial").await;
    is_clean_with_figure(&page);
    leave("closed", &page);
    let none = simulated(&db, poor, poor, 2).await;
    let difference = &none.populations[0].difference;
    for statistic in [&difference.accuracy, &difference.sensitivity, &difference.specificity, &difference.missed] {
        let limits = statistic.limits().unwrap();
        assert!(limits.low <= 0.0 && 0.0 <= limits.high, "{statistic:?}");
    }
    node.stop().await;
}
