//! The order in which a reviewer sees the films.

use crate::readers::Random;

/// The films (by place) in the order of the reviewer at a place: an order of their own, which follows from the seed.
///
/// Films that need a look first come in the first part. Equally many others are mixed in among them, so that a film's place tells no
/// reviewer that it was one of them, and the order says nothing about the label.
pub fn order(needs_look: &[bool], seed: u64, reviewer: usize) -> Vec<usize> {
    let random = Random(seed);
    let shuffled = random.order(&format!("reviewer {reviewer}"), needs_look.len());
    let flagged = needs_look.iter().filter(|needs| **needs).count();
    // The same films accompany them for every reviewer: two reviewers who compare their first films learn nothing either.
    let companions: Vec<usize> =
        random.order("companions", needs_look.len()).into_iter().filter(|at| !needs_look[*at]).take(flagged).collect();
    let is_first = |at: &usize| needs_look[*at] || companions.contains(at);
    let (first, rest): (Vec<usize>, Vec<usize>) = shuffled.into_iter().partition(is_first);
    first.into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn films_that_need_a_look_are_early_and_not_alone() {
        let needs: Vec<bool> = (0..100).map(|at| at % 10 == 3).collect();
        let (first, second) = (order(&needs, 7, 0), order(&needs, 7, 1));
        assert_ne!(first, second, "each reviewer has an order of their own");
        assert_eq!(order(&needs, 7, 0), first);
        for order in [first, second] {
            let mut all = order.clone();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..100));
            assert_eq!(order[..20].iter().filter(|at| needs[**at]).count(), 10);
            assert!(order[..10].iter().any(|at| !needs[*at]), "companions are among the first");
        }
    }
}
