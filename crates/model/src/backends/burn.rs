//! DenseNet-121 on Burn 0.21: the executor of GPUs (`cuda`, `rocm`, `wgpu`), and, on Burn's own CPU back end (`flex`), the second
//! opinion that tests compare the engine with.
//!
//! One functional description of the network over torchvision's tensor names serves inference, training and every back end. It
//! computes in f32.

use std::collections::BTreeMap;
use std::ops::Range;

use ::burn::backend::Autodiff;
use ::burn::tensor::backend::Backend;
use ::burn::tensor::ops::ConvOptions;
use ::burn::tensor::{Tensor, TensorData, activation, module};
use coxa_engine::architecture::{BLOCKS, BN_EPS, BN_MOMENTUM, FEATURES, STRIDE};
use coxa_engine::train::Moments;
use coxa_engine::{
    Architecture, CellTargets, Loss, Normalization, OptimizerState, Output, Parameters, Precision, StepOutput,
    TrainerOptions,
};

use super::executor::{InferExecutor, TrainExecutor};
use crate::ModelError;

/// The network's tensors on a device, each flat, with its shape.
struct Weights<B: Backend>(BTreeMap<String, (Vec<usize>, Tensor<B, 1>)>);

/// A pass's end: the last feature map after its ReLU, the logits, and the batch statistics by normalization.
struct Pass<B: Backend> {
    features: Tensor<B, 4>,
    logits: Tensor<B, 2>,
    statistics: Kept<B>,
}

impl<B: Backend> Weights<B> {
    fn upload(parameters: &Parameters, device: &B::Device) -> Self {
        let tensors = parameters.iter().map(|(name, shape, values)| {
            let data = TensorData::new(values.to_vec(), [values.len()]);
            (name.to_string(), (shape.to_vec(), Tensor::from_data(data, device)))
        });
        Weights(tensors.collect())
    }

    fn flat(&self, name: &str) -> Tensor<B, 1> {
        // Parameters hold every tensor that the description below names.
        self.0[name].1.clone()
    }

