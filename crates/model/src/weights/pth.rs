//! State dicts from the files that `torch.save` writes: the zip format of PyTorch 1.6 and later, and the one before it. A saved
//! module is read too, through its parameters and buffers.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use super::pickle::{Node, Pickle, Ref, Storage, Strided};
use super::tensors::{Element, Tensor};

/// The first pickle of the older format holds this number (`torch/serialization.py`, `MAGIC_NUMBER`).
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// Keys under which training scripts put a state dict.
const WRAPPERS: [&str; 6] = ["state_dict", "model_state_dict", "model_state", "model", "net", "weights"];
/// Modules within modules; DenseNet has four.
const MOST_NESTED: usize = 16;
/// More modules than this are no DenseNet-121, which has about 430.
const MOST_MODULES: usize = 1 << 14;
/// More elements than this, in all tensors together, are no weights of a DenseNet-121, which has 8 million (training scripts keep
/// two more of each for the optimizer, and a copy for averages).
const MOST_ELEMENTS: usize = 1 << 26;

/// Whether bytes begin as a `torch.save` file does.
pub(crate) fn is_pth(bytes: &[u8]) -> bool {
    // A safetensors file may begin with this byte too, the lowest of its header's length; its header follows the eight.
    bytes.starts_with(b"PK\x03\x04") || (bytes.first() == Some(&0x80) && bytes.get(8) != Some(&b'{'))
}

/// Reads every tensor of the state dict.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Tensor>, String> {
    let (pickle, storages) = if bytes.starts_with(b"PK") { read_zip(bytes)? } else { read_older(bytes)? };
    let mut named = Vec::new();
    let root = unwrapped(&pickle);
    match &pickle.nodes[root] {
        Node::Dict(_) => from_dict(&pickle, root, "", &mut named),
        Node::Object { .. } => from_module(&pickle, root, "", 0, &mut 0, &mut named)?,
        _ => return Err("the file holds neither a state dict nor a module".into()),
    }
    if named.is_empty() {
        return Err("the file holds no tensors under names".into());
    }
    let mut left = MOST_ELEMENTS;
    named.into_iter().map(|(name, view)| gather(name, view, &storages, &mut left)).collect()
}

type Storages = HashMap<String, Vec<u8>>;

fn read_zip(bytes: &[u8]) -> Result<(Pickle, Storages), String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| format!("zip: {error}"))?;
    let names: Result<Vec<String>, _> = archive.file_names().map(|name| name.map(|name| name.into_owned())).collect();
    let names = names.map_err(|error| format!("zip: {error}"))?;
    let Some(root) = names.iter().find_map(|name| name.strip_suffix("data.pkl")).map(str::to_string) else {
        return Err("a zip file without data.pkl is not one that torch.save wrote".into());
    };
    let mut read = |name: &str| -> Result<Vec<u8>, String> {
        let mut entry = archive.by_name(name).map_err(|error| format!("zip, {name}: {error}"))?;
        // Entries are stored without compression, so none is longer than the file.
        if entry.size() > bytes.len() as u64 {
            return Err(format!("zip, {name}: longer than the file"));
        }
        let mut content = Vec::with_capacity(entry.size() as usize);
        entry.read_to_end(&mut content).map_err(|error| format!("zip, {name}: {error}"))?;
        Ok(content)
    };
    let byte_order = format!("{root}byteorder");
    if names.contains(&byte_order) && read(&byte_order)? != b"little" {
        return Err("its numbers are big endian, which is not read".into());
    }
    let pickle = Pickle::read(&read(&format!("{root}data.pkl"))?)?;
    let mut storages = Storages::new();
    let folder = format!("{root}data/");
    for name in &names {
        if let Some(key) = name.strip_prefix(&folder) {
            storages.insert(key.to_string(), read(name)?);
        }
    }
    Ok((pickle, storages))
}

