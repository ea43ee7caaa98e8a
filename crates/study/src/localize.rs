//! Whether the heatmap lies where the fracture is.
//!
//! The paper's radiologist judged the heatmap of each true-positive film: 47 of 49 at the right site, one on the opposite hip,
//! one over the iliac bone. Here a film's strongest activation is a point (the peak of the Grad-CAM map, or the center of the
//! strongest region when there is no map), and it is at the right site if it lies in a truth box grown on every side by a tenth of
//! the film's width.

use std::collections::{BTreeMap, BTreeSet};

use coxa_cohort::{Dataset, Film, TruthBox};
use coxa_imaging::{Fit, Geometry};
use coxa_schema::{Finding, HeatMap, Label, Region};
use coxa_stats::{Clusters, Estimate, Inference, Interval, Level, Limits, Plan, Undefined, means};
use serde::{Deserialize, Serialize};

use crate::error::StudyError;
use crate::evaluate::{Clustering, Dependence};
use crate::froc::{Froc, FrocFilm};
use crate::proportion::Proportion;
use crate::site::{CELL, Rect, Sides, peak_of, share_inside};
use crate::statistic::Statistic;

/// How localization is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalizationOptions {
    /// By how much a truth box is grown on every side, as a share of the film's width.
    pub margin: f64,
    /// A film is called positive at a probability of at least this; `None` for what each reading says.
    pub threshold: Option<f64>,
    /// How films were brought to the network's input, to place the map's peak.
    pub fit: Fit,
    /// The confidence level.
    pub level: Level,
    /// How the interval of a proportion of independent films is made.
    pub interval: Interval,
    /// Which films are taken as independent.
    pub clustering: Clustering,
    /// The bootstrap's size and seed, where patients are resampled.
    pub plan: Plan,
}

impl Default for LocalizationOptions {
    fn default() -> Self {
        Self {
            margin: 0.1,
            threshold: None,
            fit: Fit::Letterbox,
            level: Level::P95,
            interval: Interval::ClopperPearson,
            clustering: Clustering::default(),
            plan: Plan::default(),
        }
    }
}

/// Where a film's strongest activation lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// In a grown truth box.
    Right,
    /// Outside, and on the side of the body that has no fracture.
    OppositeSide,
    /// Outside, on the fractured side or on a film where sides are not known.
    Elsewhere,
    /// There is no activation.
    None,
}

impl Site {
    /// All.
    pub const ALL: [Self; 4] = [Self::Right, Self::OppositeSide, Self::Elsewhere, Self::None];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::OppositeSide => "opposite_side",
            Self::Elsewhere => "elsewhere",
            Self::None => "none",
        }
    }

    /// Parses a site as it is written.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|site| site.as_str() == text)
    }
}

/// The localization on a fractured film with truth boxes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilmLocalization {
    /// The film.
    pub image_id: String,
    /// Whether it was called positive.
    pub called_positive: bool,
    /// Where the strongest activation lies.
    pub site: Site,
    /// The strongest activation in the film's pixels: x, y.
    pub peak: Option<[f64; 2]>,
    /// Whether the peak lies in a truth box as it was drawn.
    pub in_box: bool,
    /// The best intersection over union of a region and a truth box; 0 without regions.
    pub iou: f64,
    /// The best share of a truth box that one region covers; 0 without regions.
    pub covered: f64,
    /// The share of the map's sum that lies in the grown truth boxes; none without a map or on an empty one.
    pub activation_inside: Option<f64>,
}

/// A share of films whose best intersection over union is at least `iou`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IouShare {
    /// The intersection over union.
    pub iou: f64,
    /// The share of the true-positive films.
    pub share: Statistic,
}

/// How many true-positive films have their strongest activation where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sites {
    /// At the fracture.
    pub right: u64,
    /// On the opposite side.
    pub opposite_side: u64,
    /// Elsewhere.
    pub elsewhere: u64,
    /// Nowhere.
    pub none: u64,
}

impl Sites {
    /// Counts sites.
    pub fn of(sites: impl IntoIterator<Item = Site>) -> Self {
        let mut counts = Self::default();
        for site in sites {
            let count = match site {
                Site::Right => &mut counts.right,
                Site::OppositeSide => &mut counts.opposite_side,
                Site::Elsewhere => &mut counts.elsewhere,
                Site::None => &mut counts.none,
            };
            *count += 1;
        }
        counts
    }
}

