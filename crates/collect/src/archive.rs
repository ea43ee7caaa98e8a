//! An archive: searches and retrievals over DIMSE (C-FIND with C-GET or C-MOVE) and DICOMweb (QIDO-RS and WADO-RS), one request at a time
//! and without retries, which are `peer.rs`'s.

use std::collections::BTreeSet;
use std::time::Duration;

use coxa_dicom::uid::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use coxa_dimse::file::of_object;
use coxa_dimse::query::{Identifier, PATIENT_ROOT, STUDY_ROOT};
use coxa_dimse::web::{Level, Retrieve, Service, Settings};
use coxa_dimse::{
    Association, Call, Direction, IMPLICIT_VR, Object, Outcome, Proposal, Status, SubOperations, Uid, VERIFICATION, connect,
};
use coxa_imaging::MAX_FILE_BYTES;
use jiff::civil::Date;

use crate::attributes::{Attributes, tag};
use crate::error::CollectError;
use crate::fault::{Fault, Worth};
use crate::judge::sop_classes;
use crate::receive::Receiver;

/// Where films come from, and how. A call's proposals are replaced by what is needed.
#[derive(Clone)]
pub enum Source {
    /// C-FIND, and C-GET on the same association.
    Get(Call),
    /// C-FIND, and C-MOVE to this node, which the PACS must know by its title, host and port.
    Move {
        /// How the PACS is called.
        call: Call,
        /// Where this node listens: `address:port`.
        listen: String,
    },
    /// QIDO-RS and WADO-RS.
    Web(Box<Settings>),
}

/// The most matches of a search.
const MOST_MATCHES: usize = 2000;
/// How long films may come after the C-MOVE that sent them was answered.
const SETTLE: Duration = Duration::from_secs(3);

/// Transfer syntaxes that can be de-identified, the plain ones first.
pub(crate) const SYNTAXES: [&str; 14] = [
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.201",
];

