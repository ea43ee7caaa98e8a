//! Bar charts as SVG, without a script or an inline style: classes of the style sheet give the colors. Each stands beside a table of the same
//! numbers.

/// Width and height, in the picture's own units.
const SIZE: (f64, f64) = (560.0, 220.0);
/// The widest place of bars.
const WIDEST: f64 = 60.0;
/// Room for labels: left, top, right, bottom.
const MARGIN: (f64, f64, f64, f64) = (48.0, 12.0, 8.0, 30.0);

/// Bars of one kind, one value for each place.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The class of its color in the style sheet.
    pub class: &'static str,
    /// One value for each place, 0 or more.
    pub values: Vec<f64>,
}

/// How bars of the same place stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// On each other.
    Stacked,
    /// Beside each other.
    Beside,
}

/// How numbers of the upright axis are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A count.
    Count,
    /// A share, as percent.
    Share,
}

/// Bars over places; `words` say what the picture shows, for those who do not see it.
///
/// Of the labels the first, the middle and the last are written, so that they are legible on a phone. Without a place there is no picture.
pub fn bars(words: &str, labels: &[String], series: &[Series], stand: Stand, unit: Unit) -> String {
    if labels.is_empty() || series.is_empty() {
        return String::new();
    }
    let (left, top, right, bottom) = MARGIN;
    let (width, room) = (SIZE.0 - left - right, SIZE.1 - top - bottom);
    let at = |series: &Series, place: usize| series.values.get(place).copied().unwrap_or(0.0).max(0.0);
    let highest = (0..labels.len())
        .map(|place| {
            let values = series.iter().map(|series| at(series, place));
            if stand == Stand::Stacked { values.sum() } else { values.fold(0.0, f64::max) }
        })
        .fold(0.0, f64::max);
    let step = step_of(highest, unit);
    let end = step * (highest / step).ceil().max(1.0);
    let y = |value: f64| top + room * (1.0 - value / end);
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
        SIZE.0,
        SIZE.1,
        escaped(words)
    );
    let mut value = 0.0;
    while value <= end * (1.0 + 1e-9) {
        let height = y(value);
        let text = match unit {
            Unit::Count => format!("{value:.0}"),
            Unit::Share => format!("{:.0}%", 100.0 * value),
        };
        svg += &format!(
            "<line class=\"grid\" x1=\"{left:.1}\" x2=\"{:.1}\" y1=\"{height:.1}\" y2=\"{height:.1}\"/>\
             <text class=\"axis up\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            SIZE.0 - right,
            left - 6.0,
            height + 4.0,
        );
        value += step;
    }
    let slot = width / labels.len() as f64;
    // A few bars stay bars.
    let gap = (slot * 0.15).min(3.0).max((slot - WIDEST) / 2.0);
    let beside = if stand == Stand::Beside { series.len() as f64 } else { 1.0 };
    let wide = (slot - 2.0 * gap) / beside;
    for place in 0..labels.len() {
        let (mut below, mut x) = (0.0, left + slot * place as f64 + gap);
        for series in series {
            let value = at(series, place);
            if value > 0.0 {
                svg += &format!(
                    "<rect class=\"{}\" x=\"{x:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\"/>",
                    series.class,
                    y(below + value),
                    wide.max(0.5),
                    y(below) - y(below + value),
                );
            }
            match stand {
                Stand::Stacked => below += value,
                Stand::Beside => x += wide,
            }
        }
    }
    for (place, class) in written(labels.len()) {
        let x = match class {
            "first" => left,
            "last" => SIZE.0 - right,
            _ => left + slot * (place as f64 + 0.5),
        };
        svg += &format!(
            "<text class=\"axis {class}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            SIZE.1 - 8.0,
            escaped(&labels[place])
        );
    }
    svg + "</svg>"
}

/// Which labels are written, and at which end of its place each begins.
fn written(places: usize) -> Vec<(usize, &'static str)> {
    match places {
        1 => vec![(0, "middle")],
        2 => vec![(0, "first"), (1, "last")],
        _ => vec![(0, "first"), (places / 2, "middle"), (places - 1, "last")],
    }
}

/// A step of 1, 2 or 5 times a power of ten, so that two to five lines are drawn; counts are whole.
fn step_of(highest: f64, unit: Unit) -> f64 {
    let least = if unit == Unit::Count { 1.0 } else { 0.01 };
    let rough = (highest / 4.0).max(least);
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= rough * (1.0 - 1e-9));
    step.unwrap_or(rough).max(least)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_each_other_or_beside() {
        let labels: Vec<String> = ["a", "b<", "c"].map(String::from).to_vec();
        let series = [
            Series { class: "one", values: vec![1.0, 2.0, 0.0] },
            Series { class: "two", values: vec![3.0, 0.0, 0.0] },
        ];
        let stacked = bars("films \"a day\"", &labels, &series, Stand::Stacked, Unit::Count);
        assert_eq!(stacked.matches("<rect").count(), 3, "no bar for nothing");
        assert!(
            stacked.contains(">4</text>") && stacked.contains("b&lt;") && stacked.contains("&quot;a day&quot;"),
            "{stacked}"
        );
        assert!(!stacked.contains("style="));
        let beside = bars("", &labels, &series, Stand::Beside, Unit::Count);
        assert!(beside.contains(">3</text>") && !beside.contains(">4</text>"), "{beside}");
        assert_eq!(bars("", &[], &series, Stand::Beside, Unit::Count), "");
        let empty = bars("", &labels, &[Series { class: "one", values: vec![0.0; 3] }], Stand::Stacked, Unit::Share);
        assert!(empty.contains("<svg") && !empty.contains("NaN"), "{empty}");
    }

    #[test]
    fn steps_are_round() {
        for (highest, unit, step) in [
            (0.0, Unit::Count, 1.0),
            (3.0, Unit::Count, 1.0),
            (17.0, Unit::Count, 5.0),
            (400.0, Unit::Count, 100.0),
            (0.3, Unit::Share, 0.1),
            (0.0, Unit::Share, 0.01),
        ] {
            assert!((step_of(highest, unit) - step).abs() < 1e-12, "{highest}: {}", step_of(highest, unit));
        }
        assert_eq!(written(1), [(0, "middle")]);
        assert_eq!(written(30), [(0, "first"), (15, "middle"), (29, "last")]);
    }
}