    fn conv(&self, x: Tensor<B, 4>, name: &str, stride: usize, padding: usize) -> Tensor<B, 4> {
        let (shape, weight) = &self.0[&format!("{name}.weight")];
        let weight = weight.clone().reshape([shape[0], shape[1], shape[2], shape[3]]);
        module::conv2d(x, weight, None, ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1))
    }

    /// relu(norm(x)).
    fn norm_relu(&self, x: Tensor<B, 4>, name: &str, use_of: Normalization, kept: &mut Kept<B>) -> Tensor<B, 4> {
        let [images, channels, rows, columns] = x.dims();
        let wide = |tensor: Tensor<B, 1>| tensor.reshape([1, channels, 1, 1]);
        let [weight, bias] = ["weight", "bias"].map(|part| wide(self.flat(&format!("{name}.{part}"))));
        let (centered, variance) = match use_of {
            Normalization::Running => {
                let [mean, variance] =
                    ["running_mean", "running_var"].map(|part| wide(self.flat(&format!("{name}.{part}"))));
                (x - mean, variance)
            }
            Normalization::Batch => {
                let mean = x.clone().mean_dims(&[0, 2, 3]);
                let centered = x - mean.clone();
                let variance = centered.clone().square().mean_dims(&[0, 2, 3]);
                let count = (images * rows * columns) as f32;
                let flat = |tensor: &Tensor<B, 4>| tensor.clone().detach().reshape([channels]);
                kept.push((name.to_string(), flat(&mean), flat(&variance), count));
                (centered, variance)
            }
        };
        activation::relu(centered * (weight / variance.add_scalar(BN_EPS).sqrt()) + bias)
    }

    /// The network on images of [n, 1, size, size].
    fn forward(&self, images: Tensor<B, 4>, use_of: Normalization) -> Pass<B> {
        let mut kept = Vec::new();
        let x = self.conv(images, "features.conv0", 2, 3);
        let x = self.norm_relu(x, "features.norm0", use_of, &mut kept);
        let mut x = module::max_pool2d(x, [3; 2], [2; 2], [1; 2], [1; 2], false);
        for (block, layers) in BLOCKS.iter().enumerate() {
            for layer in 1..=*layers {
                let name = format!("features.denseblock{}.denselayer{layer}", block + 1);
                let y = self.norm_relu(x.clone(), &format!("{name}.norm1"), use_of, &mut kept);
                let y = self.conv(y, &format!("{name}.conv1"), 1, 0);
                let y = self.norm_relu(y, &format!("{name}.norm2"), use_of, &mut kept);
                let y = self.conv(y, &format!("{name}.conv2"), 1, 1);
                x = Tensor::cat(vec![x, y], 1);
            }
            if block + 1 < BLOCKS.len() {
                let name = format!("features.transition{}", block + 1);
                x = self.norm_relu(x, &format!("{name}.norm"), use_of, &mut kept);
                x = self.conv(x, &format!("{name}.conv"), 1, 0);
                x = module::avg_pool2d(x, [2; 2], [2; 2], [0; 2], false, false);
            }
        }
        let features = self.norm_relu(x, "features.norm5", use_of, &mut kept);
        let [n, channels, ..] = features.dims();
        let (shape, weight) = &self.0["classifier.weight"];
        let weight = weight.clone().reshape([shape[0], FEATURES]);
        let bias = self.flat("classifier.bias").reshape([1, shape[0]]);
        let pooled: Tensor<B, 2> = features.clone().mean_dims(&[2, 3]).reshape([n, channels]);
        let logits = pooled.matmul(weight.transpose()) + bias;
        Pass { features, logits, statistics: kept }
    }

    /// The unaveraged class activation maps: [n, classes, side, side].
    fn maps(&self, features: Tensor<B, 4>) -> Tensor<B, 4> {
        let (shape, weight) = &self.0["classifier.weight"];
        let weight = weight.clone().reshape([shape[0], FEATURES, 1, 1]);
        module::conv2d(features, weight, None, ConvOptions::new([1; 2], [0; 2], [1; 2], 1))
    }

    /// The logits of the most telling windows of `window` × `window` cells, for one output: [n, 1]; see [`Output::read_by_window`].
    fn of_windows(&self, features: Tensor<B, 4>, window: usize) -> Tensor<B, 2> {
        let means = module::avg_pool2d(self.maps(features), [window; 2], [1; 2], [0; 2], false, false);
        let [n, _, rows, columns] = means.dims();
        means.reshape([n, rows * columns]).max_dim(1) + self.flat("classifier.bias").reshape([1, 1])
    }

    fn read(&self, images: &[f32], n: usize, size: usize, device: &B::Device) -> Result<Output, ModelError> {
        let pass = self.forward(upload_images(images, n, size, device)?, Normalization::Running);
        let side = size / STRIDE;
        let features = download(quarters(pass.features.clone(), side))?;
        let maps = self.maps(pass.features).div_scalar((side * side) as f32);
        Ok(Output { logits: download(pass.logits)?, map_side: side, maps: download(maps)?, features })
    }
}

/// The features' means over the quarters of each image ([`Output::features`]): [n, quarters, channels].
fn quarters<B: Backend>(features: Tensor<B, 4>, side: usize) -> Tensor<B, 3> {
    let [n, channels, ..] = features.dims();
    let halves = [0..side.div_ceil(2), side / 2..side];
    let quarter = |rows: &Range<usize>, columns: &Range<usize>| {
        let part = features.clone().slice([0..n, 0..channels, rows.clone(), columns.clone()]);
        part.mean_dims(&[2, 3]).reshape([n, 1, channels])
    };
    let [top, bottom] = &halves;
    Tensor::cat(vec![quarter(top, top), quarter(top, bottom), quarter(bottom, top), quarter(bottom, bottom)], 1)
}

/// Batch statistics by normalization: its name, mean, biased variance and the number of values.
type Kept<B> = Vec<(String, Tensor<B, 1>, Tensor<B, 1>, f32)>;

fn upload_images<B: Backend>(
    images: &[f32],
    n: usize,
    size: usize,
    device: &B::Device,
) -> Result<Tensor<B, 4>, ModelError> {
    if size < STRIDE || !size.is_multiple_of(STRIDE) || n == 0 || images.len() != n * size * size {
        return Err(ModelError::Internal(format!("{} values are not {n} images of {size}×{size}", images.len())));
    }
    Ok(Tensor::from_data(TensorData::new(images.to_vec(), [n, 1, size, size]), device))
}

