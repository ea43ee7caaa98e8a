//! The display shutter (PS3.3 C.7.6.11): what lies outside it is collimator or background, and black whatever Shutter
//! Presentation Value says.

use dicom_core::header::Tag;
use dicom_dictionary_std::tags;

use super::header::{Fields, term};
use crate::error::ReadError;
use crate::limits::MIN_SIDE;

/// One shape; a film lies inside all of them. Rows and columns count from 1.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// The edges themselves are film.
    Rectangle { left: f64, right: f64, top: f64, bottom: f64 },
    /// The radius is in columns; a row counts for `aspect` columns.
    Circle { row: f64, column: f64, radius: f64, aspect: f64 },
    /// Row and column of each vertex, the first of which follows the last.
    Polygon(Vec<[f64; 2]>),
}

/// The shapes of a display shutter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shutter(Vec<Shape>);

impl Shutter {
    /// The shutter of a file, where it has one. `aspect` is the height of a pixel over its width.
    pub(super) fn parse(fields: &Fields, aspect: f64) -> Result<Option<Self>, ReadError> {
        let names = fields.dataset.texts(tags::SHUTTER_SHAPE);
        let mut shapes = Vec::new();
        for name in names.iter().filter(|name| !name.is_empty()) {
            shapes.push(match name.as_str() {
                "RECTANGULAR" => rectangle(fields)?,
                "CIRCULAR" => circle(fields, aspect)?,
                "POLYGONAL" => polygon(fields)?,
                other => {
                    return Err(ReadError::Unsupported {
                        file: fields.file.to_owned(),
                        what: format!("ShutterShape (0018,1600) {}", term(other)),
                        hint: "export the film with a rectangular, circular or polygonal shutter, or without one",
                    });
                }
            });
        }
        Ok((!shapes.is_empty()).then_some(Self(shapes)))
    }

    /// Whether each pixel is film, row by row; an error where next to none is.
    pub(super) fn mask(&self, rows: usize, columns: usize, file: &str) -> Result<Vec<bool>, ReadError> {
        let mut mask = vec![true; rows * columns];
        for (y, row) in mask.chunks_exact_mut(columns).enumerate() {
            self.0.iter().for_each(|shape| shape.cut((y + 1) as f64, row));
        }
        if mask.iter().filter(|&&is_film| is_film).count() < MIN_SIDE * MIN_SIDE {
            return Err(ReadError::Attribute {
                file: file.to_owned(),
                name: "ShutterShape",
                tag: "(0018,1600)".into(),
                value: "closed by its own edges".into(),
                expected: "a shutter that leaves a part of the film",
            });
        }
        Ok(mask)
    }
}

impl Shape {
    /// Clears the pixels of a row that lie outside.
    fn cut(&self, row: f64, pixels: &mut [bool]) {
        let mut keep = |holds: &dyn Fn(f64) -> bool| {
            pixels.iter_mut().enumerate().for_each(|(x, pixel)| *pixel &= holds((x + 1) as f64));
        };
        match self {
            Self::Rectangle { left, right, top, bottom } => {
                keep(&|column| (*left..=*right).contains(&column) && (*top..=*bottom).contains(&row));
            }
            Self::Circle { row: center_row, column: center_column, radius, aspect } => {
                keep(&|column| ((row - center_row) * aspect).hypot(column - center_column) <= *radius);
            }
            Self::Polygon(vertices) => {
                // Even-odd rule: where the edges cross the row.
                let next = vertices.iter().cycle().skip(1);
                let edges = vertices.iter().zip(next).filter(|([r0, _], [r1, _])| (*r0 > row) != (*r1 > row));
                let mut crossings: Vec<f64> =
                    edges.map(|([r0, c0], [r1, c1])| c0 + (row - r0) / (r1 - r0) * (c1 - c0)).collect();
                crossings.sort_by(f64::total_cmp);
                keep(&|column| crossings.partition_point(|&crossing| crossing <= column) % 2 == 1);
            }
        }
    }
}

