//! Importers of public sets, on sets of a few bytes made here.

use std::fs;
use std::path::Path;

use coxa_cohort::importers::{
    Files, Films, FolderOptions, Folders, FracAtlasOptions, PatientSource, Seen, check_ends, folders, fracatlas, mura,
    no_look,
};
use coxa_cohort::{CohortError, Dataset};
use coxa_schema::{BodyPart, Label};

/// The smallest thing that has a JPEG's structure: a frame header of that size, a scan, an end. `tag` makes it unique.
pub(crate) fn jpeg(width: u16, height: u16, tag: u8) -> Vec<u8> {
    let [w, h] = [width.to_be_bytes(), height.to_be_bytes()];
    let mut bytes = vec![0xFF, 0xD8];
    // A comment that holds an end-of-image marker, as an embedded thumbnail would.
    bytes.extend([0xFF, 0xFE, 0x00, 0x05, 0xFF, 0xD9, tag]);
    bytes.extend([0xFF, 0xC0, 0x00, 0x0B, 0x08, h[0], h[1], w[0], w[1], 0x01, 0x01, 0x11, 0x00]);
    bytes.extend([0xFF, 0xDA, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3F, 0x00, 0x12, 0xFF, 0x00, 0x34]);
    bytes.extend([0xFF, 0xD9]);
    bytes
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn truncated_files_are_recognized() {
    let whole = jpeg(30, 20, 0);
    assert_eq!(check_ends(&whole), Ok(Some((30, 20))));
    let mut padded = whole.clone();
    padded.extend([0; 5]);
    assert_eq!(check_ends(&padded), Ok(Some((30, 20))), "bytes after the end do no harm");
    for n in 2..whole.len() {
        let error = check_ends(&whole[..n]).unwrap_err();
        assert!(error.starts_with("a truncated JPEG"), "{n} bytes: {error}");
    }
    assert!(check_ends(&[]).is_err());
    assert!(check_ends(b"\x89PNG\r\n\x1a\n----").is_err());
    assert_eq!(check_ends(b"\x89PNG\r\n\x1a\n....\0\0\0\0IEND\xaeB`\x82"), Ok(None));
    assert_eq!(check_ends(b"II*\0 a TIFF"), Ok(None));
    assert!(check_ends(b"anything else").is_err());
}

fn fracatlas_set(from: &Path) {
    write(
        &from.join("dataset.csv"),
        b"image_id,hand,leg,hip,shoulder,mixed,hardware,multiscan,fractured,fracture_count,frontal,lateral,oblique\n\
          IMG0000001.jpg,1,0,0,0,0,0,0,0,0,1,0,0\n\
          IMG0000002.jpg,0,1,1,0,1,0,0,1,1,1,0,0\n\
          IMG0000003.jpg,0,0,1,0,0,1,0,0,0,1,0,0\n\
          IMG0000004.jpg,0,1,0,0,0,0,0,1,1,0,1,0\n\
          IMG0000005.jpg,0,0,1,0,0,0,0,1,1,1,0,0\n\
          IMG0000006.jpg,1,0,0,0,0,0,0,0,0,1,0,0\n\
          IMG0000007.jpg,1,0,0,0,0,0,0,0,0,1,0,0\n",
    );
    let image = |folder: &str, n: u8, bytes: Vec<u8>| {
        write(&from.join(format!("images/{folder}/IMG000000{n}.jpg")), &bytes);
    };
    image("Non_fractured", 1, jpeg(100, 80, 1));
    image("Fractured", 2, jpeg(100, 80, 2));
    image("Non_fractured", 3, jpeg(100, 80, 3));
    image("Fractured", 4, jpeg(100, 80, 4)[..30].to_vec());
    image("Non_fractured", 5, jpeg(100, 80, 5));
    image("Non_fractured", 6, jpeg(100, 80, 1));
    write(
        &from.join("Annotations/COCO JSON/COCO_fracture_masks.json"),
        br#"{"images":[{"id":1,"width":100,"height":80,"file_name":"IMG0000002.jpg"},{"id":2,"width":90,"height":80,"file_name":"IMG0000003.jpg"}],
            "annotations":[{"id":0,"image_id":1,"bbox":[10.5,20,30,15.25]},{"id":1,"image_id":1,"bbox":[90,70,30,30]},{"id":2,"image_id":2,"bbox":[1,1,5,5]}],
            "categories":[{"id":0,"name":"fractured"}]}"#,
    );
}

