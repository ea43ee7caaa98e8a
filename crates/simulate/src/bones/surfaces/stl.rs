//! Stereolithography files, ASCII or binary: triangles without shared points.

use super::raw::{Fault, Raw, fault};

/// Parses a file. A file whose length fits the binary layout is binary, whatever it begins with.
pub(super) fn parse(bytes: &[u8]) -> Result<Raw, Fault> {
    let counted = bytes.get(80..84).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    if let Some(n) = counted
        && bytes.len() as u64 == 84 + 50 * u64::from(n)
    {
        return binary(&bytes[84..]);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.trim_start().starts_with("solid") => ascii(text),
        _ => match counted {
            Some(n) => {
                fault(0, format!("{n} triangles need {} bytes, the file has {}", 84 + 50 * u64::from(n), bytes.len()))
            }
            None => fault(0, "too short for an STL file"),
        },
    }
}

fn binary(body: &[u8]) -> Result<Raw, Fault> {
    let mut raw = Raw::default();
    for (i, facet) in body.chunks_exact(50).enumerate() {
        let number = |k: usize| f32::from_le_bytes([facet[k], facet[k + 1], facet[k + 2], facet[k + 3]]);
        for corner in 0..3 {
            let at = 12 + 12 * corner;
            let point = [number(at), number(at + 4), number(at + 8)];
            if point.iter().any(|c| !c.is_finite()) {
                return fault(0, format!("triangle {i} has a corner that is no number"));
            }
            raw.points.push(point);
        }
        let first = 3 * i as u32;
        raw.polygons.push(vec![first, first + 1, first + 2]);
    }
    Ok(raw)
}

fn ascii(text: &str) -> Result<Raw, Fault> {
    let mut raw = Raw::default();
    let mut corners = Vec::new();
    let mut ended = false;
    for (i, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["vertex", x, y, z] => {
                let mut point = [0.0; 3];
                for (to, word) in point.iter_mut().zip([x, y, z]) {
                    match word.parse::<f32>() {
                        Ok(number) if number.is_finite() => *to = number,
                        _ => return fault(i + 1, format!("`{word}` is not a number")),
                    }
                }
                corners.push(raw.points.len() as u32);
                raw.points.push(point);
            }
            ["vertex", ..] => return fault(i + 1, "a vertex needs three coordinates"),
            ["endloop", ..] => {
                if corners.len() < 3 {
                    return fault(i + 1, format!("a facet of {} corners", corners.len()));
                }
                raw.polygons.push(std::mem::take(&mut corners));
            }
            ["endsolid", ..] => ended = true,
            [] | ["solid" | "facet" | "outer" | "endfacet", ..] => {}
            [word, ..] => return fault(i + 1, format!("`{word}` has no place in an STL file")),
        }
    }
    if !ended || !corners.is_empty() {
        return fault(text.lines().count(), "no `endsolid`: the file is cut short");
    }
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACET: &str = "solid bone\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\nendsolid bone\n";

    #[test]
    fn ascii_and_binary_are_read_alike() {
        let text = parse(FACET.as_bytes()).unwrap();
        let mut bytes = b"solid, but binary".to_vec();
        bytes.resize(80, b' ');
        bytes.extend(1_u32.to_le_bytes());
        for number in [0.0_f32, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend([0, 0]);
        assert_eq!(parse(&bytes).unwrap(), text);
        assert_eq!(text.polygons, [[0, 1, 2]]);
        let short = parse(&bytes[..bytes.len() - 10]).unwrap_err();
        assert!(short.reason.contains("134 bytes"), "{}", short.reason);
    }

    #[test]
    fn broken_files_are_refused_by_line() {
        for (text, line, reason) in [
            (FACET.replace("vertex 1 0 0", "vertex 1 zero 0"), 5, "`zero`"),
            (FACET.replace("vertex 1 0 0", "vertex 1 0"), 5, "three coordinates"),
            (FACET.replace("vertex 1 0 0\n", ""), 6, "2 corners"),
            (FACET.replace("endsolid bone\n", ""), 8, "cut short"),
            (FACET.replace("facet normal", "face normal"), 2, "`face`"),
            ("solid".to_owned(), 1, "cut short"),
            ("x".to_owned(), 0, "too short"),
        ] {
            let fault = parse(text.as_bytes()).unwrap_err();
            assert_eq!((fault.line, fault.reason.contains(reason)), (line, true), "{}", fault.reason);
        }
    }
}
