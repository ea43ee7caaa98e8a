//! The log as CSV (RFC 4180), harmless in a spreadsheet.

use super::chain::Body;
use crate::db::AuditRow;

/// The names of the columns.
pub const HEADER: &str = "seq,at,action,outcome,who,who_kind,who_id,address,film,detail,node,hash\r\n";

/// An entry's line.
pub fn line(row: &AuditRow) -> String {
    let Ok(body) = serde_json::from_str::<Body>(&row.body) else {
        return format!("{},,{},{},,,,,,,,{}\r\n", row.seq, cell(&row.action), cell("unreadable"), cell(&row.hash));
    };
    let at = jiff::Timestamp::from_microsecond(row.at).unwrap_or_default();
    let detail: Vec<String> = body.detail.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let outcome = if body.outcome == super::Outcome::Success { "success" } else { "failure" };
    let film = body.film.map(|film| film.to_string()).unwrap_or_default();
    let texts = [
        body.action.as_str(),
        outcome,
        &body.who.name,
        &body.who.kind,
        &body.who.id.to_string(),
        &body.address,
        &film,
        &detail.join("; "),
        &body.node,
        &row.hash,
    ];
    let cells: Vec<String> = texts.iter().map(|text| cell(text)).collect();
    format!("{},{at},{}\r\n", row.seq, cells.join(","))
}

/// A cell: quoted, with hidden characters made visible, and an apostrophe before what a spreadsheet would take for a formula.
fn cell(text: &str) -> String {
    let text = crate::visible::visible(text);
    let begins = text.trim_start().chars().next();
    // Also the wide forms, which some spreadsheets take for the narrow ones.
    let is_formula = begins.is_some_and(|c| matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠'));
    let mark = if is_formula { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_is_a_formula_or_ends_early() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        for text in ["+1", "-1", "@SUM(A1)", " =1", "＝1", "\u{3000}=1"] {
            assert!(cell(text).starts_with("\"'"), "{text}");
        }
        assert_eq!(cell("a\"b,c"), "\"a\"\"b,c\"");
        assert_eq!(cell("a\r\n\t\u{202E}=b"), "\"a[U+000D][U+000A][U+0009][U+202E]=b\"");
        assert_eq!(cell("\u{1B}$B"), "\"[U+001B]$B\"");
    }
}
