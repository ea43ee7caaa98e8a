//! The weights and images of the golden values: formulas of names and indices, as in `testdata/densenet121/make.py`.

use coxa_engine::{Architecture, Parameters};

/// FNV-1a, 64 bits.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

/// `count` values in [0, 1): the top 53 bits of SplitMix64(hash(name) + (index + 1) · golden).
pub fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> + use<> {
    let seed = name_hash(name);
    (1..=count as u64).map(move |index| {
        let mut z = seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    })
}

/// The values of one tensor.
fn tensor(name: &str, shape: &[usize]) -> Vec<f32> {
    let scaled: Box<dyn Fn(f64) -> f64> = if shape.len() == 4 {
        let bound = (6.0 / (shape[1] * shape[2] * shape[3]) as f64).sqrt();
        Box::new(move |u| (2.0 * u - 1.0) * bound)
    } else if name == "classifier.weight" {
        Box::new(|u| (2.0 * u - 1.0) * 0.25)
    } else if name == "classifier.bias" {
        Box::new(|u| u - 0.5)
    } else if name.ends_with(".weight") {
        Box::new(|u| 0.75 + 0.5 * u)
    } else if name.ends_with(".running_var") {
        Box::new(|u| 0.5 + u)
    } else {
        Box::new(|u| 0.4 * u - 0.2)
    };
    uniform(name, shape.iter().product()).map(|u| scaled(u) as f32).collect()
}

/// The network of the golden values.
pub fn parameters(classes: usize) -> Parameters {
    let architecture = Architecture::new(classes);
    let tensors = Parameters::names_and_shapes(&architecture).into_iter().map(|(name, shape)| {
        let values = tensor(&name, &shape);
        (name, shape, values)
    });
    Parameters::from_tensors(&architecture, tensors.collect::<Vec<_>>()).expect("the formula makes every tensor")
}

/// The images of the golden values.
pub fn images(n: usize, size: usize) -> Vec<f32> {
    let mut noise = uniform(&format!("images.{n}.{size}"), n * size * size);
    let mut values = Vec::with_capacity(n * size * size);
    for image in 0..n {
        for row in 0..size {
            for column in 0..size {
                let (y, x) = ((row as f64 + 0.5) / size as f64, (column as f64 + 0.5) / size as f64);
                let smooth = x * (1.0 - x) * y * (1.0 - y) * 16.0;
                let ramp = if image % 2 == 0 { x } else { y };
                let noise = noise.next().expect("a value for each pixel");
                values.push((0.5 * smooth + 0.25 * ramp + 0.25 * noise) as f32);
            }
        }
    }
    values
}

/// The expected values of one file, a JSON array of cases.
pub fn expected(file: &str) -> Vec<serde_json::Value> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/densenet121").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("the golden file is a JSON array")
}
