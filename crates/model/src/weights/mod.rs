//! Weights from and for other programs: a DenseNet-121 from safetensors or PyTorch files in the names of torchvision, timm,
//! torchxrayvision or CheXNet, and safetensors that PyTorch loads.

mod pickle;
mod pth;
pub(crate) mod tensors;

use std::collections::BTreeMap;
use std::path::Path;

use coxa_engine::{Architecture, Parameters};
use half::bf16;

use crate::{ModelError, files};
pub use tensors::{Tensor, WeightsFormat};
use tensors::{from_safetensors, to_safetensors};

/// Names before a tensor's own that wrappers of the network add.
const PREFIXES: [&str; 7] = ["module.", "model.", "densenet121.", "densenet.", "backbone.", "encoder.", "net."];
/// Tensors that networks of the same shape carry along and that do not matter here.
const IGNORED: [&str; 2] = ["op_threshs", "upsample.weight"];

/// What becomes of the classifier of imported weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// It is kept as the one logit. Of several outputs, `class` names the one; of two, taken as a softmax pair, the logit is the
    /// difference.
    Logit {
        /// The output's index, needed when there are several.
        class: Option<usize>,
    },
    /// It is replaced by a new one of so many outputs, drawn with this seed.
    Fresh {
        /// Outputs of the new classifier.
        outputs: usize,
        /// Seed of its random weights.
        seed: u64,
    },
}

/// Weights of a DenseNet-121 and what was done to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The network's tensors.
    pub parameters: Parameters,
    /// What was changed on the way, in words, one line each.
    pub notes: Vec<String>,
}

/// Reads every tensor of a safetensors or PyTorch file, as it is named there.
///
/// # Errors
/// When the file is neither, or a tensor has a type that is not read.
pub fn read_tensors(path: &Path) -> Result<Vec<Tensor>, ModelError> {
    let bytes = files::read(path)?;
    if pth::is_pth(&bytes) {
        pth::read(&bytes).map_err(|reason| ModelError::weights(path, reason))
    } else if tensors::is_safetensors(&bytes) {
        Ok(from_safetensors(&bytes, path)?.0)
    } else {
        let reason = format!(
            "no file of weights: {}; read are .safetensors, and the .pth and .pt files that torch.save writes",
            appearance(&bytes)
        );
        Err(ModelError::weights(path, reason))
    }
}

/// What a file that holds no weights looks like, by its first bytes.
fn appearance(bytes: &[u8]) -> &'static str {
    const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";
    let start = &bytes[..bytes.len().min(512)];
    let trimmed = start.trim_ascii_start().to_ascii_lowercase();
    match start {
        [] => "it is empty",
        _ if start.starts_with(HDF5) => "it is an HDF5 file, as Keras writes them",
        _ if start.starts_with(b"\x08") => "it looks like an ONNX or another protocol buffer file",
        _ if start.starts_with(b"\x1f\x8b") => "it is compressed by gzip",
        _ if trimmed.starts_with(b"<!doctype html") || trimmed.starts_with(b"<html") => {
            "it is a web page, perhaps of a download that failed"
        }
        _ if start.starts_with(b"version https://git-lfs") => "it is a pointer of Git LFS, not the file itself",
        _ if start.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')) => "it looks like text",
        _ => "its first bytes are those of no format that is known here",
    }
}

/// Reads the weights of a DenseNet-121.
///
/// # Errors
/// When a tensor is missing, unexpected or misshapen (each is named), or the classifier has several outputs and no class is named.
pub fn import(path: &Path, head: Head) -> Result<Imported, ModelError> {
    let tensors = read_tensors(path)?;
    adapt(tensors, head).map_err(|reason| ModelError::weights(path, reason))
}

/// Writes weights as safetensors in f32, in torchvision's names: `densenet121(num_classes=outputs)` with a one-channel stem loads it.
///
/// # Errors
/// When the file exists already or cannot be written.
pub fn export(parameters: &Parameters, path: &Path) -> Result<(), ModelError> {
    if path.exists() {
        return Err(ModelError::Exists { path: path.to_path_buf() });
    }
    let tensors = parameters.iter().map(|(name, shape, values)| (name.to_string(), shape, values));
    let metadata = Some(("format", "pt".to_string()));
    let bytes =
        to_safetensors(tensors, WeightsFormat::F32, metadata).map_err(|reason| ModelError::weights(path, reason))?;
    files::write_whole(path, &bytes)
}

