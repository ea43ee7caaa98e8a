//! Values of interest: window or LUT (PS3.3 C.11.2).

use super::lut::Lut;

/// VOI LUT Function (0028,1056).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Linear,
    LinearExact,
    Sigmoid,
}

/// A window: Window Center (0028,1050), Window Width (0028,1051) and the function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) center: f64,
    pub(super) width: f64,
    pub(super) function: Function,
}

impl Window {
    /// Where a value lies in the output range, 0 to 1 (PS3.3 C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2).
    pub(super) fn apply(&self, x: f64) -> f64 {
        let (center, width) = (self.center, self.width);
        match self.function {
            // A width of 1 is a step: the comparisons come before the division.
            Function::Linear if x <= center - 0.5 - (width - 1.0) / 2.0 => 0.0,
            Function::Linear if x > center - 0.5 + (width - 1.0) / 2.0 => 1.0,
            Function::Linear => (x - (center - 0.5)) / (width - 1.0) + 0.5,
            Function::LinearExact if x <= center - width / 2.0 => 0.0,
            Function::LinearExact if x > center + width / 2.0 => 1.0,
            Function::LinearExact => (x - center) / width + 0.5,
            Function::Sigmoid => 1.0 / (1.0 + (-4.0 * (x - center) / width).exp()),
        }
    }

    /// The smallest width that the function is defined for, and whether that width itself is allowed.
    pub(super) fn is_defined(&self) -> bool {
        let width_is_defined = match self.function {
            Function::Linear => self.width >= 1.0,
            Function::LinearExact | Function::Sigmoid => self.width > 0.0,
        };
        width_is_defined && self.width.is_finite() && self.center.is_finite()
    }
}

/// What turns modality values into display values.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Voi {
    Window(Window),
    Lut(Lut),
}

impl Voi {
    /// Where a modality value lies in the output range, 0 to 1.
    pub(super) fn apply(&self, x: f64) -> f64 {
        match self {
            Self::Window(window) => window.apply(x),
            Self::Lut(lut) => f64::from(lut.value(x.round() as i64)) / f64::from(lut.largest()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(function: Function, center: f64, width: f64, x: f64) -> f64 {
        Window { center, width, function }.apply(x)
    }

    /// The worked examples of PS3.3 C.11.2.1.2.1 and C.11.2.1.3.2: center 2048 or 2047.5, width 4096 over 12 bits is the identity.
    #[test]
    fn linear_known_answers() {
        for (x, y) in
            [(0.0, 0.0), (4095.0, 1.0), (1.0, 1.0 / 4095.0), (2047.0, 2047.0 / 4095.0), (-5.0, 0.0), (5000.0, 1.0)]
        {
            assert!((at(Function::Linear, 2048.0, 4096.0, x) - y).abs() < 1e-12, "{x}");
        }
        // Center 0, width 100: −50 and below is dark, over 49 bright (the standard's note).
        assert_eq!(at(Function::Linear, 0.0, 100.0, -50.0), 0.0);
        assert!((at(Function::Linear, 0.0, 100.0, -49.0) - 1.0 / 99.0).abs() < 1e-12);
        assert_eq!(at(Function::Linear, 0.0, 100.0, 50.0), 1.0);
        assert!((at(Function::Linear, 0.0, 100.0, 49.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn linear_of_width_one_is_a_step() {
        assert_eq!([9.0, 9.5, 10.0].map(|x| at(Function::Linear, 10.0, 1.0, x)), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn linear_exact_known_answers() {
        for (x, y) in [(-50.0, 0.0), (-25.0, 0.25), (0.0, 0.5), (25.0, 0.75), (50.0, 1.0), (51.0, 1.0)] {
            assert_eq!(at(Function::LinearExact, 0.0, 100.0, x), y, "{x}");
        }
    }

    #[test]
    fn sigmoid_known_answers() {
        assert_eq!(at(Function::Sigmoid, 2048.0, 4096.0, 2048.0), 0.5);
        assert!((at(Function::Sigmoid, 0.0, 100.0, 25.0) - 0.731_058_578_630_004_9).abs() < 1e-12);
        assert!((at(Function::Sigmoid, 0.0, 100.0, -50.0) - 0.119_202_922_022_117_56).abs() < 1e-12);
    }

    #[test]
    fn widths_without_meaning_are_told() {
        let window = |width, function| Window { center: 0.0, width, function }.is_defined();
        assert!(window(1.0, Function::Linear) && !window(0.9, Function::Linear));
        assert!(window(0.5, Function::LinearExact) && !window(0.0, Function::Sigmoid));
        assert!(!window(f64::NAN, Function::Linear));
    }
}