#[test]
fn fracatlas_is_imported_and_what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("FracAtlas");
    fracatlas_set(&from);
    let to = folder.path().join("set");
    let (dataset, report) = fracatlas(&from, &to, &FracAtlasOptions::default()).unwrap();
    assert_eq!(Dataset::load(&to).unwrap(), dataset);
    dataset.verify().unwrap();
    let rows: Vec<(&str, &str, Label)> =
        dataset.films.iter().map(|film| (film.image_id.as_str(), film.body_part.as_str(), film.label)).collect();
    assert_eq!(
        rows,
        [
            ("IMG0000001", "hand", Label::Absent),
            ("IMG0000002", "", Label::Present),
            ("IMG0000003", "hip", Label::Absent)
        ]
    );
    assert_eq!(dataset.films[1].extra["regions"], "leg;hip");
    let boxes: Vec<[f32; 4]> = dataset.truth.iter().map(|b| [b.x, b.y, b.width, b.height]).collect();
    assert_eq!(boxes, [[10.5, 20.0, 30.0, 15.25], [90.0, 70.0, 10.0, 10.0]], "the second is clipped to the film");
    let refused: Vec<String> =
        report.refused.iter().map(|refused| format!("{}: {}", refused.file, refused.reason)).collect();
    for (place, expected) in [
        "IMG0000004.jpg: a truncated JPEG",
        "IMG0000005.jpg: its folder and dataset.csv (line 6) disagree",
        "IMG0000006.jpg: the same content as",
        "IMG0000007.jpg: no file of that name",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(refused[place].contains(expected), "{}", refused[place]);
    }
    assert_eq!((report.imported, refused.len()), (3, 4));
    assert_eq!(report.notes.len(), 2, "{:?}", report.notes);
    assert!(report.flow.adds_up(), "{:#?}", report.flow);
}

#[test]
fn fracatlas_is_annotated_as_its_films_are_read() {
    // EXIF in either byte order: a list of two tags, the second the orientation.
    let big = |orientation| {
        let list = [0, 2, 1, 0x0F, 0, 2, 0, 0, 0, 1, b'x', 0, 0, 0, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0];
        [b"MM\0*\0\0\0\x08".as_slice(), &list].concat()
    };
    let little = |orientation| {
        let list = [2, 0, 0x0F, 1, 2, 0, 1, 0, 0, 0, b'x', 0, 0, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
        [b"II*\0\x08\0\0\0".as_slice(), &list].concat()
    };
    for (width, height, exif, is_noted) in [
        (100, 80, None, false),
        (80, 100, None, true),
        (80, 100, Some(big(8)), false),
        (80, 100, Some(little(6)), false),
        (100, 80, Some(big(3)), false),
        (100, 80, Some(little(1)), false),
        (100, 80, Some(big(6)), true),
        (80, 100, Some(little(3)), true),
        (80, 100, Some(b"MM\0*\xFF\xFF\xFF\xFF".to_vec()), true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("FracAtlas");
        fracatlas_set(&from);
        let mut bytes = jpeg(width, height, 2);
        if let Some(block) = &exif {
            let head = [0xFF, 0xE1, 0, 8 + block.len() as u8];
            bytes.splice(2..2, [&head, b"Exif\0\0".as_slice(), block].concat());
        }
        write(&from.join("images/Fractured/IMG0000002.jpg"), &bytes);
        let (_, report) = fracatlas(&from, &folder.path().join("set"), &FracAtlasOptions::default()).unwrap();
        let noted = report.notes.iter().any(|note| note.starts_with("IMG0000002.jpg: annotated at (100, 80)"));
        assert_eq!(noted, is_noted, "{width}×{height}, {exif:?}: {:?}", report.notes);
    }
}

#[test]
fn fracatlas_hips_and_listings() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("FracAtlas");
    fracatlas_set(&from);
    let hips = FracAtlasOptions { films: Films::Hip, files: Files::HardLink, ..Default::default() };
    let (dataset, _) = fracatlas(&from, &folder.path().join("hips"), &hips).unwrap();
    assert!(dataset.films.iter().all(|film| film.body_part == BodyPart::Hip));
    assert_eq!(dataset.films.len(), 2);

    let listing = folder.path().join("hip_films.csv");
    fs::write(
        &listing,
        "image_id,presumed_patient,label,sideways\nIMG0000002.jpg,P02,no_hip_fracture,1\nIMG0000003.jpg,,no_hip_fracture,0\n\
         IMG0009999.jpg,,hip_fracture,0\n",
    )
    .unwrap();
    let listed = FracAtlasOptions { films: Films::Listed(listing.clone()), files: Files::Reference, block_length: 10 };
    let (dataset, report) = fracatlas(&from, &folder.path().join("listed"), &listed).unwrap();
    assert_eq!(Dataset::load(&dataset.folder).unwrap(), dataset);
    assert_eq!(dataset.films[0].patient, "presumed-P02");
    assert_eq!(dataset.films[1].patient, "presumed-block-0000001");
    assert_eq!((dataset.films[0].label, dataset.films[0].quality.as_str()), (Label::Absent, "sideways"));
    assert!(dataset.truth.is_empty(), "a film that the listing calls normal has no fracture box");
    assert!(Path::new(&dataset.films[0].path).is_absolute());
    assert!(report.notes.iter().any(|note| note.starts_with("IMG0009999.jpg: in the listing")), "{:?}", report.notes);

    fs::write(&listing, "image_id,label\nIMG0000002.jpg,perhaps\n").unwrap();
    let error = fracatlas(&from, &folder.path().join("bad"), &listed).unwrap_err().to_string();
    assert!(error.contains("hip_films.csv, line 2, column `label`: `perhaps` is not a label"), "{error}");
    assert!(!folder.path().join("bad").exists());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("partial")), "{left:?}");
}