/// What is searched for.
#[derive(Clone, Copy)]
pub(crate) enum Query<'a> {
    Studies { patient: &'a str, days: Option<(Date, Date)> },
    Series { patient: &'a str, study: &'a Uid },
    Instances { patient: &'a str, study: &'a Uid, series: &'a Uid },
}

/// What is retrieved.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    Study(&'a Uid),
    Series(&'a Uid, &'a Uid),
    Instance(&'a Uid, &'a Uid, &'a Uid),
}

/// What a retrieval brought, and what went wrong with it.
#[derive(Default)]
pub(crate) struct Arrived {
    /// Whole DICOM files by their instances.
    pub(crate) films: Vec<(Uid, Vec<u8>)>,
    pub(crate) fault: Option<Fault>,
}

/// An archive.
pub(crate) enum Archive {
    Dimse(Box<Dimse>),
    Web(Box<Service>),
}

/// An archive by DIMSE.
pub(crate) struct Dimse {
    call: Call,
    open: Option<(Association, [&'static str; 3])>,
    receiver: Option<Receiver>,
}

impl Archive {
    /// Gets ready; nothing is sent yet. For C-MOVE, this node's port is opened.
    pub(crate) async fn new(source: &Source) -> Result<Self, CollectError> {
        match source {
            Source::Web(settings) => {
                let service = Service::new(settings).map_err(|error| Fault::of_web(&error))?;
                Ok(Self::Web(Box::new(service)))
            }
            Source::Get(call) => Ok(Self::Dimse(Box::new(Dimse::new(call.clone(), None)))),
            Source::Move { call, listen } => {
                let receiver = Receiver::start(listen, call).await?;
                Ok(Self::Dimse(Box::new(Dimse::new(call.clone(), Some(receiver)))))
            }
        }
    }

    pub(crate) async fn find(&mut self, query: Query<'_>) -> Result<Vec<Attributes>, Fault> {
        match self {
            Self::Dimse(dimse) => dimse.find(query).await,
            Self::Web(service) => search(service, query).await,
        }
    }

    /// Retrieves; only instances among `wanted` are accepted.
    pub(crate) async fn retrieve(&mut self, patient: &str, scope: Scope<'_>, wanted: &BTreeSet<Uid>) -> Arrived {
        match self {
            Self::Dimse(dimse) => dimse.retrieve(patient, scope, wanted).await,
            Self::Web(service) => download(service, scope, wanted).await,
        }
    }

    /// C-ECHO; DICOMweb has none.
    pub(crate) async fn echo(&mut self) -> Result<(), Fault> {
        let Self::Dimse(dimse) = self else { return Ok(()) };
        let (mut association, root) = dimse.opened().await?;
        match association.echo().await {
            Ok(Status::SUCCESS) => {
                dimse.open = Some((association, root));
                Ok(())
            }
            Ok(status) => Err(Fault::of_status("C-ECHO", status)),
            Err(error) => Err(dimse.broken(&error)),
        }
    }

    /// Drops the connection, as after a time limit.
    pub(crate) fn disconnect(&mut self) {
        if let Self::Dimse(dimse) = self {
            dimse.open = None;
        }
    }

    /// Releases the association.
    pub(crate) async fn close(&mut self) {
        if let Self::Dimse(dimse) = self
            && let Some((association, _)) = dimse.open.take()
        {
            // Everything was answered already.
            let _ = association.release().await;
        }
    }
}

impl Dimse {
    fn new(mut call: Call, receiver: Option<Receiver>) -> Self {
        let models = |kind: usize| [STUDY_ROOT[kind], PATIENT_ROOT[kind]].map(|model| Proposal::new(model, &[IMPLICIT_VR]));
        call.proposals = vec![Proposal::new(VERIFICATION, &[IMPLICIT_VR])];
        call.proposals.extend(models(0));
        if receiver.is_some() {
            call.proposals.extend(models(1));
        } else {
            call.proposals.extend(models(2));
            // A context for each syntax: an archive sends a film as it is stored.
            for class in sop_classes() {
                let theirs = |syntax: &&str| Proposal { direction: Direction::Theirs, ..Proposal::new(class, &[syntax]) };
                call.proposals.extend(SYNTAXES.iter().map(theirs));
            }
        }
        Self { call, open: None, receiver }
    }

    fn retrieves_by(&self) -> usize {
        if self.receiver.is_some() { 1 } else { 2 }
    }

    fn broken(&self, error: &coxa_dimse::DimseError) -> Fault {
        Fault::of_dimse(error, self.call.tls.is_some())
    }

    /// The association, opened where it is not, and the models that the archive offers.
    async fn opened(&mut self) -> Result<(Association, [&'static str; 3]), Fault> {
        if let Some(open) = self.open.take() {
            return Ok(open);
        }
        let association = connect(&self.call).await.map_err(|error| self.broken(&error))?;
        let offers = |model: &str| association.contexts().iter().any(|context| context.abstract_syntax == model);
        let offered = [STUDY_ROOT, PATIENT_ROOT].into_iter().find(|root| offers(root[0]) && offers(root[self.retrieves_by()]));
        let Some(root) = offered else {
            let (find, retrieve) = (offers(STUDY_ROOT[0]) || offers(PATIENT_ROOT[0]), ["C-MOVE", "C-GET"][self.retrieves_by() - 1]);
            // It is left in good order; what it answers is of no use.
            let _ = association.release().await;
            let (text, hint) = if find {
                (format!("it does not offer {retrieve} to this AE title"), "try another --retrieve, or allow it at the PACS")
            } else {
                ("it does not offer queries to this AE title".to_owned(), "allow this AE title to query and retrieve at the PACS")
            };
            return Err(Fault::new(Worth::Never, text).with_hint(hint));
        };
        Ok((association, root))
    }

    async fn find(&mut self, query: Query<'_>) -> Result<Vec<Attributes>, Fault> {
        let (mut association, root) = self.opened().await?;
        let bytes = identifier(query, root == PATIENT_ROOT);
        let bytes = bytes.to_bytes(IMPLICIT_VR).map_err(|error| self.broken(&error))?;
        let (status, found) = match association.find(root[0], &bytes, MOST_MATCHES).await {
            Ok(answered) => answered,
            Err(error) => return Err(self.broken(&error)),
        };
        self.open = Some((association, root));
        if found.len() >= MOST_MATCHES {
            return Err(Fault::new(Worth::Smaller, format!("a search has more than {MOST_MATCHES} matches")));
        }
        if status != Status::SUCCESS {
            return Err(Fault::of_status("C-FIND", status));
        }
        let read = |bytes: &Vec<u8>| {
            Identifier::parse(bytes, IMPLICIT_VR).map(|identifier| Attributes::of_identifier(&identifier))
        };
        found.iter().map(read).collect::<Result<_, _>>().map_err(|error| self.broken(&error.into()))
    }

    async fn retrieve(&mut self, patient: &str, scope: Scope<'_>, wanted: &BTreeSet<Uid>) -> Arrived {
        let (association, root) = match self.opened().await {
            Ok(open) => open,
            Err(fault) => return Arrived { fault: Some(fault), ..Arrived::default() },
        };
        let by_patient = root == PATIENT_ROOT;
        let bytes = match of_scope(scope, by_patient.then_some(patient)).to_bytes(IMPLICIT_VR) {
            Ok(bytes) => bytes,
            Err(error) => return Arrived { fault: Some(self.broken(&error)), ..Arrived::default() },
        };
        let (films, answered) = if self.receiver.is_some() {
            self.by_move(association, root, &bytes, wanted).await
        } else {
            self.by_get(association, root, &bytes, wanted).await
        };
        let fault = match answered {
            Err(fault) => Some(fault),
            Ok((status, counts)) => self.judge(status, counts, films.len(), wanted.len()),
        };
        Arrived { films, fault }
    }

    async fn by_get(
        &mut self,
        mut association: Association,
        root: [&'static str; 3],
        bytes: &[u8],
        wanted: &BTreeSet<Uid>,
    ) -> (Vec<(Uid, Vec<u8>)>, Result<(Status, SubOperations), Fault>) {
        let mut films = Vec::new();
        let take = async |object: Object, data: Vec<u8>| {
            if !wanted.contains(&object.sop_instance) {
                return Status::NOT_AUTHORIZED;
            }
            films.push((object.sop_instance.clone(), whole_file(&object, &data)));
            Status::SUCCESS
        };
        let answered = association.get(root[2], bytes, take).await;
        if answered.is_ok() {
            self.open = Some((association, root));
        }
        (films, answered.map_err(|error| self.broken(&error)))
    }

    async fn by_move(
        &mut self,
        mut association: Association,
        root: [&'static str; 3],
        bytes: &[u8],
        wanted: &BTreeSet<Uid>,
    ) -> (Vec<(Uid, Vec<u8>)>, Result<(Status, SubOperations), Fault>) {
        let Some(receiver) = &self.receiver else { return (Vec::new(), Err(Fault::new(Worth::Never, "no receiver"))) };
        receiver.expect(wanted);
        let answered = association.move_to(root[1], &self.call.calling, bytes, |_| {}).await;
        if matches!(answered, Ok((Status::SUCCESS, _))) {
            receiver.settle(wanted.len(), SETTLE).await;
        }
        let films = receiver.take();
        if answered.is_ok() {
            self.open = Some((association, root));
        }
        (films, answered.map_err(|error| self.broken(&error)))
    }

    /// What is wrong with a retrieval that was answered.
    fn judge(&self, status: Status, counts: SubOperations, came: usize, wanted: usize) -> Option<Fault> {
        let by = ["C-MOVE", "C-GET"][self.retrieves_by() - 1];
        let own = &self.call.calling;
        match status.outcome() {
            _ if came >= wanted => None,
            Outcome::Accepted if counts.failed == 0 => {
                let fault = Fault::new(
                    Worth::Smaller,
                    format!("{by} was answered with success, but {came} of {wanted} films came"),
                );
                Some(match &self.receiver {
                    Some(receiver) if came == 0 => fault.with_hint(format!(
                        "the title {own} leads elsewhere at the PACS, or a firewall is between: it must lead to this host, port {}",
                        receiver.address.port()
                    )),
                    _ => fault,
                })
            }
            Outcome::Accepted | Outcome::AcceptedWithWarning => {
                Some(Fault::new(Worth::Slower, format!("{} sub-operations of a {by} failed", counts.failed)))
            }
            _ => {
                let fault = Fault::of_status(by, status);
                Some(match (&self.receiver, status.0) {
                    (Some(receiver), 0xA801) => fault.with_hint(format!(
                        "add this node to the PACS's remote titles: {own} at this host, port {}; or try --retrieve get",
                        receiver.address.port()
                    )),
                    (Some(receiver), 0xA702) => fault.with_hint(format!(
                        "the PACS cannot send to {own}: check the host and port {} in its configuration, and the firewall",
                        receiver.address.port()
                    )),
                    _ => fault,
                })
            }
        }
    }
}

/// A DICOM file of an object that came over the network.
pub(crate) fn whole_file(object: &Object, data: &[u8]) -> Vec<u8> {
    of_object(object, (IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME), data)
}

/// Days as a range of DICOM dates.
fn range((from, to): (Date, Date)) -> String {
    let digits = |date: Date| format!("{:04}{:02}{:02}", date.year(), date.month(), date.day());
    if from == to { digits(from) } else { format!("{}-{}", digits(from), digits(to)) }
}

/// Return keys of series.
const OF_SERIES: [(u32, &[u8; 2], &str); 6] = [
    (tag::SERIES, b"UI", "0020000E"),
    (tag::MODALITY, b"CS", "00080060"),
    (tag::SERIES_DESCRIPTION, b"LO", "0008103E"),
    (tag::SERIES_NUMBER, b"IS", "00200011"),
    (tag::BODY_PART, b"CS", "00180015"),
    (tag::PROTOCOL, b"LO", "00181030"),
];
/// Return keys of studies.
const OF_STUDY: [(u32, &[u8; 2], &str); 5] = [
    (tag::STUDY, b"UI", "0020000D"),
    (tag::PATIENT_ID, b"LO", "00100020"),
    (tag::STUDY_DATE, b"DA", "00080020"),
    (tag::MODALITIES, b"CS", "00080061"),
    (tag::STUDY_DESCRIPTION, b"LO", "00081030"),
];
/// Return keys of instances.
const OF_INSTANCE: [(u32, &[u8; 2], &str); 6] = [
    (tag::SOP_INSTANCE, b"UI", "00080018"),
    (tag::SOP_CLASS, b"UI", "00080016"),
    (tag::INSTANCE_NUMBER, b"IS", "00200013"),
    (tag::IMAGE_TYPE, b"CS", "00080008"),
    (tag::BODY_PART, b"CS", "00180015"),
    (tag::VIEW_POSITION, b"CS", "00185101"),
];

fn identifier(query: Query<'_>, by_patient: bool) -> Identifier {
    let empty = |keys: &[(u32, &'static [u8; 2], &str)]| {
        keys.iter().fold(Identifier::default(), |identifier, (tag, vr, _)| identifier.with(*tag, vr, ""))
    };
    match query {
        Query::Studies { patient, days } => {
            let found = empty(&OF_STUDY).with(tag::LEVEL, b"CS", "STUDY").with(tag::PATIENT_ID, b"LO", patient);
            let found = match days {
                Some(days) => found.with(tag::STUDY_DATE, b"DA", &range(days)),
                None => found,
            };
            if patient.is_ascii() { found } else { found.with(tag::CHARACTER_SET, b"CS", "ISO_IR 192") }
        }
        Query::Series { patient, study } => {
            let found = empty(&OF_SERIES).with(tag::LEVEL, b"CS", "SERIES").with(tag::STUDY, b"UI", study.as_str());
            above(found, by_patient.then_some(patient))
        }
        Query::Instances { patient, study, series } => {
            let found = empty(&OF_INSTANCE).with(tag::LEVEL, b"CS", "IMAGE").with(tag::STUDY, b"UI", study.as_str());
            above(found.with(tag::SERIES, b"UI", series.as_str()), by_patient.then_some(patient))
        }
    }
}

/// The unique key of the patient, which the Patient Root demands at every level and the Study Root forbids.
fn above(identifier: Identifier, patient: Option<&str>) -> Identifier {
    match patient {
        Some(patient) => identifier.with(tag::PATIENT_ID, b"LO", patient),
        None => identifier,
    }
}

fn of_scope(scope: Scope<'_>, patient: Option<&str>) -> Identifier {
    let at = |level: &str, study: &Uid| {
        Identifier::default().with(tag::LEVEL, b"CS", level).with(tag::STUDY, b"UI", study.as_str())
    };
    let found = match scope {
        Scope::Study(study) => at("STUDY", study),
        Scope::Series(study, series) => at("SERIES", study).with(tag::SERIES, b"UI", series.as_str()),
        Scope::Instance(study, series, instance) => at("IMAGE", study)
            .with(tag::SERIES, b"UI", series.as_str())
            .with(tag::SOP_INSTANCE, b"UI", instance.as_str()),
    };
    above(found, patient)
}

async fn search(service: &Service, query: Query<'_>) -> Result<Vec<Attributes>, Fault> {
    let fields = |keys: &'static [(u32, &'static [u8; 2], &'static str)]| keys.iter().map(|(.., name)| ("includefield", *name));
    let days;
    let (level, query): (Level<'_>, Vec<(&str, &str)>) = match query {
        Query::Studies { patient, days: wanted } => {
            let mut keys = vec![("PatientID", patient)];
            if let Some(wanted) = wanted {
                days = range(wanted);
                keys.push(("StudyDate", &days));
            }
            keys.extend(fields(&OF_STUDY));
            (Level::Studies, keys)
        }
        Query::Series { study, .. } => (Level::Series { study }, fields(&OF_SERIES).collect()),
        Query::Instances { study, series, .. } => (Level::Instances { study, series }, fields(&OF_INSTANCE).collect()),
    };
    let matches = service.search(level, &query, MOST_MATCHES).await.map_err(|error| Fault::of_web(&error))?;
    if matches.is_cut {
        return Err(Fault::new(Worth::Smaller, format!("a search has more than {MOST_MATCHES} matches")));
    }
    Ok(matches.found.iter().map(Attributes::of_json).collect())
}

async fn download(service: &Service, scope: Scope<'_>, wanted: &BTreeSet<Uid>) -> Arrived {
    let what = match scope {
        Scope::Study(study) => Retrieve::Study(study),
        Scope::Series(study, series) => Retrieve::Series(study, series),
        Scope::Instance(study, series, instance) => Retrieve::Instance(study, series, instance),
    };
    let mut arrived = Arrived::default();
    let result = async {
        let mut parts = service.retrieve(what).await?;
        while let Some(mut part) = parts.next().await? {
            let mut bytes = Vec::new();
            while let Some(piece) = part.next().await? {
                if (bytes.len() + piece.len()) as u64 > MAX_FILE_BYTES {
                    return Err(coxa_dimse::web::WebError::Limit("bytes of an object"));
                }
                bytes.extend_from_slice(&piece);
            }
            let head = Identifier::of_file(&bytes);
            let named = head.and_then(|(_, head)| Attributes::of_identifier(&head).instance);
            let instance = match (named, scope) {
                (Some(instance), _) => instance,
                // The head of a big endian or deflated file is not read here; de-identification compares its UID.
                (None, Scope::Instance(.., instance)) => instance.clone(),
                (None, _) => continue,
            };
            if wanted.contains(&instance) {
                arrived.films.push((instance, bytes));
            }
        }
        Ok(())
    };
    let result = result.await;
    let (came, asked) = (arrived.films.len(), wanted.len());
    arrived.fault = match result {
        _ if came >= asked => None,
        Err(error) => Some(Fault::of_web(&error)),
        Ok(()) => Some(Fault::new(Worth::Smaller, format!("{came} of {asked} films came"))),
    };
    arrived
}
