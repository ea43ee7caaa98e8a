//! An archive that is asked with patience: requests have a time limit, are tried again, come more slowly while it is busy, and are split where
//! they fail (study → series → instance).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coxa_dimse::Uid;
use tokio::time::{sleep, timeout};

use crate::archive::Archive;
use crate::attributes::Attributes;
use crate::fault::{Fault, Worth};
use crate::keys::{Query, Scope};
use crate::objects::Arrived;
use crate::pace::{Pace, back_off};
use crate::rules::PaceRules;

/// What is wanted of a study: each instance with its series; and whether it is all that a series or the study has.
#[derive(Default)]
pub(crate) struct Order {
    pub(crate) instances: Vec<(Uid, Uid)>,
    pub(crate) whole_series: BTreeSet<Uid>,
    pub(crate) whole_study: bool,
}

/// An archive and the pace that it is asked at.
pub(crate) struct Peer {
    archive: Archive,
    pace: Pace,
    rules: PaceRules,
    /// Requests that had to be repeated.
    pub(crate) repeated: usize,
}

impl Peer {
    pub(crate) fn new(archive: Archive, rules: &PaceRules) -> Self {
        let pace = Pace::new(rules.requests_per_second, Duration::from_secs_f64(rules.slowest_seconds));
        Self { archive, pace, rules: rules.clone(), repeated: 0 }
    }

    pub(crate) async fn close(&mut self) {
        // A PACS that does not answer a release keeps nobody waiting.
        let _ = timeout(Duration::from_secs(5), self.archive.close()).await;
    }

    /// C-ECHO, once.
    pub(crate) async fn echo(&mut self) -> Result<(), Fault> {
        let limit = self.limit();
        timeout(limit, self.archive.echo()).await.unwrap_or_else(|_| Err(late()))
    }

    /// Searches.
    pub(crate) async fn ask(&mut self, query: Query<'_>) -> Result<Vec<Attributes>, Fault> {
        for attempt in 1.. {
            self.turn(attempt).await;
            let limit = self.limit();
            let fault = match timeout(limit, self.archive.find(query)).await {
                Ok(Ok(found)) => {
                    self.pace.faster();
                    return Ok(found);
                }
                Ok(Err(fault)) => fault,
                Err(_) => self.late(),
            };
            self.again(fault, attempt)?;
        }
        Err(late())
    }

    /// Retrieves what is wanted of a study: a file for each instance, or what went wrong with it. `Err` where going on is of no use.
    pub(crate) async fn fetch(
        &mut self,
        patient: &str,
        study: &Uid,
        order: &Order,
    ) -> Result<BTreeMap<Uid, Result<Vec<u8>, Fault>>, Fault> {
        let mut missing: BTreeMap<Uid, Uid> =
            order.instances.iter().map(|(series, instance)| (instance.clone(), series.clone())).collect();
        let mut films = BTreeMap::new();
        if order.whole_study && missing.len() > 1 {
            self.once(patient, Scope::Study(study), &mut missing, &mut films).await?;
        }
        let series: BTreeSet<Uid> = missing.values().cloned().collect();
        for series in series.intersection(&order.whole_series) {
            let of_series = missing.values().filter(|other| *other == series).count();
            if of_series > 1 {
                self.once(patient, Scope::Series(study, series), &mut missing, &mut films).await?;
            }
        }
        for (instance, series) in missing {
            let one = self.one(patient, Scope::Instance(study, &series, &instance), &instance).await;
            match one {
                Err(fault) if fault.worth == Worth::Never => return Err(fault),
                film => films.insert(instance, film),
            };
        }
        Ok(films)
    }

    /// Tries a study or a series once: what does not come is asked for in smaller pieces.
    async fn once(
        &mut self,
        patient: &str,
        scope: Scope<'_>,
        missing: &mut BTreeMap<Uid, Uid>,
        films: &mut BTreeMap<Uid, Result<Vec<u8>, Fault>>,
    ) -> Result<(), Fault> {
        let wanted = missing
            .iter()
            .filter(|(_, of)| match scope {
                Scope::Series(_, series) => *of == series,
                _ => true,
            })
            .map(|(instance, _)| instance.clone())
            .collect();
        self.turn(1).await;
        let arrived = self.retrieve(patient, scope, &wanted).await;
        for (instance, bytes) in arrived.films {
            missing.remove(&instance);
            films.insert(instance, Ok(bytes));
        }
        match arrived.fault {
            Some(fault) if fault.worth == Worth::Never => Err(fault),
            Some(fault) => {
                self.repeated += 1;
                self.heed(&fault);
                Ok(())
            }
            None => {
                self.pace.faster();
                Ok(())
            }
        }
    }

    async fn one(&mut self, patient: &str, scope: Scope<'_>, instance: &Uid) -> Result<Vec<u8>, Fault> {
        let wanted = BTreeSet::from([instance.clone()]);
        for attempt in 1.. {
            self.turn(attempt).await;
            let arrived = self.retrieve(patient, scope, &wanted).await;
            if let Some((_, bytes)) = arrived.films.into_iter().next() {
                self.pace.faster();
                return Ok(bytes);
            }
            let fault = arrived.fault.unwrap_or_else(|| Fault::new(Worth::Again, "nothing came"));
            self.again(fault, attempt)?;
        }
        Err(late())
    }

    async fn retrieve(&mut self, patient: &str, scope: Scope<'_>, wanted: &BTreeSet<Uid>) -> Arrived {
        let limit = self.limit();
        match timeout(limit, self.archive.retrieve(patient, scope, wanted)).await {
            Ok(arrived) => arrived,
            Err(_) => Arrived { films: Vec::new(), fault: Some(self.late()) },
        }
    }

    async fn turn(&mut self, attempt: u32) {
        sleep(back_off(attempt, Duration::from_secs_f64(self.rules.slowest_seconds))).await;
        self.pace.wait().await;
    }

    /// Whether to try again; the error where not.
    fn again(&mut self, fault: Fault, attempt: u32) -> Result<(), Fault> {
        if matches!(fault.worth, Worth::Never | Worth::Smaller) || attempt >= self.rules.attempts {
            return Err(fault);
        }
        self.heed(&fault);
        self.repeated += 1;
        Ok(())
    }

    /// Asks more slowly where the archive is busy, and waits as long as it says, up to the time that a request may take.
    fn heed(&mut self, fault: &Fault) {
        if fault.worth == Worth::Slower {
            self.pace.slower();
        }
        if let Some(wait) = fault.wait {
            self.pace.hold(wait.min(self.limit()));
        }
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.rules.request_seconds)
    }

    fn late(&mut self) -> Fault {
        self.archive.disconnect();
        late()
    }
}

fn late() -> Fault {
    Fault::new(Worth::Again, "a request took longer than `pace.request_seconds`")
}
