//! Files to peers of every temper: dcmtk's, this crate's own, and one that answers by a script.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coxa_dimse::command::{CommandSet, Operation, element};
use coxa_dimse::file::DicomFile;
use coxa_dimse::send::{Retry, SendError, Sender};
use coxa_dimse::{Deadlines, DimseError, Incoming, Origin, Status, accept};
use tokio::net::TcpListener;

use super::{Node, Running, call, dicom_file, policy};

/// What a scripted peer does with an object, once all of it has arrived.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answer(u16),
    Abort,
    Hang,
    /// Closes the connection after the last PDU, without an answer.
    Close,
}

/// A peer that deals with each object by the next fate, and the last one for ever; and how many objects it got.
async fn scripted(fates: &[Fate]) -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (count, mut fates) = (Arc::new(Mutex::new(0)), VecDeque::from(fates.to_vec()));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (stream, address) = listener.accept().await.unwrap();
            let origin = Origin::plain(address);
            let mut association = accept(Box::new(stream), origin, &policy()).await.unwrap();
            while let Ok(Incoming::Command { context, command }) = association.receive().await {
                association.skip_data().await.unwrap();
                *counted.lock().unwrap() += 1;
                let fate = if fates.len() > 1 { fates.pop_front() } else { fates.front().copied() };
                match fate.unwrap() {
                    Fate::Answer(status) => {
                        let answer = CommandSet::response_to(&command, Status(status));
                        association.send_command(context.id, &answer).await.unwrap();
                    }
                    Fate::Abort => {
                        association.abort().await;
                        break;
                    }
                    Fate::Hang => {
                        tokio::time::sleep(Duration::from_millis(700)).await;
                        break;
                    }
                    Fate::Close => break,
                }
            }
        }
    });
    (address, count)
}

fn sender(to: &str) -> Sender {
    let mut call = call(to, None);
    call.deadlines = Deadlines { idle: Duration::from_millis(500), ..call.deadlines };
    Sender::new(call, Retry { attempts: 3, first_wait: Duration::from_millis(1) })
}

