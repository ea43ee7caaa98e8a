//! Cells become rectangles of the film.

use super::network::{CELL, Cells};
use crate::blanking::{Rectangle, Witness};

/// What is text and what may be: logits, and sizes in cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thresholds {
    /// A cell belongs to a region from here on.
    member: f32,
    /// The fewest cells of a region.
    least: usize,
    /// A region that reaches this is text.
    sure: Bar,
    /// A region with such a cell is text, whatever the others are: texts that hang together with something else are.
    certain: f32,
    /// A region that reaches this may be text.
    unsure: Bar,
    /// The same of an upright region: vertebrae one above another resemble characters.
    upright: Bar,
    /// The same of a region of the shape of a side marker; none is text.
    marker: Bar,
}

/// The highest cell of a region, and the part of its cells that are [`STRONG`].
#[derive(Debug, Clone, Copy)]
struct Bar {
    peak: f32,
    share: f32,
}

impl Bar {
    const NEVER: Self = Self { peak: f32::INFINITY, share: 1.0 };

    fn is_reached_by(self, peak: f32, share: f32) -> bool {
        peak >= self.peak && share >= self.share
    }
}

/// A cell from here on speaks for text by itself: most cells of a text do, few of anything else.
const STRONG: f32 = 1.0;

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            member: -1.5,
            least: 6,
            sure: Bar { peak: 2.5, share: 0.6 },
            certain: 6.0,
            unsure: Bar { peak: 1.5, share: 0.4 },
            upright: Bar { peak: 1.5, share: 0.6 },
            marker: Bar::NEVER,
        }
    }
}

impl Thresholds {
    /// Those for a film whose header says this: where it speaks for text, less is enough to have a person see it. No region becomes text by it.
    pub(super) fn with(self, witness: Witness) -> Self {
        if !witness.expects_text && !witness.has_short_name {
            return self;
        }
        let less = Bar { share: 0.3, ..self.unsure };
        Self { unsure: less, marker: Bar { peak: 2.0, ..less }, ..self }
    }

    /// Whether a region is text (`Some(true)`), may be (`Some(false)`), or is none.
    fn judge(&self, component: Component, members: &[f32]) -> Option<bool> {
        let peak = members.iter().copied().fold(f32::MIN, f32::max);
        let share = members.iter().filter(|logit| **logit >= STRONG).count() as f32 / members.len() as f32;
        let is_marker = component.is_marker(members.len());
        let bar = match (is_marker, component.height() > component.width()) {
            (true, _) => self.marker,
            (false, true) => self.upright,
            (false, false) => self.unsure,
        };
        let is_sure = !is_marker && (peak >= self.certain || self.sure.is_reached_by(peak, share));
        let is_any = members.len() >= self.least && (is_sure || bar.is_reached_by(peak, share));
        is_any.then_some(is_sure)
    }
}

/// A part of the film in which text lies or may lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region {
    /// What is blanked: the cells and a margin.
    pub(super) rectangle: Rectangle,
    /// The cells alone.
    pub(super) core: Rectangle,
    pub(super) is_sure: bool,
}

/// The regions of a film that was scaled down by a factor, in the film's own pixels; they may reach beyond it.
pub(super) fn regions(cells: &Cells, factor: usize, thresholds: &Thresholds) -> Vec<Region> {
    let mut seen = vec![false; cells.logits.len()];
    let mut found = Vec::new();
    for start in 0..cells.logits.len() {
        if seen[start] || cells.logits[start] < STRONG {
            continue;
        }
        let members = connected(cells, start, thresholds.member, &mut seen);
        let logits: Vec<f32> = members.iter().map(|at| cells.logits[*at]).collect();
        let component = Component::of(&members, cells.columns);
        let Some(is_sure) = thresholds.judge(component, &logits) else { continue };
        let pieces = component.pieces(&members, cells.columns);
        let region =
            |piece: Component| Region { rectangle: piece.with_margin(factor), core: piece.core(factor), is_sure };
        found.extend(pieces.into_iter().map(region));
    }
    found
}

/// The cells that hang together with one.
fn connected(cells: &Cells, start: usize, member: f32, seen: &mut [bool]) -> Vec<usize> {
    seen[start] = true;
    let mut members = vec![start];
    let mut done = 0;
    while let Some(&at) = members.get(done) {
        done += 1;
        let (row, column) = (at / cells.columns, at % cells.columns);
        for near_row in row.saturating_sub(1)..(row + 2).min(cells.rows) {
            for near_column in column.saturating_sub(1)..(column + 2).min(cells.columns) {
                let near = near_row * cells.columns + near_column;
                if !seen[near] && cells.logits[near] >= member {
                    seen[near] = true;
                    members.push(near);
                }
            }
        }
    }
    members
}

/// A box of cells: the first, and the one after the last.
#[derive(Debug, Clone, Copy)]
struct Component {
    top: usize,
    left: usize,
    bottom: usize,
    right: usize,
}

impl Component {
    fn of(members: &[usize], columns: usize) -> Self {
        let mut all = Self { top: usize::MAX, left: usize::MAX, bottom: 0, right: 0 };
        for at in members {
            let (row, column) = (at / columns, at % columns);
            all.top = all.top.min(row);
            all.left = all.left.min(column);
            all.bottom = all.bottom.max(row + 1);
            all.right = all.right.max(column + 1);
        }
        all
    }

    fn height(self) -> usize {
        self.bottom - self.top
    }

    fn width(self) -> usize {
        self.right - self.left
    }

