//! A simulated hospital: a trauma registry and its films, to try the collection of a cohort on.
//!
//! Age, sex, injury severity and kinds of fracture of the injuries that a collection should end with follow Table 1 of Cheng et al.
//! (European Radiology 2019): with hip fracture 1975, age 72.34 ± 16.73, 42.0 % male, ISS 9.96 ± 4.21, 47.1 % neck and 52.9 %
//! trochanteric; without 1630, 44.88 ± 20.46, 68.2 % male, 14.01 ± 9.29. Among them are rows that a collection must leave out: not
//! admitted, no film or a film of another day or view, defects, femoral shaft and pelvic fractures.
//!
//! The folder gets `registry.csv`, `films.csv` and `images/`, as [`coxa_cohort::registry`] reads them.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use coxa_cohort::{FractureType, Sex, Side, disk};
use rand::RngExt;
use rand_distr::{Beta, Distribution};
use rayon::prelude::*;

use crate::dataset::{Format, encoded, extension, locked, write_whole};
use crate::error::SimulateError;
use crate::film::pelvis;
use crate::random::{FilmRng, Stream, chance, choose, stream, uniform};
use crate::randomise::Patient;
use crate::types::{Domain, FilmKind, FilmOptions, SimulatedFilm};

/// The registry's columns.
pub const REGISTRY_COLUMNS: [&str; 8] =
    ["patient", "injury_date", "age", "sex", "iss", "diagnosis", "admitted", "procedures"];
/// The columns of the table of films.
pub const FILM_COLUMNS: [&str; 10] =
    ["patient", "film_date", "view", "path", "quality", "source", "box_x", "box_y", "box_width", "box_height"];

/// What the table of films says of where they are from.
const SOURCE: &str = "simulated";

/// What hospital to make up.
#[derive(Clone, Debug, PartialEq)]
pub struct HospitalSpec {
    /// Injuries in the registry, 1 to 1,000,000.
    pub n: usize,
    /// Everything follows from it.
    pub seed: u64,
    /// Longest side of the films in pixels, 64 to 4096.
    pub size: usize,
    /// The films' format.
    pub format: Format,
    /// How much the films vary.
    pub domain: Domain,
}

impl Default for HospitalSpec {
    fn default() -> Self {
        Self { n: 500, seed: 1, size: 512, format: Format::Dicom, domain: Domain::default() }
    }
}

/// A day between 2008-08-01 and 2017-12-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    const FIRST: i64 = 14_092;
    const LAST: i64 = 17_531;

    /// Year, month and day (Hinnant's `civil_from_days`).
    #[must_use]
    pub fn ymd(self) -> (i64, i64, i64) {
        let z = self.0 + 719_468;
        let era = z.div_euclid(146_097);
        let day = z.rem_euclid(146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let date = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (year + era * 400 + i64::from(month <= 2), month, date)
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (y, m, d) = self.ymd();
        write!(f, "{y:04}-{m:02}-{d:02}")
    }
}

/// Why a collection should leave an injury out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// None: it belongs into the cohort.
    None,
    /// The patient was not admitted.
    NotAdmitted,
    /// No film at all.
    NoFilm,
    /// The frontal film is of another day.
    OtherDay,
    /// Only a lateral film of the hip.
    OtherView,
    /// The film has a defect.
    Defect(&'static str),
    /// A fracture of the femoral shaft or the pelvis.
    OtherFracture,
    /// A code that names a hip fracture of unspecified kind: the film stays in, its label is to be reviewed.
    Questionable,
}

/// A row of the registry, with what is to be drawn for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Injury {
    /// Made-up patient.
    pub patient: String,
    /// Day of the injury.
    pub day: Day,
    /// Age in years.
    pub age: u32,
    /// Sex.
    pub sex: Sex,
    /// Injury severity score.
    pub iss: u32,
    /// Hip fracture.
    pub fracture: Option<FractureType>,
    /// ICD-9-CM codes before 2016, ICD-10-CM codes from then on, separated by semicolons.
    pub diagnosis: String,
    /// Whether the patient was admitted.
    pub admitted: bool,
    /// Operations.
    pub procedures: String,
    /// Why it is to be left out.
    pub flaw: Flaw,
    /// Index of the simulated film, chosen so that the film's patient has this age and sex.
    index: u64,
    side: Side,
}

