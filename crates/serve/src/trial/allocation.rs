//! The sequence of arms: permuted blocks of random length, which follow from a secret.
//!
//! Every random number is HMAC-SHA256 with the secret's text as its key, over `coxa trial|STRATUM|BLOCK|WHAT|COUNTER`, of which the first
//! eight bytes are a big-endian number; numbers at or above the largest multiple of the range are skipped (the counter goes on), so that
//! each value is equally likely. `WHAT` is `length` for a block's length, which is drawn from the plan's list; then the block's
//! arms, first all *shown* and then all *withheld*, are shuffled from the end (Fisher & Yates) with `WHAT` = `order` and one counter
//! for the block. Blocks count from 0 within their stratum, and so do places. Whoever has the secret can recompute every arm.

use coxa_study::trial::Arm;
use ring::hmac;

use super::plan::TrialPlan;

/// A trial's sequence.
#[derive(Debug, Clone)]
pub struct Allocation<'a> {
    key: hmac::Key,
    plan: &'a TrialPlan,
}

/// Random numbers of one purpose.
struct Numbers<'a> {
    key: &'a hmac::Key,
    purpose: String,
    counter: u64,
}

impl Numbers<'_> {
    /// A number from 0 to below `range`, which is at least 1.
    fn below(&mut self, range: u64) -> usize {
        let range = range.max(1);
        let limit = u64::MAX - u64::MAX % range;
        loop {
            let tag = hmac::sign(self.key, format!("{}|{}", self.purpose, self.counter).as_bytes());
            self.counter += 1;
            let mut first = [0u8; 8];
            first.copy_from_slice(&tag.as_ref()[..8]);
            let number = u64::from_be_bytes(first);
            if number < limit {
                return (number % range) as usize;
            }
        }
    }
}

impl<'a> Allocation<'a> {
    /// The sequence of a secret.
    pub fn new(secret: &str, plan: &'a TrialPlan) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), plan }
    }

    fn numbers(&self, stratum: &str, block: u64, what: &str) -> Numbers<'_> {
        Numbers { key: &self.key, purpose: format!("coxa trial|{stratum}|{block}|{what}"), counter: 0 }
    }

    /// The arms of a block.
    pub fn block(&self, stratum: &str, block: u64) -> Vec<Arm> {
        let sizes = &self.plan.block_sizes;
        let size = sizes[self.numbers(stratum, block, "length").below(sizes.len() as u64)] as usize;
        let [shown, withheld] = self.plan.ratio.map(|part| part as usize);
        let of_shown = size / (shown + withheld) * shown;
        let mut arms: Vec<Arm> = (0..size).map(|i| if i < of_shown { Arm::Shown } else { Arm::Withheld }).collect();
        let mut numbers = self.numbers(stratum, block, "order");
        for last in (1..arms.len()).rev() {
            arms.swap(last, numbers.below(last as u64 + 1));
        }
        arms
    }

    /// The arm at a place of a stratum, from 0. The plan was checked: blocks have a length.
    pub fn arm(&self, stratum: &str, place: u64) -> Arm {
        let (mut left, mut block) = (place, 0);
        loop {
            let arms = self.block(stratum, block);
            match usize::try_from(left).ok().and_then(|left| arms.get(left)) {
                Some(arm) => return *arm,
                None => left -= (arms.len() as u64).max(1).min(left),
            }
            block += 1;
        }
    }
}

/// What the audit log states of a secret before anybody is randomized.
pub fn commitment(secret: &str) -> String {
    coxa_files::sha256(format!("coxa trial secret {secret}").as_bytes())
}

/// The seal of an arm: SHA-256 over the secret, the patient's number, stratum, place and arm. Without the secret it tells nothing.
pub(crate) fn sealed_arm(secret: &str, seq: i64, stratum: &str, place: i64, arm: &str) -> String {
    coxa_files::sha256(format!("coxa trial arm {secret} {seq} {stratum} {place} {arm}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(ratio: [u32; 2], block_sizes: Vec<u32>) -> TrialPlan {
        TrialPlan { ratio, block_sizes, ..TrialPlan::default() }
    }

    #[test]
    fn blocks_are_balanced_and_of_several_lengths() {
        let plan = plan([2, 1], vec![3, 6, 9]);
        let allocation = Allocation::new("secret", &plan);
        let mut lengths = std::collections::BTreeSet::new();
        for block in 0..200 {
            let arms = allocation.block("F", block);
            lengths.insert(arms.len());
            let shown = arms.iter().filter(|arm| **arm == Arm::Shown).count();
            assert_eq!(3 * shown, 2 * arms.len());
        }
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [3, 6, 9]);
    }

    #[test]
    fn places_run_through_the_blocks() {
        let plan = plan([1, 1], vec![4, 6]);
        let allocation = Allocation::new("secret", &plan);
        let blocks: Vec<Arm> = (0..20).flat_map(|block| allocation.block("", block)).collect();
        let places: Vec<Arm> = (0..blocks.len() as u64).map(|place| allocation.arm("", place)).collect();
        assert_eq!(blocks, places);
    }

    #[test]
    fn another_secret_or_stratum_is_another_sequence() {
        let plan = plan([1, 1], vec![4, 6]);
        let of = |secret: &str, stratum: &str| -> Vec<Arm> {
            let allocation = Allocation::new(secret, &plan);
            (0..60).map(|place| allocation.arm(stratum, place)).collect()
        };
        assert_eq!(of("a", "F"), of("a", "F"));
        assert_ne!(of("a", "F"), of("b", "F"));
        assert_ne!(of("a", "F"), of("a", "M"));
        assert_ne!(commitment("a"), commitment("b"));
    }

    #[test]
    fn every_order_of_a_block_is_as_likely() {
        let plan = plan([1, 1], vec![4]);
        let allocation = Allocation::new("seed of this test", &plan);
        let mut counts = std::collections::BTreeMap::new();
        for block in 0..6000 {
            *counts.entry(allocation.block("", block)).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 6, "the orders of two and two");
        // Chi-square with 5 degrees of freedom: 20.5 is passed once in a thousand times, and the secret is fixed.
        let chi_square: f64 = counts.values().map(|&n| (f64::from(n) - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi_square < 20.5, "{counts:?}");
    }
}
