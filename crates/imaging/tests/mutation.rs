//! A fixed run of mutated files: whatever the bytes, a film or an error, never a panic, never the patient.

use coxa_imaging::{encode, read_bytes};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::golden_folder;

/// Every golden file, and one of each raster format.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(golden_folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "dcm"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    let gray: Vec<u8> = (0..=255).collect();
    let wide: Vec<u16> = (0..256).map(|v| v * 200).collect();
    files.push(("png8".into(), encode::png_gray8_to_vec(16, 16, &gray).unwrap()));
    files.push(("png16".into(), encode::png_gray16_to_vec(16, 16, &wide).unwrap()));
    let image = image::DynamicImage::ImageLuma8(image::GrayImage::from_raw(16, 16, gray).unwrap());
    for format in [image::ImageFormat::Jpeg, image::ImageFormat::Tiff] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        files.push((format!("{format:?}"), bytes.into_inner()));
    }
    files
}

fn mutate(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..5) {
        if bytes.is_empty() {
            return;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes[at] = [0x00, 0xFF, 0x7F, 0x80][random.random_range(0..4)],
            3 => bytes.truncate(at),
            4 => {
                let end = (at + random.random_range(1..40)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + random.random_range(1..40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
}

#[test]
fn mutated_files_never_panic() {
    let mut random = ChaCha8Rng::seed_from_u64(20_190_401);
    let rounds: usize = std::env::var("COXA_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    let (mut read, mut refused) = (0, 0);
    for (name, original) in corpus() {
        assert!(read_bytes(&original, "film").is_ok(), "{name}");
        for round in 0..rounds {
            let mut bytes = original.clone();
            mutate(&mut bytes, &mut random);
            match read_bytes(&bytes, "film") {
                Ok(film) => {
                    assert!(film.pixels().iter().all(|v| (0.0..=255.0).contains(v)), "{name}, round {round}");
                    read += 1;
                }
                Err(error) => {
                    let message = error.to_string();
                    assert!(
                        message.lines().count() == 1 && !message.contains("SECRET"),
                        "{name}, round {round}: {message}"
                    );
                    refused += 1;
                }
            }
        }
    }
    println!("{read} mutated files were read, {refused} refused");
    assert!(read > 0 && refused > 0);
}
