//! C-STORE: an object is on the disk and its row committed before 0000H is answered.

use std::net::SocketAddr;
use std::sync::Arc;

use coxa_dicom::uid::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use coxa_dimse::command::CommandSet;
use coxa_dimse::commitment::{Request, STORAGE_COMMITMENT};
use coxa_dimse::{
    Data, Deadlines, DimseError, Handler, Limits, Offer, Peer, Permission, Policy, Refusal, Status, StoreRequest,
};

use super::refusals::Refusals;
use super::{Announced, Intake, IntakeError};
use crate::config::Config;
use crate::db::{Database, SeenRefusal};
use crate::log::Redacted;

/// Films and what a PACS may send beside them.
const STORAGE: &[(&str, &str)] = &[
    ("1.2.840.10008.5.1.4.1.1.1", "Computed Radiography Image"),
    ("1.2.840.10008.5.1.4.1.1.1.1", "Digital X-Ray Image, for presentation"),
    ("1.2.840.10008.5.1.4.1.1.1.1.1", "Digital X-Ray Image, for processing"),
    ("1.2.840.10008.5.1.4.1.1.7", "Secondary Capture Image"),
    ("1.2.840.10008.5.1.4.1.1.7.2", "Multi-frame Grayscale Byte Secondary Capture Image"),
    ("1.2.840.10008.5.1.4.1.1.7.3", "Multi-frame Grayscale Word Secondary Capture Image"),
    ("1.2.840.10008.5.1.4.1.1.7.4", "Multi-frame True Color Secondary Capture Image"),
    ("1.2.840.10008.5.1.4.1.1.1.2", "Digital Mammography X-Ray Image, for presentation"),
    ("1.2.840.10008.5.1.4.1.1.1.2.1", "Digital Mammography X-Ray Image, for processing"),
    ("1.2.840.10008.5.1.4.1.1.2", "CT Image"),
    ("1.2.840.10008.5.1.4.1.1.4", "MR Image"),
    ("1.2.840.10008.5.1.4.1.1.11.1", "Grayscale Softcopy Presentation State"),
    ("1.2.840.10008.5.1.4.1.1.88.11", "Basic Text SR"),
    ("1.2.840.10008.5.1.4.1.1.88.22", "Enhanced SR"),
    ("1.2.840.10008.5.1.4.1.1.88.33", "Comprehensive SR"),
    ("1.2.840.10008.5.1.4.1.1.88.34", "Comprehensive 3D SR"),
    ("1.2.840.10008.5.1.4.1.1.88.59", "Key Object Selection"),
    ("1.2.840.10008.5.1.4.1.1.104.1", "Encapsulated PDF"),
];

/// In the order of our preference: what imaging decodes, uncompressed first; then what is stored all the same.
const SYNTAXES: &[(&str, &str)] = &[
    ("1.2.840.10008.1.2.1", "Explicit VR Little Endian"),
    ("1.2.840.10008.1.2", "Implicit VR Little Endian"),
    ("1.2.840.10008.1.2.2", "Explicit VR Big Endian"),
    ("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian"),
    ("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian"),
    ("1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression"),
    ("1.2.840.10008.1.2.4.90", "JPEG 2000, lossless only"),
    ("1.2.840.10008.1.2.4.201", "HTJ2K, lossless only"),
    ("1.2.840.10008.1.2.4.202", "HTJ2K, lossless RPCL"),
    ("1.2.840.10008.1.2.4.80", "JPEG-LS, lossless"),
    ("1.2.840.10008.1.2.4.70", "JPEG lossless, first-order prediction"),
    ("1.2.840.10008.1.2.4.57", "JPEG lossless"),
    ("1.2.840.10008.1.2.5", "RLE lossless"),
    ("1.2.840.10008.1.2.4.91", "JPEG 2000"),
    ("1.2.840.10008.1.2.4.203", "HTJ2K"),
    ("1.2.840.10008.1.2.4.81", "JPEG-LS, near-lossless"),
    ("1.2.840.10008.1.2.4.51", "JPEG extended"),
    ("1.2.840.10008.1.2.4.50", "JPEG baseline"),
    ("1.2.840.10008.1.2.4.110", "JPEG XL, lossless: stored, not read"),
    ("1.2.840.10008.1.2.4.112", "JPEG XL: stored, not read"),
];

