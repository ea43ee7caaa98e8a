//! The area, its variance, the paired test and the bootstrap at 100,000 films.

use std::hint::black_box;

use coxa_stats::{Bootstrap, Level, Plan, Resampling, Roc, Scored, auc};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const FILMS: usize = 100_000;

fn films() -> (Vec<f64>, Vec<f64>, Vec<bool>) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let truth: Vec<bool> = (0..FILMS).map(|_| rng.random_bool(0.3)).collect();
    let mut scores =
        || truth.iter().map(|&positive| rng.random::<f64>() + if positive { 0.4 } else { 0.0 }).collect::<Vec<f64>>();
    let (a, b) = (scores(), scores());
    (a, b, truth)
}

fn benches(criterion: &mut Criterion) {
    let (a, b, truth) = films();
    let (Ok(a), Ok(b)) = (Scored::new(&a, &truth), Scored::new(&b, &truth)) else {
        return;
    };
    let mut group = criterion.benchmark_group("100k films");
    group.sample_size(10);
    group.bench_function("auc", |bench| bench.iter(|| auc::auc(black_box(a))));
    group.bench_function("delong interval", |bench| {
        bench.iter(|| auc::delong(black_box(a), Level::P95, auc::AucInterval::Wald));
    });
    group.bench_function("paired delong", |bench| {
        bench.iter(|| auc::paired_delong(black_box(a), black_box(b), Level::P95));
    });
    group.bench_function("roc curve", |bench| bench.iter(|| Roc::new(black_box(a))));
    group.bench_function("bootstrap of 100", |bench| {
        let plan = Plan { replicates: 100, seed: 0 };
        bench.iter(|| auc::bootstrap(black_box(a), &Bootstrap::new(Resampling::Stratified).plan(plan)));
    });
    group.finish();
}

criterion_group!(auc_benches, benches);
criterion_main!(auc_benches);
