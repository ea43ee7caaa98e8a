//! The report of a collection: found, missing, ambiguous, and why; a page and a table, by serial numbers and rows of the registry alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use coxa_files::table::to_csv;
use coxa_files::write_whole;

use crate::error::CollectError;
use crate::journal::{RowOutcome, RowRecord};
use crate::outputs::{REPORT_PAGE, REPORT_TABLE};
use crate::reason::Reason;
use crate::rules::Rules;
use crate::summary::Summary;

// Writing to a String cannot fail: results of `write!` are dropped below.

/// Writes the page and the table.
pub(crate) fn write(
    out: &Path,
    rows: &[&RowRecord],
    summary: &Summary,
    rules: &Rules,
    is_whole: bool,
) -> Result<(), CollectError> {
    let (table, page) = (out.join(REPORT_TABLE), out.join(REPORT_PAGE));
    write_whole(&table, &lines(rows)).map_err(CollectError::io(&table))?;
    write_whole(&page, html(rows, summary, rules, is_whole).as_bytes()).map_err(CollectError::io(&page))
}

fn outcome(row: &RowRecord) -> &'static str {
    match row.outcome {
        RowOutcome::Found => "found",
        RowOutcome::Ambiguous => "ambiguous",
        RowOutcome::Missing => "missing",
        RowOutcome::Failed => "failed",
    }
}

/// A line for each injury, and one for each of its films that were retrieved.
fn lines(rows: &[&RowRecord]) -> Vec<u8> {
    let header = ["registry_row", "serial", "outcome", "code", "reason", "instead", "view", "file"];
    let mut lines: Vec<[String; 8]> = Vec::new();
    let sentence = |reason: Reason, detail: &Option<String>| match detail {
        Some(detail) => format!("{} {detail}", reason.sentence()),
        None => reason.sentence().to_owned(),
    };
    for row in rows {
        let line = row.row.to_string();
        let code = row.reason.code().to_owned();
        let reason = sentence(row.reason, &row.detail);
        let none = String::new;
        lines.push([line.clone(), none(), outcome(row).to_owned(), code, reason, none(), none(), none()]);
        for film in &row.films {
            lines.push([
                line.clone(),
                film.serial.to_string(),
                if film.file.is_some() { "collected" } else { "left" }.to_owned(),
                film.reason.code().to_owned(),
                sentence(film.reason, &film.detail),
                film.instead.map(|serial| serial.to_string()).unwrap_or_default(),
                film.view.clone(),
                film.file.clone().unwrap_or_default(),
            ]);
        }
    }
    to_csv(&header, lines)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #d5dae0;vertical-align:top}td.n{text-align:right}\
.note{color:#57606a}.failed{color:#9a3412}@media(prefers-color-scheme:dark){body{background:#0f1419;color:#d5dae0}\
th,td{border-color:#2b333b}.note{color:#9aa4ae}.failed{color:#fdba74}}";

fn html(rows: &[&RowRecord], summary: &Summary, rules: &Rules, is_whole: bool) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Collection</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n<h1>Collection of films</h1>\n\
         <p class=\"note\">Research use only. Not a medical device. Films are named by serial numbers, injuries by their rows of the \
         registry.</p>\n"
    );
    if !is_whole {
        page.push_str("<p class=\"failed\">The run ended early. The same command goes on where it stopped.</p>\n");
    }
    let Summary { injuries, found, ambiguous, missing, failed, films, limbs, withheld, .. } = *summary;
    let open = injuries - (found + ambiguous + missing + failed).min(injuries);
    let counts = [
        ("injuries in the registry", injuries),
        ("with a film", found),
        ("with films to review", ambiguous),
        ("without a film", missing),
        ("that the PACS failed for", failed),
        ("not searched yet", open),
        ("films of the pelvis and the hip collected", films),
        ("limb films collected", limbs),
        ("films withheld", withheld),
    ];
    let counts: Vec<[String; 2]> = counts.map(|(what, n)| [what.to_owned(), n.to_string()]).into();
    table(&mut page, "Counts", &["", "number"], &counts);
    let (mut of_rows, mut of_films) = (BTreeMap::new(), BTreeMap::new());
    for row in rows {
        *of_rows.entry((row.outcome, row.reason)).or_insert(0usize) += 1;
        row.films.iter().for_each(|film| *of_films.entry((film.file.is_none(), film.reason)).or_insert(0usize) += 1);
        row.left.iter().for_each(|(reason, n)| *of_films.entry((true, *reason)).or_insert(0) += n);
    }
    let of_rows = of_rows.into_iter().map(|((outcome, reason), n)| {
        let outcome = format!("{outcome:?}").to_lowercase();
        [outcome, reason.code().to_owned(), reason.sentence().to_owned(), n.to_string()]
    });
    table(&mut page, "Injuries by reason", &["outcome", "code", "reason", "number"], &of_rows.collect::<Vec<_>>());
    let of_films = of_films.into_iter().map(|((is_left, reason), n)| {
        let what = if is_left { "left" } else { "collected" };
        [what.to_owned(), reason.code().to_owned(), reason.sentence().to_owned(), n.to_string()]
    });
    let heading = "Films by reason (of what the search alone left: series and images)";
    table(&mut page, heading, &["", "code", "reason", "number"], &of_films.collect::<Vec<_>>());
    let others = rows.iter().filter(|row| row.outcome != RowOutcome::Found);
    let others: Vec<[String; 4]> = others
        .map(|row| {
            let detail = row.detail.clone().unwrap_or_default();
            let reason = format!("{} {detail}", row.reason.sentence());
            [row.row.to_string(), outcome(row).to_owned(), row.reason.code().to_owned(), reason.trim().to_owned()]
        })
        .collect();
    table(
        &mut page,
        "Injuries without a film, or to review",
        &["row of the registry", "outcome", "code", "reason"],
        &others,
    );
    let films = rows.iter().flat_map(|row| row.films.iter().map(|film| (row.row, film)));
    let films: Vec<[String; 5]> = films
        .filter(|(_, film)| film.reason != Reason::Taken)
        .map(|(line, film)| {
            let instead = film.instead.map(|serial| format!(" (film {serial})")).unwrap_or_default();
            let detail = film.detail.clone().unwrap_or_default();
            let what = if film.file.is_some() { "collected" } else { "left" };
            let reason = format!("{}{instead} {detail}", film.reason.sentence());
            [
                film.serial.to_string(),
                line.to_string(),
                what.to_owned(),
                film.reason.code().to_owned(),
                reason.trim().to_owned(),
            ]
        })
        .collect();
    let header = ["serial number", "row of the registry", "", "code", "reason"];
    table(&mut page, "Films that were left, withheld, or to review", &header, &films);
    let _ = write!(
        page,
        "<h2>Rules</h2>\n<details><summary>as TOML</summary><pre>{}</pre></details>\n",
        escape(&rules.to_toml())
    );
    page.push_str("</body></html>\n");
    page
}

fn table<const N: usize>(page: &mut String, heading: &str, header: &[&str; N], rows: &[[String; N]]) {
    if rows.is_empty() {
        return;
    }
    let _ = write!(page, "<h2>{}</h2>\n<table><thead><tr>", escape(heading));
    for cell in header {
        let _ = write!(page, "<th scope=\"col\">{}</th>", escape(cell));
    }
    page.push_str("</tr></thead><tbody>\n");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            let _ = write!(page, "<td>{}</td>", escape(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table>\n");
}
