//! A small PACS on this workspace's own server: C-FIND, C-GET and C-MOVE; it refuses some requests and does not answer one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use coxa_dimse::query::{Identifier, PATIENT_ROOT, STUDY_ROOT};
use coxa_dimse::{
    Call, Data, Deadlines, DimseError, Handler, IMPLICIT_VR, Limits, Object, Offer, Peer, PeerRule, Permission, Policy,
    Query, Server, Status, StoreRequest, VERIFICATION,
};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::films::{CAPTURE, DX, EXPLICIT, Stored};

/// What a PACS does wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// It refuses each request whose number is a multiple of this, as it is out of resources.
    pub refuses_each: Option<usize>,
    /// It does not answer the request of this number.
    pub hangs_at: Option<usize>,
    /// It refuses what is asked for at the level of a study.
    pub refuses_studies: bool,
}

struct Inner {
    objects: Vec<Stored>,
    faults: Faults,
    requests: AtomicUsize,
    destination: Option<(String, SocketAddr)>,
}

/// A running PACS.
pub struct Pacs {
    pub address: SocketAddr,
    inner: Arc<Inner>,
    stop: watch::Sender<bool>,
}

#[derive(Clone)]
struct Archive(Arc<Inner>);

impl Pacs {
    /// Starts a PACS `PACS` that knows `COXA`, and sends what it moves to `COXA` to `destination`.
    pub async fn start(objects: Vec<Stored>, faults: Faults, destination: Option<SocketAddr>) -> Self {
        let destination = destination.map(|address| ("COXA".to_owned(), address));
        let inner = Arc::new(Inner { objects, faults, requests: AtomicUsize::new(0), destination });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let server = Server::new(policy(), Archive(Arc::clone(&inner)), None);
        tokio::spawn(server.serve(listener, stopped, Duration::from_secs(1)));
        Self { address, inner, stop }
    }

    pub fn requests(&self) -> usize {
        self.inner.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Pacs {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

pub fn deadlines() -> Deadlines {
    Deadlines { opening: Duration::from_secs(2), idle: Duration::from_secs(1), total: Duration::from_secs(600) }
}

fn policy() -> Policy {
    let offer = |class: &str, syntax: &str, permission| Offer {
        abstract_syntax: class.to_owned(),
        transfer_syntaxes: vec![syntax.to_owned()],
        permission,
    };
    let models = STUDY_ROOT.iter().chain(&PATIENT_ROOT).map(|model| offer(model, IMPLICIT_VR, Some(Permission::Query)));
    let storage = [DX, CAPTURE].map(|class| offer(class, EXPLICIT, Some(Permission::Store)));
    Policy {
        ae_title: "PACS".to_owned(),
        peers: vec![PeerRule {
            ae_title: "COXA".to_owned(),
            addresses: Vec::new(),
            certificate: None,
            may: vec![Permission::Query, Permission::Store],
        }],
        offers: std::iter::once(offer(VERIFICATION, IMPLICIT_VR, None)).chain(models).chain(storage).collect(),
        // A killed client's association is not waited for.
        deadlines: Deadlines { idle: Duration::from_secs(20), ..deadlines() },
        limits: Limits::default(),
        implementation: ("2.25.2".to_owned(), "TESTPACS".to_owned()),
    }
}

impl Archive {
    /// Counts a request, and fails it where it is one of those.
    async fn admit(&self) -> Result<(), Status> {
        let n = self.0.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if self.0.faults.hangs_at == Some(n) {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        match self.0.faults.refuses_each {
            Some(each) if n.is_multiple_of(each) => Err(Status::OUT_OF_RESOURCES),
            _ => Ok(()),
        }
    }

    fn matching(&self, query: &Identifier) -> impl Iterator<Item = &Stored> {
        let keys: Vec<(u32, String)> = [0x0010_0020, 0x0008_0020, 0x0020_000D, 0x0020_000E, 0x0008_0018]
            .into_iter()
            .filter_map(|tag| Some((tag, query.ascii(tag)?.to_owned())))
            .collect();
        let fits = move |stored: &&Stored| {
            keys.iter().all(|(tag, wanted)| {
                let own = stored.head.ascii(*tag).unwrap_or_default();
                match wanted.split_once('-') {
                    Some((from, to)) if *tag == 0x0008_0020 => (from..=to).contains(&own),
                    _ => own == wanted,
                }
            })
        };
        self.0.objects.iter().filter(fits)
    }
}

impl Handler for Archive {
    async fn store(&self, _: &Peer, _: &StoreRequest, _: &mut Data<'_>) -> Result<Status, DimseError> {
        Ok(Status::NOT_AUTHORIZED)
    }

    async fn find(&self, _: &Peer, query: &Query) -> Result<Vec<Vec<u8>>, Status> {
        self.admit().await?;
        let asked =
            Identifier::parse(&query.identifier, &query.transfer_syntax).map_err(|_| Status::CANNOT_UNDERSTAND)?;
        let (unique, returned): (u32, &[u32]) = match asked.ascii(0x0008_0052) {
            Some("STUDY") => (0x0020_000D, &[0x0010_0020, 0x0008_0020, 0x0008_1030]),
            Some("SERIES") => (0x0020_000E, &[0x0008_0060, 0x0008_103E, 0x0018_0015, 0x0020_0011]),
            Some("IMAGE") => (0x0008_0018, &[0x0008_0016, 0x0020_0013, 0x0018_5101]),
            _ => return Err(Status::DATA_SET_MISMATCH),
        };
        let mut found = BTreeMap::new();
        for stored in self.matching(&asked) {
            let text = |tag| stored.head.value(tag).map(|value| String::from_utf8_lossy(value).into_owned());
            let uid = text(unique).unwrap_or_default();
            let answer = returned.iter().fold(Identifier::default().with(unique, b"UI", &uid), |answer, &tag| {
                answer.with(tag, b"LO", &text(tag).unwrap_or_default())
            });
            found.insert(uid, answer.to_bytes(&query.transfer_syntax).map_err(|_| Status::PROCESSING_FAILURE)?);
        }
        Ok(found.into_values().collect())
    }

    async fn select(&self, _: &Peer, query: &Query) -> Result<Vec<Object>, Status> {
        self.admit().await?;
        let asked =
            Identifier::parse(&query.identifier, &query.transfer_syntax).map_err(|_| Status::CANNOT_UNDERSTAND)?;
        if self.0.faults.refuses_studies && asked.ascii(0x0008_0052) != Some("IMAGE") {
            return Err(Status(0xA701));
        }
        Ok(self.matching(&asked).map(|stored| stored.object.clone()).collect())
    }

    async fn load(&self, object: &Object) -> Result<Vec<u8>, Status> {
        let found = self.0.objects.iter().find(|stored| stored.object == *object);
        found.map(|stored| stored.data.clone()).ok_or(Status::NO_SUCH_INSTANCE)
    }

    fn destination(&self, title: &str) -> Option<Call> {
        let (known, address) = self.0.destination.as_ref()?;
        (known == title).then(|| Call {
            to: address.to_string(),
            called: title.to_owned(),
            calling: "PACS".to_owned(),
            proposals: Vec::new(),
            tls: None,
            deadlines: deadlines(),
            limits: Limits::default(),
            implementation: ("2.25.2".to_owned(), "TESTPACS".to_owned()),
        })
    }
}
