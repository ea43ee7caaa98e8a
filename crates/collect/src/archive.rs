//! An archive: searches and retrievals over DIMSE (C-FIND with C-GET or C-MOVE) and DICOMweb (`web.rs`), one request at a time and without
//! retries, which are `peer.rs`'s.

use std::collections::BTreeSet;
use std::time::Duration;

use coxa_dimse::query::{Identifier, PATIENT_ROOT, STUDY_ROOT};
use coxa_dimse::web::{Service, Settings};
use coxa_dimse::{
    Association, Call, Direction, IMPLICIT_VR, Object, Outcome, Proposal, Status, SubOperations, Uid, VERIFICATION,
    connect,
};

use crate::attributes::Attributes;
use crate::error::CollectError;
use crate::fault::{Fault, Worth};
use crate::judge::sop_classes;
use crate::keys::{MOST_MATCHES, Query, Scope, identifier, of_scope};
use crate::objects::{Arrived, SYNTAXES, whole_file};
use crate::receive::Receiver;
use crate::web;

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

/// How long films may come after the C-MOVE that sent them was answered.
const SETTLE: Duration = Duration::from_secs(3);

type Films = Vec<(Uid, Vec<u8>)>;
type Answered = Result<(Status, SubOperations), Fault>;

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
            Self::Web(service) => web::search(service, query).await,
        }
    }

    /// Retrieves; only instances among `wanted` are accepted.
    pub(crate) async fn retrieve(&mut self, patient: &str, scope: Scope<'_>, wanted: &BTreeSet<Uid>) -> Arrived {
        match self {
            Self::Dimse(dimse) => dimse.retrieve(patient, scope, wanted).await,
            Self::Web(service) => web::download(service, scope, wanted).await,
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
        let models =
            |kind: usize| [STUDY_ROOT[kind], PATIENT_ROOT[kind]].map(|model| Proposal::new(model, &[IMPLICIT_VR]));
        call.proposals = vec![Proposal::new(VERIFICATION, &[IMPLICIT_VR])];
        call.proposals.extend(models(0));
        if receiver.is_some() {
            call.proposals.extend(models(1));
        } else {
            call.proposals.extend(models(2));
            // A context for each syntax: an archive sends a film as it is stored.
            for class in sop_classes() {
                let theirs =
                    |syntax: &&str| Proposal { direction: Direction::Theirs, ..Proposal::new(class, &[syntax]) };
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
        let offered =
            [STUDY_ROOT, PATIENT_ROOT].into_iter().find(|root| offers(root[0]) && offers(root[self.retrieves_by()]));
        let Some(root) = offered else {
            let (find, retrieve) =
                (offers(STUDY_ROOT[0]) || offers(PATIENT_ROOT[0]), ["C-MOVE", "C-GET"][self.retrieves_by() - 1]);
            // It is left in good order; what it answers is of no use.
            let _ = association.release().await;
            let (text, hint) = if find {
                (
                    format!("it does not offer {retrieve} to this AE title"),
                    "try another --retrieve, or allow it at the PACS",
                )
            } else {
                (
                    "it does not offer queries to this AE title".to_owned(),
                    "allow this AE title to query and retrieve at the PACS",
                )
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
    ) -> (Films, Answered) {
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
    ) -> (Films, Answered) {
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