#[test]
fn mura_by_its_paths() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("MURA-v1.1");
    for (i, path) in [
        "train/XR_WRIST/patient00001/study1_positive/image1.png",
        "train/XR_WRIST/patient00001/study2_negative/image1.png",
        "valid/XR_ELBOW/patient00002/study1_negative/image1.png",
        "valid/stray.png",
        "train/XR_WRIST/patient00001/study1_positive/._image1.png",
    ]
    .into_iter()
    .enumerate()
    {
        write(&from.join(path), &jpeg(10, 10, i as u8));
    }
    let to = folder.path().join("set");
    let (dataset, report) = mura(&from, &to, Files::Copy).unwrap();
    assert_eq!(Dataset::load(&to).unwrap(), dataset);
    let rows: Vec<(&str, &str, Label)> =
        dataset.films.iter().map(|film| (film.patient.as_str(), film.body_part.as_str(), film.label)).collect();
    assert_eq!(
        rows,
        [
            ("patient00001", "wrist", Label::Present),
            ("patient00001", "wrist", Label::Absent),
            ("patient00002", "elbow", Label::Absent)
        ]
    );
    assert_eq!((report.imported, report.refused.len()), (3, 1));
    assert!(report.flow.adds_up());
    assert!(matches!(
        mura(&from.join("valid/XR_ELBOW/patient00002"), &folder.path().join("none"), Files::Copy),
        Err(CohortError::Layout { .. })
    ));
}

#[test]
fn folders_of_classes() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("limbs");
    for (i, path) in ["Ankle/P1/1.jpg", "Ankle/P1/2.jpg", "Wrist/P2/a b.jpg", "Wrist/P2/a-b.jpg", "Wrist/loose.jpg"]
        .into_iter()
        .enumerate()
    {
        write(&from.join(path), &jpeg(10, 10, i as u8));
    }
    let (dataset, report) = folders(&from, &folder.path().join("set"), FolderOptions::default()).unwrap();
    assert_eq!(Dataset::load(&dataset.folder).unwrap(), dataset);
    let patients: Vec<&str> = dataset.films.iter().map(|film| film.patient.as_str()).collect();
    assert_eq!(patients, ["P1", "P1", "P2", "P2", ""]);
    assert_eq!(report.notes.len(), 1);
    assert!(dataset.films.iter().all(|film| film.label == Label::Unknown));
    assert!(report.flow.adds_up());

    let labels = FolderOptions {
        folders: Folders::Labels,
        patients: PatientSource::Prefix('_'),
        files: Files::Copy,
        look: no_look,
    };
    let error = folders(&from, &folder.path().join("no"), labels).unwrap_err().to_string();
    assert!(error.contains("the folder's name is not a label"), "{error}");
    let from = folder.path().join("pelves");
    write(&from.join("fractured/P17_2.jpg"), &jpeg(10, 10, 7));
    write(&from.join("normal/P18_1.jpg"), &jpeg(10, 10, 8));
    let (dataset, _) = folders(&from, &folder.path().join("yes"), labels).unwrap();
    let rows: Vec<(&str, Label)> = dataset.films.iter().map(|film| (film.patient.as_str(), film.label)).collect();
    assert_eq!(rows, [("P17", Label::Present), ("P18", Label::Absent)]);
}