fn read_older(bytes: &[u8]) -> Result<(Pickle, Storages), String> {
    let mut at = 0;
    let mut next = || -> Result<Pickle, String> {
        let pickle = Pickle::read(&bytes[at..])?;
        at += pickle.length;
        Ok(pickle)
    };
    let magic = next()?;
    if magic.nodes[magic.root] != Node::Long(MAGIC.to_vec()) {
        return Err("a pickle that torch.save did not write".into());
    }
    let _protocol = next()?;
    let system = next()?;
    if let Some(little) = system.entry(system.root, "little_endian")
        && system.nodes[little] != Node::Bool(true)
    {
        return Err("its numbers are big endian, which is not read".into());
    }
    let pickle = next()?;
    let keys = next()?;
    let kinds: HashMap<&str, &Storage> = pickle
        .nodes
        .iter()
        .filter_map(|node| if let Node::Storage(storage) = node { Some((storage.key.as_str(), storage)) } else { None })
        .collect();
    let Node::List(order) = &keys.nodes[keys.root] else { return Err("no list of storages".into()) };
    let mut storages = Storages::new();
    for key in order {
        let Node::Text(key) = &keys.nodes[*key] else { return Err("a storage without a name".into()) };
        let storage = kinds.get(key.as_str()).ok_or_else(|| format!("storage {key} is not used"))?;
        let width = element(storage)?.width();
        let rest = &bytes[at..];
        let (len, data) = rest.split_first_chunk::<8>().ok_or("the data end too early")?;
        let len =
            usize::try_from(i64::from_le_bytes(*len)).map_err(|_| format!("storage {key} has a negative length"))?;
        let n = len
            .checked_mul(width)
            .filter(|n| *n <= data.len())
            .ok_or_else(|| format!("storage {key} ends too early"))?;
        storages.insert(key.clone(), data[..n].to_vec());
        at += 8 + n;
    }
    Ok((pickle, storages))
}

/// The dictionary of tensors, where a training script wrapped it in another.
fn unwrapped(pickle: &Pickle) -> Ref {
    let holds_tensors = |dict: Ref| match &pickle.nodes[dict] {
        Node::Dict(entries) => entries.iter().any(|(_, value)| matches!(pickle.nodes[*value], Node::Tensor(_))),
        _ => false,
    };
    if holds_tensors(pickle.root) {
        return pickle.root;
    }
    WRAPPERS
        .iter()
        .filter_map(|key| pickle.entry(pickle.root, key))
        .find(|inner| holds_tensors(*inner) || matches!(pickle.nodes[*inner], Node::Object { .. }))
        .unwrap_or(pickle.root)
}

fn from_dict<'a>(pickle: &'a Pickle, dict: Ref, prefix: &str, out: &mut Vec<(String, &'a Strided)>) {
    let Node::Dict(entries) = &pickle.nodes[dict] else { return };
    for (key, value) in entries {
        if let (Node::Text(key), Node::Tensor(view)) = (&pickle.nodes[*key], &pickle.nodes[*value]) {
            out.push((format!("{prefix}{key}"), view));
        }
    }
}

/// The parameters and buffers of a saved module (`torch.nn.Module.__dict__`), named as its state dict would.
fn from_module<'a>(
    pickle: &'a Pickle,
    module: Ref,
    prefix: &str,
    depth: usize,
    visited: &mut usize,
    out: &mut Vec<(String, &'a Strided)>,
) -> Result<(), String> {
    let Node::Object { state: Some(state), .. } = &pickle.nodes[module] else { return Ok(()) };
    if depth > MOST_NESTED {
        return Err(format!("modules are nested more than {MOST_NESTED} deep"));
    }
    *visited += 1;
    if *visited > MOST_MODULES {
        return Err(format!("it has more than {MOST_MODULES} modules"));
    }
    for part in ["_parameters", "_buffers"] {
        if let Some(dict) = pickle.entry(*state, part) {
            from_dict(pickle, dict, prefix, out);
        }
    }
    if let Some(modules) = pickle.entry(*state, "_modules")
        && let Node::Dict(children) = &pickle.nodes[modules]
    {
        for (key, child) in children {
            if let Node::Text(key) = &pickle.nodes[*key] {
                from_module(pickle, *child, &format!("{prefix}{key}."), depth + 1, visited, out)?;
            }
        }
    }
    Ok(())
}

fn element(storage: &Storage) -> Result<Element, String> {
    Ok(match storage.kind.as_str() {
        "FloatStorage" => Element::F32,
        "DoubleStorage" => Element::F64,
        "HalfStorage" => Element::F16,
        "BFloat16Storage" => Element::Bf16,
        "LongStorage" => Element::I64,
        "IntStorage" => Element::I32,
        "ShortStorage" => Element::I16,
        "CharStorage" => Element::I8,
        "ByteStorage" | "BoolStorage" => Element::U8,
        other => return Err(format!("storage {} has type {other}, which is not read", storage.key)),
    })
}

