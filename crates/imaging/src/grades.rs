//! A film's values before its window: 16 bits a pixel, bone bright, with the way to the display values that the file asks for. What a
//! viewer needs to window a film by itself.

use crate::radiograph::round_to_u8;

/// Values of a film before its window or VOI LUT.
///
/// A grade of 0 is no film: padding, or outside the display shutter. The others, 1 to 65,535, are the modality values (after rescale or
/// modality LUT) from the one that is shown darkest to the one that is shown brightest, in equal steps; polarity is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Grades {
    /// A grade a pixel, row by row.
    pub pixels: Vec<u16>,
    /// Display value, 0 to 255, of each of the 65,536 grades, as [`crate::Radiograph::pixels`] has it.
    pub display: Vec<u8>,
    /// Modality value of grade 1; above `bright` where low values are bright, as in MONOCHROME1.
    pub dark: f64,
    /// Modality value of grade 65,535.
    pub bright: f64,
    /// Each window of the file that can be chosen beside the file's own rendition: its place among the file's windows, from 0, and the display
    /// values as `display` has them, by the window's own function.
    pub windows: Vec<(usize, Vec<u8>)>,
}

/// Steps from the darkest to the brightest grade.
const STEPS: f64 = 65_534.0;

impl Grades {
    /// Grades of codes by the modality value of each code, NaN for padding; `brightness` is the display value of a modality value, 0 to 1;
    /// so is that of each of `windows`, with its place in the file.
    pub(crate) fn new(
        codes: &[u16],
        mask: Option<&[bool]>,
        modality: &[f64],
        inverted: bool,
        brightness: impl Fn(f64) -> f64,
        windows: &[(usize, impl Fn(f64) -> f64)],
    ) -> Self {
        let mut is_present = vec![false; modality.len()];
        codes.iter().for_each(|&code| is_present[usize::from(code)] = true);
        let present = || {
            modality.iter().zip(&is_present).filter(|(value, is)| **is && value.is_finite()).map(|(value, _)| *value)
        };
        let (low, high) =
            present().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, if high > low { high } else { low + 1.0 }) };
        let (dark, bright) = if inverted { (high, low) } else { (low, high) };
        let grade = |value: f64| {
            if value.is_finite() { 1 + ((value - dark) / (bright - dark) * STEPS).round() as u16 } else { 0 }
        };
        let table: Vec<u16> = modality.iter().map(|&value| grade(value.clamp(low, high))).collect();
        let mut pixels: Vec<u16> = codes.iter().map(|&code| table[usize::from(code)]).collect();
        for (pixel, is_film) in pixels.iter_mut().zip(mask.into_iter().flatten()) {
            *pixel = if *is_film { *pixel } else { 0 };
        }
        let value_of = |grade: u16| dark + f64::from(grade - 1) / STEPS * (bright - dark);
        let present: Vec<(usize, f64)> = modality
            .iter()
            .enumerate()
            .filter(|(code, value)| is_present[*code] && value.is_finite())
            .map(|(code, value)| (usize::from(table[code]), *value))
            .collect();
        let display_of = |brightness: &dyn Fn(f64) -> f64| {
            let mut display: Vec<u8> =
                (0..=u16::MAX).map(|grade| if grade == 0 { 0 } else { shown(brightness(value_of(grade))) }).collect();
            // A grade is rounded: at a step of the VOI, the value that the film has decides.
            for (grade, value) in &present {
                display[*grade] = shown(brightness(*value));
            }
            display
        };
        let windows = windows.iter().map(|(place, brightness)| (*place, display_of(brightness))).collect();
        Self { pixels, display: display_of(&brightness), dark, bright, windows }
    }

    /// Grades of display values, where the file has nothing else.
    pub(crate) fn of_display(pixels: &[f32]) -> Self {
        let grade = |&value: &f32| 1 + (f64::from(value) / 255.0 * STEPS).round() as u16;
        let display = (0..=u16::MAX).map(|grade| shown(f64::from(grade.saturating_sub(1)) / STEPS)).collect();
        Self { pixels: pixels.iter().map(grade).collect(), display, dark: 0.0, bright: 255.0, windows: Vec::new() }
    }
}

fn shown(brightness: f64) -> u8 {
    round_to_u8((255.0 * brightness) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Window = (usize, fn(f64) -> f64);
    const NONE: &[Window] = &[];

    #[test]
    fn each_window_has_its_own_display() {
        let modality = [-100.0, 0.0, 100.0];
        let step = |value: f64| if value > 0.0 { 1.0 } else { 0.0 };
        let grades = Grades::new(&[0, 1, 2], None, &modality, false, |_| 0.5, &[(3, step)]);
        let [(3, display)] = &grades.windows[..] else { panic!("{:?}", grades.windows.len()) };
        let shown: Vec<u8> = grades.pixels.iter().map(|&grade| display[usize::from(grade)]).collect();
        assert_eq!((shown.as_slice(), display.len(), display[0]), ([0, 0, 255].as_slice(), 65_536, 0));
    }

    #[test]
    fn grades_run_from_dark_to_bright() {
        let modality: Vec<f64> = vec![-100.0, 0.0, 100.0, f64::NAN];
        let rising = Grades::new(&[0, 1, 2, 3], None, &modality, false, |value| (value + 100.0) / 200.0, NONE);
        assert_eq!(rising.pixels, [1, 32_768, 65_535, 0]);
        assert_eq!((rising.dark, rising.bright), (-100.0, 100.0));
        let shown: Vec<u8> = rising.pixels.iter().map(|&grade| rising.display[usize::from(grade)]).collect();
        assert_eq!(shown, [0, 128, 255, 0]);
        let falling =
            Grades::new(&[0, 1, 2], Some(&[true, false, true]), &modality, true, |value| (100.0 - value) / 200.0, NONE);
        assert_eq!(falling.pixels, [65_535, 0, 1]);
        assert_eq!((falling.dark, falling.bright), (100.0, -100.0));
    }

    #[test]
    fn a_film_of_one_value_or_none_has_grades() {
        assert_eq!(Grades::new(&[0, 0], None, &[7.0], false, |_| 0.5, NONE).pixels, [1, 1]);
        assert_eq!(Grades::new(&[0, 0], None, &[f64::NAN], false, |_| 0.5, NONE).pixels, [0, 0]);
    }

    #[test]
    fn display_values_come_back() {
        let pixels: Vec<f32> = (0..=255).map(|value| value as f32).collect();
        let grades = Grades::of_display(&pixels);
        let shown: Vec<u8> = grades.pixels.iter().map(|&grade| grades.display[usize::from(grade)]).collect();
        assert_eq!(shown, (0..=255).collect::<Vec<u8>>());
    }
}
