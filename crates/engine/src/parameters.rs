//! The network's tensors, named, ordered and laid out as in torchvision's state dict (convolutions OIHW, one input channel).

use std::collections::HashMap;

use crate::architecture::{Architecture, BLOCKS, BOTTLENECK, FEATURES, GROWTH, STEM};
use crate::error::EngineError;

/// Every tensor of the network, running statistics included (`num_batches_tracked` left out).
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    architecture: Architecture,
    tensors: Vec<Tensor>,
    index: HashMap<String, usize>,
}

#[derive(Debug, Clone, PartialEq)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Parameters {
    /// Torchvision's initialization: Kaiming-normal convolutions (fan-in, gain √2), normalizations at weight 1, bias 0,
    /// mean 0, variance 1, classifier weight uniform in ±1/√1024 and bias 0. The same seed gives the same bits.
    pub fn initialize(architecture: &Architecture, seed: u64) -> Self {
        let mut generator = SplitMix64 { state: seed ^ 0xC0A4_5EED_0000_0001 };
        let tensors = Self::names_and_shapes(architecture).into_iter().map(|(name, shape)| {
            let len: usize = shape.iter().product();
            let data = if shape.len() == 4 {
                let fan_in: usize = shape[1..].iter().product();
                let deviation = (2.0 / fan_in as f64).sqrt();
                (0..len).map(|_| (deviation * generator.normal()) as f32).collect()
            } else if name == "classifier.weight" {
                let bound = 1.0 / (FEATURES as f64).sqrt();
                (0..len).map(|_| (bound * (2.0 * generator.uniform() - 1.0)) as f32).collect()
            } else if name.ends_with(".weight") || name.ends_with(".running_var") {
                vec![1.0; len]
            } else {
                vec![0.0; len]
            };
            Tensor { name, shape, data }
        });
        Self::assemble(architecture.clone(), tensors.collect())
    }

    /// Every tensor's name and shape, in torchvision's order.
    pub fn names_and_shapes(architecture: &Architecture) -> Vec<(String, Vec<usize>)> {
        let mut list = vec![("features.conv0.weight".to_string(), vec![STEM, 1, 7, 7])];
        push_norm(&mut list, "features.norm0", STEM);
        for (block, &layers) in BLOCKS.iter().enumerate() {
            let input = Architecture::block_input(block);
            for layer in 0..layers {
                let prefix = format!("features.denseblock{}.denselayer{}", block + 1, layer + 1);
                let channels = input + layer * GROWTH;
                push_norm(&mut list, &format!("{prefix}.norm1"), channels);
                list.push((format!("{prefix}.conv1.weight"), vec![BOTTLENECK, channels, 1, 1]));
                push_norm(&mut list, &format!("{prefix}.norm2"), BOTTLENECK);
                list.push((format!("{prefix}.conv2.weight"), vec![GROWTH, BOTTLENECK, 3, 3]));
            }
            if block + 1 < BLOCKS.len() {
                let prefix = format!("features.transition{}", block + 1);
                let channels = Architecture::block_output(block);
                push_norm(&mut list, &format!("{prefix}.norm"), channels);
                list.push((format!("{prefix}.conv.weight"), vec![channels / 2, channels, 1, 1]));
            }
        }
        push_norm(&mut list, "features.norm5", FEATURES);
        list.push(("classifier.weight".to_string(), vec![architecture.classes, FEATURES]));
        list.push(("classifier.bias".to_string(), vec![architecture.classes]));
        list
    }

    /// Takes tensors (name, shape, values) in any order.
    ///
    /// # Errors
    /// A missing, unexpected, repeated or misshapen tensor, or one with a value that is not finite (or a negative running
    /// variance), each named.
    pub fn from_tensors(
        architecture: &Architecture,
        tensors: impl IntoIterator<Item = (String, Vec<usize>, Vec<f32>)>,
    ) -> Result<Self, EngineError> {
        let wanted = Self::names_and_shapes(architecture);
        let position: HashMap<&str, usize> =
            wanted.iter().enumerate().map(|(i, (name, _))| (name.as_str(), i)).collect();
        let mut found: Vec<Option<Vec<f32>>> = vec![None; wanted.len()];
        for (name, shape, data) in tensors {
            let Some(&at) = position.get(name.as_str()) else {
                return Err(EngineError::UnexpectedTensor { name });
            };
            let expected = &wanted[at].1;
            if &shape != expected || data.len() != shape.iter().product::<usize>() {
                return Err(EngineError::MisshapenTensor {
                    name,
                    expected: expected.clone(),
                    found: shape,
                    values: data.len(),
                });
            }
            let variance = name.ends_with(".running_var");
            if let Some(index) = data.iter().position(|v| !v.is_finite() || (variance && *v < 0.0)) {
                return Err(EngineError::BadValue { value: data[index], name, index });
            }
            if found[at].replace(data).is_some() {
                return Err(EngineError::DuplicateTensor { name });
            }
        }
        let mut list = Vec::with_capacity(wanted.len());
        for ((name, shape), data) in wanted.into_iter().zip(found) {
            let Some(data) = data else {
                return Err(EngineError::MissingTensor { name });
            };
            list.push(Tensor { name, shape, data });
        }
        Ok(Self::assemble(architecture.clone(), list))
    }

    /// A set of tensors of the same names and shapes, all zero (for gradients and moments).
    pub fn zeros(architecture: &Architecture) -> Self {
        let tensors = Self::names_and_shapes(architecture)
            .into_iter()
            .map(|(name, shape)| {
                let data = vec![0.0; shape.iter().product()];
                Tensor { name, shape, data }
            })
            .collect();
        Self::assemble(architecture.clone(), tensors)
    }

    /// Every tensor's name, shape and values, in torchvision's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[usize], &[f32])> {
        self.tensors.iter().map(|t| (t.name.as_str(), t.shape.as_slice(), t.data.as_slice()))
    }

    /// Every tensor's name and values, to be changed, in torchvision's order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut [f32])> {
        self.tensors.iter_mut().map(|t| (t.name.as_str(), t.data.as_mut_slice()))
    }

    /// The shape and values of one tensor.
    pub fn tensor(&self, name: &str) -> Option<(&[usize], &[f32])> {
        self.index.get(name).map(|&i| (self.tensors[i].shape.as_slice(), self.tensors[i].data.as_slice()))
    }

    /// The shape and values of one tensor, the values to be changed.
    pub fn tensor_mut(&mut self, name: &str) -> Option<(&[usize], &mut [f32])> {
        let tensor = self.tensors.get_mut(*self.index.get(name)?)?;
        Some((tensor.shape.as_slice(), tensor.data.as_mut_slice()))
    }

    /// The architecture that the tensors belong to.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The values of a tensor that the architecture is known to have.
    pub(crate) fn values(&self, name: &str) -> &[f32] {
        &self.tensors[self.index[name]].data
    }

    fn assemble(architecture: Architecture, tensors: Vec<Tensor>) -> Self {
        let index = tensors.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
        Parameters { architecture, tensors, index }
    }
}

