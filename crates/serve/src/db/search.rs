//! Searches for objects, by what QIDO-RS asks for.

use sqlx::{AssertSqlSafe, Row as _};

use super::films::{COLUMNS, Film, of_row};
use super::{Database, DbError, Dialect};

/// Which objects are asked for. What is empty asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the attribute of its name")]
pub struct FilmQuery {
    pub study_uid: Vec<String>,
    pub series_uid: Vec<String>,
    pub sop_instance_uid: Vec<String>,
    pub sop_class_uid: String,
    pub patient_id: String,
    /// With `*` and `?`.
    pub patient_name: String,
    pub accession_number: String,
    pub study_id: String,
    pub modality: Vec<String>,
    /// From and to, `YYYYMMDD`, each may be empty.
    pub study_date: (String, String),
    pub limit: i64,
    pub offset: i64,
}

impl Database {
    /// Objects by a query, in the order of study, series and number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn films(&self, query: &FilmQuery) -> Result<Vec<Film>, DbError> {
        let (which, values) = condition(query, self.dialect);
        let sql = format!(
            "SELECT {COLUMNS} FROM instance {which} ORDER BY study_uid, series_uid, id LIMIT {} OFFSET {}",
            query.limit, query.offset
        );
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            statement = statement.bind(value);
        }
        statement.fetch_all(&self.read).await?.iter().map(of_row).collect()
    }

    /// The first object of each study (`by` is `study_uid`) or series (`series_uid`) that a query finds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn firsts(&self, query: &FilmQuery, by: Level) -> Result<Vec<Film>, DbError> {
        let (which, values) = condition(query, self.dialect);
        let by = by.column();
        let sql = format!(
            "SELECT {COLUMNS} FROM instance WHERE id IN (SELECT MIN(id) FROM instance {which} GROUP BY {by} ORDER BY {by} LIMIT {} OFFSET {}) \
             ORDER BY {by}",
            query.limit, query.offset
        );
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            statement = statement.bind(value);
        }
        statement.fetch_all(&self.read).await?.iter().map(of_row).collect()
    }

    /// Of studies or series: how many series and objects each has, and its modalities.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contents(&self, by: Level, uid: &str) -> Result<Contents, DbError> {
        let by = by.column();
        let sql = format!(
            "SELECT modality, series_uid, COUNT(*) FROM instance WHERE {by} = $1 GROUP BY modality, series_uid"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(uid.to_owned()).fetch_all(&self.read).await?;
        let mut contents = Contents::default();
        for row in rows {
            let modality: String = row.try_get(0)?;
            if !contents.modalities.contains(&modality) {
                contents.modalities.push(modality);
            }
            contents.series += 1;
            contents.instances += row.try_get::<i64, _>(2)?;
        }
        contents.modalities.sort();
        Ok(contents)
    }
}

/// What a group of objects is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Modalities in it, sorted.
    pub modalities: Vec<String>,
    /// Series.
    pub series: i64,
    /// Objects.
    pub instances: i64,
}

/// By what objects are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Study Instance UID.
    Study,
    /// Series Instance UID.
    Series,
}

impl Level {
    fn column(self) -> &'static str {
        match self {
            Self::Study => "study_uid",
            Self::Series => "series_uid",
        }
    }
}

/// The condition of a query, and its values from `$1` on.
fn condition(query: &FilmQuery, dialect: Dialect) -> (String, Vec<String>) {
    let mut parts: Vec<String> = Vec::new();
    let mut values: Vec<String> = Vec::new();
    let mut one_of = |column: &str, wanted: &[String]| {
        if !wanted.is_empty() {
            let marks: Vec<_> = wanted
                .iter()
                .map(|value| {
                    values.push(value.clone());
                    format!("${}", values.len())
                })
                .collect();
            parts.push(format!("{column} IN ({})", marks.join(", ")));
        }
    };
    one_of("study_uid", &query.study_uid);
    one_of("series_uid", &query.series_uid);
    one_of("sop_instance_uid", &query.sop_instance_uid);
    one_of("modality", &query.modality);
    for (column, value) in [
        ("sop_class_uid", &query.sop_class_uid),
        ("patient_id", &query.patient_id),
        ("accession_number", &query.accession_number),
        ("study_id", &query.study_id),
    ] {
        if !value.is_empty() {
            one_of(column, std::slice::from_ref(value));
        }
    }
    let mut compare = |condition: &str, value: String| {
        values.push(value);
        parts.push(condition.replace("{}", &format!("${}", values.len())));
    };
    if !query.patient_name.is_empty() {
        compare("UPPER(patient_name) LIKE UPPER({}) ESCAPE '\\'", like(&query.patient_name));
        // What stands before the first wild card is found by the index, which LIKE does not use; PostgreSQL's order may be another
        // than that of the characters.
        let start: String = query.patient_name.chars().take_while(|c| !matches!(c, '*' | '?')).collect();
        if dialect == Dialect::Sqlite && !start.is_empty() {
            compare("UPPER(patient_name) >= UPPER({})", start.clone());
            compare("UPPER(patient_name) < UPPER({})", format!("{start}\u{10FFFF}"));
        }
    }
    let (from, to) = &query.study_date;
    if !from.is_empty() {
        compare("study_date >= {}", from.clone());
    }
    if !to.is_empty() {
        compare("study_date <= {}", to.clone());
    }
    let which = if parts.is_empty() { String::new() } else { format!("WHERE {}", parts.join(" AND ")) };
    (which, values)
}

/// DICOM's wild cards (PS3.4, C.2.2.2.4) as those of SQL.
fn like(pattern: &str) -> String {
    pattern.chars().fold(String::new(), |mut text, c| {
        match c {
            '*' => text.push('%'),
            '?' => text.push('_'),
            '%' | '_' | '\\' => text.extend(['\\', c]),
            c => text.push(c),
        }
        text
    })
}
