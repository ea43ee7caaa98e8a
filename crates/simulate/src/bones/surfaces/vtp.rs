//! VTK XML PolyData with ASCII arrays: `Points`, and `Polys` as `connectivity` and `offsets`.

use super::raw::{Fault, Raw, fault};

/// Parses a file.
pub(super) fn parse(bytes: &[u8]) -> Result<Raw, Fault> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return fault(0, "not ASCII: only VTP files with ASCII arrays are read");
    };
    let mut reader = Reader { text, at: 0 };
    let mut raw = Raw::default();
    let (mut connectivity, mut offsets) = (None, None);
    let mut section = "";
    let mut is_poly_data = false;
    while let Some(tag) = reader.tag()? {
        match tag.name {
            "VTKFile" => {
                let kind = tag.attribute("type").unwrap_or_default();
                if kind != "PolyData" {
                    return fault(tag.line, format!("a VTK file of type `{kind}`, not PolyData"));
                }
                is_poly_data = true;
            }
            "Points" | "Polys" | "Verts" | "Lines" | "Strips" | "PointData" | "CellData" => section = tag.name,
            "/Points" | "/Polys" | "/Verts" | "/Lines" | "/Strips" | "/PointData" | "/CellData" => section = "",
            "Piece" => {
                let strips = tag.attribute("NumberOfStrips").unwrap_or("0");
                if strips.parse::<usize>() != Ok(0) {
                    return fault(tag.line, "triangle strips are not read; write polygons");
                }
            }
            "DataArray" if !tag.closed => {
                let format = tag.attribute("format").unwrap_or("ascii");
                let array = tag.attribute("Name").unwrap_or_default();
                let wanted = section == "Points" || (section == "Polys" && matches!(array, "connectivity" | "offsets"));
                if wanted && format != "ascii" {
                    return fault(tag.line, format!("an array in format `{format}`; only ASCII arrays are read"));
                }
                if section == "Points" {
                    raw.points = points(&mut reader, &tag)?;
                } else if wanted && array == "connectivity" {
                    connectivity = Some((tag.line, reader.numbers::<u32>()?));
                } else if wanted {
                    offsets = Some((tag.line, reader.numbers::<u32>()?));
                }
            }
            _ => {}
        }
    }
    if !is_poly_data {
        return fault(1, "no VTKFile element of type PolyData");
    }
    let (Some((line, connectivity)), Some((_, offsets))) = (connectivity, offsets) else {
        return fault(reader.line(), "no polygons: Polys needs the arrays `connectivity` and `offsets`");
    };
    let mut from = 0;
    for offset in offsets {
        let Some(polygon) = connectivity.get(from..offset as usize) else {
            return fault(line, format!("offset {offset} does not fit an array of {} indices", connectivity.len()));
        };
        if let Some(index) = polygon.iter().find(|i| **i as usize >= raw.points.len()) {
            return fault(line, format!("point {index} of {}", raw.points.len()));
        }
        raw.polygons.push(polygon.to_vec());
        from = offset as usize;
    }
    Ok(raw)
}

fn points(reader: &mut Reader<'_>, tag: &Tag<'_>) -> Result<Vec<[f32; 3]>, Fault> {
    let components = tag.attribute("NumberOfComponents").unwrap_or("3");
    if components != "3" {
        return fault(tag.line, format!("points of {components} components, not 3"));
    }
    let numbers = reader.numbers::<f32>()?;
    if numbers.len() % 3 != 0 {
        return fault(tag.line, format!("{} coordinates are not a number of points", numbers.len()));
    }
    Ok(numbers.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect())
}

/// An element's start (or end, its name beginning with `/`).
struct Tag<'a> {
    name: &'a str,
    attributes: &'a str,
    closed: bool,
    line: usize,
}

