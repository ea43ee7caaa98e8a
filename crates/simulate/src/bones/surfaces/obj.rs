//! Wavefront OBJ: `v` and `f` lines; everything else is skipped.

use super::raw::{Fault, Raw, fault};

/// Parses a file.
pub(super) fn parse(bytes: &[u8]) -> Result<Raw, Fault> {
    let Ok(text) = std::str::from_utf8(bytes) else { return fault(0, "not a text file") };
    let mut raw = Raw::default();
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("v") => {
                let mut point = [0.0; 3];
                for to in &mut point {
                    let Some(word) = words.next() else { return fault(i + 1, "a vertex needs three coordinates") };
                    match word.parse::<f32>() {
                        Ok(number) if number.is_finite() => *to = number,
                        _ => return fault(i + 1, format!("`{word}` is not a number")),
                    }
                }
                raw.points.push(point);
            }
            Some("f") => {
                let face = words.map(|word| index(word, raw.points.len(), i + 1)).collect::<Result<Vec<_>, _>>()?;
                if face.len() < 3 {
                    return fault(i + 1, format!("a face of {} corners", face.len()));
                }
                raw.polygons.push(face);
            }
            _ => {}
        }
    }
    if raw.polygons.is_empty() {
        return fault(text.lines().count(), "no faces");
    }
    Ok(raw)
}

/// A face's corner: `7`, `7/1`, `7//3`, or counted from the last vertex: `-1`.
fn index(word: &str, points: usize, line: usize) -> Result<u32, Fault> {
    let number = word.split('/').next().unwrap_or_default();
    let place = match number.parse::<i64>() {
        Ok(i) if i > 0 => i - 1,
        Ok(i) if i < 0 => points as i64 + i,
        _ => return fault(line, format!("`{word}` is not the number of a vertex")),
    };
    if (0..points as i64).contains(&place) {
        Ok(place as u32)
    } else {
        fault(line, format!("vertex {number} of {points}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &str =
        "# a square\no bone\nv 0 0 0\nv 1 0 0 # second\nv 1 1 0\nv 0 1 0\nvn 0 0 1\nf 1//1 2//1 -2 4\n";

    #[test]
    fn polygons_with_all_kinds_of_indices_are_read() {
        let raw = parse(SQUARE.as_bytes()).unwrap();
        assert_eq!(raw.points.len(), 4);
        assert_eq!(raw.polygons, [[0, 1, 2, 3]]);
    }

    #[test]
    fn broken_files_are_refused_by_line() {
        for (text, line, reason) in [
            (SQUARE.replace("v 1 1 0", "v 1 x 0"), 5, "`x`"),
            (SQUARE.replace("v 1 1 0", "v 1 1"), 5, "three coordinates"),
            (SQUARE.replace("-2 4", "-2 5"), 8, "vertex 5 of 4"),
            (SQUARE.replace("-2 4", "-2 0"), 8, "`0`"),
            (SQUARE.replace("1//1 2//1 -2 4", "1 2"), 8, "2 corners"),
            ("v 0 0 0\n".to_owned(), 1, "no faces"),
        ] {
            let fault = parse(text.as_bytes()).unwrap_err();
            assert_eq!((fault.line, fault.reason.contains(reason)), (line, true), "{}", fault.reason);
        }
    }
}
