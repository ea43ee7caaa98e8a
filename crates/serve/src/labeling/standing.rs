//! What all decisions on a film come to.

use super::decision::{Decision, Labels, Opinion};

/// Boxes of two reviewers are of one fracture from this intersection over union on.
const SAME_BOX: f32 = 0.3;

/// How far a film has come.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// A reviewer has not decided yet.
    Open,
    /// The reviewers differ, or one finds it questionable: the adjudicator decides.
    Disputed,
    /// The reviewers agree.
    Agreed(Decision),
    /// The adjudicator has decided, whatever reviewers change afterwards.
    Adjudicated(Decision),
}

impl Standing {
    /// As the manifest's column `review` has it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Disputed => "disputed",
            Self::Agreed(_) => "agreed",
            Self::Adjudicated(_) => "adjudicated",
        }
    }

    /// What was decided in the end.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Agreed(decision) | Self::Adjudicated(decision) => Some(decision),
            Self::Open | Self::Disputed => None,
        }
    }
}

/// The standing of a film with the decisions of its reviewers, of whom there are so many, and of the adjudicator. A single reviewer's
/// decision stands as it is.
pub fn standing(reviewers: usize, decisions: &[&Decision], adjudication: Option<&Decision>) -> Standing {
    if let Some(adjudication) = adjudication {
        return Standing::Adjudicated(adjudication.clone());
    }
    match decisions {
        decisions if decisions.len() < reviewers => Standing::Open,
        [] => Standing::Open,
        [only] => Standing::Agreed((*only).clone()),
        _ => common(decisions).map_or(Standing::Disputed, Standing::Agreed),
    }
}

/// What all of them state; `None` where they differ.
fn common(decisions: &[&Decision]) -> Option<Decision> {
    if let Some(sites) = decisions.iter().map(|decision| decision.site()).collect::<Option<Vec<_>>>() {
        let first = *sites.first()?;
        return sites.iter().all(|site| *site == first).then_some(Decision::Site(first));
    }
    let labels = decisions.iter().map(|decision| decision.labels()).collect::<Option<Vec<_>>>()?;
    merged(&labels).map(Decision::Labels)
}

fn merged(all: &[&Labels]) -> Option<Labels> {
    let first = *all.first()?;
    let is_same = |other: &&Labels| {
        (other.opinion, other.kind, &other.classification, other.side, &other.exclusion)
            == (first.opinion, first.kind, &first.classification, first.side, &first.exclusion)
    };
    if first.opinion == Some(Opinion::Questionable) || !all.iter().all(is_same) {
        return None;
    }
    let drawn: Vec<&Vec<[f32; 4]>> = all.iter().map(|labels| &labels.boxes).filter(|boxes| !boxes.is_empty()).collect();
    let mut quality: Vec<String> = Vec::new();
    for note in all.iter().flat_map(|labels| &labels.quality) {
        if !quality.contains(note) {
            quality.push(note.clone());
        }
    }
    let mut notes: Vec<&str> = all.iter().map(|labels| labels.note.as_str()).filter(|note| !note.is_empty()).collect();
    notes.dedup();
    Some(Labels { boxes: mean_boxes(&drawn)?, quality, note: notes.join("; "), ..first.clone() })
}

/// The means of boxes that several reviewers drew; `None` where they did not draw the same ones.
fn mean_boxes(drawn: &[&Vec<[f32; 4]>]) -> Option<Vec<[f32; 4]>> {
    let sorted = |boxes: &[[f32; 4]]| {
        let mut boxes = boxes.to_vec();
        boxes.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        boxes
    };
    let sets: Vec<Vec<[f32; 4]>> = drawn.iter().map(|boxes| sorted(boxes)).collect();
    let Some(first) = sets.first() else { return Some(Vec::new()) };
    let fits = |set: &Vec<[f32; 4]>| {
        set.len() == first.len() && set.iter().zip(first).all(|(a, b)| overlap(*a, *b) >= SAME_BOX)
    };
    if !sets.iter().all(fits) {
        return None;
    }
    let mean = |at: usize, part: usize| sets.iter().map(|set| set[at][part]).sum::<f32>() / sets.len() as f32;
    Some((0..first.len()).map(|at| [0, 1, 2, 3].map(|part| mean(at, part))).collect())
}

/// Intersection over union.
fn overlap(a: [f32; 4], b: [f32; 4]) -> f32 {
    let shared =
        |from: usize, length: usize| ((a[from] + a[length]).min(b[from] + b[length]) - a[from].max(b[from])).max(0.0);
    let common = shared(0, 2) * shared(1, 3);
    let all = a[2] * a[3] + b[2] * b[3] - common;
    if all > 0.0 { common / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use coxa_schema::Side;
    use coxa_study::localize::Site;

    use super::*;

    fn of(opinion: Opinion) -> Labels {
        Labels { opinion: Some(opinion), ..Labels::default() }
    }

    fn both(a: &Labels, b: &Labels) -> Standing {
        standing(2, &[&Decision::Labels(a.clone()), &Decision::Labels(b.clone())], None)
    }

    #[test]
    fn reviewers_who_differ_wait_for_the_adjudicator() {
        let (fracture, none) = (of(Opinion::Fracture), of(Opinion::None));
        let decided = |labels: &Labels| Decision::Labels(labels.clone());
        assert_eq!(standing(2, &[&decided(&fracture)], None), Standing::Open);
        assert_eq!(standing(1, &[&decided(&fracture)], None), Standing::Agreed(decided(&fracture)));
        assert_eq!(standing(1, &[], None), Standing::Open);
        assert_eq!(both(&fracture, &none), Standing::Disputed);
        assert_eq!(both(&none, &none), Standing::Agreed(decided(&none)));
        assert_eq!(both(&of(Opinion::Questionable), &of(Opinion::Questionable)), Standing::Disputed);
        assert_eq!(both(&fracture, &Labels { side: Some(Side::Left), ..fracture.clone() }), Standing::Disputed);
        let adjudicated = standing(2, &[&decided(&fracture), &decided(&none)], Some(&decided(&none)));
        assert_eq!(adjudicated, Standing::Adjudicated(decided(&none)));
        let site = |a, b| standing(2, &[&Decision::Site(a), &Decision::Site(b)], None);
        assert_eq!(site(Site::Right, Site::Right), Standing::Agreed(Decision::Site(Site::Right)));
        assert_eq!(site(Site::Right, Site::Elsewhere), Standing::Disputed);
    }

    #[test]
    fn boxes_of_one_fracture_are_averaged() {
        let with = |boxes: &[[f32; 4]]| Labels { boxes: boxes.to_vec(), ..of(Opinion::Fracture) };
        let boxes =
            |standing: Standing| standing.decision().and_then(Decision::labels).map(|labels| labels.boxes.clone());
        let (first, second) = ([10.0, 10.0, 20.0, 20.0], [14.0, 12.0, 20.0, 20.0]);
        assert_eq!(boxes(both(&with(&[first]), &with(&[second]))), Some(vec![[12.0, 11.0, 20.0, 20.0]]));
        assert_eq!(boxes(both(&with(&[first]), &with(&[]))), Some(vec![first]), "one who draws is enough");
        assert_eq!(both(&with(&[first]), &with(&[[60.0, 10.0, 20.0, 20.0]])), Standing::Disputed);
        assert_eq!(both(&with(&[first]), &with(&[first, second])), Standing::Disputed);
    }
}
