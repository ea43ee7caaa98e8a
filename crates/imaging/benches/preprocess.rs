//! Film to network input: 2,500×2,500 and a FracAtlas-sized film to 512×512.

use std::hint::black_box;

use coxa_imaging::{Fit, Radiograph, preprocess};
use criterion::{Criterion, criterion_group, criterion_main};

fn film(width: usize, height: usize) -> Radiograph {
    let pixels = (0..width * height).map(|i| (i * 31 % 256) as f32).collect();
    Radiograph::from_display(width, height, pixels).expect("values are in range")
}

fn benchmark(criterion: &mut Criterion) {
    for (name, width, height) in [("2500x2500", 2500, 2500), ("373x454", 373, 454)] {
        let film = film(width, height);
        for (fit_name, fit) in [("letterbox", Fit::Letterbox), ("stretch", Fit::Stretch)] {
            criterion.bench_function(&format!("{name} {fit_name} 512"), |bench| {
                bench.iter(|| preprocess(black_box(&film), 512, fit));
            });
        }
    }
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
