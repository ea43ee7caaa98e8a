//! Tensors to and from safetensors, in f32 or bf16.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// A tensor as it was found in a file: values in row-major order, whatever their type in the file, as f32.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The product of `shape` values.
    pub values: Vec<f32>,
}

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightsFormat {
    /// Every tensor in 32 bits.
    #[default]
    F32,
    /// Convolutions and the classifier in bfloat16 (rounded to nearest even), vectors (normalization, bias) in 32 bits.
    Bf16,
}

impl WeightsFormat {
    /// Whether a tensor of this shape is stored in bfloat16.
    pub(crate) fn rounds(self, shape: &[usize]) -> bool {
        self == WeightsFormat::Bf16 && shape.len() > 1
    }
}

/// Serializes tensors. The same tensors give the same bytes.
pub(crate) fn to_safetensors<'a>(
    tensors: impl IntoIterator<Item = (String, &'a [usize], &'a [f32])>,
    format: WeightsFormat,
    metadata: Option<(&str, String)>,
) -> Result<Vec<u8>, String> {
    let views = tensors.into_iter().map(|(name, shape, values)| {
        let dtype = if format.rounds(shape) { Dtype::BF16 } else { Dtype::F32 };
        (name, Values { dtype, shape, values })
    });
    let metadata = metadata.map(|(key, value)| HashMap::from([(key.to_string(), value)]));
    safetensors::serialize(views, metadata).map_err(|error| error.to_string())
}

struct Values<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    values: &'a [f32],
}

impl View for Values<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(match self.dtype {
            Dtype::BF16 => self.values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
            _ => self.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        })
    }

    fn data_len(&self) -> usize {
        self.values.len() * if self.dtype == Dtype::BF16 { 2 } else { 4 }
    }
}

/// Whether bytes begin as a safetensors file does: with the length of a header in JSON that the file has room for.
pub(crate) fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    rest.first() == Some(&b'{') && u64::from_le_bytes(*length) <= rest.len() as u64
}

/// Reads every tensor of a safetensors file and its metadata. Integer tensors are converted; other types are refused by name.
pub(crate) fn from_safetensors(
    bytes: &[u8],
    origin: &Path,
) -> Result<(Vec<Tensor>, HashMap<String, String>), ModelError> {
    let fail = |reason: String| ModelError::weights(origin, reason);
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| fail(format!("not safetensors: {e}")))?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| fail(format!("not safetensors: {e}")))?;
    let mut tensors = Vec::with_capacity(file.len());
    for (name, view) in file.iter() {
        let values = decode(view.dtype(), view.data())
            .ok_or_else(|| fail(format!("tensor {name} has type {:?}, which is not read", view.dtype())))?;
        tensors.push(Tensor { name: name.to_string(), shape: view.shape().to_vec(), values });
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((tensors, header.metadata().clone().unwrap_or_default()))
}

fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let kind = match dtype {
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::I64 => Element::I64,
        Dtype::I32 => Element::I32,
        Dtype::I16 => Element::I16,
        Dtype::I8 => Element::I8,
        Dtype::U8 | Dtype::BOOL => Element::U8,
        _ => return None,
    };
    Some(kind.decode(bytes))
}

/// The element types that weights come in, little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    F64,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
}

impl Element {
    /// Bytes of one element.
    pub(crate) fn width(self) -> usize {
        match self {
            Element::F64 | Element::I64 => 8,
            Element::F32 | Element::I32 => 4,
            Element::F16 | Element::Bf16 | Element::I16 => 2,
            Element::I8 | Element::U8 => 1,
        }
    }

    /// Every whole element of `bytes` as f32.
    pub(crate) fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Element::F32 => each(bytes, f32::from_le_bytes),
            Element::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
            Element::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Element::Bf16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Element::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
            Element::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
            Element::I16 => each(bytes, |b| f32::from(i16::from_le_bytes(b))),
            Element::I8 => each(bytes, |b| f32::from(i8::from_le_bytes(b))),
            Element::U8 => each(bytes, |b: [u8; 1]| f32::from(b[0])),
        }
    }
}

fn each<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (whole, _) = bytes.as_chunks::<N>();
    whole.iter().map(|chunk| convert(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bfloat16_rounds_matrices_and_spares_vectors() {
        // 1 + 2^-9 lies halfway below the next bfloat16 after 1 and rounds to even, to 1; 1 + 3·2^-8 needs no rounding away.
        let matrix = [1.0 + 1.0 / 512.0, 1.0 + 3.0 / 128.0];
        let vector = [1.0 + 1.0 / 512.0];
        let bytes = to_safetensors(
            [("m".to_string(), &[1usize, 2][..], &matrix[..]), ("v".to_string(), &[1usize][..], &vector[..])],
            WeightsFormat::Bf16,
            Some(("note", "kept".to_string())),
        )
        .unwrap();
        let (tensors, metadata) = from_safetensors(&bytes, Path::new("memory")).unwrap();
        assert_eq!(tensors[0].values, [1.0, 1.0 + 3.0 / 128.0]);
        assert_eq!(tensors[1].values, vector);
        assert_eq!(metadata["note"], "kept");
    }

    #[test]
    fn garbage_is_refused() {
        for bytes in [&b""[..], b"PK\x03\x04", &[0xFF; 64], &[8, 0, 0, 0, 0, 0, 0, 0, b'{']] {
            assert!(from_safetensors(bytes, Path::new("garbage")).is_err());
        }
    }
}
