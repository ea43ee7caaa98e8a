//! Bundles: saved and loaded, and refused where they are not what they should be.

use std::fs;
use std::path::Path;

use coxa_engine::{Architecture, Parameters};
use coxa_model::{Bundle, Card, WeightsFormat};
use half::bf16;

fn bundle() -> Bundle {
    let card = Card::imported("test", vec!["absent".into(), "present".into()], 64, "random weights");
    Bundle::new(card, Parameters::initialize(&Architecture::new(1), 11)).unwrap()
}

/// Rewrites the weights of a saved bundle, tensor by tensor; `None` leaves one out.
fn rewrite(folder: &Path, change: impl Fn(&str, &[usize], &[u8]) -> Option<(String, Vec<usize>, Vec<u8>)>) {
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors: Vec<_> = file.iter().filter_map(|(name, view)| change(name, view.shape(), view.data())).collect();
    let views = tensors.iter().map(|(name, shape, data)| {
        (name.clone(), safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), data).unwrap())
    });
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn error_after(change: impl Fn(&str, &[usize], &[u8]) -> Option<(String, Vec<usize>, Vec<u8>)>) -> String {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("bundle");
    bundle().save(&folder, WeightsFormat::F32).unwrap();
    rewrite(&folder, change);
    Bundle::load(&folder).unwrap_err().to_string()
}

#[test]
fn a_bundle_comes_back_as_it_was() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("a").join("bundle");
    let original = bundle();
    let saved = original.save(&folder, WeightsFormat::F32).unwrap();
    assert_eq!(saved, original);
    assert_eq!(Bundle::load(&folder).unwrap(), original);
    assert_eq!(original.short_hash().len(), 16);
    assert!(original.hash().starts_with(original.short_hash()));
    // Nothing but the two files, and nothing is overwritten.
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["model.json", "model.safetensors"]);
    assert_eq!(fs::read_dir(folder.parent().unwrap()).unwrap().count(), 1);
    let again = original.save(&folder, WeightsFormat::F32).unwrap_err();
    assert!(again.to_string().contains("exists already"), "{again}");
}

#[test]
fn bf16_rounds_matrices_and_changes_the_hash() {
    let temporary = tempfile::tempdir().unwrap();
    let original = bundle();
    let saved = original.save(&temporary.path().join("half"), WeightsFormat::Bf16).unwrap();
    for ((name, shape, before), (_, _, after)) in original.parameters().iter().zip(saved.parameters().iter()) {
        let rounded = |v: &f32| if shape.len() > 1 { bf16::from_f32(*v).to_f32() } else { *v };
        assert!(before.iter().map(rounded).eq(after.iter().copied()), "{name}");
    }
    assert_ne!(original.hash(), saved.hash());
    // A rounded bundle saved once more is the same bundle.
    let twice = saved.save(&temporary.path().join("twice"), WeightsFormat::Bf16).unwrap();
    assert_eq!(twice.hash(), saved.hash());
}

#[test]
fn faulty_tensors_are_named() {
    let keep = |name: &str, shape: &[usize], data: &[u8]| Some((name.to_string(), shape.to_vec(), data.to_vec()));
    let victim = "features.denseblock2.denselayer7.conv2.weight";
    let missing = error_after(|n, s, d| if n == victim { None } else { keep(n, s, d) });
    assert!(missing.contains(victim) && missing.contains("missing"), "{missing}");
    let extra = error_after(|n, s, d| keep(if n == victim { "features.extra.weight" } else { n }, s, d));
    assert!(extra.contains("features.extra.weight"), "{extra}");
    let misshapen = error_after(|n, s, d| if n == victim { keep(n, &[32, 3, 128, 3], d) } else { keep(n, s, d) });
    assert!(misshapen.contains(victim) && misshapen.contains("[32, 3, 128, 3]"), "{misshapen}");
    let not_finite = error_after(|n, s, d| {
        let mut data = d.to_vec();
        if n == victim {
            data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        }
        keep(n, s, &data)
    });
    assert!(not_finite.contains(victim), "{not_finite}");
    let changed = error_after(|n, s, d| {
        let mut data = d.to_vec();
        if n == victim {
            data[0] ^= 1;
        }
        keep(n, s, &data)
    });
    assert!(changed.contains("SHA-256"), "{changed}");
}

#[test]
fn counts_of_batches_are_accepted_and_ignored() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("bundle");
    let original = bundle();
    original.save(&folder, WeightsFormat::F32).unwrap();
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let count = 7f32.to_le_bytes();
    let counted = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![], &count).unwrap();
    let views: Vec<_> = file
        .iter()
        .map(|(name, view)| (name.to_string(), view))
        .chain([("features.norm0.num_batches_tracked".to_string(), counted)])
        .collect();
    let bytes = safetensors::serialize(views, None).unwrap();
    fs::write(&path, &bytes).unwrap();
    // The card names the weights' hash, so it must follow.
    let card_path = folder.join("model.json");
    let mut card: Card = serde_json::from_str(&fs::read_to_string(&card_path).unwrap()).unwrap();
    card.weights.sha256 = coxa_files::sha256(&bytes);
    fs::write(&card_path, serde_json::to_string(&card).unwrap()).unwrap();
    assert_eq!(Bundle::load(&folder).unwrap().parameters(), original.parameters());
}

#[test]
fn cards_out_of_range_are_refused() {
    let parameters = Parameters::initialize(&Architecture::new(1), 11);
    for (named, change) in [
        ("input.size", (|card| card.input.size = 100) as fn(&mut Card)),
        ("threshold", |card| card.threshold.threshold = 1.5),
        ("temperature", |card| card.temperature = 0.0),
        ("cam.reference", |card| card.cam.reference = f32::NAN),
        ("3 classes", |card| card.classes.push("third".into())),
        ("format", |card| card.format = 2),
    ] {
        let mut card = bundle().card().clone();
        change(&mut card);
        let error = Bundle::new(card, parameters.clone()).unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
}
