//! dcmtk as the peer, in both roles.

use std::process::Stdio;

use coxa_dimse::{Object, Status, Uid, connect};

use super::{CAPTURE, EXPLICIT_VR, Node, Running, call, explicit, policy};

/// A Secondary Capture of four pixels, made by dcmtk of a dump.
fn film(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    let dump = "(0008,0016) UI =SecondaryCaptureImageStorage\n(0008,0018) UI 2.25.4711\n(0010,0010) PN SIMULATED^FILM\n\
                (0020,000d) UI 2.25.1\n(0020,000e) UI 2.25.2\n(0028,0002) US 1\n(0028,0004) CS MONOCHROME2\n\
                (0028,0010) US 2\n(0028,0011) US 2\n(0028,0100) US 8\n(0028,0101) US 8\n(0028,0102) US 7\n\
                (0028,0103) US 0\n(7fe0,0010) OB 01\\02\\03\\04\n";
    let (text, place) = (folder.join("film.txt"), folder.join("film.dcm"));
    std::fs::write(&text, dump).unwrap();
    let mut dump2dcm = coxa_testing::tool("dump2dcm")?;
    let status = dump2dcm.args(["+te", "-q"]).arg(&text).arg(&place).status().unwrap();
    assert!(status.success());
    Some(place)
}

