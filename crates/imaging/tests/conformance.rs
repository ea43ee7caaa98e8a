//! NEMA's conformance samples: one film in many encodings.

use coxa_imaging::{Photometric, Radiograph, read};

use crate::data;

fn film(name: &str) -> Option<Radiograph> {
    let path = data("dicom/conformance")?.join(format!("{name}.dcm"));
    Some(read(&path).unwrap())
}

fn mean(film: &Radiograph, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> f64 {
    let mut sum = 0.0;
    for y in rows.clone() {
        sum += film.pixels()[y * film.width()..][columns.clone()].iter().map(|&v| f64::from(v)).sum::<f64>();
    }
    sum / (rows.len() * columns.len()) as f64
}

#[test]
fn five_lossless_encodings_give_the_same_pixels() {
    for (subject, size) in [("RG2", (1760, 2140)), ("RG3", (1760, 1760))] {
        let Some(reference) = film(&format!("{subject}_UNC")) else {
            return;
        };
        assert_eq!((reference.width(), reference.height()), size);
        assert_eq!(reference.bit_depth(), 10);
        for encoding in ["JPLL", "J2KR", "JLSL", "RLE"] {
            let other = film(&format!("{subject}_{encoding}")).unwrap();
            assert!(other.pixels() == reference.pixels(), "{subject}_{encoding}");
        }
    }
}

#[test]
fn lossy_encodings_are_close() {
    for subject in ["RG2", "RG3"] {
        let Some(reference) = film(&format!("{subject}_UNC")) else {
            return;
        };
        for (encoding, most) in [("J2KI", 3.0), ("JLSN", 1.5), ("JPLY", 3.0)] {
            let other = film(&format!("{subject}_{encoding}")).unwrap();
            let difference: f64 =
                reference.pixels().iter().zip(other.pixels()).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>()
                    / reference.pixels().len() as f64;
            println!("{subject}_{encoding}: mean difference {difference:.3} of 255");
            assert!(difference < most, "{subject}_{encoding}: {difference}");
        }
    }
}

/// Bone over soft tissue over air, at places read off the two films: the femoral shaft of RG2, the tibia of RG3.
#[test]
fn bone_is_bright_whatever_the_polarity() {
    let places = [
        ("RG2", Photometric::Monochrome2, [(1130..1200, 1254..1330), (1400..1440, 1110..1150), (300..500, 1250..1400)]),
        ("RG3", Photometric::Monochrome1, [(700..900, 830..870), (700..900, 724..760), (900..1100, 500..570)]),
    ];
    for (subject, photometric, places) in places {
        let Some(film) = film(&format!("{subject}_UNC")) else {
            return;
        };
        assert_eq!(film.photometric(), photometric);
        let [bone, soft, air] = places.map(|(rows, columns)| mean(&film, rows, columns));
        println!("{subject}: bone {bone:.1}, soft tissue {soft:.1}, air {air:.1}");
        assert!(bone > soft + 10.0 && soft > air + 10.0, "{subject}: {bone} {soft} {air}");
    }
}

#[test]
fn tables_of_the_lut_samples_are_applied() {
    let Some(folder) = data("dicom/lut") else {
        return;
    };
    for name in ["mlut_18.dcm", "vlut_04.dcm"] {
        let film = read(&folder.join(name)).unwrap();
        assert_eq!((film.width(), film.height()), (512, 512));
        let (low, high) = film.pixels().iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
        assert!(low < 5.0 && high > 250.0, "{name}: {low} to {high}");
    }
}

#[test]
fn fracatlas_films_are_read_and_the_truncated_ones_refused() {
    let Some(folder) = data("fracatlas/images/Non_fractured") else {
        return;
    };
    let mut truncated = Vec::new();
    // The six that the set's users know about, and their neighbors.
    for number in 4020..=4080 {
        let path = folder.join(format!("IMG000{number}.jpg"));
        if !path.exists() {
            continue;
        }
        match read(&path) {
            Ok(film) => assert!(film.width() >= 16),
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains("truncated") && message.lines().count() == 1, "{message}");
                truncated.push(number);
            }
        }
    }
    assert_eq!(truncated, [4028, 4029, 4036, 4070, 4073, 4076]);
}
