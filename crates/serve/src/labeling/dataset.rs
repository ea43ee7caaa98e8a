//! A labeling as a dataset, and its decisions as a table.

use coxa_cohort::Dataset;
use coxa_files::table::to_csv;
use coxa_study::trial::guarded;

use super::decision::{Decision, Kind, Labels, Opinion};
use super::standing::Standing;

/// The manifest's column that says how far a film has come: `open`, `disputed`, `agreed`, `adjudicated`.
pub const REVIEW: &str = "review";

/// The dataset with what was decided on each film. Films that are not decided keep the labels that they came with; the column [`REVIEW`]
/// states which these are.
pub fn labeled(given: &Dataset, standings: &[Standing]) -> Dataset {
    let boxes = given.boxes();
    let mut labeled = Dataset::new(given.folder.clone());
    for (film, standing) in given.films.iter().zip(standings) {
        let mut film = film.clone();
        let given = boxes.get(film.image_id.as_str()).cloned().unwrap_or_default();
        film.extra.insert(REVIEW.to_owned(), standing.as_str().to_owned());
        match standing.decision().and_then(Decision::labels) {
            Some(labels) => labeled.truth.extend(labels.write(&mut film, &given)),
            None => labeled.truth.extend(given.into_iter().cloned()),
        }
        labeled.films.push(film);
    }
    labeled
}

/// A decision as the table of all decisions has it.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The film.
    pub image_id: String,
    /// Who: `R1`, `R2`, …, or `A` for the adjudicator.
    pub who: String,
    /// When, as text.
    pub at: String,
    /// `stands`, `superseded` or `taken back`.
    pub state: &'static str,
    /// What was decided; `None` where the one before was taken back.
    pub decision: Option<Decision>,
}

/// All decisions, those that were superseded among them, as CSV.
pub fn history(rows: &[History]) -> Vec<u8> {
    let header = [
        "image_id",
        "reviewer",
        "at",
        "state",
        "label",
        "kind",
        "classification",
        "side",
        "boxes",
        "quality",
        "exclusion",
        "note",
        "site",
    ];
    let row = |row: &History| {
        let labels = row.decision.as_ref().and_then(Decision::labels);
        let of = |text: &dyn Fn(&Labels) -> String| labels.map(text).unwrap_or_default();
        let drawn = |labels: &Labels| {
            let boxes = labels.boxes.iter().map(|[x, y, width, height]| format!("{x} {y} {width} {height}"));
            boxes.collect::<Vec<_>>().join("; ")
        };
        let site = row.decision.as_ref().and_then(Decision::site);
        [
            guarded(&row.image_id),
            row.who.clone(),
            row.at.clone(),
            row.state.to_owned(),
            of(&|labels| labels.opinion.map_or("", Opinion::as_str).to_owned()),
            of(&|labels| labels.kind.map_or("", Kind::as_str).to_owned()),
            of(&|labels| labels.classification.clone()),
            of(&|labels| labels.side.map_or("", coxa_schema::Side::as_str).to_owned()),
            of(&drawn),
            of(&|labels| labels.quality.join("; ")),
            of(&|labels| labels.exclusion.clone()),
            of(&|labels| guarded(&labels.note)),
            site.map(|site| site.as_str().to_owned()).unwrap_or_default(),
        ]
    };
    to_csv(&header, rows.iter().map(row))
}

#[cfg(test)]
mod tests {
    use coxa_cohort::{Film, TruthBox};
    use coxa_schema::{BodyPart, Label};

    use super::*;

    #[test]
    fn a_note_is_no_formula() {
        let labels = Labels { note: "=cmd|' /C calc'!A0".into(), ..Labels::default() };
        let row = History {
            image_id: "a".into(),
            who: "R1".into(),
            at: String::new(),
            state: "stands",
            decision: Some(Decision::Labels(labels)),
        };
        let csv = String::from_utf8(history(&[row])).unwrap();
        assert!(csv.contains(",'=cmd"), "{csv}");
    }

    #[test]
    fn what_is_not_decided_stays_as_it_came() {
        let mut given = Dataset::new("films");
        for (name, label) in [("a", Label::Present), ("b", Label::Present), ("c", Label::Unknown)] {
            given.films.push(Film::new(name, format!("{name}.png"), "P", BodyPart::Pelvis, label));
        }
        let drawn = |name: &str| TruthBox {
            image_id: name.into(),
            x: 1.0,
            y: 2.0,
            width: 3.0,
            height: 4.0,
            class: "fracture".into(),
        };
        given.truth = vec![drawn("a"), drawn("b")];
        let none = Decision::Labels(Labels { opinion: Some(Opinion::None), ..Labels::default() });
        let out = labeled(&given, &[Standing::Disputed, Standing::Adjudicated(none.clone()), Standing::Open]);
        assert_eq!(
            out.films.iter().map(|film| film.label).collect::<Vec<_>>(),
            [Label::Present, Label::Absent, Label::Unknown]
        );
        assert_eq!(out.truth, [drawn("a")]);
        let review: Vec<&str> = out.films.iter().map(|film| film.extra[REVIEW].as_str()).collect();
        assert_eq!(review, ["disputed", "adjudicated", "open"]);
        // A labeling of what was exported says the same again.
        let again = Dataset::parse("films".as_ref(), &out.manifest_csv(), &out.truth_csv()).unwrap();
        let standings = [Standing::Disputed, Standing::Adjudicated(none), Standing::Open];
        let twice = labeled(&again, &standings);
        assert_eq!((twice.manifest_csv(), twice.truth_csv()), (out.manifest_csv(), out.truth_csv()));
    }
}
