//! Table 1 of the paper: who the films are of, by label, with Student's t and the chi-square test.

use coxa_cohort::{Dataset, Film};
use coxa_schema::{FractureType, Label, Sex};
use coxa_stats::Level;
use coxa_stats::contingency::{Continuity, chi_square};
use coxa_stats::means::{Summary, Variances, t_test};

use crate::page::PageTable;

/// Table 1 of a dataset's films that are not excluded; `None` where neither age nor sex is known of any.
pub fn table(dataset: &Dataset) -> Option<PageTable> {
    let of = |label: Label| -> Vec<&Film> {
        dataset.films.iter().filter(|film| !film.excluded && film.label == label).collect()
    };
    let (with, without) = (of(Label::Present), of(Label::Absent));
    if !with.iter().chain(&without).any(|film| film.age.is_some() || film.sex.is_some()) {
        return None;
    }
    let mut rows = vec![vec!["films".to_owned(), with.len().to_string(), without.len().to_string(), String::new()]];
    let ages = |films: &[&Film]| films.iter().filter_map(|film| film.age.map(f64::from)).collect::<Vec<_>>();
    rows.push(continuous("age, mean, years (SD)", &ages(&with), &ages(&without)));
    rows.push(sexes(&with, &without));
    let scores =
        |films: &[&Film]| films.iter().filter_map(|film| film.extra.get("iss")?.parse().ok()).collect::<Vec<f64>>();
    if !scores(&with).is_empty() {
        rows.push(continuous("ISS, mean (SD)", &scores(&with), &scores(&without)));
    }
    for (name, kind) in [
        ("femoral neck fracture", FractureType::FemoralNeck),
        ("trochanteric fracture", FractureType::Trochanteric),
        ("subtrochanteric fracture", FractureType::Subtrochanteric),
    ] {
        let n = with.iter().filter(|film| film.fracture_type == Some(kind)).count();
        // The paper's table has the first two.
        if n == 0 && kind == FractureType::Subtrochanteric {
            continue;
        }
        rows.push(vec![name.to_owned(), share(n, with.len()), String::new(), String::new()]);
    }
    Some(PageTable {
        name: "table1".into(),
        caption: "Table 1. Student's t test and the chi-square test with continuity correction, as in the paper."
            .into(),
        header: ["characteristic", "with fracture", "without fracture", "p"].map(str::to_owned).to_vec(),
        rows,
        data: None,
    })
}

fn share(n: usize, of: usize) -> String {
    if of == 0 { n.to_string() } else { format!("{n} ({:.1}%)", n as f64 / of as f64 * 100.0) }
}

fn continuous(name: &str, with: &[f64], without: &[f64]) -> Vec<String> {
    let said = |values: &[f64]| match Summary::of(values) {
        Ok(summary) => format!("{:.2} ({:.2})", summary.mean, summary.sd),
        Err(_) => "undefined".to_owned(),
    };
    let p = t_test(with, without, Variances::Equal, Level::P95).map_or("undefined".to_owned(), |t| p_value(t.test.p));
    vec![name.to_owned(), said(with), said(without), p]
}

fn sexes(with: &[&Film], without: &[&Film]) -> Vec<String> {
    let count = |films: &[&Film]| {
        let male = films.iter().filter(|film| film.sex == Some(Sex::Male)).count();
        (male, films.iter().filter(|film| film.sex == Some(Sex::Female)).count())
    };
    let (a, b) = (count(with), count(without));
    let counts = [[a.0 as u64, a.1 as u64], [b.0 as u64, b.1 as u64]];
    let p =
        chi_square(&[&counts[0], &counts[1]], Continuity::Yates).map_or("undefined".to_owned(), |test| p_value(test.p));
    vec!["male".to_owned(), share(a.0, a.0 + a.1), share(b.0, b.0 + b.1), p]
}

/// A p value as tables print it.
fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}