fn push_norm(list: &mut Vec<(String, Vec<usize>)>, prefix: &str, channels: usize) {
    for part in ["weight", "bias", "running_mean", "running_var"] {
        list.push((format!("{prefix}.{part}"), vec![channels]));
    }
}

/// The SplitMix64 generator (Steele, Lea, Flood 2014): small, and enough for initial weights.
struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box–Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensor_count_and_size_are_torchvisions() {
        let list = Parameters::names_and_shapes(&Architecture::new(1));
        // torchvision: 364 trainable tensors and 121 normalizations with two running statistics each.
        assert_eq!(list.len(), 364 + 2 * 121);
        let trainable: usize =
            list.iter().filter(|(n, _)| !n.contains("running")).map(|(_, s)| s.iter().product::<usize>()).sum();
        // densenet121 has 7,978,856 parameters with 3 channels and 1000 classes.
        assert_eq!(trainable, 7_978_856 - 2 * 64 * 49 - 999 * 1025);
    }

    #[test]
    fn initialization_is_reproducible_and_scaled() {
        let architecture = Architecture::new(2);
        let a = Parameters::initialize(&architecture, 7);
        assert_eq!(a, Parameters::initialize(&architecture, 7));
        assert_ne!(a, Parameters::initialize(&architecture, 8));
        let (shape, data) = a.tensor("features.denseblock4.denselayer16.conv1.weight").expect("known tensor");
        assert_eq!(shape, [128, 992, 1, 1]);
        let variance = data.iter().map(|v| f64::from(v * v)).sum::<f64>() / data.len() as f64;
        assert!((variance * 992.0 / 2.0 - 1.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn loading_names_what_is_wrong() {
        let architecture = Architecture::new(1);
        let good: Vec<_> = Parameters::initialize(&architecture, 1)
            .iter()
            .map(|(n, s, d)| (n.to_string(), s.to_vec(), d.to_vec()))
            .collect();
        assert!(Parameters::from_tensors(&architecture, good.clone()).is_ok());
        let mut missing = good.clone();
        missing.remove(3);
        let error = Parameters::from_tensors(&architecture, missing).expect_err("missing");
        assert_eq!(error.to_string(), "tensor features.norm0.running_mean is missing");
        let mut extra = good.clone();
        extra.push(("classifier.scale".into(), vec![1], vec![1.0]));
        let error = Parameters::from_tensors(&architecture, extra).expect_err("extra");
        assert_eq!(error.to_string(), "tensor classifier.scale is not part of the network");
        let mut misshapen = good.clone();
        misshapen[0].1 = vec![64, 3, 7, 7];
        let error = Parameters::from_tensors(&architecture, misshapen).expect_err("misshapen");
        assert!(error.to_string().contains("features.conv0.weight must have shape [64, 1, 7, 7]"), "{error}");
        let mut twice = good.clone();
        twice.push(good[5].clone());
        assert!(matches!(Parameters::from_tensors(&architecture, twice), Err(EngineError::DuplicateTensor { .. })));
        let mut bad = good;
        bad[4].2[2] = -1.0;
        assert!(matches!(Parameters::from_tensors(&architecture, bad), Err(EngineError::BadValue { index: 2, .. })));
    }
}
