//! Storage commitment with this crate's own node, Orthanc and pynetdicom as peers, in both roles.

use std::process::Stdio;

use coxa_dimse::commitment::{Failure, Reference, Report, Request, reporting, requesting};
use coxa_dimse::{Association, Object, Status, Uid, connect};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::orthanc::{Orthanc, Plugin};
use super::{CAPTURE, EXPLICIT_VR, Node, call, policy, smallest};

fn object(n: u32) -> Reference {
    Reference { sop_class: uid(CAPTURE), sop_instance: uid(&format!("2.25.{n}")) }
}

fn uid(text: &str) -> Uid {
    Uid::parse(text).unwrap()
}

/// A report on objects 1, stored, and 2, which is not.
fn report(transaction: Uid) -> Report {
    let failed = Failure { reference: object(2), reason: Status::NO_SUCH_INSTANCE };
    Report { transaction, stored: vec![object(1)], failed: vec![failed] }
}

async fn asking(port: u16, called: &str) -> Association {
    let mut call = call(format!("127.0.0.1:{port}"), None);
    (call.called, call.calling) = (called.to_owned(), "COXA".to_owned());
    call.proposals.push(requesting());
    let mut result = connect(&call).await;
    for _ in 0..200 {
        if result.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        result = connect(&call).await;
    }
    result.unwrap()
}

/// Reports on an association that this node requests.
async fn answer(port: u16, called: &str, report: &Report) {
    let mut call = call(format!("127.0.0.1:{port}"), None);
    (call.called, call.calling, call.proposals) = (called.to_owned(), "COXA".to_owned(), vec![reporting()]);
    let mut association = connect(&call).await.unwrap();
    assert_eq!(association.report_commitment(report).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_its_report_on_an_association_of_its_own() {
    let (provider, user) =
        (Node::start(policy(), Status::SUCCESS, None).await, Node::start(policy(), Status::SUCCESS, None).await);
    let request = Request { transaction: uid("2.25.5"), references: vec![object(1), object(2)] };
    let mut association = asking(provider.address.port(), "COXA").await;
    assert_eq!(association.request_commitment(&request).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
    assert_eq!(*provider.seen.requests.lock().unwrap(), [request]);
    answer(user.address.port(), "COXA", &report(uid("2.25.5"))).await;
    assert_eq!(*user.seen.reports.lock().unwrap(), [report(uid("2.25.5"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_none_is_answered_with_its_status() {
    let node = Node::start(policy(), Status::SUCCESS, None).await;
    let mut association = asking(node.address.port(), "COXA").await;
    let nothing = Request { transaction: uid("2.25.5"), references: Vec::new() };
    assert_eq!(association.request_commitment(&nothing).await.unwrap(), Status::INVALID_ARGUMENT);
    association.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn orthanc_asks_and_is_answered() {
    let node = Node::start(policy(), Status::SUCCESS, None).await;
    let Some(orthanc) = Orthanc::start(node.address.port(), Plugin::None).await else { return };
    let body = format!(r#"{{"DicomInstances": [["{CAPTURE}", "2.25.1"], ["{CAPTURE}", "2.25.2"]]}}"#);
    let (status, answered) = orthanc.ask("POST", "/modalities/coxa/storage-commitment", &body).await;
    assert_eq!(status, 200, "{answered}");
    node.until("a request", |seen| !seen.requests.lock().unwrap().is_empty()).await;
    let request = node.seen.requests.lock().unwrap().pop().unwrap();
    assert_eq!(request.references, [object(1), object(2)]);
    answer(orthanc.dicom, "ORTHANC", &report(request.transaction.clone())).await;
    let (_, state) = orthanc.ask("GET", &format!("/storage-commitment/{}", request.transaction.as_str()), "").await;
    // Orthanc lists what is stored and what is not, with the reason.
    assert!(state.contains("\"Status\" : \"Failure\""), "{state}");
    let (failures, success) = (state.find("\"Failures\"").unwrap(), state.find("\"Success\"").unwrap());
    let (stored, failed) = (state.find("2.25.1\"").unwrap(), state.find("2.25.2\"").unwrap());
    assert!(failures < failed && failed < success && success < stored, "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orthanc_is_asked_and_reports() {
    let node = Node::start(policy(), Status::SUCCESS, None).await;
    let Some(orthanc) = Orthanc::start(node.address.port(), Plugin::None).await else { return };
    let mut association = asking(orthanc.dicom, "ORTHANC").await;
    let stored =
        Object { sop_class: uid(CAPTURE), sop_instance: uid("2.25.1"), transfer_syntax: EXPLICIT_VR.to_owned() };
    assert_eq!(association.store(&stored, &smallest("2.25.1")[..]).await.unwrap(), Status::SUCCESS);
    let request = Request { transaction: uid("2.25.8"), references: vec![object(1), object(2)] };
    assert_eq!(association.request_commitment(&request).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
    node.until("a report", |seen| !seen.reports.lock().unwrap().is_empty()).await;
    assert_eq!(*node.seen.reports.lock().unwrap(), [report(uid("2.25.8"))]);
}

/// Starts the peer's script, and waits until it is ready.
fn script(
    arguments: &[&str],
) -> Option<(tokio::process::Child, tokio::io::Lines<BufReader<tokio::process::ChildStdout>>)> {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/commitment.py");
    let mut command = tokio::process::Command::from(coxa_testing::python("pynetdicom")?);
    let mut child = command.arg(place).args(arguments).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    Some((child, lines))
}

#[tokio::test(flavor = "multi_thread")]
async fn pynetdicom_asks_and_is_answered() {
    let node = Node::start(policy(), Status::SUCCESS, None).await;
    let port = coxa_testing::free_port();
    let Some((mut child, mut lines)) = script(&["scu", &node.address.port().to_string(), &port.to_string()]) else {
        return;
    };
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
    node.until("a request", |seen| !seen.requests.lock().unwrap().is_empty()).await;
    let request = node.seen.requests.lock().unwrap().pop().unwrap();
    assert_eq!(request, Request { transaction: uid("2.25.1000"), references: vec![object(1), object(2)] });
    answer(port, "PEER", &report(request.transaction)).await;
    let line = lines.next_line().await.unwrap();
    assert_eq!(line.as_deref(), Some("2 2.25.1000 ['2.25.1'] [('2.25.2', '0x112')]"));
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn pynetdicom_is_asked_and_reports_in_both_ways() {
    for way in ["same", "new"] {
        let node = Node::start(policy(), Status::SUCCESS, None).await;
        let port = coxa_testing::free_port();
        let arguments = ["scp", way, &node.address.port().to_string(), &port.to_string()];
        let Some((mut child, mut lines)) = script(&arguments) else { return };
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
        let mut association = asking(port, "PEER").await;
        let request = Request { transaction: uid("2.25.6"), references: vec![object(1), object(2)] };
        assert_eq!(association.request_commitment(&request).await.unwrap(), Status::SUCCESS);
        let reported = if way == "same" {
            association.next_report().await.unwrap().unwrap()
        } else {
            node.until("a report", |seen| !seen.reports.lock().unwrap().is_empty()).await;
            node.seen.reports.lock().unwrap().pop().unwrap()
        };
        assert_eq!(reported, report(uid("2.25.6")));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("0000"), "{way}");
        association.release().await.unwrap();
        assert!(child.wait().await.unwrap().success());
    }
}
