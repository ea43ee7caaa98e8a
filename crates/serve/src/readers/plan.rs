//! What one reader reads: which film in which arm in which order, as it follows from the design.
//!
//! Everything random is an order by HMAC-SHA-256 under the design's seed, so it is the same on every machine and can be computed again by
//! whoever has the design.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;

use super::design::{Arms, Design};

/// Whether a reader sees the network's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The film alone.
    Unaided,
    /// The film with the result.
    Aided,
}

impl Arm {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unaided => "unaided",
            Self::Aided => "aided",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Unaided => Self::Aided,
            Self::Aided => Self::Unaided,
        }
    }
}

/// A film to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The film's place: in the design's films, or in its practice films where [`Item::is_practice`].
    pub film: usize,
    /// In which arm.
    pub arm: Arm,
    /// Whether it does not count.
    pub is_practice: bool,
}

/// Films that are read one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Days after the reader's last answer of the session before.
    pub after_days: u32,
    /// The films.
    pub items: Vec<Item>,
}

/// What one reader reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The sessions, one after the other.
    pub sessions: Vec<Session>,
}

impl Plan {
    /// The plan of the reader at a place (from 0) of a design.
    pub fn of(design: &Design, reader: usize) -> Self {
        let random = Random(design.seed);
        // Readers are shuffled once; the place among them gives block and group, so that groups of each block differ by one at most.
        let shuffled = random.order("readers", design.readers);
        let place = shuffled.iter().position(|other| *other == reader).unwrap_or(0);
        let (block, group) = (place % design.blocks, place / design.blocks % 2);
        let films: Vec<usize> =
            random.order("films", design.films.len()).into_iter().skip(block).step_by(design.blocks).collect();
        let shuffle = |session: usize| -> Vec<usize> {
            let order = random.order(&format!("reader {reader} session {session}"), films.len());
            order.into_iter().map(|at| films[at]).collect()
        };
        let first = if group == 0 { Arm::Unaided } else { Arm::Aided };
        let item = |film, arm| Item { film, arm, is_practice: false };
        let all = |session: usize, arm: Arm| shuffle(session).into_iter().map(|film| item(film, arm)).collect();
        // The first half of the shuffled films, which order and group leave untouched.
        let half: std::collections::BTreeSet<usize> = films[..films.len() / 2].iter().copied().collect();
        let halves = |session: usize, of_half: Arm| -> Vec<Item> {
            let arm = |film| if half.contains(&film) { of_half } else { of_half.other() };
            shuffle(session).into_iter().map(|film| item(film, arm(film))).collect()
        };
        let mut sessions: Vec<Vec<Item>> = match design.arms {
            Arms::Unaided => vec![all(0, Arm::Unaided)],
            Arms::Aided => vec![all(0, Arm::Aided)],
            Arms::Parallel => vec![all(0, first)],
            Arms::Sequential => {
                let both = |film| [item(film, Arm::Unaided), item(film, Arm::Aided)];
                vec![shuffle(0).into_iter().flat_map(both).collect()]
            }
            Arms::Crossover => vec![all(0, first), all(1, first.other())],
            Arms::Halves => vec![halves(0, first), halves(1, first.other())],
        };
        let arms: Vec<Arm> = match design.arms {
            Arms::Sequential => vec![Arm::Unaided, Arm::Aided],
            // A reader who begins with both arms practices in both, unaided first.
            Arms::Halves => vec![Arm::Unaided, Arm::Aided],
            _ => vec![sessions[0].first().map_or(Arm::Unaided, |item| item.arm)],
        };
        let practice = (0..design.practice.len())
            .flat_map(|film| arms.iter().map(move |arm| Item { film, arm: *arm, is_practice: true }));
        sessions[0].splice(0..0, practice);
        let after = |session: usize| if session == 0 { 0 } else { design.washout_days };
        let sessions = sessions.into_iter().enumerate();
        Self { sessions: sessions.map(|(at, items)| Session { after_days: after(at), items }).collect() }
    }

    /// How many films are read, those for practice among them.
    pub fn len(&self) -> usize {
        self.sessions.iter().map(|session| session.items.len()).sum()
    }

    /// Whether nothing is read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An item by its running number from 0, with its session's place and whether it is that session's first.
    pub fn item(&self, number: usize) -> Option<(Item, usize, bool)> {
        let mut left = number;
        for (place, session) in self.sessions.iter().enumerate() {
            if let Some(item) = session.items.get(left) {
                return Some((*item, place, left == 0));
            }
            left -= session.items.len();
        }
        None
    }
}

