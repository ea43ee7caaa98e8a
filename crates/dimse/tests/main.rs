//! Associations over loopback: both roles with each other and with foreign peers, what a hostile peer gets, and TLS.

mod commitment;
mod dcmtk;
mod holes;
mod hostile;
mod loopback;
mod orthanc;
mod sending;
mod tls;
mod web;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coxa_dimse::command::CommandSet;
use coxa_dimse::commitment::{Report, Request, STORAGE_COMMITMENT};
use coxa_dimse::tls::{Acceptor, Connector};
use coxa_dimse::{
    Call, Data, Deadlines, DimseError, Handler, IMPLICIT_VR, Limits, Offer, Peer, Permission, Policy, Proposal,
    Refusal, Server, Status, StoreRequest, VERIFICATION,
};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Secondary Capture.
pub(crate) const CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
/// Explicit VR Little Endian.
pub(crate) const EXPLICIT_VR: &str = "1.2.840.10008.1.2.1";

/// What a node under test has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) stored: Mutex<Vec<(StoreRequest, Vec<u8>, Peer)>>,
    pub(crate) refused: Mutex<Vec<Refusal>>,
    pub(crate) ended: Mutex<Vec<String>>,
    pub(crate) requests: Mutex<Vec<Request>>,
    pub(crate) reports: Mutex<Vec<Report>>,
}

/// A handler that keeps what it gets in memory.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(crate) seen: Arc<Seen>,
    pub(crate) status: Status,
}

impl Handler for Keeper {
    async fn store(&self, peer: &Peer, request: &StoreRequest, data: &mut Data<'_>) -> Result<Status, DimseError> {
        let mut bytes = Vec::new();
        while let Some(piece) = data.next().await? {
            bytes.extend(piece);
        }
        self.seen.stored.lock().unwrap().push((request.clone(), bytes, peer.clone()));
        Ok(self.status)
    }

    async fn action(&self, _: &Peer, command: &CommandSet, transfer_syntax: &str, data: Vec<u8>) -> Status {
        match Request::of_action(command, transfer_syntax, &data) {
            Ok(request) => {
                self.seen.requests.lock().unwrap().push(request);
                Status::SUCCESS
            }
            Err(invalid) => invalid.status,
        }
    }

    async fn event_report(&self, _: &Peer, command: &CommandSet, transfer_syntax: &str, data: Vec<u8>) -> Status {
        match Report::of_event(command, transfer_syntax, &data) {
            Ok(report) => {
                self.seen.reports.lock().unwrap().push(report);
                Status::SUCCESS
            }
            Err(invalid) => invalid.status,
        }
    }

    fn refused(&self, refusal: Refusal) {
        self.seen.refused.lock().unwrap().push(refusal);
    }

    fn ended(&self, _: SocketAddr, error: DimseError) {
        self.seen.ended.lock().unwrap().push(error.to_string());
    }
}

/// A running node.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    stop: watch::Sender<bool>,
}

impl Node {
    pub(crate) async fn start(policy: Policy, status: Status, tls: Option<Acceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (stop, stopped) = watch::channel(false);
        let server = Server::new(policy, Keeper { seen: Arc::clone(&seen), status }, tls);
        tokio::spawn(server.serve(listener, stopped, Duration::from_secs(1)));
        Self { address, seen, stop }
    }

    /// Waits until something has come about.
    pub(crate) async fn until(&self, what: &str, done: impl Fn(&Seen) -> bool) {
        for _ in 0..1000 {
            if done(&self.seen) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what} did not come about; ended: {:?}", self.seen.ended.lock().unwrap());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

pub(crate) fn policy() -> Policy {
    let offer = |class: &str, permission| Offer {
        abstract_syntax: class.to_owned(),
        transfer_syntaxes: [EXPLICIT_VR, IMPLICIT_VR].map(str::to_owned).to_vec(),
        permission,
    };
    Policy {
        ae_title: "COXA".to_owned(),
        peers: Vec::new(),
        offers: vec![
            offer(VERIFICATION, None),
            offer(CAPTURE, Some(Permission::Store)),
            offer(STORAGE_COMMITMENT, Some(Permission::Store)),
        ],
        deadlines: Deadlines {
            opening: Duration::from_secs(2),
            idle: Duration::from_secs(5),
            total: Duration::from_secs(60),
        },
        limits: Limits::default(),
        implementation: ("2.25.1".to_owned(), "TEST".to_owned()),
    }
}

pub(crate) fn call(to: impl ToString, tls: Option<Connector>) -> Call {
    let both = [EXPLICIT_VR, IMPLICIT_VR];
    Call {
        to: to.to_string(),
        called: "COXA".to_owned(),
        calling: "TESTER".to_owned(),
        proposals: vec![Proposal::new(VERIFICATION, &[IMPLICIT_VR]), Proposal::new(CAPTURE, &both)],
        tls,
        deadlines: policy().deadlines,
        limits: Limits::default(),
        implementation: policy().implementation,
    }
}

/// The data set of a Secondary Capture without pixels, Explicit VR Little Endian.
pub(crate) fn smallest(instance: &str) -> Vec<u8> {
    let elements = [
        (0x0008, 0x0016, "UI", CAPTURE),
        (0x0008, 0x0018, "UI", instance),
        (0x0010, 0x0020, "LO", "SIMULATED"),
        (0x0020, 0x000D, "UI", "2.25.100"),
        (0x0020, 0x000E, "UI", "2.25.200"),
    ];
    elements.into_iter().flat_map(|(group, element, vr, text)| explicit(group, element, vr, text)).collect()
}

/// An element of a short value representation, Explicit VR Little Endian.
pub(crate) fn explicit(group: u16, element: u16, vr: &str, text: &str) -> Vec<u8> {
    let padding = if text.len().is_multiple_of(2) {
        ""
    } else if vr == "UI" {
        "\0"
    } else {
        " "
    };
    let value = format!("{text}{padding}");
    let mut bytes = [group.to_le_bytes(), element.to_le_bytes()].concat();
    bytes.extend(vr.as_bytes());
    bytes.extend((value.len() as u16).to_le_bytes());
    bytes.extend(value.as_bytes());
    bytes
}

/// A file of [`smallest`], its instance `2.25.N`.
pub(crate) fn dicom_file(folder: &std::path::Path, n: u32) -> std::path::PathBuf {
    let instance = format!("2.25.{n}");
    let meta: Vec<u8> = [
        explicit(2, 2, "UI", CAPTURE),
        explicit(2, 3, "UI", &instance),
        explicit(2, 0x10, "UI", EXPLICIT_VR),
        explicit(2, 0x12, "UI", "2.25.1"),
    ]
    .concat();
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM\x02\0\0\0UL\x04\0");
    bytes.extend((meta.len() as u32).to_le_bytes());
    bytes.extend(meta);
    bytes.extend(smallest(&instance));
    let place = folder.join(format!("{n}.dcm"));
    std::fs::write(&place, bytes).unwrap();
    place
}

/// A foreign program that ends with the value, however the test ends.
pub(crate) struct Running(std::process::Child);

impl Running {
    pub(crate) fn start(command: &mut std::process::Command) -> Self {
        let quiet = command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        Self(quiet.stderr(std::process::Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