#[test]
fn what_a_look_refuses_is_not_taken_and_what_it_sees_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("pelves");
    for (name, content) in [("a", 1), ("b", 2), ("c", 3)] {
        write(&from.join(format!("normal/P1_{name}.jpg")), &jpeg(10, 10, content));
    }
    let look = |bytes: &[u8]| match bytes {
        _ if bytes == jpeg(10, 10, 1) => Err("broken".to_owned()),
        _ if bytes == jpeg(10, 10, 2) => Ok(Seen::Patient),
        _ => Ok(Seen::Nothing),
    };
    let options =
        FolderOptions { folders: Folders::Labels, patients: PatientSource::Prefix('_'), look, ..Default::default() };
    let (dataset, report) = folders(&from, &folder.path().join("set"), options).unwrap();
    assert_eq!((dataset.films.len(), report.refused[0].reason.as_str()), (2, "broken"));
    assert!(report.notes[0].starts_with("1 of the files holds its patient's name"), "{:?}", report.notes);
}

#[test]
fn what_a_killed_import_left_is_cleared_by_the_next_one_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("pelves");
    write(&from.join("normal/P1_1.jpg"), &jpeg(10, 10, 1));
    let at = |name: &str| folder.path().join(name);
    write(&at(".set.11-0.partial/.lock"), b"");
    write(&at(".set.11-0.partial/images/x.jpg"), b"x");
    // Held by an import that is running.
    write(&at(".set.12-0.partial/.lock"), b"");
    let running = fs::File::open(at(".set.12-0.partial/.lock")).unwrap();
    running.lock().unwrap();
    write(&at(".set.mine.partial/.lock"), b"");
    write(&at(".other.11.partial/.lock"), b"");
    let options =
        FolderOptions { folders: Folders::Labels, patients: PatientSource::Prefix('_'), ..Default::default() };
    folders(&from, &at("set"), options).unwrap();
    assert!(!at(".set.11-0.partial").exists() && !at("set/.lock").exists());
    for kept in [".set.12-0.partial", ".set.mine.partial", ".other.11.partial"] {
        assert!(at(kept).exists(), "{kept}");
    }
}

#[test]
fn films_are_known_by_their_first_bytes_and_what_is_left_out_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("set");
    let dicom = |tag: u8| [&[0; 128][..], b"DICM", &[tag]].concat();
    write(&from.join("1/P1/1.2.840.113619.2.7"), &dicom(1));
    write(&from.join("1/P1/1.2.840.113619.2.8"), &dicom(2));
    write(&from.join("0/P2/IM000001"), &dicom(3));
    write(&from.join("0/P3/a.dcm"), &dicom(4));
    write(&from.join("0/P3/notes.txt"), b"Dear colleague");
    let options = FolderOptions { folders: Folders::Labels, ..FolderOptions::default() };
    let (dataset, report) = folders(&from, &folder.path().join("out"), options).unwrap();
    let ids: Vec<&str> = dataset.films.iter().map(|film| film.image_id.as_str()).collect();
    assert_eq!(ids, ["0-P2-IM000001", "0-P3-a", "1-P1-1.2.840.113619.2.7", "1-P1-1.2.840.113619.2.8"]);
    assert!(report.notes.iter().any(|note| note.contains("notes.txt")), "{:?}", report.notes);
}

#[cfg(unix)]
#[test]
fn links_to_folders_above_are_followed_once() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("set");
    for (class, patient, tag) in [("1", "P1", 1), ("0", "P2", 2)] {
        write(&from.join(class).join(patient).join("a.jpg"), &jpeg(30, 20, tag));
        for up in ["up", "top"] {
            symlink(from.join(class), from.join(class).join(patient).join(up)).unwrap();
        }
    }
    let options = FolderOptions { folders: Folders::Labels, ..FolderOptions::default() };
    let (dataset, report) = folders(&from, &folder.path().join("out"), options).unwrap();
    assert_eq!(dataset.films.len(), 2);
    assert!(report.refused.is_empty(), "{:?}", report.refused);
    assert_eq!(report.flow.steps[0].n, 2);
    assert!(report.notes.iter().any(|note| note.contains("searched already")), "{:?}", report.notes);
}
