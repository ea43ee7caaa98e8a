//! Columns of text that stay small: many texts in one, and texts that repeat kept once.

use std::collections::HashMap;

/// A list of texts, all in one string.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Texts {
    text: String,
    ends: Vec<usize>,
}

impl Texts {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    pub fn at(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.at(index))
    }
}

impl<'a> FromIterator<&'a str> for Texts {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut all = Self::default();
        texts.into_iter().for_each(|text| all.push(text));
        all
    }
}

/// A column whose values repeat: each value once, in the order of its first appearance, and each row's value by its number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Coded {
    pub values: Texts,
    pub of: Vec<u32>,
}

impl Coded {
    /// The value of a row.
    pub fn at(&self, row: usize) -> &str {
        self.values.at(self.of[row] as usize)
    }

    /// The column of these rows alone, in this order; values that are left without a row stay.
    pub fn keep(&self, rows: &[usize]) -> Self {
        Self { values: self.values.clone(), of: rows.iter().map(|&row| self.of[row]).collect() }
    }
}

impl<'a> FromIterator<&'a str> for Coded {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut values = Texts::default();
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let of = texts
            .into_iter()
            .map(|text| {
                *numbers.entry(text).or_insert_with(|| {
                    values.push(text);
                    values.len() as u32 - 1
                })
            })
            .collect();
        Self { values, of }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_once() {
        let column: Coded = ["left", "", "right", "left"].into_iter().collect();
        assert_eq!(column.values.iter().collect::<Vec<_>>(), ["left", "", "right"]);
        assert_eq!((0..4).map(|row| column.at(row)).collect::<Vec<_>>(), ["left", "", "right", "left"]);
        assert_eq!(column.keep(&[3, 1]).of, [0, 1]);
    }
}