/// Orders by a keyed hash.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// `0..count` in an order of its own for each role.
    pub(crate) fn order(&self, role: &str, count: usize) -> Vec<usize> {
        let key = |at: usize| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&self.0.to_be_bytes()).expect("HMAC takes keys of any length");
            mac.update(role.as_bytes());
            mac.update(&[0]);
            mac.update(&(at as u64).to_be_bytes());
            mac.finalize().into_bytes()
        };
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_cached_key(|at| key(*at));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::super::design::{Answer, Marks, Practice};
    use super::*;

    fn design(arms: Arms, readers: usize, films: usize, blocks: usize) -> Design {
        Design {
            name: "a".into(),
            question: "?".into(),
            answer: Answer::YesNo,
            mark: Marks::None,
            arms,
            washout_days: 28,
            blocks,
            readers,
            time_limit_seconds: 0,
            seed: 5,
            consent: String::new(),
            films: (0..films).map(|film| format!("1.2.{film}")).collect(),
            practice: vec![Practice { film: "1.3.1".into(), truth: Some(true) }],
        }
    }

    fn counted(session: &Session) -> Vec<Item> {
        session.items.iter().filter(|item| !item.is_practice).copied().collect()
    }

    #[test]
    fn twenty_four_readers_of_480_films_cross_over() {
        let design = design(Arms::Crossover, 24, 480, 1);
        let plans: Vec<Plan> = (0..24).map(|reader| Plan::of(&design, reader)).collect();
        let begins = |plan: &Plan| counted(&plan.sessions[0])[0].arm;
        assert_eq!(plans.iter().filter(|plan| begins(plan) == Arm::Aided).count(), 12);
        for plan in &plans {
            assert_eq!((plan.sessions.len(), plan.sessions[1].after_days, plan.len()), (2, 28, 2 * 480 + 1));
            for session in &plan.sessions {
                let mut films: Vec<usize> = counted(session).iter().map(|item| item.film).collect();
                films.sort_unstable();
                assert!(films.iter().copied().eq(0..480), "each film once a session");
            }
            let (first, second) = (counted(&plan.sessions[0]), counted(&plan.sessions[1]));
            assert!(first.iter().all(|item| item.arm == first[0].arm));
            assert!(second.iter().all(|item| item.arm == first[0].arm.other()));
        }
        let order = |reader: usize, session: usize| counted(&plans[reader].sessions[session]);
        assert_ne!(order(0, 0), order(1, 0), "each reader has an order of their own");
        assert_eq!(Plan::of(&design, 3), plans[3], "a plan follows from the design alone");
    }

    #[test]
    fn sixteen_readers_of_415_films_half_aided_swap() {
        let design = design(Arms::Halves, 16, 415, 1);
        for reader in 0..16 {
            let plan = Plan::of(&design, reader);
            let aided = |session: usize| -> std::collections::BTreeSet<usize> {
                let items = counted(&plan.sessions[session]);
                items.into_iter().filter(|item| item.arm == Arm::Aided).map(|item| item.film).collect()
            };
            let (first, second) = (aided(0), aided(1));
            assert!(first.len().abs_diff(second.len()) == 1 && first.is_disjoint(&second));
            assert_eq!(first.len() + second.len(), 415, "each film is read once in each arm");
        }
    }

    #[test]
    fn blocks_share_out_films_and_readers() {
        let design = design(Arms::Crossover, 6, 10, 3);
        let mut readers_of = std::collections::BTreeMap::<Vec<usize>, usize>::new();
        for reader in 0..6 {
            let mut films: Vec<usize> =
                counted(&Plan::of(&design, reader).sessions[0]).iter().map(|i| i.film).collect();
            films.sort_unstable();
            *readers_of.entry(films).or_default() += 1;
        }
        assert_eq!(readers_of.len(), 3);
        assert!(readers_of.values().all(|readers| *readers == 2));
        assert_eq!(readers_of.keys().map(Vec::len).sum::<usize>(), 10);
    }

    #[test]
    fn sequential_items_are_pairs_and_practice_comes_first() {
        let plan = Plan::of(&design(Arms::Sequential, 2, 3, 1), 1);
        assert_eq!(plan.len(), 2 + 6);
        let (item, session, is_first) = plan.item(0).unwrap();
        assert!(item.is_practice && session == 0 && is_first);
        for pair in plan.sessions[0].items.chunks(2) {
            assert_eq!((pair[0].film, pair[0].arm, pair[1].arm), (pair[1].film, Arm::Unaided, Arm::Aided));
        }
        assert_eq!(plan.item(8), None);
        let crossed = Plan::of(&design(Arms::Crossover, 2, 3, 1), 0);
        let (_, session, is_first) = crossed.item(4).unwrap();
        assert!(session == 1 && is_first);
    }
}
