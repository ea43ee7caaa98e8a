//! The least value of a function of two numbers that are not negative, and derivatives by extrapolated differences.

/// No ratio is above this: the error would have nothing.
pub(super) const MOST: f64 = 1e4;

/// A zero that costs less than this is taken: the likelihood does not tell it from the value found.
const NOTHING: f64 = 1e-8;

/// Where the function is least, and its value there: Nelder and Mead's search, then Newton's steps. The function is even in both numbers.
pub(super) fn minimum(f: impl Fn([f64; 2]) -> f64) -> ([f64; 2], f64) {
    let f = |at: [f64; 2]| f(at.map(|x| x.abs().min(MOST)));
    let grid = [0.05, 0.3, 1.0, 3.0];
    let starts = grid.into_iter().flat_map(|a| grid.map(|b| [a, b]));
    let start = starts.min_by(|a, b| f(*a).total_cmp(&f(*b))).unwrap_or([1.0, 1.0]);
    let mut best = search(&f, start).map(f64::abs);
    for _ in 0..3 {
        let free: Vec<usize> = (0..2).filter(|&i| best[i] > 0.0).collect();
        let at = |values: &[f64]| {
            let mut at = best;
            free.iter().zip(values).for_each(|(&i, value)| at[i] = *value);
            at
        };
        let values: Vec<f64> = free.iter().map(|&i| best[i]).collect();
        let of = |values: &[f64]| f(at(values));
        let Some(inverse) = super::criterion::inverse(&hessian(of, &values)) else { break };
        let slope = gradient(of, &values);
        let step = inverse.iter().map(|row| row.iter().zip(&slope).map(|(a, g)| a * g).sum::<f64>());
        let next = at(&values.iter().zip(step).map(|(x, step)| x - step).collect::<Vec<_>>());
        if f(next).is_nan() || f(next) > f(best) + NOTHING {
            break;
        }
        best = next.map(f64::abs);
    }
    for i in 0..2 {
        let mut without = best;
        without[i] = 0.0;
        if f(without) <= f(best) + NOTHING {
            best = without;
        }
    }
    (best.map(|x| x.min(MOST)), f(best))
}

/// Nelder and Mead's simplex search (1965).
fn search(f: &impl Fn([f64; 2]) -> f64, start: [f64; 2]) -> [f64; 2] {
    let [a, b] = start;
    let mut simplex = [start, [1.3 * a, b], [a, 1.3 * b]].map(|at| (f(at), at));
    for _ in 0..400 {
        simplex.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let [(low, best), (middle, good), (high, worst)] = simplex;
        let size = (0..2).map(|i| (worst[i] - best[i]).abs().max((good[i] - best[i]).abs())).fold(0.0, f64::max);
        if size < 1e-7 {
            break;
        }
        let along = |share: f64| {
            [0, 1].map(|i| {
                let center = (best[i] + good[i]) / 2.0;
                center + share * (worst[i] - center)
            })
        };
        let tried = |share: f64| (f(along(share)), along(share));
        let reflected = tried(-1.0);
        let next = if reflected.0 < low {
            let expanded = tried(-2.0);
            if expanded.0 < reflected.0 { expanded } else { reflected }
        } else if reflected.0 < middle {
            reflected
        } else {
            tried(if reflected.0 < high { -0.5 } else { 0.5 })
        };
        if next.0 < high {
            simplex[2] = next;
        } else {
            let shrunk = |at: [f64; 2]| [0, 1].map(|i| (at[i] + best[i]) / 2.0);
            simplex = [simplex[0], (f(shrunk(good)), shrunk(good)), (f(shrunk(worst)), shrunk(worst))];
        }
    }
    simplex.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    simplex[0].1
}

/// Differences with steps of 4, 2 and 1% of each number, extrapolated to no step (Richardson).
fn extrapolated(difference: impl Fn(f64) -> f64) -> f64 {
    let [wide, middle, narrow] = [0.04, 0.02, 0.01].map(difference);
    let (first, second) = ((4.0 * middle - wide) / 3.0, (4.0 * narrow - middle) / 3.0);
    (16.0 * second - first) / 15.0
}

fn moved(at: &[f64], by: &[(usize, f64)]) -> Vec<f64> {
    let mut moved = at.to_vec();
    by.iter().for_each(|&(i, share)| moved[i] += share * at[i]);
    moved
}

/// First derivatives at numbers above zero.
pub(super) fn gradient(f: impl Fn(&[f64]) -> f64, at: &[f64]) -> Vec<f64> {
    let slope = |i: usize| extrapolated(|h| (f(&moved(at, &[(i, h)])) - f(&moved(at, &[(i, -h)]))) / (2.0 * h * at[i]));
    (0..at.len()).map(slope).collect()
}

/// Second derivatives at numbers above zero.
pub(super) fn hessian(f: impl Fn(&[f64]) -> f64, at: &[f64]) -> Vec<Vec<f64>> {
    let here = f(at);
    let bend = |i: usize, j: usize| {
        extrapolated(|h| {
            let of = |a: f64, b: f64| f(&moved(at, &[(i, a * h), (j, b * h)]));
            if i == j {
                (of(1.0, 0.0) - 2.0 * here + of(-1.0, 0.0)) / (h * at[i]).powi(2)
            } else {
                (of(1.0, 1.0) - of(1.0, -1.0) - of(-1.0, 1.0) + of(-1.0, -1.0)) / (4.0 * h * h * at[i] * at[j])
            }
        })
    };
    (0..at.len()).map(|i| (0..at.len()).map(|j| bend(i, j)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_value_is_found_inside_and_at_the_edge() {
        let bowl = |[a, b]: [f64; 2]| (a.ln() - 1.0).powi(2) + (b - 0.2).powi(2) * 30.0;
        let (at, value) = minimum(bowl);
        assert!((at[0] - 1.0_f64.exp()).abs() < 1e-7 && (at[1] - 0.2).abs() < 1e-8 && value < 1e-12, "{at:?}");
        let (edge, _) = minimum(|[a, b]| (a - 2.0).powi(2) + b * b);
        assert!((edge[0] - 2.0).abs() < 1e-7 && edge[1] == 0.0, "{edge:?}");
    }

    #[test]
    fn derivatives_of_a_known_function() {
        let f = |x: &[f64]| x[0].powi(3) * x[1].exp();
        let at = [1.5, 0.5];
        let e = 0.5_f64.exp();
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
        let slope = gradient(f, &at);
        assert!(near(slope[0], 3.0 * 2.25 * e) && near(slope[1], 3.375 * e));
        let bent = hessian(f, &at);
        assert!(near(bent[0][0], 9.0 * e) && near(bent[0][1], 6.75 * e) && near(bent[1][1], 3.375 * e), "{bent:?}");
    }
}