/// The values of a view, in row-major order; `left` elements may be read, which it takes its own from.
fn gather(name: String, view: &Strided, storages: &Storages, left: &mut usize) -> Result<Tensor, String> {
    let fail = |reason: &str| Err(format!("tensor {name}: {reason}"));
    let Strided { storage, offset, shape, stride } = view;
    if shape.len() != stride.len() {
        return fail("as many sizes as strides are needed");
    }
    let Some(bytes) = storages.get(&storage.key) else { return fail("its data are missing") };
    let kind = element(storage)?;
    let available = bytes.len() / kind.width();
    // Sizes of nothing could hide one that overflows below.
    let len = if shape.contains(&0) { Some(0) } else { shape.iter().try_fold(1usize, |n, s| n.checked_mul(*s)) };
    let rest = len.and_then(|len| left.checked_sub(len));
    let (Some(len), Some(rest)) = (len, rest) else { return fail("too large for weights") };
    *left = rest;
    let last = shape.iter().zip(stride).try_fold(*offset, |at, (size, step)| {
        size.saturating_sub(1).checked_mul(*step).and_then(|far| at.checked_add(far))
    });
    if len > 0 && last.is_none_or(|last| last >= available) {
        return fail("its data end too early");
    }
    let row_major = shape.iter().zip(stride).rev().try_fold(1usize, |expected, (size, step)| {
        if *size == 1 || *step == expected { expected.checked_mul(*size) } else { None }
    });
    let values = if len == 0 {
        Vec::new()
    } else if row_major.is_some() {
        kind.decode(&bytes[offset * kind.width()..(offset + len) * kind.width()])
    } else {
        let all = kind.decode(bytes);
        let mut index = vec![0usize; shape.len()];
        let mut values = Vec::with_capacity(len);
        for _ in 0..len {
            values.push(all[offset + index.iter().zip(stride).map(|(i, step)| i * step).sum::<usize>()]);
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        values
    };
    Ok(Tensor { name, shape: shape.clone(), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(shape: &[usize], stride: &[usize]) -> Strided {
        let storage = Storage { kind: "FloatStorage".into(), key: "0".into(), len: 4 };
        Strided { storage, offset: 0, shape: shape.to_vec(), stride: stride.to_vec() }
    }

    fn gathered(view: &Strided, left: usize) -> Result<Vec<f32>, String> {
        let storages = Storages::from([("0".to_owned(), [1.0f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes).concat())]);
        gather("t".into(), view, &storages, &mut left.clone()).map(|tensor| tensor.values)
    }

    #[test]
    fn views_are_read_in_row_major_order() {
        assert_eq!(gathered(&view(&[2, 2], &[2, 1]), 4).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(gathered(&view(&[2, 2], &[1, 2]), 4).unwrap(), [1.0, 3.0, 2.0, 4.0]);
        assert_eq!(gathered(&view(&[3], &[0]), 4).unwrap(), [1.0; 3]);
        assert!(gathered(&view(&[0, 1 << 62, 1 << 62], &[1, 1, 1]), 4).unwrap().is_empty());
    }

    #[test]
    fn a_small_file_cannot_ask_for_much_memory() {
        for shape in [&[1 << 30][..], &[1 << 40, 1 << 40][..]] {
            let error = gathered(&view(shape, &vec![0; shape.len()]), MOST_ELEMENTS).unwrap_err();
            assert!(error.contains("too large for weights"), "{error}");
        }
        // Tensors share what may be read.
        assert!(gathered(&view(&[3], &[0]), 2).is_err());
    }

    #[test]
    fn modules_that_name_one_another_end() {
        // Each of twelve modules names the next one ten times.
        let mut nodes = vec![Node::Text("_modules".into()), Node::Text("x".into())];
        let mut child = None;
        for _ in 0..12 {
            let at = nodes.len();
            let children = child.map_or_else(Vec::new, |child| vec![(1, child); 10]);
            nodes.push(Node::Dict(children));
            nodes.push(Node::Dict(vec![(0, at)]));
            nodes.push(Node::Object { class: "m".into(), state: Some(at + 1) });
            child = Some(at + 2);
        }
        let root = nodes.len() - 1;
        let pickle = Pickle { nodes, root, length: 0 };
        let error = from_module(&pickle, root, "", 0, &mut 0, &mut Vec::new()).unwrap_err();
        assert!(error.contains("modules"), "{error}");
    }

    #[test]
    fn safetensors_are_known_whatever_their_header_s_length() {
        assert!(!is_pth(b"\x80\x01\0\0\0\0\0\0{\"a\""));
        assert!(is_pth(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."));
    }
}