fn download<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Result<Vec<f32>, ModelError> {
    let fail = |what: String| ModelError::Internal(format!("the device gave no values: {what}"));
    let data = tensor.try_into_data().map_err(|error| fail(format!("{error:?}")))?;
    data.convert::<f32>().to_vec().map_err(|error| fail(format!("{error:?}")))
}

fn refuse_int8(precision: Precision) -> Result<(), ModelError> {
    match precision {
        Precision::Int8 => {
            Err(ModelError::Setting("Burn's back ends run in f32; int8 is the processor's alone".into()))
        }
        _ => Ok(()),
    }
}

/// A network that only predicts.
pub(crate) struct BurnInfer<B: Backend> {
    weights: Weights<B>,
    device: B::Device,
}

impl<B: Backend> BurnInfer<B> {
    pub(crate) fn new(parameters: &Parameters, precision: Precision) -> Result<Self, ModelError> {
        refuse_int8(precision)?;
        let device = B::Device::default();
        Ok(BurnInfer { weights: Weights::upload(parameters, &device), device })
    }
}

impl<B: Backend> InferExecutor for BurnInfer<B> {
    fn run(&mut self, images: &[f32], n: usize, size: usize) -> Result<Output, ModelError> {
        self.weights.read(images, n, size, &self.device)
    }
}

/// A network that learns, on the back end `B`.
pub(crate) struct BurnTrain<B: Backend> {
    architecture: Architecture,
    options: TrainerOptions,
    /// In torchvision's order.
    names: Vec<String>,
    weights: Weights<B>,
    /// Adam's first and second moments, of every tensor but the running statistics.
    moments: BTreeMap<String, [Tensor<B, 1>; 2]>,
    step: u64,
    device: B::Device,
}

impl<B: Backend> BurnTrain<B> {
    pub(crate) fn new(parameters: &Parameters, options: TrainerOptions) -> Result<Self, ModelError> {
        refuse_int8(options.precision)?;
        let device = B::Device::default();
        let names: Vec<String> = parameters.iter().map(|(name, ..)| name.to_string()).collect();
        let weights = Weights::<B>::upload(parameters, &device);
        let learned = names.iter().filter(|name| !is_running(name));
        let zeros = |name: &String| [0, 1].map(|_| weights.flat(name).zeros_like());
        let moments = learned.map(|name| (name.clone(), zeros(name))).collect();
        let architecture = parameters.architecture().clone();
        Ok(BurnTrain { architecture, options, names, weights, moments, step: 0, device })
    }

    fn is_trained(&self, name: &str) -> bool {
        !is_running(name) && !self.options.frozen.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }

    /// Adam (Kingma and Ba 2015, algorithm 1) as torch computes it.
    fn update(&mut self, gradients: Vec<(String, Tensor<B, 1>)>) {
        self.step += 1;
        let o = &self.options;
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(self.step as f64);
        let rate = (f64::from(o.learning_rate) / correction(o.beta1)) as f32;
        let root = (1.0 / correction(o.beta2).sqrt()) as f32;
        for (name, gradient) in gradients {
            let Some(((_, value), [first, second])) = self.weights.0.get_mut(&name).zip(self.moments.get_mut(&name))
            else {
                continue;
            };
            let g = gradient + value.clone().mul_scalar(o.weight_decay);
            *first = first.clone().mul_scalar(o.beta1) + g.clone().mul_scalar(1.0 - o.beta1);
            *second = second.clone().mul_scalar(o.beta2) + g.square().mul_scalar(1.0 - o.beta2);
            let divisor = second.clone().sqrt().mul_scalar(root).add_scalar(o.eps);
            *value = value.clone() - (first.clone() / divisor).mul_scalar(rate);
        }
    }

    fn update_running(&mut self, statistics: Kept<B>) {
        for (name, mean, variance, count) in statistics {
            let unbiased = variance.mul_scalar(count / (count - 1.0));
            for (part, new) in [("running_mean", mean), ("running_var", unbiased)] {
                if let Some((_, value)) = self.weights.0.get_mut(&format!("{name}.{part}")) {
                    *value = value.clone().mul_scalar(1.0 - BN_MOMENTUM) + new.mul_scalar(BN_MOMENTUM);
                }
            }
        }
    }
}

