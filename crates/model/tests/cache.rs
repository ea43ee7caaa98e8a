//! The cache of prepared films: right pixels, resumed work, damage found.

use std::fs;
use std::path::PathBuf;

use coxa_cohort::{Dataset, Sample, Target, samples};
use coxa_imaging::{Fit, preprocess};
use coxa_model::train::cache::{Built, FilmCache};

use crate::films::write_dataset;

struct Made {
    _temporary: tempfile::TempDir,
    samples: Vec<Sample>,
    folder: PathBuf,
}

fn made(n: usize) -> Made {
    let temporary = tempfile::tempdir().unwrap();
    write_dataset(&temporary.path().join("data"), n, 48);
    let dataset = Dataset::load(&temporary.path().join("data")).unwrap();
    let (samples, _) = samples(&dataset, &Target::Fracture).unwrap();
    Made { folder: temporary.path().join("cache"), _temporary: temporary, samples }
}

fn whole(built: Built) -> FilmCache {
    match built {
        Built::Whole(cache) => cache,
        other => panic!("not whole: {other:?}"),
    }
}

fn file_ending(made: &Made, ending: &str) -> PathBuf {
    let mut found = fs::read_dir(&made.folder).unwrap().map(|entry| entry.unwrap().path());
    found.find(|path| path.to_string_lossy().ends_with(ending)).unwrap()
}

#[test]
fn films_come_back_as_they_were_prepared() {
    let made = made(5);
    let cache = whole(FilmCache::build(&made.folder, &made.samples, 32, Fit::Letterbox, |_, _| true).unwrap());
    assert_eq!(cache.len(), 5);
    let mut pixels = vec![0; 32 * 32];
    for slot in [3, 0, 4, 1, 2] {
        cache.read(slot, &mut pixels).unwrap();
        let film = coxa_imaging::read(&made.samples[slot].image).unwrap();
        assert_eq!(pixels, preprocess(&film, 32, Fit::Letterbox).pixels);
        assert_eq!(cache.entries()[slot].sha256, film.sha256());
    }
}

#[test]
fn building_goes_on_where_it_was_broken_off() {
    let made = made(70);
    let build = |calls: &mut Vec<usize>, stop_at: usize| {
        FilmCache::build(&made.folder, &made.samples, 32, Fit::Letterbox, |done, _| {
            calls.push(done);
            done < stop_at
        })
        .unwrap()
    };
    let mut calls = Vec::new();
    assert!(matches!(build(&mut calls, 32), Built::Stopped));
    assert_eq!(calls, [0, 32]);
    // As after a crash in the middle of a line.
    let index = file_ending(&made, ".jsonl");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, &text[..text.len() - 20]).unwrap();
    let mut calls = Vec::new();
    let cache = whole(build(&mut calls, 1000));
    assert_eq!(calls, [31, 63, 70]);
    let mut calls = Vec::new();
    whole(build(&mut calls, 1000));
    assert_eq!(calls, [70]);
    let mut pixels = vec![0; 32 * 32];
    (0..70).for_each(|slot| cache.read(slot, &mut pixels).unwrap());
}

#[test]
fn changed_films_and_settings_get_another_cache() {
    let made = made(2);
    let build = |size, fit| whole(FilmCache::build(&made.folder, &made.samples, size, fit, |_, _| true).unwrap());
    build(32, Fit::Letterbox);
    build(64, Fit::Letterbox);
    build(32, Fit::Stretch);
    let n_caches = || fs::read_dir(&made.folder).unwrap().count() / 2;
    assert_eq!(n_caches(), 3);
    coxa_imaging::encode::png_gray8(&made.samples[0].image, 50, 50, &[9; 2500]).unwrap();
    let cache = build(32, Fit::Letterbox);
    assert_eq!(n_caches(), 4);
    let mut pixels = vec![0; 32 * 32];
    cache.read(0, &mut pixels).unwrap();
    assert_eq!(pixels, [9; 32 * 32]);
}

#[test]
fn unreadable_films_are_named_and_the_others_kept() {
    let made = made(3);
    fs::write(&made.samples[1].image, b"not an image").unwrap();
    match FilmCache::build(&made.folder, &made.samples, 32, Fit::Letterbox, |_, _| true).unwrap() {
        Built::Unreadable(films) => {
            assert_eq!(films.iter().map(|film| film.image_id.as_str()).collect::<Vec<_>>(), ["001"]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn damaged_pixels_are_found() {
    let made = made(2);
    let cache = whole(FilmCache::build(&made.folder, &made.samples, 32, Fit::Letterbox, |_, _| true).unwrap());
    let path = file_ending(&made, ".u8");
    let mut bytes = fs::read(&path).unwrap();
    bytes[32 * 32 + 5] ^= 4;
    fs::write(&path, bytes).unwrap();
    let mut pixels = vec![0; 32 * 32];
    cache.read(0, &mut pixels).unwrap();
    assert!(cache.read(1, &mut pixels).unwrap_err().to_string().contains("film 001"));
}