/// Draws the registry, without films.
#[must_use]
pub fn injuries(spec: &HospitalSpec) -> Vec<Injury> {
    (0..spec.n).into_par_iter().map(|i| injury(spec, i as u64)).collect()
}

/// Writes registry, table of films and films; `progress` is called with the number of injuries done. Films are written under
/// temporary names and renamed, the tables last; a folder that has a registry is refused.
///
/// # Errors
/// [`SimulateError`]: a setting out of range, a folder in use, the disk.
pub fn write(
    folder: &Path,
    spec: &HospitalSpec,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Injury>, SimulateError> {
    if !(1..=1_000_000).contains(&spec.n) || !(64..=4096).contains(&spec.size) {
        return Err(SimulateError::Setting {
            setting: "the hospital",
            value: format!("{} injuries with films of {} pixels", spec.n, spec.size),
            expected: "1 to 1,000,000 injuries, 64 to 4096 pixels",
        });
    }
    if folder.join("registry.csv").exists() {
        let reason = "there is a registry already".to_owned();
        return Err(SimulateError::Occupied { folder: folder.to_owned(), reason });
    }
    let images = folder.join("images");
    let taken =
        fs::read_dir(folder).is_ok_and(|entries| entries.filter_map(Result::ok).any(|entry| entry.path() != images));
    if taken {
        let reason = "the folder is not empty".to_owned();
        return Err(SimulateError::Occupied { folder: folder.to_owned(), reason });
    }
    fs::create_dir_all(&images).map_err(SimulateError::io(&images))?;
    let lock = images.join(".writing");
    let _alone = locked(&lock, folder)?;
    disk::sweep(&images);
    let done = AtomicUsize::new(0);
    let rows = injuries(spec);
    let films = rows
        .par_iter()
        .enumerate()
        .map(|(i, row)| {
            let films = films_of(folder, spec, i, row)?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(films)
        })
        .collect::<Result<Vec<_>, SimulateError>>()?;
    let table: Vec<[String; 10]> = films.into_iter().flatten().collect();
    write_whole(&folder.join("films.csv"), csv(&FILM_COLUMNS, &table).as_bytes())?;
    let registry: Vec<[String; 8]> = rows.iter().map(registry_row).collect();
    write_whole(&folder.join("registry.csv"), csv(&REGISTRY_COLUMNS, &registry).as_bytes())?;
    fs::remove_file(&lock).map_err(SimulateError::io(&lock))?;
    Ok(rows)
}

fn registry_row(row: &Injury) -> [String; 8] {
    [
        row.patient.clone(),
        row.day.to_string(),
        row.age.to_string(),
        row.sex.to_string(),
        row.iss.to_string(),
        row.diagnosis.clone(),
        u8::from(row.admitted).to_string(),
        row.procedures.clone(),
    ]
}

/// Rows as CSV; no field holds a comma, a quote or a line break.
fn csv<const N: usize>(header: &[&str; N], rows: &[[String; N]]) -> String {
    let mut text = header.join(",");
    for row in rows {
        text.push('\n');
        text.push_str(&row.join(","));
    }
    text.push('\n');
    text
}

/// Makes the films of an injury and returns their rows.
fn films_of(folder: &Path, spec: &HospitalSpec, i: usize, row: &Injury) -> Result<Vec<[String; 10]>, SimulateError> {
    let mut rows = Vec::new();
    if row.flaw == Flaw::NoFilm {
        return Ok(rows);
    }
    let kind = match row.fracture {
        Some(FractureType::FemoralNeck) => FilmKind::FemoralNeck,
        Some(FractureType::Trochanteric) => FilmKind::Trochanteric,
        _ => FilmKind::Normal,
    };
    let domain = Domain {
        close_up: 0.0,
        clutter: if row.flaw == Flaw::Defect("foreign body") { 1.0 } else { spec.domain.clutter },
        ..spec.domain
    };
    let mut film = pelvis(spec.seed, row.index, &FilmOptions { size: spec.size, kind, domain });
    if let Flaw::Defect(note) = row.flaw {
        spoil(&mut film, note);
    }
    // The film's own patient is only near the registry's: the file says what the registry says.
    film.truth.age = row.age as f32;
    film.truth.sex = row.sex;
    let path = format!("images/P{i:06}.{}", extension(spec.format));
    let name = format!("coxa-simulate hospital {spec:?} {i}");
    let day = if row.flaw == Flaw::OtherDay { Day(row.day.0 + 1 + i as i64 % 9) } else { row.day };
    let study_date = day.to_string().replace('-', "");
    write_whole(&folder.join(&path), &encoded(&film, spec.format, &row.patient, &name, &study_date)?)?;
    let view = if row.flaw == Flaw::OtherView { "lateral hip" } else { "AP pelvis" };
    let quality = match row.flaw {
        Flaw::Defect(note) => note,
        _ => "",
    };
    let fracture_box = film.truth.fracture.map(|fracture| fracture.bbox.map(|side| format!("{side:.1}")));
    let [x, y, width, height] = fracture_box.unwrap_or_default();
    let texts = [view, path.as_str(), quality, SOURCE].map(str::to_owned);
    let [view, path, quality, source] = texts;
    rows.push([row.patient.clone(), day.to_string(), view, path, quality, source, x, y, width, height]);
    Ok(rows)
}

/// Makes the defect visible.
fn spoil(film: &mut SimulatedFilm, note: &str) {
    match note {
        "poor contrast" => {
            let middle = 1_u32 << (film.bits_stored - 1);
            for p in &mut film.pixels {
                *p = (middle + (u32::from(*p)) / 8) as u16;
            }
        }
        "positioning error" => {
            // The patient lies half off the cassette.
            let (w, shift) = (film.width, film.width * 2 / 5);
            let open = if film.monochrome1 { ((1_u32 << film.bits_stored) - 1) as u16 } else { 0 };
            for line in film.pixels.chunks_mut(w) {
                line.copy_within(..w - shift, shift);
                line[..shift].fill(open);
            }
            film.truth.fracture = film.truth.fracture.and_then(|mut fracture| {
                let [x, _, width, _] = &mut fracture.bbox;
                *x += shift as f32;
                *width = width.min(w as f32 - *x);
                (*width >= 1.0).then_some(fracture)
            });
        }
        _ => {}
    }
}

/// A whole-number age from a beta distribution over `low..high` with this mean and standard deviation.
fn age(rng: &mut FilmRng, low: f64, high: f64, mean: f64, sd: f64) -> u32 {
    let m = (mean - low) / (high - low);
    let k = m * (1.0 - m) * (high - low).powi(2) / (sd * sd) - 1.0;
    let beta = Beta::new(m * k, (1.0 - m) * k).expect("moments of Table 1 lie within the range");
    (low + (high - low) * beta.sample(rng)).round() as u32
}

/// Injury severity scores of isolated hip fractures (9 by definition) with some other injuries: 9.97 ± 4.26.
const ISS_WITH: [(u32, f32); 11] = [
    (4, 0.026),
    (9, 0.867),
    (10, 0.03),
    (13, 0.01),
    (17, 0.012),
    (18, 0.011),
    (22, 0.012),
    (25, 0.01),
    (29, 0.008),
    (34, 0.012),
    (38, 0.002),
];

/// Injury severity scores of admitted trauma patients without a hip fracture: 14.01 ± 9.29.
const ISS_WITHOUT: [(u32, f32); 30] = [
    (1, 0.0247),
    (2, 0.0252),
    (4, 0.1041),
    (5, 0.0632),
    (6, 0.0266),
    (8, 0.0269),
    (9, 0.1614),
    (10, 0.0538),
    (12, 0.0266),
    (13, 0.0528),
    (14, 0.0261),
    (16, 0.0506),
    (17, 0.0596),
    (18, 0.0243),
    (19, 0.0237),
    (20, 0.0231),
    (21, 0.0224),
    (22, 0.0347),
    (24, 0.0202),
    (25, 0.0389),
    (26, 0.0186),
    (27, 0.0178),
    (29, 0.0226),
    (33, 0.0129),
    (34, 0.0121),
    (38, 0.0092),
    (41, 0.0073),
    (43, 0.0061),
    (50, 0.0031),
    (57, 0.0014),
];

fn injury(spec: &HospitalSpec, i: u64) -> Injury {
    let rng = &mut stream(spec.seed ^ 0x0C0A_0C0A, i, Stream::Class);
    let fractured = chance(rng, 1975.0 / 3605.0);
    let fracture =
        fractured.then(|| if chance(rng, 0.471) { FractureType::FemoralNeck } else { FractureType::Trochanteric });
    let (age, male, iss) = if fractured {
        (age(rng, 18.0, 103.0, 72.34, 16.73), 0.42, choose(rng, &ISS_WITH))
    } else {
        (age(rng, 14.0, 98.0, 44.88, 20.46), 0.682, choose(rng, &ISS_WITHOUT))
    };
    let sex = if chance(rng, male) { Sex::Male } else { Sex::Female };
    let day = Day(rng.random_range(Day::FIRST..=Day::LAST));
    let flaw = choose(
        rng,
        &[
            (Flaw::None, 0.75),
            (Flaw::NotAdmitted, 0.05),
            (Flaw::NoFilm, 0.03),
            (Flaw::OtherDay, 0.05),
            (Flaw::OtherView, 0.02),
            (Flaw::Defect("poor contrast"), 0.015),
            (Flaw::Defect("positioning error"), 0.02),
            (Flaw::Defect("foreign body"), 0.015),
            (Flaw::OtherFracture, 0.05),
        ],
    );
    // Some of the fractures that belong in have a code that does not say which.
    let flaw = if flaw == Flaw::None && fractured && chance(rng, 0.03) { Flaw::Questionable } else { flaw };
    let (index, side) = matching_film(spec, i, age, sex);
    let is_icd10 = day.ymd().0 >= 2016;
    let diagnosis = diagnosis(rng, fracture, side, is_icd10, flaw);
    let procedures = procedure(rng, fracture);
    Injury {
        patient: format!("H{i:06}"),
        day,
        age,
        sex,
        iss,
        fracture,
        diagnosis,
        admitted: flaw != Flaw::NotAdmitted,
        procedures: procedures.to_owned(),
        flaw,
        index,
        side,
    }
}

/// The film among a few whose patient comes nearest to this age and sex, and the side in question on it.
fn matching_film(spec: &HospitalSpec, i: u64, age: u32, sex: Sex) -> (u64, Side) {
    let distance = |patient: &Patient| (patient.age - age as f32).abs() + if patient.sex == sex { 0.0 } else { 25.0 };
    let mut best = (f32::MAX, 0, Side::Right);
    for index in i * 24..(i + 1) * 24 {
        let patient = Patient::draw(spec.seed, index, &Domain { close_up: 0.0, ..spec.domain });
        let d = distance(&patient);
        if d < best.0 {
            best = (d, index, patient.index_side);
        }
        if d < 4.0 {
            break;
        }
    }
    (best.1, best.2)
}

fn pick(rng: &mut FilmRng, codes: &[&'static str]) -> &'static str {
    codes[rng.random_range(0..codes.len())]
}

/// Codes of the fracture, of another fracture where that is the flaw, and of other injuries.
fn diagnosis(rng: &mut FilmRng, fracture: Option<FractureType>, side: Side, is_icd10: bool, flaw: Flaw) -> String {
    let mut codes: Vec<String> = Vec::new();
    let moved = chance(rng, 0.7);
    if let Some(kind) = fracture {
        codes.push(if flaw == Flaw::Questionable {
            match (is_icd10, side) {
                (false, _) => "820.8".to_owned(),
                (true, Side::Left) => "S72.002A".to_owned(),
                (true, _) => "S72.001A".to_owned(),
            }
        } else if is_icd10 {
            // Displaced right, displaced left, nondisplaced right, nondisplaced left: 1, 2, 4, 5.
            let which = 1 + u8::from(side == Side::Left) + if moved { 0 } else { 3 };
            let stem = match kind {
                FractureType::FemoralNeck => pick(rng, &["S72.03", "S72.04"]),
                _ => pick(rng, &["S72.14", "S72.14", "S72.14", "S72.11", "S72.2"]),
            };
            match stem {
                "S72.2" => format!("S72.2{which}XA"),
                _ => format!("{stem}{which}A"),
            }
        } else {
            match kind {
                FractureType::FemoralNeck => pick(rng, &["820.00", "820.02", "820.03", "820.09", "820.01"]),
                _ => pick(rng, &["820.21", "820.21", "820.21", "820.20", "820.22"]),
            }
            .to_owned()
        });
    }
    if flaw == Flaw::OtherFracture {
        let other = if is_icd10 {
            ["S72.301A", "S72.322A", "S32.810A", "S32.591A", "S32.401A"]
        } else {
            ["821.01", "821.01", "808.2", "808.0", "808.43"]
        };
        codes.push(pick(rng, &other).to_owned());
    }
    let more = if fracture.is_some() { chance(rng, 0.25) } else { true };
    if more {
        let unrelated = if is_icd10 {
            ["S06.0X0A", "S22.41XA", "S82.201A", "S42.021A", "S01.01XA", "S52.501A", "S27.0XXA", "S36.032A"]
        } else {
            ["850.0", "807.03", "823.22", "810.02", "873.0", "813.42", "860.0", "865.03"]
        };
        for _ in 0..1 + usize::from(chance(rng, 0.4)) {
            let code = pick(rng, &unrelated).to_owned();
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
    }
    codes.join("; ")
}

fn procedure(rng: &mut FilmRng, fracture: Option<FractureType>) -> &'static str {
    match fracture {
        Some(FractureType::FemoralNeck) => choose(
            rng,
            &[("hemiarthroplasty", 0.5), ("cannulated screws", 0.3), ("total hip replacement", 0.15), ("", 0.05)],
        ),
        Some(_) => choose(rng, &[("dynamic hip screw", 0.5), ("cephalomedullary nail", 0.45), ("", 0.05)]),
        None => {
            let other = uniform(rng, 0.0, 1.0);
            if other < 0.6 { "" } else { pick(rng, &["wound repair", "open reduction", "chest tube", "splenectomy"]) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_moves_with_its_film() {
        let options = FilmOptions { size: 64, kind: FilmKind::FemoralNeck, ..FilmOptions::default() };
        let film = pelvis(1, 0, &options);
        let (w, shift) = (film.width as f32, (film.width * 2 / 5) as f32);
        for (x, moved) in [
            (3.0, Some([3.0 + shift, 5.0, 9.0, 8.0])),
            (w - shift - 4.0, Some([w - 4.0, 5.0, 4.0, 8.0])),
            (w - shift - 0.5, None),
            (w - 9.0, None),
        ] {
            let mut spoiled = film.clone();
            spoiled.truth.fracture.as_mut().unwrap().bbox = [x, 5.0, 9.0, 8.0];
            spoil(&mut spoiled, "positioning error");
            assert_eq!(spoiled.truth.fracture.map(|fracture| fracture.bbox), moved, "{x}");
            if let Some([moved, y, ..]) = moved {
                let line = y as usize * film.width;
                assert_eq!(spoiled.pixels[line + moved as usize], film.pixels[line + x as usize]);
            }
        }
    }

    #[test]
    fn days_are_civil_dates() {
        assert_eq!(Day(Day::FIRST).to_string(), "2008-08-01");
        assert_eq!(Day(Day::LAST).to_string(), "2017-12-31");
        assert_eq!(Day(14_669).to_string(), "2010-03-01");
    }

    #[test]
    fn severity_scores_have_the_moments_of_table_1() {
        let moments = |table: &[(u32, f32)]| {
            let sum: f32 = table.iter().map(|t| t.1).sum();
            let mean: f32 = table.iter().map(|t| t.0 as f32 * t.1).sum::<f32>() / sum;
            let variance: f32 = table.iter().map(|t| (t.0 as f32 - mean).powi(2) * t.1).sum::<f32>() / sum;
            (mean, variance.sqrt())
        };
        let (mean, sd) = moments(&ISS_WITH);
        assert!((mean - 9.96).abs() < 0.1 && (sd - 4.21).abs() < 0.15, "{mean} ± {sd}");
        let (mean, sd) = moments(&ISS_WITHOUT);
        assert!((mean - 14.01).abs() < 0.1 && (sd - 9.29).abs() < 0.1, "{mean} ± {sd}");
    }
}
