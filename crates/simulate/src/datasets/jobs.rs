//! Which films a dataset gets: classes in exact numbers, in an order that the seed decides.

use coxa_schema::BodyPart;
use rand::seq::SliceRandom;

use super::spec::{DatasetSpec, FilmSet, FilmsPerPatient};
use crate::bones::BoneSurfaces;
use crate::error::SimulateError;
use crate::film::options::{Domain, FilmKind, FilmOptions};
use crate::film::truth::SimulatedFilm;
use crate::limbs::{self, LimbBones, limb_with};
use crate::random::{Stream, stream};

/// The subject of a film.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Subject {
    Pelvis(FilmKind),
    Limb(BodyPart),
}

/// One film to make, of the patient of this number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Job {
    pub subject: Subject,
    pub patient: usize,
}

/// Bones of a folder in place of the built-in ones, as the films of a set use them.
pub(super) enum OwnBones {
    Hips(BoneSurfaces),
    Limbs(LimbBones),
}

impl OwnBones {
    /// Reads the surfaces of `spec.anatomy`, if it names a folder.
    pub(super) fn load(spec: &DatasetSpec) -> Result<Option<Self>, SimulateError> {
        let Some(folder) = &spec.anatomy else { return Ok(None) };
        let surfaces = BoneSurfaces::load(folder)?;
        Ok(Some(match spec.what {
            FilmSet::Pelvis => Self::Hips(surfaces),
            FilmSet::Limbs => Self::Limbs(LimbBones::new(&surfaces)),
        }))
    }
}

impl Job {
    /// Makes the film.
    pub(super) fn draw(&self, spec: &DatasetSpec, own: Option<&OwnBones>) -> SimulatedFilm {
        let options = FilmOptions { size: spec.size, domain: spec.domain, ..FilmOptions::default() };
        let index = self.patient as u64;
        match &self.subject {
            Subject::Pelvis(kind) => {
                let surfaces = match own {
                    Some(OwnBones::Hips(surfaces)) => Some(surfaces),
                    _ => None,
                };
                let options = FilmOptions { kind: *kind, ..options };
                crate::body::film::pelvis_with(spec.seed, index, &options, surfaces)
            }
            Subject::Limb(part) => {
                let bones = match own {
                    Some(OwnBones::Limbs(bones)) => Some(bones),
                    _ => None,
                };
                limb_with(spec.seed, index, part, &options, bones)
            }
        }
    }
}

/// The films to make, in the order of their ids.
///
/// # Errors
/// [`SimulateError::Setting`] where a setting is out of range.
pub(super) fn jobs(spec: &DatasetSpec) -> Result<Vec<Job>, SimulateError> {
    check(spec)?;
    if spec.patients == FilmsPerPatient::Pairs {
        return pairs(spec);
    }
    let kinds: Vec<(Subject, f32)> = match spec.what {
        FilmSet::Pelvis => spec.proportions.kinds().map(|(kind, share)| (Subject::Pelvis(kind), share)).into(),
        FilmSet::Limbs => limbs::PARTS.into_iter().map(|part| (Subject::Limb(part), 1.0)).collect(),
    };
    let mut subjects: Vec<Subject> = counts(&kinds.iter().map(|k| k.1).collect::<Vec<_>>(), spec.n)
        .into_iter()
        .zip(&kinds)
        .flat_map(|(n, (subject, _))| std::iter::repeat_n(subject.clone(), n))
        .collect();
    subjects.shuffle(&mut stream(spec.seed, u64::MAX, Stream::Class));
    Ok(subjects.into_iter().enumerate().map(|(patient, subject)| Job { subject, patient }).collect())
}

/// [`jobs`] for patients with two films each. The films of all patients are shuffled together, so that an id, its parity and
/// the neighboring ids say nothing of the class.
fn pairs(spec: &DatasetSpec) -> Result<Vec<Job>, SimulateError> {
    let wrong = |setting, value: String, expected| Err(SimulateError::Setting { setting, value, expected });
    if spec.what != FilmSet::Pelvis || !spec.n.is_multiple_of(2) {
        return wrong("pairs", format!("{} films of {:?}", spec.n, spec.what), "an even number of pelvic films");
    }
    let [_, fractures @ ..] = spec.proportions.kinds();
    let shares = fractures.map(|(_, share)| share);
    if shares.iter().sum::<f32>() <= 0.0 {
        return wrong("the proportions", format!("{shares:?}"), "a kind of fracture, for pairs");
    }
    let mut kinds: Vec<FilmKind> = counts(&shares, spec.n / 2)
        .into_iter()
        .zip(fractures)
        .flat_map(|(n, (kind, _))| std::iter::repeat_n(kind, n))
        .collect();
    let rng = &mut stream(spec.seed, u64::MAX, Stream::Class);
    kinds.shuffle(rng);
    let mut jobs: Vec<Job> = kinds
        .into_iter()
        .enumerate()
        .flat_map(|(patient, kind)| [FilmKind::Normal, kind].map(|k| Job { subject: Subject::Pelvis(k), patient }))
        .collect();
    jobs.shuffle(rng);
    Ok(jobs)
}