/// The localization of a set of readings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LocalizationMeasures {
    /// Films that were read and whose label is known.
    pub n: usize,
    /// Of these, films with a fracture and a truth box.
    pub boxed: usize,
    /// Of these, films that were called positive: the ones that the paper judges.
    pub true_positives: usize,
    /// Films with a fracture but without a truth box, which cannot be judged.
    pub without_box: Vec<String>,
    /// Films of the dataset that were not read.
    pub unread: Vec<String>,
    /// By how much truth boxes are grown, as a share of the film's width.
    pub margin: f64,
    /// What the intervals take as independent.
    pub dependence: Dependence,
    /// The paper's score: the share of the true-positive films whose strongest activation is at the right site.
    pub right_site: Statistic,
    /// Where the strongest activation of the true-positive films lies.
    pub sites: Sites,
    /// The pointing game over all boxed films, called positive or not, with the grown boxes.
    pub pointing_game: Statistic,
    /// The pointing game with the boxes as they were drawn.
    pub pointing_game_strict: Statistic,
    /// The share of the true-positive films with a known side whose strongest activation is on the other side.
    pub side_confused: Statistic,
    /// Mean of the best intersection over union over the true-positive films.
    pub mean_iou: Statistic,
    /// How many true-positive films reach 0.1, 0.3 and 0.5.
    pub iou_shares: Vec<IouShare>,
    /// Mean share of a truth box that a region covers, over the true-positive films.
    pub mean_covered: Statistic,
    /// Mean share of the map's sum in the grown truth boxes, over the true-positive films with a map.
    pub mean_activation_inside: Statistic,
    /// The share of the films without a fracture that show no region: no heatmap on a normal film (the paper's Fig. 4).
    pub no_heatmap_on_normal: Statistic,
    /// The same among those called negative.
    pub no_heatmap_on_true_negative: Statistic,
    /// The free-response curve of the regions.
    pub froc: Froc,
    /// The boxed films one by one.
    pub films: Vec<FilmLocalization>,
}

/// The size of a film's image, width and height, by opening its file.
///
/// # Errors
/// [`StudyError::Film`] when the file cannot be read.
pub fn film_size(dataset: &Dataset, film: &Film) -> Result<(usize, usize), StudyError> {
    match coxa_imaging::read(&dataset.image_path(film)) {
        Ok(radiograph) => Ok((radiograph.width(), radiograph.height())),
        Err(error) => Err(StudyError::Film { image_id: film.image_id.clone(), reason: error.to_string() }),
    }
}

/// Measures the localization of findings against a dataset's truth boxes: [`Localizer`] over them all.
///
/// # Errors
/// As [`Localizer::new`], [`Localizer::add`] and [`Localizer::finish`].
pub fn localize<'a, 'b>(
    dataset: &'a Dataset,
    findings: impl IntoIterator<Item = (&'a Film, &'b Finding)>,
    options: &LocalizationOptions,
) -> Result<LocalizationMeasures, StudyError> {
    let mut localizer = Localizer::new(dataset, options)?;
    for (film, finding) in findings {
        localizer.add(film, finding)?;
    }
    localizer.finish()
}

/// Measures localization film by film: of a finding's map only what was measured is kept, a few numbers a film.
pub struct Localizer<'a> {
    dataset: &'a Dataset,
    options: LocalizationOptions,
    boxes: BTreeMap<&'a str, Vec<&'a TruthBox>>,
    films: Vec<&'a Film>,
    found: Found,
}

impl<'a> Localizer<'a> {
    /// Begins with no film.
    ///
    /// # Errors
    /// [`StudyError::Setting`] for a margin that is not of 0 to 1.
    pub fn new(dataset: &'a Dataset, options: &LocalizationOptions) -> Result<Self, StudyError> {
        let margin = options.margin;
        if !(0.0..=1.0).contains(&margin) {
            return Err(StudyError::Setting { setting: "a margin", value: margin, expected: "a share of 0 to 1" });
        }
        let boxes = dataset.boxes();
        Ok(Self { dataset, options: *options, boxes, films: Vec::new(), found: Found::default() })
    }