impl<B: Backend> TrainExecutor for BurnTrain<B> {
    fn step(
        &mut self,
        images: &[f32],
        targets: &[usize],
        cells: Option<&CellTargets<'_>>,
        size: usize,
    ) -> Result<StepOutput, ModelError> {
        type Learning<B> = Autodiff<B>;
        let images = upload_images::<Learning<B>>(images, targets.len(), size, &self.device)?;
        let learning = self.weights.0.iter().map(|(name, (shape, value))| {
            let value = Tensor::from_inner(value.clone());
            let value = if self.is_trained(name) { value.require_grad() } else { value };
            (name.clone(), (shape.clone(), value))
        });
        let learning = Weights::<Learning<B>>(learning.collect());
        let mut pass = learning.forward(images, self.options.normalization);
        let side = size / STRIDE;
        let window = self.options.window.unwrap_or(side).min(side);
        if self.options.window.is_some() {
            pass.logits = learning.of_windows(pass.features.clone(), window);
        }
        let loss = film_loss(pass.logits.clone(), targets, self.options.loss, &self.device)?;
        let of_cells = match cells {
            Some(cells) => {
                let (maps, bias) = (learning.maps(pass.features.clone()), learning.flat("classifier.bias"));
                Some(cell_loss(maps, bias, cells, targets.len(), window * window, &self.device)?)
            }
            None => None,
        };
        let value = |loss: Tensor<Learning<B>, 1>| -> Result<f32, ModelError> { Ok(download(loss)?[0]) };
        let output = StepOutput {
            loss: value(loss.clone())?,
            cell_loss: of_cells.clone().map_or(Ok(0.0), value)?,
            logits: download(pass.logits)?,
        };
        if !output.loss.is_finite() || !output.cell_loss.is_finite() {
            return Ok(output);
        }
        let total = match of_cells {
            Some(cells) => loss + cells,
            None => loss,
        };
        let mut gradients = total.backward();
        let trained = learning.0.iter().filter(|(name, _)| self.is_trained(name));
        let gradients =
            trained.filter_map(|(name, (_, value))| Some((name.clone(), value.grad_remove(&mut gradients)?))).collect();
        let statistics = pass.statistics.into_iter();
        let statistics =
            statistics.map(|(name, mean, variance, n)| (name, mean.inner(), variance.inner(), n)).collect();
        self.update(gradients);
        self.update_running(statistics);
        Ok(output)
    }