/// The SOP classes that are stored: UID and name.
pub fn storage_classes() -> &'static [(&'static str, &'static str)] {
    STORAGE
}

/// The transfer syntaxes that are accepted, in the order of preference: UID and name.
pub fn transfer_syntaxes() -> &'static [(&'static str, &'static str)] {
    SYNTAXES
}

/// The policy of a node's associations.
pub fn policy(config: &Config) -> Policy {
    let texts = |list: &[(&str, &str)]| list.iter().map(|(uid, _)| (*uid).to_owned()).collect::<Vec<_>>();
    let storage = STORAGE.iter().map(|(class, _)| Offer {
        abstract_syntax: (*class).to_owned(),
        transfer_syntaxes: texts(SYNTAXES),
        permission: Some(Permission::Store),
    });
    let verification = Offer {
        abstract_syntax: coxa_dimse::VERIFICATION.to_owned(),
        transfer_syntaxes: texts(&SYNTAXES[..2]),
        permission: None,
    };
    let commitment = Offer {
        abstract_syntax: STORAGE_COMMITMENT.to_owned(),
        transfer_syntaxes: texts(&SYNTAXES[..2]),
        permission: Some(Permission::Store),
    };
    Policy {
        ae_title: config.ae_title.clone(),
        peers: config.peer_rules(),
        offers: storage.chain([verification, commitment]).collect(),
        deadlines: Deadlines::default(),
        limits: Limits {
            associations: config.limits.associations,
            data_set: config.limits.object_mib << 20,
            ..Limits::default()
        },
        implementation: (IMPLEMENTATION_CLASS_UID.to_owned(), IMPLEMENTATION_VERSION_NAME.to_owned()),
    }
}

/// What a node does with commands of its peers.
#[derive(Debug)]
pub struct Receiver {
    config: Config,
    intake: Intake,
    db: Database,
    asked: Arc<tokio::sync::Notify>,
    refusals: Arc<Refusals>,
    metrics: Arc<crate::metrics::Metrics>,
}

impl Receiver {
    /// A receiver that stores by an intake; `asked` is woken when storage commitment was asked for, and `refusals` gets what is refused.
    pub fn new(
        config: Config,
        intake: Intake,
        db: Database,
        asked: Arc<tokio::sync::Notify>,
        refusals: Arc<Refusals>,
        metrics: Arc<crate::metrics::Metrics>,
    ) -> Self {
        Self { config, intake, db, asked, refusals, metrics }
    }

    /// Keeps a request that was refused on an association that was not.
    fn refuse(&self, peer: &Peer, reason: String, asked: &str, remedy: String) {
        let at = crate::db::now();
        self.refusals.add(SeenRefusal {
            id: 0,
            calling: peer.ae_title.clone(),
            called: peer.called.clone(),
            address: peer.address.ip().to_canonical().to_string(),
            reason,
            asked: asked.to_owned(),
            implementation: format!("{} {}", peer.implementation.0, peer.implementation.1),
            remedy,
            is_allowable: false,
            first_at: at,
            last_at: at,
            times: 1,
        });
    }

    async fn take(
        &self,
        peer: &Peer,
        request: &StoreRequest,
        data: &mut Data<'_>,
    ) -> Result<Result<(), IntakeError>, DimseError> {
        let mut incoming = match self.intake.begin().await {
            Ok(incoming) => incoming,
            Err(error) => return Ok(Err(error)),
        };
        let preamble = file_meta(request, &peer.ae_title);
        if let Err(error) = incoming.write(&preamble).await {
            return Ok(Err(error.into()));
        }
        incoming.begin_data();
        while let Some(piece) = data.next().await? {
            if let Err(error) = self.intake.write(&mut incoming, &piece).await {
                return Ok(Err(error));
            }
        }
        let announced = Announced {
            sop_class: Some(request.sop_class.clone()),
            sop_instance: Some(request.sop_instance.clone()),
            study: None,
        };
        let source = format!("{}@{}", peer.ae_title, peer.address.ip());
        Ok(self.intake.finish(incoming, announced, &source).await.map(drop))
    }
}