    /// A character or two, which side markers are: text is longer than it is high.
    fn is_marker(self, members: usize) -> bool {
        let (short, long) = (self.height().min(self.width()), self.height().max(self.width()));
        long < 3 || (10 * long < 17 * short && self.is_filled(members))
    }

    fn is_filled(self, members: usize) -> bool {
        2 * members >= self.height() * self.width()
    }

    /// The box, or rows of it where the cells fill less than half: several texts that touch, or an oblique one.
    fn pieces(self, members: &[usize], columns: usize) -> Vec<Self> {
        if self.is_filled(members.len()) {
            return vec![self];
        }
        let row = |row: usize| {
            let members: Vec<usize> = members.iter().copied().filter(|at| at / columns == row).collect();
            (!members.is_empty()).then(|| Self::of(&members, columns))
        };
        (self.top..self.bottom).filter_map(row).collect()
    }

    /// In the film's pixels.
    fn core(self, factor: usize) -> Rectangle {
        let cell = CELL * factor;
        let [x, y, width, height] = [self.left, self.top, self.width(), self.height()].map(|n| n * cell);
        Rectangle { x, y, width, height }
    }

    /// In the film's pixels, with a margin: three quarters of a cell above and below, and more before and after, as where a row of characters
    /// ends is less certain than where its lines run.
    fn with_margin(self, factor: usize) -> Rectangle {
        let cell = CELL * factor;
        let short = self.height().min(self.width()) * cell;
        let (along, across) = (cell.max(short / 2), cell * 3 / 4);
        let (x_margin, y_margin) = if self.width() >= self.height() { (along, across) } else { (across, along) };
        let (x, y) = ((self.left * cell).saturating_sub(x_margin), (self.top * cell).saturating_sub(y_margin));
        Rectangle { x, y, width: self.right * cell + x_margin - x, height: self.bottom * cell + y_margin - y }
    }
}

/// Whether so much of a region, in percent, lies in a rectangle that was found before, at a finer scale.
pub(super) fn is_within(region: Region, percent: usize, found: &[Rectangle]) -> bool {
    let core = region.core;
    found.iter().any(|one| {
        let shared = |a: usize, n: usize, b: usize, m: usize| (a + n).min(b + m).saturating_sub(a.max(b));
        let common = shared(core.x, core.width, one.x, one.width) * shared(core.y, core.height, one.y, one.height);
        100 * common >= percent * core.width * core.height
    })
}

/// Rectangles of which none lies within another.
pub(super) fn merged(mut rectangles: Vec<Rectangle>) -> Vec<Rectangle> {
    rectangles.sort_by_key(|one| (std::cmp::Reverse(one.width * one.height), one.y, one.x));
    let mut merged: Vec<Rectangle> = Vec::new();
    for one in rectangles {
        if !merged.iter().any(|larger| larger.covers(one)) {
            merged.push(one);
        }
    }
    merged.sort_by_key(|one| (one.y, one.x));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(rows: &[&str]) -> Cells {
        let columns = rows[0].len();
        let logit = |c: u8| match c {
            b'*' => 7.0,
            b'#' => 5.0,
            b'+' => 0.0,
            b'?' => 2.2,
            _ => -9.0,
        };
        Cells { rows: rows.len(), columns, logits: rows.iter().flat_map(|row| row.bytes().map(logit)).collect() }
    }

    #[test]
    fn rows_of_cells_become_rectangles() {
        let found = regions(
            &cells(&["..........", ".+######+.", "..........", "??????....", "..........", "......#..."]),
            2,
            &Thresholds::default(),
        );
        let found: Vec<_> = found.iter().map(|one| (one.rectangle, one.is_sure)).collect();
        assert_eq!(
            found,
            [
                (Rectangle { x: 0, y: 2, width: 80, height: 20 }, true),
                (Rectangle { x: 0, y: 18, width: 56, height: 20 }, false)
            ]
        );
    }

    #[test]
    fn a_header_that_speaks_for_text_has_a_person_see_more() {
        let film = cells(&["####....", "####....", "####....", "........", "??++++..", "........"]);
        let found = |expects_text, has_short_name| {
            let thresholds = Thresholds::default().with(Witness { expects_text, has_short_name });
            regions(&film, 1, &thresholds).iter().map(|one| (one.core.y, one.is_sure)).collect::<Vec<_>>()
        };
        assert_eq!(found(false, false), []);
        for (expects_text, has_short_name) in [(true, false), (false, true)] {
            assert_eq!(found(expects_text, has_short_name), [(0, false), (16, false)]);
        }
    }

    #[test]
    fn what_is_text_depends_on_its_cells_and_its_shape() {
        let judged =
            |rows: &[&str]| regions(&cells(rows), 1, &Thresholds::default()).iter().map(|one| one.is_sure).next();
        for (rows, expected) in [
            (&["########"][..], Some(true)),
            (&["##??????"], Some(true)),
            (&["????????"], Some(false)),
            (&["####++++"], Some(false)),
            (&["###+++++"], None),
            (&["*+++++++"], Some(true)),
            (&["#####"], None),
            (&["#", "#", "#", "#", "+", "+", "+"], None),
            (&["#", "#", "#", "#", "#", "+", "+"], Some(true)),
            (&["?", "?", "?", "?", "?", "+", "+"], Some(false)),
        ] {
            assert_eq!(judged(rows), expected, "{rows:?}");
        }
    }

    #[test]
    fn what_lies_within_another_is_dropped() {
        let large = Rectangle { x: 0, y: 0, width: 9, height: 9 };
        let small = Rectangle { x: 2, y: 2, width: 3, height: 3 };
        assert_eq!(merged(vec![small, large, large]), [large]);
    }
}