    fn observe(&mut self, images: &[f32], n: usize, size: usize, share: f32) -> Result<(), ModelError> {
        let images = upload_images(images, n, size, &self.device)?;
        for (name, new_mean, new_variance, _) in self.weights.forward(images, Normalization::Batch).statistics {
            let [mean, variance] = ["running_mean", "running_var"].map(|part| format!("{name}.{part}"));
            let apart = new_mean - self.weights.flat(&mean);
            let target = new_variance + apart.clone().square().mul_scalar(1.0 - share);
            let wider = target - self.weights.flat(&variance);
            for (part, change) in [(mean, apart), (variance, wider)] {
                if let Some((_, value)) = self.weights.0.get_mut(&part) {
                    *value = value.clone() + change.mul_scalar(share);
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, images: &[f32], n: usize, size: usize) -> Result<Output, ModelError> {
        self.weights.read(images, n, size, &self.device)
    }

    fn parameters(&mut self) -> Result<Parameters, ModelError> {
        let mut tensors = Vec::with_capacity(self.names.len());
        for name in &self.names {
            let (shape, value) = &self.weights.0[name];
            tensors.push((name.clone(), shape.clone(), download(value.clone())?));
        }
        Ok(Parameters::from_tensors(&self.architecture, tensors)?)
    }

    fn state(&mut self) -> Result<OptimizerState, ModelError> {
        let mut moments = Vec::new();
        for name in self.names.iter().filter(|name| !is_running(name)) {
            let [first, second] = self.moments[name].clone();
            moments.push(Moments { name: name.clone(), first: download(first)?, second: download(second)? });
        }
        Ok(OptimizerState { step: self.step, moments })
    }

    fn load_state(&mut self, state: OptimizerState) -> Result<(), ModelError> {
        let fail = |what: String| ModelError::Setting(format!("the optimizer state does not fit: {what}"));
        let mut loaded = BTreeMap::new();
        for Moments { name, first, second } in state.moments {
            let len = self.moments.get(&name).map(|[first, _]| first.dims()[0]);
            if len != Some(first.len()) || first.len() != second.len() {
                return Err(fail(name));
            }
            let upload = |values: Vec<f32>| {
                let shape = [values.len()];
                Tensor::from_data(TensorData::new(values, shape), &self.device)
            };
            loaded.insert(name, [upload(first), upload(second)]);
        }
        if let Some(missing) = self.moments.keys().find(|name| !loaded.contains_key(*name)) {
            return Err(fail(format!("{missing} is missing")));
        }
        self.moments = loaded;
        self.step = state.step;
        Ok(())
    }

    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError> {
        self.options.learning_rate = learning_rate;
        Ok(())
    }
}

fn is_running(name: &str) -> bool {
    name.contains(".running_")
}

/// The mean loss of the films' labels.
fn film_loss<B: Backend>(
    logits: Tensor<B, 2>,
    targets: &[usize],
    loss: Loss,
    device: &B::Device,
) -> Result<Tensor<B, 1>, ModelError> {
    let [n, outputs] = logits.dims();
    let classes = outputs.max(2);
    if let Some(target) = targets.iter().find(|target| **target >= classes) {
        return Err(ModelError::Internal(format!("target {target} of {classes} classes")));
    }
    let terms = match loss {
        Loss::Binary => {
            // log σ(±z): the sign is the target's.
            let signs: Vec<f32> = targets.iter().map(|target| if *target == 1 { 1.0 } else { -1.0 }).collect();
            let signs = Tensor::from_data(TensorData::new(signs, [n, 1]), device);
            activation::log_sigmoid(logits * signs)
        }
        Loss::Softmax => {
            let mut hot = vec![0f32; n * outputs];
            targets.iter().enumerate().for_each(|(i, target)| hot[i * outputs + target] = 1.0);
            let hot = Tensor::from_data(TensorData::new(hot, [n, outputs]), device);
            activation::log_softmax(logits, 1) * hot
        }
    };
    Ok(terms.sum().mul_scalar(-1.0 / n as f32))
}

/// The class activation map's own loss, where a logit is the mean over `averaged` cells; see [`CellTargets`].
fn cell_loss<B: Backend>(
    maps: Tensor<B, 4>,
    bias: Tensor<B, 1>,
    cells: &CellTargets<'_>,
    images: usize,
    averaged: usize,
    device: &B::Device,
) -> Result<Tensor<B, 1>, ModelError> {
    let [n, outputs, rows, columns] = maps.dims();
    let count = n * rows * columns;
    if outputs != 1 || cells.truth.len() != count {
        return Err(ModelError::Internal(format!("{} cells for {n} maps of {rows}×{columns}", cells.truth.len())));
    }
    let upload = |value: &dyn Fn(f32) -> f32| {
        let values: Vec<f32> = cells.truth.iter().map(|truth| value(*truth)).collect();
        Tensor::<B, 1>::from_data(TensorData::new(values, [count]), device)
    };
    let taught = upload(&|truth| if truth.is_nan() { 0.0 } else { 1.0 });
    let present = upload(&|truth| if truth > 0.5 { 1.0 } else { 0.0 });
    let toward = upload(&|truth| if truth > 0.5 { 1.0 } else { -1.0 });
    let map = maps.reshape([count]);
    let absent = present.clone().mul_scalar(-1.0).add_scalar(1.0);
    let map = map.clone() * present + activation::relu(map) * absent;
    let u = map.mul_scalar(cells.extent / averaged as f32) + bias.expand([count]);
    let log_p = activation::log_sigmoid(u * toward);
    let q = log_p.clone().exp().mul_scalar(-1.0).add_scalar(1.0);
    let share = cells.weight / (cells.extent * images as f32);
    Ok((q.square() * log_p * taught).sum().mul_scalar(-share))
}