impl Handler for Receiver {
    async fn store(&self, peer: &Peer, request: &StoreRequest, data: &mut Data<'_>) -> Result<Status, DimseError> {
        match self.take(peer, request, data).await? {
            Ok(()) => Ok(Status::SUCCESS),
            Err(error) => {
                tracing::warn!(peer = %peer.ae_title, instance = %Redacted(request.sop_instance.as_str()), "not stored: {error}");
                self.metrics.not_stored.inc();
                if !error.is_passing() {
                    let remedy = match error {
                        IntakeError::Mismatch(_) => "announce the object with its own UIDs at the peer",
                        _ => "look at the object at the peer, and send it again from its source",
                    };
                    let reason = format!("an object was not stored: {error}");
                    self.refuse(peer, reason, request.sop_class.as_str(), remedy.to_owned());
                }
                // What is left of the data set is read by the association before the answer.
                Ok(status_of(&error))
            }
        }
    }

    async fn action(&self, peer: &Peer, command: &CommandSet, transfer_syntax: &str, data: Vec<u8>) -> Status {
        let request = match Request::of_action(command, transfer_syntax, &data) {
            Ok(request) => request,
            Err(invalid) => return invalid.status,
        };
        if let Err(remedy) = crate::commit::answerable(&self.config, &peer.ae_title) {
            // At once, as no answer could reach it later.
            let reason = format!("{} asked for storage commitment, but where to answer is not known", peer.ae_title);
            self.refuse(peer, reason, STORAGE_COMMITMENT, remedy);
            return Status::NOT_AUTHORIZED;
        }
        let references: Vec<_> = request
            .references
            .iter()
            .map(|one| (one.sop_class.as_str().to_owned(), one.sop_instance.as_str().to_owned()))
            .collect();
        match self.db.ask_commitment(&peer.ae_title, request.transaction.as_str(), &references).await {
            Ok(()) => {
                self.asked.notify_waiters();
                Status::SUCCESS
            }
            Err(error) => {
                tracing::error!("{error}");
                Status::PROCESSING_FAILURE
            }
        }
    }

    fn refused(&self, refusal: Refusal) {
        self.metrics.refused.inc();
        tracing::warn!(address = %refusal.address, "association refused: {refusal}; {}", refusal.remedy());
        self.refusals.add((&refusal).into());
    }

    fn ended(&self, peer: SocketAddr, error: DimseError) {
        self.metrics.broken.inc();
        tracing::warn!(address = %peer, "association ended: {error}");
    }
}

/// The status that says what a peer should do: send again later, or not.
fn status_of(error: &IntakeError) -> Status {
    match error {
        error if error.is_passing() => Status::OUT_OF_RESOURCES,
        IntakeError::Mismatch(_) => Status::DATA_SET_MISMATCH,
        _ => Status::CANNOT_UNDERSTAND,
    }
}

/// Preamble and file meta information (PS3.10, 7.1) before the data set's own bytes.
pub fn file_meta(request: &StoreRequest, source: &str) -> Vec<u8> {
    let mut elements = Vec::new();
    let mut put = |element: u16, vr: &[u8; 2], value: &[u8], pad: u8| {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(pad);
        }
        elements.extend_from_slice(&2u16.to_le_bytes());
        elements.extend_from_slice(&element.to_le_bytes());
        elements.extend_from_slice(vr);
        if vr == b"OB" {
            elements.extend_from_slice(&[0, 0]);
            elements.extend_from_slice(&(value.len() as u32).to_le_bytes());
        } else {
            elements.extend_from_slice(&(value.len() as u16).to_le_bytes());
        }
        elements.extend_from_slice(&value);
    };
    put(0x0001, b"OB", &[0, 1], 0);
    put(0x0002, b"UI", request.sop_class.as_str().as_bytes(), 0);
    put(0x0003, b"UI", request.sop_instance.as_str().as_bytes(), 0);
    put(0x0010, b"UI", request.transfer_syntax.as_bytes(), 0);
    put(0x0012, b"UI", IMPLEMENTATION_CLASS_UID.as_bytes(), 0);
    put(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.as_bytes(), b' ');
    put(0x0016, b"AE", source.as_bytes(), b' ');
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM");
    file.extend_from_slice(&[2, 0, 0, 0, b'U', b'L', 4, 0]);
    file.extend_from_slice(&(elements.len() as u32).to_le_bytes());
    file.extend_from_slice(&elements);
    file
}
