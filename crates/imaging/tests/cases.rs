//! Files after faults that users of other tools reported, where they are at hand: each is read as its sound counterpart, or refused.

use std::path::Path;

use coxa_imaging::{FileFormat, Radiograph, file_format, read};

use crate::data;

fn film(folder: &Path, name: &str) -> Radiograph {
    read(&folder.join(name)).unwrap_or_else(|error| panic!("{error}"))
}

/// The mean difference of the display values of two films.
fn mean_difference(a: &Radiograph, b: &Radiograph) -> f32 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    a.pixels().iter().zip(b.pixels()).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.pixels().len() as f32
}

/// Folder, a sound file, files that hold the same film, and the mean difference that lossy compression may make.
type Case = (&'static str, &'static str, &'static [&'static str], f32);

const SAME: [Case; 9] = [
    ("01-jpeg-rgb-no-app14", "gray_uncompressed.dcm", &["with_app14.dcm", "without_app14.dcm"], 1.0),
    ("02-j2k-ybr-full", "uncompressed.dcm", &["j2k.dcm", "jpeg_lossless.dcm"], 0.01),
    (
        "03-voi-lut-narrow-agfa",
        "declared_16_data_16.dcm",
        &["declared_12_data_12.dcm", "declared_16_data_12.dcm", "declared_12_data_16.dcm"],
        0.1,
    ),
    ("04-un-undefined-length", "plain.dcm", &["sq_undefined.dcm", "un_defined.dcm", "un_undefined.dcm"], 0.0),
    ("05-encapsulated-icon", "no_icon.dcm", &["icon_half_size.dcm", "icon_same_size_black.dcm"], 0.0),
    ("06-unsigned-stream-signed-film", "native.dcm", &["j2k_stored12.dcm", "j2k_stored16.dcm"], 0.0),
    ("07-damaged-jpeg", "whole.jpg", &["whole.dcm"], 0.5),
    ("08-tiff-fillorder-2", "gray8_fill1.tif", &["gray8_fill2.tif"], 0.0),
    ("09-tiff-tiled-planar", "tiled_chunky.tif", &["strips_planar.tif"], 0.0),
];

/// Folder, a file that must be refused, and words of the message.
const REFUSED: [(&str, &str, &str); 6] = [
    ("07-damaged-jpeg", "half.jpg", "truncated"),
    ("07-damaged-jpeg", "half_then_end_marker.jpg", "its data end before the last pixel"),
    ("07-damaged-jpeg", "512_bytes_lost.jpg", "malformed"),
    ("07-damaged-jpeg", "512_zero_bytes.jpg", "malformed"),
    ("07-damaged-jpeg", "half_then_end_marker.dcm", "its data end before the last pixel"),
    ("09-tiff-tiled-planar", "tiled_planar.tif", "tiles with separate color planes"),
];

#[test]
fn reported_faults_do_not_happen() {
    let Some(folder) = data("cases") else {
        return;
    };
    for (case, sound, others, bound) in SAME {
        let folder = folder.join(case);
        let sound = film(&folder, sound);
        for other in others.iter().filter(|other| folder.join(other).exists()) {
            let difference = mean_difference(&film(&folder, other), &sound);
            assert!(difference <= bound, "{case}/{other}: {difference}");
        }
    }
    for (case, name, words) in REFUSED {
        let path = folder.join(case).join(name);
        if path.exists() {
            let message = read(&path).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}

#[test]
fn formats_are_told_without_names() {
    let Some(folder) = data("cases/12-no-dcm-ending/set") else {
        return;
    };
    let (mut folders, mut seen) = (vec![folder], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            assert_eq!(file_format(&std::fs::read(&path).unwrap()), Some(FileFormat::Dicom), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 2);
}