#[tokio::test(flavor = "multi_thread")]
async fn echoscu_and_storescu_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let Some(film) = film(folder.path()) else { return };
    let node = Node::start(policy(), Status::SUCCESS, None).await;
    let port = node.address.port().to_string();
    for (program, file) in [("echoscu", None), ("storescu", Some(&film))] {
        let Some(mut command) = coxa_testing::tool(program) else { return };
        command.args(["-aec", "COXA", "127.0.0.1", &port]).args(file);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let (request, bytes, _) = node.seen.stored.lock().unwrap().pop().unwrap();
    assert_eq!((request.sop_class.as_str(), request.sop_instance.as_str()), (CAPTURE, "2.25.4711"));
    assert!(bytes.ends_with(&[1, 2, 3, 4]));
    // Another title is refused, and the remedy says which is right.
    let Some(mut command) = coxa_testing::tool("echoscu") else { return };
    command.args(["-aec", "coxa", "127.0.0.1", &port]).stderr(Stdio::null());
    let refused = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
    assert!(!refused.success());
    node.until("a refusal", |seen| !seen.refused.lock().unwrap().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storescp_takes_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut command) = coxa_testing::tool("storescp") else { return };
    // A port that is free now.
    let port = coxa_testing::free_port();
    let storescp = Running::start(command.args(["-aet", "COXA", "-od"]).arg(folder.path()).arg(port.to_string()));
    let mut association = None;
    for _ in 0..200 {
        association = connect(&call(format!("127.0.0.1:{port}"), None)).await.ok();
        if association.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut association = association.expect("storescp answers");
    assert_eq!(association.echo().await.unwrap(), Status::SUCCESS);
    // Group 0008: SOP class and instance, explicit VR.
    let mut data = Vec::new();
    for (element, text) in [(0x16u8, format!("{CAPTURE}\0")), (0x18, "2.25.99\0".to_owned())] {
        data.extend([8, 0, element, 0]);
        data.extend(b"UI");
        data.extend((text.len() as u16).to_le_bytes());
        data.extend(text.as_bytes());
    }
    let object = Object {
        sop_class: Uid::parse(CAPTURE).unwrap(),
        sop_instance: Uid::parse("2.25.99").unwrap(),
        transfer_syntax: EXPLICIT_VR.to_owned(),
    };
    assert_eq!(association.store(&object, &data[..]).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
    drop(storescp);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Study Root Query/Retrieve: FIND, MOVE, GET.
const FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const MOVE: &str = "1.2.840.10008.5.1.4.1.2.2.2";
const GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";

/// The configuration of an archive that knows two movers: this test's node, and nobody.
pub(crate) fn archive_configuration(folder: &std::path::Path, port: u16, node: u16) -> std::path::PathBuf {
    let place = folder.join("dcmqrscp.cfg");
    let text = format!(
        "NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n\
         HostTable BEGIN\ncoxa = (MOVER, 127.0.0.1, {node})\nHostTable END\n\
         VendorTable BEGIN\nVendorTable END\n\
         AETable BEGIN\nCOXA {} RW (200, 1024mb) ANY\nAETable END\n",
        folder.display()
    );
    std::fs::write(&place, text).unwrap();
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn dcmqrscp_is_queried_and_gives_its_objects_in_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let Some(film) = film(folder.path()) else { return };
    let tools = coxa_testing::tool("dcmqrscp").zip(coxa_testing::tool("storescu"));
    let Some((mut dcmqrscp, mut storescu)) = tools else { return };
    // The archive moves objects to this node, which the peers' table names MOVER.
    let node = Node::start(coxa_dimse::Policy { ae_title: "MOVER".into(), ..policy() }, Status::SUCCESS, None).await;
    let port = coxa_testing::free_port();
    let configuration = archive_configuration(folder.path(), port, node.address.port());
    let _archive = Running::start(dcmqrscp.arg("-c").arg(configuration));
    storescu.args(["-aec", "COXA", "127.0.0.1", &port.to_string()]).arg(&film).stderr(Stdio::null());
    let stored = tokio::task::spawn_blocking(move || {
        (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            storescu.status().unwrap().success()
        })
    });
    assert!(stored.await.unwrap());

    let mut call = call(format!("127.0.0.1:{port}"), None);
    call.calling = "MOVER".to_owned();
    call.proposals.extend([FIND, MOVE, GET].map(|model| coxa_dimse::Proposal::new(model, &[EXPLICIT_VR])));
    let captures = call.proposals.iter_mut().find(|proposal| proposal.abstract_syntax == CAPTURE);
    captures.unwrap().direction = coxa_dimse::Direction::Theirs;
    let mut association = connect(&call).await.unwrap();
    let level = explicit(8, 0x52, "CS", "STUDY");
    let query = [level.clone(), explicit(0x10, 0x10, "PN", ""), explicit(0x20, 0xD, "UI", "")].concat();
    let (status, found) = association.find(FIND, &query, 10).await.unwrap();
    assert_eq!(status, Status::SUCCESS);
    assert_eq!(found.len(), 1);
    assert!(found[0].windows(14).any(|window| window == b"SIMULATED^FILM"), "its name is among the answers");

    let study = [level, explicit(0x20, 0xD, "UI", "2.25.1")].concat();
    let mut taken = Vec::new();
    let take = async |object: Object, data: Vec<u8>| {
        taken.push((object, data));
        Status::SUCCESS
    };
    let (status, counts) = association.get(GET, &study, take).await.unwrap();
    assert_eq!((status, counts.completed, counts.failed), (Status::SUCCESS, 1, 0));
    assert_eq!(taken[0].0.sop_instance.as_str(), "2.25.4711");
    assert!(taken[0].1.ends_with(&[1, 2, 3, 4]));

    let (status, counts) = association.move_to(MOVE, "MOVER", &study, |_| {}).await.unwrap();
    assert_eq!((status, counts.completed, counts.failed), (Status::SUCCESS, 1, 0));
    let (request, bytes, _) = node.seen.stored.lock().unwrap().pop().unwrap();
    assert_eq!(request.move_originator.map(|(title, _)| title).as_deref(), Some("MOVER"));
    assert!(bytes.ends_with(&[1, 2, 3, 4]));
    let (status, _) = association.move_to(MOVE, "NOBODY", &study, |_| {}).await.unwrap();
    assert_eq!(status.0, 0xA801);
    association.release().await.unwrap();
}

/// An archive of one object.
#[derive(Clone)]
struct Archive {
    destination: std::net::SocketAddr,
}

impl coxa_dimse::Handler for Archive {
    async fn store(
        &self,
        _: &coxa_dimse::Peer,
        _: &coxa_dimse::StoreRequest,
        _: &mut coxa_dimse::Data<'_>,
    ) -> Result<Status, coxa_dimse::DimseError> {
        Ok(Status::NOT_AUTHORIZED)
    }

    async fn find(&self, _: &coxa_dimse::Peer, query: &coxa_dimse::Query) -> Result<Vec<Vec<u8>>, Status> {
        let asked = coxa_dimse::query::Identifier::parse(&query.identifier, &query.transfer_syntax).unwrap();
        if asked.ascii(0x0010_0020) != Some("P1") {
            return Ok(Vec::new());
        }
        let found = coxa_dimse::query::Identifier::default()
            .with(0x0008_0052, b"CS", "STUDY")
            .with(0x0010_0020, b"LO", "P1")
            .with(0x0020_000D, b"UI", "2.25.100");
        Ok(vec![found.to_bytes(&query.transfer_syntax).unwrap()])
    }

    async fn select(&self, _: &coxa_dimse::Peer, _: &coxa_dimse::Query) -> Result<Vec<Object>, Status> {
        let uid = |text| Uid::parse(text).unwrap();
        Ok(vec![Object {
            sop_class: uid(CAPTURE),
            sop_instance: uid("2.25.4711"),
            transfer_syntax: EXPLICIT_VR.to_owned(),
        }])
    }

    async fn load(&self, object: &Object) -> Result<Vec<u8>, Status> {
        Ok(super::smallest(object.sop_instance.as_str()))
    }

    fn destination(&self, title: &str) -> Option<coxa_dimse::Call> {
        let call = call(self.destination, None);
        (title == "COXA").then(|| coxa_dimse::Call { calling: "ARCHIVE".to_owned(), ..call })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn findscu_getscu_and_movescu_are_served() {
    use coxa_dimse::{IMPLICIT_VR, Offer, PeerRule, Permission};
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(policy(), Status::SUCCESS, None).await;
    let models = [FIND, MOVE, GET].map(|model| Offer {
        abstract_syntax: model.to_owned(),
        transfer_syntaxes: vec![EXPLICIT_VR.to_owned(), IMPLICIT_VR.to_owned()],
        permission: Some(Permission::Query),
    });
    let peer = PeerRule {
        ae_title: "TESTER".into(),
        addresses: Vec::new(),
        certificate: None,
        may: vec![Permission::Query, Permission::Store],
    };
    let policy = policy();
    let offers = policy.offers.iter().cloned().chain(models).collect();
    let policy = coxa_dimse::Policy { ae_title: "ARCHIVE".into(), peers: vec![peer], offers, ..policy };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let server = coxa_dimse::Server::new(policy, Archive { destination: node.address }, None);
    tokio::spawn(server.serve(listener, stopped, std::time::Duration::from_secs(1)));
    let common = ["-aet", "TESTER", "-aec", "ARCHIVE", "-S", "-k", "0008,0052=STUDY", "-k", "0010,0020=P1"];
    for (program, more) in [
        ("findscu", vec!["-k", "0020,000d"]),
        ("getscu", vec!["-k", "0020,000d=2.25.100", "-od", folder.path().to_str().unwrap()]),
        ("movescu", vec!["-k", "0020,000d=2.25.100", "-aem", "COXA"]),
    ] {
        let Some(mut command) = coxa_testing::tool(program) else { return };
        command.arg("-v").args(common).args(more).args(["127.0.0.1", &port]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        assert!(output.status.success(), "{program}: {printed}");
        if program == "findscu" {
            assert!(printed.contains("2.25.100"), "{printed}");
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "getscu wrote its object");
    let (request, bytes, _) = node.seen.stored.lock().unwrap().pop().unwrap();
    assert_eq!(request.move_originator.map(|(title, _)| title).as_deref(), Some("TESTER"));
    assert_eq!(bytes, super::smallest("2.25.4711"));
}