    /// Adds a film of the dataset that was read, and returns its localization if it has a fracture with a truth box. Excluded films
    /// are left out.
    ///
    /// # Errors
    /// A truth box outside the film.
    pub fn add(&mut self, film: &'a Film, finding: &Finding) -> Result<Option<&FilmLocalization>, StudyError> {
        if film.excluded {
            return Ok(None);
        }
        self.found.place = self.films.len();
        self.films.push(film);
        let truth = self.boxes.get(film.image_id.as_str()).map_or(&[][..], Vec::as_slice);
        match (film.label, truth) {
            (Label::Unknown, _) => Ok(None),
            (Label::Absent, _) => {
                self.found.normal(finding, &self.options);
                Ok(None)
            }
            (Label::Present, []) => {
                self.found.without_box.push(film.image_id.clone());
                Ok(None)
            }
            (Label::Present, truth) => {
                truth.iter().try_for_each(|truth| truth.check_inside(finding.width, finding.height))?;
                self.found.fractured(film, finding, truth, &self.options);
                Ok(self.found.films.last())
            }
        }
    }

    /// The localization of all films that were added.
    ///
    /// # Errors
    /// [`StudyError::Film`] for a film without a patient where patients are asked for.
    pub fn finish(self) -> Result<LocalizationMeasures, StudyError> {
        let patients = Patients::of(self.films.iter().copied(), self.options.clustering)?;
        let read: BTreeSet<&str> = self.films.iter().map(|film| film.image_id.as_str()).collect();
        let films = self.dataset.films.iter().filter(|film| !film.excluded);
        let unread = films.filter(|film| !read.contains(film.image_id.as_str())).map(|film| film.image_id.clone());
        Ok(self.found.finish(unread.collect(), &patients, &self.options))
    }
}

/// Which films are of one patient, by their places among those that were read.
struct Patients {
    of: Vec<usize>,
    repeat: bool,
}

impl Patients {
    fn of<'a>(films: impl Iterator<Item = &'a Film>, clustering: Clustering) -> Result<Self, StudyError> {
        let mut ids = Vec::new();
        for (place, film) in films.enumerate() {
            let unknown = film.patient.is_empty();
            if unknown && clustering == Clustering::ByPatient {
                let reason =
                    "it has no patient; fill the manifest's column `patient`, or take films as independent".to_owned();
                return Err(StudyError::Film { image_id: film.image_id.clone(), reason });
            }
            ids.push((&film.patient, unknown.then_some(place)));
        }
        let clusters = Clusters::new(&ids);
        let repeat = clustering != Clustering::ByFilm && clusters.count() < ids.len();
        Ok(Self { of: clusters.of().to_vec(), repeat })
    }

    /// The clusters of the films at these places; `None` where films are independent.
    fn clusters(&self, places: &[usize]) -> Option<Clusters> {
        let ids: Vec<usize> = places.iter().map(|&place| self.of[place]).collect();
        let clusters = Clusters::new(&ids);
        (self.repeat && clusters.count() < ids.len()).then_some(clusters)
    }
}

#[derive(Default)]
struct Found {
    /// The place of the film that is being measured.
    place: usize,
    films: Vec<FilmLocalization>,
    /// The place of each of `films`.
    places: Vec<usize>,
    froc: Vec<FrocFilm>,
    without_box: Vec<String>,
    /// Of each normal film: its place, whether it was called positive, and whether it shows a region.
    normals: Vec<(usize, bool, bool)>,
    /// Of each true-positive film whose sides are known: its place, and whether they differ.
    sides: Vec<(usize, bool)>,
}

impl Found {
    fn normal(&mut self, finding: &Finding, options: &LocalizationOptions) {
        self.normals.push((self.place, called(finding, options), !finding.regions.is_empty()));
        self.froc.push(FrocFilm::new(0, finding.regions.iter().map(|region| (f64::from(region.score), Vec::new()))));
    }