impl<'a> Tag<'a> {
    fn attribute(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        while let Some((before, after)) = rest.split_once('=') {
            let quote = after.trim_start().chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let mut parts = after.trim_start()[1..].splitn(2, quote);
            let value = parts.next()?;
            if before.trim() == name {
                return Some(value);
            }
            rest = parts.next().unwrap_or_default();
        }
        None
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// The line of the present position.
    fn line(&self) -> usize {
        self.text[..self.at].matches('\n').count() + 1
    }

    /// The next tag, comments and declarations skipped.
    fn tag(&mut self) -> Result<Option<Tag<'a>>, Fault> {
        loop {
            let Some(start) = self.text[self.at..].find('<') else { return Ok(None) };
            self.at += start;
            let line = self.line();
            let rest = &self.text[self.at..];
            let end = if rest.starts_with("<!--") { rest.find("-->").map(|i| i + 2) } else { rest.find('>') };
            let Some(end) = end else { return fault(line, "a tag that does not end: the file is cut short") };
            self.at += end + 1;
            if rest.starts_with("<!") || rest.starts_with("<?") {
                continue;
            }
            let inner = &rest[1..end];
            let closed = inner.ends_with('/');
            let inner = inner.trim_end_matches('/');
            let (name, attributes) = inner.split_once(|c: char| c.is_whitespace()).unwrap_or((inner, ""));
            return Ok(Some(Tag { name, attributes, closed, line }));
        }
    }

    /// The numbers up to the next tag.
    fn numbers<T: std::str::FromStr>(&mut self) -> Result<Vec<T>, Fault> {
        let first = self.line();
        let Some(end) = self.text[self.at..].find('<') else {
            return fault(first, "an array that does not end: the file is cut short");
        };
        let body = &self.text[self.at..self.at + end];
        let mut numbers = Vec::new();
        for (i, line) in body.lines().enumerate() {
            for word in line.split_ascii_whitespace() {
                let Ok(number) = word.parse() else { return fault(first + i, format!("`{word}` is not a number")) };
                numbers.push(number);
            }
        }
        self.at += end;
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TETRAHEDRON: &str = r#"<?xml version="1.0"?>
<VTKFile type="PolyData" version="0.1">
  <!-- a comment with <brackets> -->
  <PolyData><Piece NumberOfPoints="4" NumberOfPolys="4" NumberOfStrips="0">
    <PointData Normals="n"><DataArray type="Float32" NumberOfComponents="3" format="ascii">9 9 9</DataArray></PointData>
    <Points><DataArray type="Float32" NumberOfComponents="3" format="ascii">
      0 0 0  10 0 0
      0 10 0  0 0 1e1
    </DataArray></Points>
    <Polys>
      <DataArray type="Int32" Name="connectivity" format="ascii">0 2 1 0 1 3 1 2 3 0 3 2</DataArray>
      <DataArray type="Int32" Name="offsets" format="ascii">3 6 9 12</DataArray>
    </Polys>
  </Piece></PolyData>
</VTKFile>
"#;

    #[test]
    fn a_tetrahedron_is_read() {
        let raw = parse(TETRAHEDRON.as_bytes()).unwrap();
        assert_eq!(raw.points, [[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 10.0]]);
        assert_eq!(raw.polygons, [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]);
    }

    #[test]
    fn broken_files_are_refused_by_line() {
        let cases = [
            (TETRAHEDRON.replace("1e1", "one"), 8, "`one` is not a number"),
            (TETRAHEDRON.replace("1 2 3 0 3 2", "1 2 7 0 3 2"), 11, "point 7 of 4"),
            (TETRAHEDRON.replace("9 12<", "9 13<"), 11, "offset 13"),
            (TETRAHEDRON.replace("0 10 0  0 0 1e1", "0 10 0  0 0"), 6, "11 coordinates"),
            (TETRAHEDRON.replace("PolyData\" version", "ImageData\" version"), 2, "`ImageData`"),
            (
                TETRAHEDRON.replace(
                    "<Points><DataArray type=\"Float32\" NumberOfComponents=\"3\" format=\"ascii\"",
                    "<Points><DataArray format=\"binary\"",
                ),
                6,
                "`binary`",
            ),
            (TETRAHEDRON[..TETRAHEDRON.find("0 2 1").unwrap()].to_owned(), 11, "cut short"),
            ("solid".to_owned(), 1, "no VTKFile"),
        ];
        for (text, line, reason) in cases {
            let fault = parse(text.as_bytes()).unwrap_err();
            assert_eq!(fault.line, line, "{}", fault.reason);
            assert!(fault.reason.contains(reason), "{}", fault.reason);
        }
    }
}