/// The given weights as a bundle of this format has them.
pub(crate) fn stored(parameters: Parameters, format: WeightsFormat) -> Result<Parameters, ModelError> {
    if format == WeightsFormat::F32 {
        return Ok(parameters);
    }
    let tensors = parameters.iter().map(|(name, shape, values)| {
        let round = |value: &f32| if format.rounds(shape) { bf16::from_f32(*value).to_f32() } else { *value };
        (name.to_string(), shape.to_vec(), values.iter().map(round).collect())
    });
    Ok(Parameters::from_tensors(parameters.architecture(), tensors)?)
}

/// A network with the given one's features and a new classifier.
///
/// # Errors
/// When the outputs are none.
pub fn with_fresh_head(parameters: &Parameters, outputs: usize, seed: u64) -> Result<Parameters, ModelError> {
    let architecture = Architecture::new(outputs);
    let fresh = Parameters::initialize(&architecture, seed);
    let tensors = parameters.iter().filter(|(name, ..)| !name.starts_with("classifier."));
    let head = fresh.iter().filter(|(name, ..)| name.starts_with("classifier."));
    let all = tensors.chain(head).map(|(name, shape, values)| (name.to_string(), shape.to_vec(), values.to_vec()));
    Ok(Parameters::from_tensors(&architecture, all)?)
}

/// The given network with every bias of its classifier set to `bias`.
///
/// # Errors
/// When the bias is not finite.
pub(crate) fn with_bias(parameters: &Parameters, bias: f32) -> Result<Parameters, ModelError> {
    changed(parameters, "classifier.bias", |_| bias)
}

/// The given network with its classifier's weights times `factor`.
///
/// # Errors
/// When a product is not finite.
pub(crate) fn with_scaled_head(parameters: &Parameters, factor: f32) -> Result<Parameters, ModelError> {
    changed(parameters, "classifier.weight", |weight| weight * factor)
}

fn changed(parameters: &Parameters, tensor: &str, change: impl Fn(f32) -> f32) -> Result<Parameters, ModelError> {
    let all = parameters.iter().map(|(name, shape, values)| {
        let values = if name == tensor { values.iter().map(|v| change(*v)).collect() } else { values.to_vec() };
        (name.to_string(), shape.to_vec(), values)
    });
    Ok(Parameters::from_tensors(parameters.architecture(), all)?)
}

fn adapt(tensors: Vec<Tensor>, head: Head) -> Result<Imported, String> {
    let mut notes = Vec::new();
    let mut known: BTreeMap<String, Tensor> = BTreeMap::new();
    for mut tensor in tensors {
        let name = torchvision_name(&tensor.name);
        if name.ends_with(".num_batches_tracked") || IGNORED.contains(&name.as_str()) {
            continue;
        }
        let original = std::mem::replace(&mut tensor.name, name.clone());
        if let Some(earlier) = known.insert(name, tensor) {
            return Err(format!("tensors {original} and another both are {}", earlier.name));
        }
    }
    if let Some(stem) = known.get_mut("features.conv0.weight")
        && let [filters, channels @ 3, 7, 7] = stem.shape[..]
    {
        stem.values = sum_channels(&stem.values, filters, channels);
        stem.shape = vec![filters, 1, 7, 7];
        notes.push(format!("the stem's {channels} input channels are summed to one"));
    }
    let architecture = match head {
        Head::Logit { class } => {
            keep_logit(&mut known, class, &mut notes)?;
            Architecture::new(1)
        }
        Head::Fresh { outputs, seed } => {
            let architecture = Architecture::new(outputs);
            known.retain(|name, _| !name.starts_with("classifier."));
            let fresh = Parameters::initialize(&architecture, seed);
            for name in ["classifier.weight", "classifier.bias"] {
                if let Some((shape, values)) = fresh.tensor(name) {
                    let tensor = Tensor { name: name.into(), shape: shape.to_vec(), values: values.to_vec() };
                    known.insert(name.into(), tensor);
                }
            }
            notes.push(format!("the classifier is new, with {outputs} outputs"));
            architecture
        }
    };
    let tensors = known.into_values().map(|tensor| (tensor.name, tensor.shape, tensor.values));
    let parameters = Parameters::from_tensors(&architecture, tensors).map_err(|error| error.to_string())?;
    Ok(Imported { parameters, notes })
}