/// The numbers of an attribute that a shape needs, at least `least` of them.
fn numbers(fields: &Fields, tag: Tag, name: &'static str, least: usize) -> Result<Vec<f64>, ReadError> {
    let texts = fields.dataset.texts(tag);
    let values: Option<Vec<f64>> =
        texts.iter().map(|text| text.parse::<f64>().ok().filter(|number| number.is_finite())).collect();
    let values = values.filter(|values| values.len() >= least);
    values.ok_or_else(|| fields.wrong(tag, name, "missing or not a number", "what ShutterShape (0018,1600) needs"))
}

fn rectangle(fields: &Fields) -> Result<Shape, ReadError> {
    let edge = |tag, name| numbers(fields, tag, name, 1).map(|values| values[0]);
    Ok(Shape::Rectangle {
        left: edge(tags::SHUTTER_LEFT_VERTICAL_EDGE, "ShutterLeftVerticalEdge")?,
        right: edge(tags::SHUTTER_RIGHT_VERTICAL_EDGE, "ShutterRightVerticalEdge")?,
        top: edge(tags::SHUTTER_UPPER_HORIZONTAL_EDGE, "ShutterUpperHorizontalEdge")?,
        bottom: edge(tags::SHUTTER_LOWER_HORIZONTAL_EDGE, "ShutterLowerHorizontalEdge")?,
    })
}

fn circle(fields: &Fields, aspect: f64) -> Result<Shape, ReadError> {
    let center = numbers(fields, tags::CENTER_OF_CIRCULAR_SHUTTER, "CenterOfCircularShutter", 2)?;
    let radius = numbers(fields, tags::RADIUS_OF_CIRCULAR_SHUTTER, "RadiusOfCircularShutter", 1)?[0];
    Ok(Shape::Circle { row: center[0], column: center[1], radius, aspect })
}

fn polygon(fields: &Fields) -> Result<Shape, ReadError> {
    let (tag, name) = (tags::VERTICES_OF_THE_POLYGONAL_SHUTTER, "VerticesOfThePolygonalShutter");
    let values = numbers(fields, tag, name, 6)?;
    if !values.len().is_multiple_of(2) || values.len() > 2 * MAX_VERTICES {
        return Err(fields.wrong(tag, name, format!("of {} values", values.len()), "up to 1000 pairs"));
    }
    Ok(Shape::Polygon(values.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()))
}

/// Most vertices of a polygon; more would take longer than decoding.
const MAX_VERTICES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(shapes: Vec<Shape>) -> Vec<String> {
        let row = |y: usize| {
            let mut row = vec![true; 6];
            shapes.iter().for_each(|shape| shape.cut((y + 1) as f64, &mut row));
            row
        };
        (0..5).map(|y| row(y).iter().map(|&is_film| if is_film { '#' } else { '.' }).collect()).collect()
    }

    #[test]
    fn shapes_cut_what_lies_outside() {
        let rectangle = Shape::Rectangle { left: 2.0, right: 4.0, top: 3.0, bottom: 9.0 };
        assert_eq!(visible(vec![rectangle.clone()]), ["......", "......", ".###..", ".###..", ".###.."]);
        let circle = Shape::Circle { row: 3.0, column: 3.0, radius: 2.0, aspect: 1.0 };
        assert_eq!(visible(vec![circle.clone()]), ["..#...", ".###..", "#####.", ".###..", "..#..."]);
        let flat = Shape::Circle { row: 3.0, column: 3.0, radius: 2.0, aspect: 2.0 };
        assert_eq!(visible(vec![flat]), ["......", "..#...", "#####.", "..#...", "......"]);
        assert_eq!(visible(vec![rectangle, circle]), ["......", "......", ".###..", ".###..", "..#..."]);
        let triangle = Shape::Polygon(vec![[0.5, 0.5], [0.5, 5.5], [5.5, 0.5]]);
        assert!(Shutter(vec![triangle.clone()]).mask(5, 6, "film").is_err());
        assert_eq!(visible(vec![triangle]), ["####..", "###...", "##....", "#.....", "......"]);
    }
}
