//! This node's C-STORE provider, to which a PACS moves films: it accepts the instances that are expected, keeps them in memory, and refuses all
//! others.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use coxa_dimse::{
    Call, Data, DimseError, Handler, IMPLICIT_VR, Limits, Object, Offer, Peer, Permission, Policy, Server, Status,
    StoreRequest, Uid, VERIFICATION,
};
use coxa_imaging::MAX_FILE_BYTES;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::error::CollectError;
use crate::judge::sop_classes;
use crate::objects::{SYNTAXES, whole_file};

#[derive(Default)]
struct Inbox {
    expected: BTreeSet<Uid>,
    films: Vec<(Uid, Vec<u8>)>,
}

/// The node that films are moved to.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    inbox: Arc<Mutex<Inbox>>,
    stop: watch::Sender<bool>,
}

#[derive(Clone)]
struct Keeper(Arc<Mutex<Inbox>>);

impl Handler for Keeper {
    async fn store(&self, _: &Peer, request: &StoreRequest, data: &mut Data<'_>) -> Result<Status, DimseError> {
        let is_expected = |inbox: &Inbox| inbox.expected.contains(&request.sop_instance);
        if !is_expected(&lock(&self.0)) {
            return Ok(Status::NOT_AUTHORIZED);
        }
        let mut bytes = Vec::new();
        while let Some(piece) = data.next().await? {
            bytes.extend(piece);
        }
        let object = Object {
            sop_class: request.sop_class.clone(),
            sop_instance: request.sop_instance.clone(),
            transfer_syntax: request.transfer_syntax.clone(),
        };
        let mut inbox = lock(&self.0);
        // What comes after its time limit is not expected any more.
        if !is_expected(&inbox) {
            return Ok(Status::NOT_AUTHORIZED);
        }
        inbox.films.retain(|(instance, _)| *instance != object.sop_instance);
        inbox.films.push((object.sop_instance.clone(), whole_file(&object, &bytes)));
        Ok(Status::SUCCESS)
    }
}

fn lock(inbox: &Mutex<Inbox>) -> std::sync::MutexGuard<'_, Inbox> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// Listens at `listen` under the title that the PACS is called by.
    ///
    /// # Errors
    /// [`CollectError::Listen`].
    pub(crate) async fn start(listen: &str, call: &Call) -> Result<Self, CollectError> {
        let fault = |source| CollectError::Listen { address: listen.to_owned(), source };
        let listener = bind(listen).await.map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let (stop, stopped) = watch::channel(false);
        let server = Server::new(policy(call), Keeper(Arc::clone(&inbox)), None);
        tokio::spawn(server.serve(listener, stopped, Duration::from_secs(1)));
        Ok(Self { address, inbox, stop })
    }

    /// Expects these instances and no others.
    pub(crate) fn expect(&self, wanted: &BTreeSet<Uid>) {
        *lock(&self.inbox) = Inbox { expected: wanted.clone(), films: Vec::new() };
    }

    /// Waits for `n` films, no longer than `most`.
    pub(crate) async fn settle(&self, n: usize, most: Duration) {
        let until = tokio::time::Instant::now() + most;
        while lock(&self.inbox).films.len() < n && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What came; nothing is expected any more.
    pub(crate) fn take(&self) -> Vec<(Uid, Vec<u8>)> {
        std::mem::take(&mut *lock(&self.inbox)).films
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The server may have ended.
        let _ = self.stop.send(true);
    }
}

/// Opens the port; one that an earlier run has not given up yet is waited for.
async fn bind(listen: &str) -> std::io::Result<TcpListener> {
    for _ in 0..20 {
        match TcpListener::bind(listen).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            opened => return opened,
        }
    }
    TcpListener::bind(listen).await
}

fn policy(call: &Call) -> Policy {
    let syntaxes = |syntaxes: &[&str]| syntaxes.iter().map(|&syntax| syntax.to_owned()).collect();
    let mut offers = vec![Offer {
        abstract_syntax: VERIFICATION.to_owned(),
        transfer_syntaxes: syntaxes(&[IMPLICIT_VR]),
        permission: None,
    }];
    offers.extend(sop_classes().map(|class| Offer {
        abstract_syntax: class.to_owned(),
        transfer_syntaxes: syntaxes(&SYNTAXES),
        permission: Some(Permission::Store),
    }));
    Policy {
        ae_title: call.calling.clone(),
        // A PACS may send under another title than it is called by: what counts is that the instance is expected.
        peers: Vec::new(),
        offers,
        deadlines: call.deadlines,
        limits: Limits { associations: 8, data_set: MAX_FILE_BYTES, ..call.limits },
        implementation: call.implementation.clone(),
    }
}