/// Refuses settings out of range.
fn check(spec: &DatasetSpec) -> Result<(), SimulateError> {
    let wrong = |setting, value: String, expected| Err(SimulateError::Setting { setting, value, expected });
    if !(1..=10_000_000).contains(&spec.n) {
        return wrong("the number of films", spec.n.to_string(), "1 to 10,000,000");
    }
    if !(64..=4096).contains(&spec.size) {
        return wrong("the film's size", spec.size.to_string(), "64 to 4096 pixels");
    }
    let Domain { variation, hardware, close_up, clutter } = spec.domain;
    for (name, value) in
        [("variation", variation), ("hardware", hardware), ("close-up", close_up), ("clutter", clutter)]
    {
        if !(0.0..=1.0).contains(&value) {
            return wrong(name, value.to_string(), "0 to 1");
        }
    }
    let shares = spec.proportions.kinds().map(|(_, share)| share);
    let usable = shares.iter().all(|x| x.is_finite() && *x >= 0.0) && shares.iter().sum::<f32>() > 0.0;
    if spec.what == FilmSet::Pelvis && !usable {
        let shown = shares.map(|share| share.to_string()).join(",");
        return wrong("the shares", shown, "four numbers of 0 or more, not all 0");
    }
    Ok(())
}

/// `n` divided in proportion to the shares, rounded by largest remainders.
fn counts(shares: &[f32], n: usize) -> Vec<usize> {
    let sum: f64 = shares.iter().map(|x| f64::from(*x)).sum();
    let exact: Vec<f64> = shares.iter().map(|x| f64::from(*x) / sum * n as f64).collect();
    let mut counts: Vec<usize> = exact.iter().map(|x| x.floor() as usize).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| (exact[*b].fract()).total_cmp(&exact[*a].fract()));
    let missing = n - counts.iter().sum::<usize>();
    for i in order.into_iter().take(missing) {
        counts[i] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::Proportions;

    #[test]
    fn classes_are_divided_by_largest_remainders() {
        assert_eq!(counts(&[0.5, 0.25, 0.25], 100), [50, 25, 25]);
        assert_eq!(counts(&[1.0, 1.0, 1.0], 10).iter().sum::<usize>(), 10);
        assert_eq!(counts(&[0.0, 1.0, 0.0], 7), [0, 7, 0]);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let bad = [
            DatasetSpec { n: 0, ..DatasetSpec::default() },
            DatasetSpec { size: 16, ..DatasetSpec::default() },
            DatasetSpec {
                proportions: Proportions { normal: -1.0, ..Proportions::default() },
                ..DatasetSpec::default()
            },
            DatasetSpec { domain: Domain { clutter: 2.0, ..Domain::default() }, ..DatasetSpec::default() },
        ];
        for spec in bad {
            assert!(matches!(jobs(&spec), Err(SimulateError::Setting { .. })), "{spec:?}");
        }
    }

    /// The class must follow from nothing but the picture: over many seeds, id parity, the earlier id of a pair and the half of the set
    /// agree with the class no more often than a coin, and the films of a pair are not neighbors.
    #[test]
    fn ids_of_pairs_say_nothing_of_the_class() {
        let (mut even, mut first, mut early, mut adjacent, mut n) = (0, 0, 0, 0, 0);
        for seed in 0..20 {
            let spec = DatasetSpec { n: 200, seed, patients: FilmsPerPatient::Pairs, ..DatasetSpec::default() };
            let jobs = jobs(&spec).unwrap();
            let is_fracture = |i: usize| usize::from(jobs[i].subject != Subject::Pelvis(FilmKind::Normal));
            for patient in 0..100 {
                let [a, b] = (0..200).filter(|i| jobs[*i].patient == patient).collect::<Vec<_>>()[..] else {
                    panic!("patient {patient} has not two films")
                };
                assert_eq!(is_fracture(a) + is_fracture(b), 1);
                let fracture = if is_fracture(a) == 1 { a } else { b };
                even += usize::from(fracture % 2 == 0);
                first += usize::from(fracture == a);
                early += usize::from(fracture < 100);
                adjacent += usize::from(b == a + 1);
                n += 1;
            }
        }
        // Four standard deviations of a fair coin in 2000 throws are 89.
        for (name, count) in [("parity", even), ("order in the pair", first), ("place in the set", early)] {
            assert!(count.abs_diff(n / 2) < 90, "{name} tells the class: {count} of {n}");
        }
        assert!(adjacent < n / 20, "{adjacent} of {n} pairs are neighbors");
    }
}
