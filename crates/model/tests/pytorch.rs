//! Files of PyTorch: the small ones beside `testdata/pth/make.py`, and, where `COXA_PYTHON` names a Python with torch and torchvision,
//! whole networks there and back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coxa_engine::{Architecture, Parameters};
use coxa_model::weights::{self, Head};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/pth")
}

#[test]
fn small_files_hold_what_pytorch_finds_in_them() {
    let text = std::fs::read_to_string(testdata().join("expected.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, Expected>> = serde_json::from_str(&text).unwrap();
    assert_eq!(expected.len(), 4);
    for (file, tensors) in expected {
        let found = weights::read_tensors(&testdata().join(&file)).unwrap();
        let found: BTreeMap<_, _> = found.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        assert_eq!(found.keys().collect::<Vec<_>>(), tensors.keys().collect::<Vec<_>>(), "{file}");
        for (name, tensor) in tensors {
            assert_eq!(found[&name].shape, tensor.shape, "{file}: {name}");
            assert_eq!(found[&name].values, tensor.values, "{file}: {name}");
        }
    }
}

#[test]
fn types_that_are_not_read_are_named() {
    let error = weights::read_tensors(&testdata().join("refused.pth")).unwrap_err().to_string();
    assert!(error.contains("refused.pth") && error.contains("Complex"), "{error}");
}

#[test]
fn damaged_files_are_errors_never_panics() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("damaged.pth");
    for file in ["zip.pth", "legacy.pth"] {
        let whole = std::fs::read(testdata().join(file)).unwrap();
        for step in 0..200 {
            let mut damaged = whole.clone();
            let at = step * whole.len() / 200;
            damaged[at] ^= 0x55;
            std::fs::write(&path, &damaged).unwrap();
            // Some damage does not matter; none may panic.
            let _ = weights::read_tensors(&path);
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(weights::read_tensors(&path).is_err(), "{file} cut at {at}");
        }
    }
}

/// Runs a script, or says that it cannot and returns `false`.
fn python(script: &str, folder: &Path) -> bool {
    let Some(mut python) = coxa_testing::optional_python("torchvision") else { return false };
    let output = python.arg("-c").arg(script).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn torchvision_checkpoints_are_imported() {
    let temporary = tempfile::tempdir().unwrap();
    let script = r#"
import re, torch, torchvision
net = torchvision.models.densenet121(num_classes=3)
state = net.state_dict()
torch.save(state, "new.pth")
old = {re.sub(r"(norm|conv)([12])\.", r"\1.\2.", "module." + k): v for k, v in state.items() if "num_batches" not in k}
torch.save({"state_dict": old}, "old.pth", _use_new_zipfile_serialization=False)
torch.save(net, "module.pth")
from safetensors.torch import save_file
save_file({k: v.contiguous() for k, v in state.items()}, "net.safetensors")
save_file({"stem": state["features.conv0.weight"].sum(1, keepdim=True).contiguous(), "class": state["classifier.weight"][1:2].contiguous()}, "expected.safetensors")
"#;
    if !python(script, temporary.path()) {
        return;
    }
    let expected = weights::read_tensors(&temporary.path().join("expected.safetensors")).unwrap();
    let import = |file: &str| weights::import(&temporary.path().join(file), Head::Logit { class: Some(1) }).unwrap();
    let first = import("new.pth").parameters;
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    let by_name = |name: &str| &expected.iter().find(|tensor| tensor.name == name).unwrap().values;
    assert!(close(first.tensor("features.conv0.weight").unwrap().1, by_name("stem")));
    assert_eq!(first.tensor("classifier.weight").unwrap().1, by_name("class"));
    for file in ["old.pth", "module.pth", "net.safetensors"] {
        assert_eq!(import(file).parameters, first, "{file}");
    }
}

#[test]
fn pytorch_loads_what_is_exported() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("exported.safetensors");
    let parameters = Parameters::initialize(&Architecture::new(1), 5);
    weights::export(&parameters, &path).unwrap();
    assert!(weights::export(&parameters, &path).is_err());
    assert_eq!(weights::import(&path, Head::Logit { class: None }).unwrap().parameters, parameters);
    let script = r#"
import torch, torchvision
from safetensors.torch import load_file
net = torchvision.models.densenet121(num_classes=1)
net.features.conv0 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
net.load_state_dict(load_file("exported.safetensors"))
"#;
    python(script, temporary.path());
}
