//! Bones from a folder: errors that name file and line, and films that show them.

use std::fs;

use coxa_simulate::Domain;
use coxa_simulate::bones::{BoneSurfaces, read_surface};
use coxa_simulate::datasets::{DatasetSpec, FilmFormat, FilmSet, write};
use coxa_simulate::geometry::mesh::Mesh;

/// A cube of 40 mm around the origin.
fn cube() -> String {
    let mut text = String::new();
    for i in 0..8 {
        let side = |bit: i32| if i >> bit & 1 == 1 { 20 } else { -20 };
        text.push_str(&format!("v {} {} {}\n", side(0), side(1), side(2)));
    }
    text + "f 1 5 7 3\nf 2 4 8 6\nf 1 2 6 5\nf 3 7 8 4\nf 1 3 4 2\nf 5 6 8 7\n"
}

#[test]
fn a_folder_without_bones_and_a_broken_bone_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "nothing").unwrap();
    fs::write(folder.path().join("skull.obj"), "not read, as no skull is drawn").unwrap();
    assert!(BoneSurfaces::load(folder.path()).unwrap_err().to_string().contains("no bone surface"));
    fs::write(folder.path().join("talus.obj"), cube().replace("v 20 20 20", "v 20 x 20")).unwrap();
    let message = BoneSurfaces::load(folder.path()).unwrap_err().to_string();
    assert!(message.contains("talus.obj, line 8: `x`"), "{message}");
}

#[test]
fn a_bone_from_a_folder_changes_its_films_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let bones = folder.path().join("bones");
    fs::create_dir(&bones).unwrap();
    fs::write(bones.join("talus.obj"), cube()).unwrap();
    let anatomy = BoneSurfaces::load(&bones).unwrap();
    assert_eq!(anatomy.names().collect::<Vec<_>>(), ["talus"]);
    assert!((anatomy.surface("talus").unwrap().volume() - 64_000.0).abs() < 1.0);
    let spec = DatasetSpec {
        what: FilmSet::Limbs,
        n: 10,
        size: 96,
        format: FilmFormat::Png,
        anatomy: Some(bones),
        ..DatasetSpec::default()
    };
    let own = write(&folder.path().join("own"), &spec, &|_| {}).unwrap();
    let built_in = write(&folder.path().join("built in"), &DatasetSpec { anatomy: None, ..spec }, &|_| {}).unwrap();
    for (a, b) in own.films.iter().zip(&built_in.films) {
        let has_talus = ["ankle", "foot"].contains(&a.body_part.as_str());
        assert_eq!(a.sha256 != b.sha256, has_talus, "{}", a.body_part);
    }
}

#[test]
fn opensims_bones_are_closed_and_of_plausible_volume() {
    let Some(folder) = coxa_testing::data("anatomy") else { return };
    let volume = |name: &str| read_surface(&folder.join(name)).unwrap().volume() / 1000.0;
    // Milliliters.
    for (name, low, high) in [
        ("femur_r.vtp", 300.0, 900.0),
        ("tibia_l.vtp", 200.0, 600.0),
        ("arm_r_lunate.vtp", 0.8, 4.0),
        ("talus.vtp", 15.0, 50.0),
        ("pelvis.vtp", 100.0, 700.0),
    ] {
        let v = volume(name);
        assert!((low..high).contains(&v), "{name}: {v} ml");
    }
    let anatomy = BoneSurfaces::load(&folder).unwrap();
    assert!(anatomy.names().count() >= 40);
    let [left, right, sacrum] = anatomy.pelvis();
    let (left, right, sacrum) = (left.unwrap(), right.unwrap(), sacrum.unwrap());
    let mean_x = |m: &Mesh| m.vertices.iter().map(|p| p.x).sum::<f32>() / m.vertices.len() as f32;
    assert!(mean_x(&left) > 30.0 && mean_x(&right) < -30.0 && mean_x(&sacrum).abs() < 5.0);
}

#[test]
fn surfaces_of_no_known_bone_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["talus.obj", "skull.obj", "readme.txt"] {
        fs::write(folder.path().join(name), cube()).unwrap();
    }
    assert_eq!(BoneSurfaces::skipped(folder.path()).unwrap(), ["skull.obj"]);
}

#[test]
fn a_sacrum_from_a_folder_leaves_the_lumbar_spine_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let bones = folder.path().join("bones");
    fs::create_dir(&bones).unwrap();
    fs::write(bones.join("sacrum.obj"), cube()).unwrap();
    let spec = DatasetSpec {
        n: 4,
        size: 128,
        format: FilmFormat::Png,
        domain: Domain::PLAIN,
        anatomy: Some(bones),
        ..DatasetSpec::default()
    };
    let own = write(&folder.path().join("own"), &spec, &|_| {}).unwrap();
    let built_in = write(&folder.path().join("built in"), &DatasetSpec { anatomy: None, ..spec }, &|_| {}).unwrap();
    for (a, b) in own.films.iter().zip(&built_in.films) {
        let [a, b] = [own.image_path(a), built_in.image_path(b)].map(|path| coxa_imaging::read(&path).unwrap());
        let width = a.width();
        // The upper tenth of a film, in the middle, shows the spine alone.
        let apart: Vec<f32> = (0..a.height() / 10)
            .flat_map(|y| (2 * width / 5..3 * width / 5).map(move |x| y * width + x))
            .map(|i| (a.pixels()[i] - b.pixels()[i]).abs())
            .collect();
        let mean = apart.iter().sum::<f32>() / apart.len() as f32;
        assert!(mean < 4.0, "{mean}");
        assert_ne!(a.sha256(), b.sha256());
    }
}