fn files(folder: &Path, n: u32) -> Vec<DicomFile> {
    (1..=n).map(|n| DicomFile::read(&dicom_file(folder, n)).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_ends_in_the_right_state_once() {
    use Fate::{Abort, Answer, Close, Hang};
    let folder = tempfile::tempdir().unwrap();
    let file = files(folder.path(), 1);
    for (fates, status, n_sent) in [
        (&[Answer(0)][..], 0, 1),
        (&[Answer(0xB000)], 0xB000, 1),
        (&[Answer(0xC000)], 0xC000, 1),
        (&[Answer(0xA900)], 0xA900, 1),
        (&[Answer(0x0122)], 0x0122, 1),
        (&[Answer(0xA700), Answer(0xA701), Answer(0)], 0, 3),
        (&[Answer(0xA700)], 0xA700, 3),
        (&[Abort, Answer(0)], 0, 2),
        (&[Close, Answer(0xB007)], 0xB007, 2),
        (&[Hang, Answer(0)], 0, 2),
        (&[Answer(0xA700), Close, Answer(0xC001)], 0xC001, 3),
    ] {
        let (address, count) = scripted(fates).await;
        let mut ends = Vec::new();
        sender(&address).send(&file, |_, result| ends.push(result.unwrap())).await.unwrap();
        assert_eq!((&ends[..], *count.lock().unwrap()), (&[Status(status)][..], n_sent), "{fates:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_only_ends_associations_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), 4);
    for fate in [Fate::Abort, Fate::Close] {
        let (address, count) = scripted(&[Fate::Answer(0), fate]).await;
        let mut ends = Vec::new();
        let error = sender(&address).send(&files, |_, result| ends.push(result)).await.unwrap_err();
        assert!(matches!(error, DimseError::Aborted | DimseError::Closed(_) | DimseError::Io(_)), "{error}");
        // The first was stored, the second failed, the third failed and ended it, the fourth was not sent.
        assert!(matches!(ends[..], [Ok(Status::SUCCESS), Err(SendError::Association(_))]), "{ends:?}");
        assert_eq!(*count.lock().unwrap(), 7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_arrive_whole_and_what_is_not_accepted_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(policy(), Status::SUCCESS, None).await;
    let mut files = files(folder.path(), 3);
    files[1].object.transfer_syntax = "1.2.840.10008.1.2.4.90".to_owned();
    files[2].object.sop_class = coxa_dimse::Uid::parse("1.2.840.10008.5.1.4.1.1.2").unwrap();
    let mut ends = Vec::new();
    let end = |file: &DicomFile, result: Result<Status, SendError>| {
        ends.push((file.object.sop_instance.clone(), result.map_err(|error| error.to_string())));
    };
    sender(&node.address.to_string()).send(&files, end).await.unwrap();
    let results: Vec<_> = ends.iter().map(|(_, result)| result.as_ref().map_err(String::as_str)).collect();
    assert_eq!(
        results,
        [
            Ok(&Status::SUCCESS),
            Err(
                "the peer does not accept Secondary Capture Image Storage (1.2.840.10008.5.1.4.1.1.7) in JPEG 2000 Lossless \
                 (1.2.840.10008.1.2.4.90)"
            ),
            Err("the peer does not accept the SOP class (1.2.840.10008.5.1.4.1.1.2)"),
        ]
    );
    let stored = node.seen.stored.lock().unwrap();
    let bytes = std::fs::read(&files[0].path).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].1, bytes[files[0].data_at as usize..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_s_own_statuses_and_its_limits_are_met() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), 2);
    let node = Node::start(policy(), Status(0xB006), None).await;
    let mut ends = Vec::new();
    sender(&node.address.to_string()).send(&files, |_, result| ends.push(result.unwrap())).await.unwrap();
    assert_eq!(ends, [Status(0xB006), Status(0xB006)]);
    // Nobody there: at once, and nothing of the files is claimed.
    let error = sender(&format!("127.0.0.1:{}", coxa_testing::free_port()))
        .send(&files, |_, _| panic!("nothing was sent"))
        .await;
    assert!(matches!(error, Err(DimseError::Connect { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn dcmqrscp_stores_files() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    let Some(mut dcmqrscp) = coxa_testing::tool("dcmqrscp") else { return };
    let port = coxa_testing::free_port();
    let configuration: PathBuf = super::dcmtk::archive_configuration(&archive, port, 0);
    let _archive = Running::start(dcmqrscp.arg("-c").arg(configuration));
    let files = files(folder.path(), 3);
    let mut ends = Vec::new();
    for _ in 0..200 {
        let sent = sender(&format!("127.0.0.1:{port}")).send(&files, |_, result| ends.push(result.unwrap())).await;
        if sent.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ends, [Status::SUCCESS; 3]);
}

/// What a provider sends in answer to a C-GET is judged as what a user sends: no text of it reaches the caller.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_s_forged_uids_are_refused() {
    const GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let provider = tokio::spawn(async move {
        let (stream, address) = listener.accept().await.unwrap();
        let mut offers = policy();
        offers.offers.push(coxa_dimse::Offer {
            abstract_syntax: GET.to_owned(),
            transfer_syntaxes: vec![coxa_dimse::IMPLICIT_VR.to_owned()],
            permission: None,
        });
        let mut association = accept(Box::new(stream), Origin::plain(address), &offers).await.unwrap();
        let Incoming::Command { context, command } = association.receive().await.unwrap() else { panic!("a command") };
        association.skip_data().await.unwrap();
        let captures = association.contexts().iter().find(|context| context.abstract_syntax == super::CAPTURE);
        let captures = captures.unwrap().id;
        let mut statuses = Vec::new();
        for forged in ["../../x", "/etc/passwd", "1.2\x001.3", &"1.2".repeat(30)] {
            let store = CommandSet::request(Operation::Store, 9, coxa_dimse::command::DataSet::Follows)
                .with_text(element::AFFECTED_SOP_CLASS, super::CAPTURE)
                .with_text(element::AFFECTED_SOP_INSTANCE, forged);
            association.send_command(captures, &store).await.unwrap();
            association.send_data(captures, b"data").await.unwrap();
            let Incoming::Command { command, .. } = association.receive().await.unwrap() else { panic!("an answer") };
            statuses.push((command.status(), command.uid(element::AFFECTED_SOP_INSTANCE)));
        }
        association.send_command(context.id, &CommandSet::response_to(&command, Status::SUCCESS)).await.unwrap();
        // The user releases.
        assert!(matches!(association.receive().await, Ok(Incoming::Released)));
        statuses
    });
    let mut call = call(address, None);
    call.proposals = vec![coxa_dimse::Proposal::new(GET, &[coxa_dimse::IMPLICIT_VR])];
    let mut captures = coxa_dimse::Proposal::new(super::CAPTURE, &[super::EXPLICIT_VR]);
    captures.direction = coxa_dimse::Direction::Theirs;
    call.proposals.push(captures);
    let mut association = coxa_dimse::connect(&call).await.unwrap();
    let take = async |_, _| panic!("a forged object was taken");
    let (status, _) = association.get(GET, b"", take).await.unwrap();
    assert_eq!(status, Status::SUCCESS);
    association.release().await.unwrap();
    assert_eq!(provider.await.unwrap(), vec![(Some(Status::INVALID_INSTANCE), None); 4]);
}
