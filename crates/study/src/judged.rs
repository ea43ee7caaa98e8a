//! Heat maps that a physician judged, as the paper's radiologist did: whether each lies where the fracture is.

use std::collections::BTreeMap;
use std::path::Path;

use coxa_files::table::{Table, TableError, Unique, to_csv};
use serde::Serialize;

use crate::error::StudyError;
use crate::evaluate::EvaluationOptions;
use crate::localize::{Site, Sites};
use crate::predictions::Predictions;
use crate::proportion::Proportion;
use crate::statistic::Statistic;

/// A film's heat map as it was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgment {
    /// The film.
    pub image_id: String,
    /// Where its heat map lies.
    pub site: Site,
}

/// The judged films of a table with the columns `image_id` and `site` (`right`, `opposite_side`, `elsewhere` or `none`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgments(pub Vec<Judgment>);

impl Judgments {
    /// Reads a table.
    ///
    /// # Errors
    /// [`TableError`] with line and column.
    pub fn load(path: &Path) -> Result<Self, TableError> {
        Self::of(&Table::read(path)?)
    }

    /// Reads a table that is in memory; `path` stands for it in error messages.
    ///
    /// # Errors
    /// As [`Judgments::load`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, TableError> {
        Self::of(&Table::parse(bytes, path)?)
    }

    fn of(table: &Table) -> Result<Self, TableError> {
        for column in ["image_id", "site"] {
            table.require(column)?;
        }
        const EXPECTED: &str = "right, opposite_side, elsewhere or none";
        let (mut all, mut seen) = (Vec::new(), Unique::default());
        for row in table.rows() {
            let image_id = row.required("image_id", "the film's name")?.to_owned();
            seen.note(table.path(), row.line(), "image_id", &image_id)?;
            let site = row.parsed("site", Site::parse, EXPECTED)?.ok_or_else(|| row.value_error("site", EXPECTED))?;
            all.push(Judgment { image_id, site });
        }
        Ok(Self(all))
    }

    /// The table's bytes.
    pub fn to_csv(&self) -> Vec<u8> {
        to_csv(&["image_id", "site"], self.0.iter().map(|one| [one.image_id.as_str(), one.site.as_str()]))
    }
}

/// How many heat maps a physician found at the right site.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Judged films that are fractured and were called positive: those that the paper's radiologist judged.
    pub true_positives: usize,
    /// Of these, the share at the right site.
    pub right_site: Statistic,
    /// Where their heat maps lie.
    pub sites: Sites,
    /// Other judged films, which are not counted: not fractured, not called positive, excluded or not read.
    pub others: usize,
}

/// The score of judged films against the labels and calls of a set of predictions, with intervals as its evaluation makes them.
///
/// # Errors
/// [`StudyError::NoPatient`] where patients are asked for and missing.
pub fn score(
    judgments: &Judgments,
    predictions: &Predictions,
    options: &EvaluationOptions,
) -> Result<Judged, StudyError> {
    let of: BTreeMap<&str, Site> = judgments.0.iter().map(|one| (one.image_id.as_str(), one.site)).collect();
    let is_called = |row: usize| predictions.truth()[row] && predictions.scores()[row] >= options.threshold;
    let judged = (0..predictions.len())
        .filter(|&row| is_called(row))
        .filter_map(|row| Some((row, *of.get(predictions.image_id(row))?)));
    let (rows, found): (Vec<usize>, Vec<Site>) = judged.unzip();
    let clusters = predictions.subset(&rows).dependent(options.clustering)?;
    let how = Proportion {
        clusters: clusters.as_ref(),
        level: options.level,
        interval: options.interval,
        plan: options.plan,
    };
    let hits: Vec<bool> = found.iter().map(|site| *site == Site::Right).collect();
    Ok(Judged {
        true_positives: rows.len(),
        right_site: Statistic(how.of(&hits)),
        sites: Sites::of(found),
        others: judgments.0.len() - rows.len(),
    })
}

#[cfg(test)]
mod tests {
    use coxa_stats::Interval;

    use super::*;

    #[test]
    fn called_fractures_alone_count() {
        let path = Path::new("judged.csv");
        let table = "image_id,site\na,right\nb,opposite_side\nc,right\nd,elsewhere\nx,right\n";
        let judgments = Judgments::parse(table.as_bytes(), path).unwrap();
        assert_eq!(judgments.to_csv(), table.as_bytes());
        let rows = "image_id,label,probability\na,1,0.9\nb,1,0.8\nc,0,0.9\nd,1,0.1\ne,1,0.9\n";
        let predictions = Predictions::parse(rows.as_bytes(), Path::new("predictions.csv")).unwrap();
        let options = EvaluationOptions { interval: Interval::ClopperPearson, ..EvaluationOptions::default() };
        let judged = score(&judgments, &predictions, &options).unwrap();
        assert_eq!((judged.true_positives, judged.others, judged.right_site.value()), (2, 3, Some(0.5)));
        assert_eq!((judged.sites.right, judged.sites.opposite_side), (1, 1));
        let nobody = score(&Judgments::default(), &predictions, &options).unwrap();
        assert!(nobody.right_site.value().is_none(), "a score of no film is undefined");
    }

    #[test]
    fn a_word_that_is_no_site_is_named() {
        let wrong = |text: &str| Judgments::parse(text.as_bytes(), Path::new("judged.csv")).unwrap_err().to_string();
        assert!(wrong("image_id,site\na,left\n").contains("left"));
        assert!(wrong("image_id,site\na,right\na,right\n").contains("a"));
        assert!(wrong("image_id\na\n").contains("site"));
    }
}
