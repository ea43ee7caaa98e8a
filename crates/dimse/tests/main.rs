//! Associations over loopback: both roles with each other and with dcmtk, what a hostile peer gets, and TLS.

mod dcmtk;
mod hostile;
mod loopback;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
        offers: vec![offer(VERIFICATION, None), offer(CAPTURE, Some(Permission::Store))],
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
