//! Tables of foreign bytes: nothing panics, and an error names a line of the file.

use std::fs;

use coxa_cohort::importers::check_ends;
use coxa_cohort::registry::diagnosis::{Code, judge};
use coxa_cohort::{CohortError, Dataset, registry};
use coxa_files::TableError;
use proptest::prelude::*;

/// Bytes that look like a table more often than chance would have it.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "image_id",
        "path",
        "patient",
        "body_part",
        "label",
        "diagnosis",
        "admitted",
        "injury_date",
        "film_date",
        "view",
        ",",
        ",",
        ",",
        "\n",
        "\n",
        "\r\n",
        "\"",
        "1",
        "0",
        "maybe",
        "2016-02-30",
        "820.21",
        "é",
        "\u{feff}",
        "-1e999",
        "\0",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(pieces, 0..80).prop_map(|pieces| pieces.concat().into_bytes()),
    ]
}

proptest! {
    #[test]
    fn foreign_tables_never_panic(bytes in bytes()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.csv");
        fs::write(&path, &bytes).unwrap();
        fs::write(folder.path().join("truth.csv"), &bytes).unwrap();
        let last_line = bytes.iter().filter(|&&byte| byte == b'\n' || byte == b'\r').count() as u64 + 1;
        for error in [
            Dataset::load(folder.path()).err(),
            registry::load_injuries(&path).err(),
            registry::load_films(&path).err(),
        ]
        .into_iter()
        .flatten()
        {
            if let CohortError::Table(TableError::Value { line, .. } | TableError::Malformed { line, .. }) = error {
                prop_assert!((1..=last_line).contains(&line), "line {} of {}", line, last_line);
            }
        }
    }

    #[test]
    fn foreign_codes_never_panic(text in "\\PC{0,16}") {
        if let Ok(codes) = Code::parse_list(&text) {
            for code in &codes {
                prop_assert_eq!(&Code::parse(code.as_str()), &Some(code.clone()));
                let _ = code.side();
            }
            let _ = judge(&codes, &text);
        }
    }

    #[test]
    fn foreign_files_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), head in 0_usize..3) {
        if let Some(start) = [&b"\xff\xd8"[..], b"\xff\xd8\xff\xc0\x00\x0b", b"\x89PNG\r\n\x1a\n"].get(head) {
            bytes.splice(0..0, start.iter().copied());
        }
        let _ = check_ends(&bytes);
    }
}