/// A tensor's name as torchvision writes it today.
fn torchvision_name(name: &str) -> String {
    let mut name = name;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    // CheXNet's classifier is a sequence of one layer.
    let name = name.replace("classifier.0.", "classifier.");
    // Before torchvision 0.3 the parts of a dense layer were named `norm.1`, which PyTorch no longer allows.
    let mut parts: Vec<String> = Vec::new();
    for part in name.split('.') {
        match parts.last_mut() {
            Some(last) if ["norm", "conv"].contains(&last.as_str()) && ["1", "2"].contains(&part) => {
                last.push_str(part)
            }
            _ => parts.push(part.to_string()),
        }
    }
    parts.join(".")
}

fn sum_channels(values: &[f32], filters: usize, channels: usize) -> Vec<f32> {
    let kernel = 7 * 7;
    (0..filters * kernel)
        .map(|i| {
            let (filter, at) = (i / kernel, i % kernel);
            (0..channels).map(|c| values[(filter * channels + c) * kernel + at]).sum()
        })
        .collect()
}

fn keep_logit(
    known: &mut BTreeMap<String, Tensor>,
    class: Option<usize>,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let (Some(weight), Some(bias)) = (known.get("classifier.weight"), known.get("classifier.bias")) else {
        return Err("tensor classifier.weight or classifier.bias is missing; train from these weights instead, which makes a new classifier".into());
    };
    let [outputs, features] = weight.shape[..] else {
        return Err(format!("tensor classifier.weight must have two dimensions, but has shape {:?}", weight.shape));
    };
    if bias.values.len() != outputs || weight.values.len() != outputs * features {
        return Err(format!("tensor classifier.bias must have shape [{outputs}], but has shape {:?}", bias.shape));
    }
    if outputs == 1 && class.unwrap_or(0) == 0 {
        return Ok(());
    }
    let Some(class) = class.filter(|class| *class < outputs) else {
        return Err(match class {
            Some(class) => {
                format!("class {class} does not exist: the classifier has {outputs} outputs, numbered from 0")
            }
            None => format!("the classifier has {outputs} outputs, a bundle has one: name the class to keep, from 0"),
        });
    };
    let row = |at: usize| &weight.values[at * features..(at + 1) * features];
    let (values, offset) = if outputs == 2 {
        let other = 1 - class;
        notes.push(format!(
            "of the two outputs, taken as a softmax pair, output {class} less output {other} is the logit"
        ));
        let difference = row(class).iter().zip(row(other)).map(|(a, b)| a - b).collect();
        (difference, bias.values[class] - bias.values[other])
    } else {
        notes.push(format!("of the {outputs} outputs, output {class} is kept as the logit"));
        (row(class).to_vec(), bias.values[class])
    };
    let tensor = |name: &str, shape, values| (name.to_string(), Tensor { name: name.to_string(), shape, values });
    known.extend([
        tensor("classifier.weight", vec![1, features], values),
        tensor("classifier.bias", vec![1], vec![offset]),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_programs_become_torchvisions() {
        for (found, expected) in [
            ("features.denseblock1.denselayer2.norm.1.weight", "features.denseblock1.denselayer2.norm1.weight"),
            ("features.denseblock1.denselayer2.conv.2.weight", "features.denseblock1.denselayer2.conv2.weight"),
            ("features.transition1.norm.weight", "features.transition1.norm.weight"),
            ("features.transition1.conv.weight", "features.transition1.conv.weight"),
            ("module.densenet121.features.norm0.bias", "features.norm0.bias"),
            ("module.densenet121.classifier.0.weight", "classifier.weight"),
            (
                "model.features.denseblock3.denselayer1.norm.2.running_var",
                "features.denseblock3.denselayer1.norm2.running_var",
            ),
            ("features.norm5.running_mean", "features.norm5.running_mean"),
        ] {
            assert_eq!(torchvision_name(found), expected);
        }
    }

    /// A network's tensors as a file would hold them, with `outputs` outputs and three input channels.
    fn foreign(outputs: usize) -> Vec<Tensor> {
        let parameters = Parameters::initialize(&Architecture::new(outputs), 3);
        let mut tensors: Vec<Tensor> = parameters
            .iter()
            .map(|(name, shape, values)| Tensor {
                name: format!("module.{name}"),
                shape: shape.to_vec(),
                values: values.to_vec(),
            })
            .collect();
        tensors[0].shape = vec![64, 3, 7, 7];
        tensors[0].values = (0..64 * 3 * 49).map(|i| (i / 49 % 3 + 1) as f32).collect();
        tensors.push(Tensor {
            name: "module.features.norm0.num_batches_tracked".into(),
            shape: vec![],
            values: vec![7.0],
        });
        tensors.push(Tensor { name: "op_threshs".into(), shape: vec![18], values: vec![0.5; 18] });
        tensors
    }

    #[test]
    fn stems_are_summed_and_a_class_is_picked() {
        let tensors = foreign(18);
        let head = tensors.iter().find(|t| t.name.ends_with("classifier.weight")).unwrap().values.clone();
        let imported = adapt(tensors, Head::Logit { class: Some(4) }).unwrap();
        let (shape, stem) = imported.parameters.tensor("features.conv0.weight").unwrap();
        assert_eq!(shape, [64, 1, 7, 7]);
        assert!(stem.iter().all(|v| *v == 6.0));
        assert_eq!(imported.parameters.tensor("classifier.weight").unwrap().1, &head[4 * 1024..5 * 1024]);
        assert_eq!(imported.notes.len(), 2);
        assert!(adapt(foreign(18), Head::Logit { class: None }).unwrap_err().contains("18 outputs"));
        assert!(adapt(foreign(18), Head::Logit { class: Some(18) }).unwrap_err().contains("class 18"));
    }

    #[test]
    fn a_softmax_pair_becomes_its_difference() {
        let tensors = foreign(2);
        let head = tensors.iter().find(|t| t.name.ends_with("classifier.weight")).unwrap().values.clone();
        let imported = adapt(tensors, Head::Logit { class: Some(0) }).unwrap();
        let kept = imported.parameters.tensor("classifier.weight").unwrap().1;
        assert!(kept.iter().enumerate().all(|(i, v)| *v == head[i] - head[1024 + i]));
    }

    #[test]
    fn a_fresh_head_replaces_any() {
        let imported = adapt(foreign(1000), Head::Fresh { outputs: 5, seed: 1 }).unwrap();
        assert_eq!(imported.parameters.tensor("classifier.weight").unwrap().0, [5, 1024]);
        let mut headless = foreign(1);
        headless.retain(|t| !t.name.contains("classifier"));
        assert!(adapt(headless.clone(), Head::Logit { class: None }).unwrap_err().contains("classifier.weight"));
        assert!(adapt(headless, Head::Fresh { outputs: 1, seed: 1 }).is_ok());
    }

    #[test]
    fn a_file_that_holds_no_weights_is_described() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.pth");
        for (bytes, words) in [
            (&b""[..], "it is empty"),
            (b"this is no network", "it looks like text"),
            (b"  <!DOCTYPE html><html>", "a web page"),
            (b"\x89HDF\r\n\x1a\n\0", "HDF5"),
            (&[0xff; 64], "no format that is known"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = read_tensors(&path).unwrap_err().to_string();
            assert!(error.contains("weights.pth") && error.contains(words), "{error}");
            assert!(error.contains(".safetensors") && error.contains("torch.save") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn faults_are_named() {
        let mut missing = foreign(1);
        missing.retain(|t| !t.name.ends_with("transition2.conv.weight"));
        let error = adapt(missing, Head::Logit { class: None }).unwrap_err();
        assert!(error.contains("features.transition2.conv.weight is missing"), "{error}");
        let mut extra = foreign(1);
        extra.push(Tensor { name: "module.features.extra".into(), shape: vec![1], values: vec![0.0] });
        let error = adapt(extra, Head::Logit { class: None }).unwrap_err();
        assert!(error.contains("features.extra"), "{error}");
        let mut twice = foreign(1);
        let again = Tensor { name: "model.features.norm0.bias".into(), shape: vec![64], values: vec![0.0; 64] };
        twice.push(again);
        assert!(adapt(twice, Head::Logit { class: None }).unwrap_err().contains("features.norm0.bias"));
    }
}