    fn fractured(&mut self, film: &Film, finding: &Finding, truth: &[&TruthBox], options: &LocalizationOptions) {
        let (width, height) = (finding.width, finding.height);
        let drawn: Vec<Rect> = truth.iter().map(|truth| Rect::of_truth(truth)).collect();
        let margin = options.margin * width as f64;
        let grown: Vec<Rect> = drawn.iter().map(|rect| rect.grown(margin)).collect();
        let hits = |region: &Region| -> Vec<usize> {
            (0..grown.len()).filter(|&i| grown[i].contains(region.center())).collect()
        };
        let marks = finding.regions.iter().map(|region| (f64::from(region.score), hits(region)));
        self.froc.push(FrocFilm::new(drawn.len(), marks));

        let geometry = |map: &HeatMap| Geometry::new(width, height, map.rows * CELL, options.fit);
        let peak = match &finding.heat_map {
            Some(map) => peak_of(map, &geometry(map)),
            None => finding.regions.first().map(Region::center),
        };
        let sides = Sides::of(film, &drawn, finding, peak, width);
        let called_positive = called(finding, options);
        if let (true, Some(differ)) = (called_positive, sides.differ()) {
            self.sides.push((self.place, differ));
        }
        let site = match peak {
            None => Site::None,
            Some(peak) if grown.iter().any(|rect| rect.contains(peak)) => Site::Right,
            Some(_) if sides.differ() == Some(true) => Site::OppositeSide,
            Some(_) => Site::Elsewhere,
        };
        let best = |of: &dyn Fn(Rect, Rect) -> f64| {
            let regions = finding.regions.iter().map(Rect::of_region);
            regions.flat_map(|region| drawn.iter().map(move |&rect| of(region, rect))).fold(0.0, f64::max)
        };
        self.places.push(self.place);
        self.films.push(FilmLocalization {
            image_id: film.image_id.clone(),
            called_positive,
            site,
            peak: peak.map(|(x, y)| [x, y]),
            in_box: peak.is_some_and(|peak| drawn.iter().any(|rect| rect.contains(peak))),
            iou: best(&|region, rect| region.intersection(rect) / region.union(rect)),
            covered: best(&|region, rect| region.intersection(rect) / rect.area()),
            activation_inside: finding.heat_map.as_ref().and_then(|map| share_inside(map, &geometry(map), &grown)),
        });
    }

    fn finish(self, unread: Vec<String>, patients: &Patients, options: &LocalizationOptions) -> LocalizationMeasures {
        let share = |hits: Vec<(usize, bool)>| {
            let (places, hits): (Vec<usize>, Vec<bool>) = hits.into_iter().unzip();
            let clusters = patients.clusters(&places);
            let how = Proportion {
                clusters: clusters.as_ref(),
                level: options.level,
                interval: options.interval,
                plan: options.plan,
            };
            Statistic(how.of(&hits))
        };
        let mean = |values: Vec<(usize, f64)>| {
            let (places, values): (Vec<usize>, Vec<f64>) = values.into_iter().unzip();
            let clusters = patients.clusters(&places);
            Statistic(mean_in_unit(&values, Inference { level: options.level, clusters: clusters.as_ref() }))
        };
        let films = || self.places.iter().copied().zip(&self.films);
        let hits = || films().filter(|(_, film)| film.called_positive);
        let of_films =
            |is: &dyn Fn(&FilmLocalization) -> bool| share(films().map(|(at, film)| (at, is(film))).collect());
        let of_hits = |is: &dyn Fn(&FilmLocalization) -> bool| share(hits().map(|(at, film)| (at, is(film))).collect());
        let quiet = |films: &mut dyn Iterator<Item = &(usize, bool, bool)>| {
            share(films.map(|&(at, _, shows)| (at, !shows)).collect())
        };
        LocalizationMeasures {
            n: self.films.len() + self.without_box.len() + self.normals.len(),
            boxed: self.films.len(),
            true_positives: hits().count(),
            margin: options.margin,
            dependence: if patients.repeat { Dependence::Patients } else { Dependence::Films },
            right_site: of_hits(&|film| film.site == Site::Right),
            sites: Sites::of(hits().map(|(_, film)| film.site)),
            pointing_game: of_films(&|film| film.site == Site::Right),
            pointing_game_strict: of_films(&|film| film.in_box),
            side_confused: share(self.sides.clone()),
            mean_iou: mean(hits().map(|(at, film)| (at, film.iou)).collect()),
            iou_shares: [0.1, 0.3, 0.5].map(|iou| IouShare { iou, share: of_hits(&|film| film.iou >= iou) }).to_vec(),
            mean_covered: mean(hits().map(|(at, film)| (at, film.covered)).collect()),
            mean_activation_inside: mean(hits().filter_map(|(at, film)| Some((at, film.activation_inside?))).collect()),
            no_heatmap_on_normal: quiet(&mut self.normals.iter()),
            no_heatmap_on_true_negative: quiet(&mut self.normals.iter().filter(|film| !film.1)),
            froc: Froc::of(&self.froc),
            without_box: self.without_box,
            unread,
            films: self.films,
        }
    }
}

fn called(finding: &Finding, options: &LocalizationOptions) -> bool {
    options.threshold.map_or(finding.is_positive, |threshold| finding.probability >= threshold)
}

/// Student's interval of a mean of values from 0 to 1, cut to that range.
fn mean_in_unit(values: &[f64], inference: Inference<'_>) -> Result<Estimate, Undefined> {
    let estimate = means::mean(values, inference)?;
    Ok(estimate.map_limits(|limits| Limits { low: limits.low.max(0.0), high: limits.high.min(1.0), ..limits }))
}
