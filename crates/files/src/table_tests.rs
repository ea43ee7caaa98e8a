//! Tests of the table reader: what is refused, with which line, and what is read.

use std::path::Path;

use super::*;

#[test]
fn what_is_no_table() {
    let reason = |bytes: &[u8]| Table::parse(bytes, Path::new("t.csv")).unwrap_err().to_string();
    assert_eq!(reason(b""), "t.csv, line 1: the table has no header");
    assert_eq!(reason(b"a,b,a\n"), "t.csv, line 1: column `a` is there twice");
    assert!(reason(b"a,,b\n").starts_with("t.csv, line 1: column 2 has no name; name it"));
    assert_eq!(reason(b"a,b\n1,2\n1,2,3\n"), "t.csv, line 3: 3 fields where the header has 2");
    assert_eq!(reason(b"a,b\n1,\xff\n"), "t.csv, line 2: field 2 is not UTF-8");
}

#[test]
fn lines_are_those_of_the_file() {
    // A byte-order mark, Windows line ends, an empty line and a field of two lines.
    let bytes = b"\xef\xbb\xbfa,b\r\n1,\"two\r\nlines\"\r\n\r\n 3 , 4\r\n";
    let table = Table::parse(bytes, Path::new("t.csv")).unwrap();
    assert_eq!(table.columns(), ["a", "b"]);
    let lines: Vec<(u64, String)> = table.rows().map(|row| (row.line(), row.text("a").to_owned())).collect();
    assert_eq!(lines, [(2, "1".to_owned()), (5, "3".to_owned())]);
}

#[test]
fn a_quote_that_is_not_closed_swallows_no_rows() {
    let error = |text: &str| Table::parse(text.as_bytes(), Path::new("t.csv")).err().map(|error| error.to_string());
    let open = error("a,b\n1,2\n3,\"four\n5,6\n7,8\n").unwrap();
    assert!(open.starts_with("t.csv, line 3: a quoted field begins here and is never closed"), "{open}");
    // Two strays: the second closes the first, and text follows it.
    let two = error("a,b\n1,\"fell \"over\n2,x\n3,\"again\n").unwrap();
    assert!(two.starts_with("t.csv, line 2: a quoted field that begins here has text after"), "{two}");
    let swallowing = error("a,b\n1,\"x\n2,y\n3,\"z\n4,w\n").unwrap();
    assert!(swallowing.starts_with("t.csv, line 2: a quoted field"), "{swallowing}");
    assert!(error("a,b\n\"x\" ,2\n \"y\",\"z \"\"quoted\"\"\"\n").is_none());
    // A quote within a plain field opens nothing.
    assert!(error("a,b\n5\",2\n6,7\n").is_none());
    assert!(error("a,b\n1,\"two\nlines, and a comma\"\n").is_none());
}

#[test]
fn what_spreadsheets_write_is_read_or_named() {
    let error = |bytes: &[u8]| Table::parse(bytes, Path::new("t.csv")).unwrap_err().to_string();
    for bytes in [&b"a;b\n1;2\n"[..], b"a;b\n1,5;2\n", b"a\tb\n1\t2\n", b"a;b;c,d\n1;2;3,4\n"] {
        assert!(error(bytes).contains("must be separated by commas"), "{}", error(bytes));
    }
    assert!(error(b"sep=,\na,b\n1,2\n").contains("`sep=` is no header"));
    assert!(error(b"\xff\xfea\0,\0b\0\n\0").contains("UTF-16"));
    let old_mac = Table::parse(b"a,b\r1,2\r3,4\r", Path::new("t.csv")).unwrap();
    assert_eq!(old_mac.rows().map(|row| row.line()).collect::<Vec<_>>(), [2, 3]);
}
