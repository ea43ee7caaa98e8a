//! TLS with foreign peers: dcmtk and pynetdicom, each in both roles, with certificates on both sides.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use coxa_dimse::tls::{Acceptor, Connector, TlsFiles};
use coxa_dimse::{Association, Object, Status, Uid, connect};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::loopback::certificates;
use super::{CAPTURE, EXPLICIT_VR, Node, Running, call, dicom_file, policy, smallest};

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// dcmtk's options for a node's own files, checking the peer by the same authority.
fn options(command: &mut Command, files: &TlsFiles) {
    command.arg("+tls").args([&files.key, &files.certificate]).arg("+cf").arg(files.authorities.as_ref().unwrap());
}

fn connector(files: &TlsFiles) -> Connector {
    Connector::new(files.authorities.as_ref().unwrap(), Some(files)).unwrap()
}

async fn patiently(port: u16, files: &TlsFiles) -> Association {
    let mut result = connect(&call(format!("127.0.0.1:{port}"), Some(connector(files)))).await;
    for _ in 0..300 {
        if result.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        result = connect(&call(format!("127.0.0.1:{port}"), Some(connector(files)))).await;
    }
    result.unwrap()
}

async fn echo_and_store(mut association: Association) {
    assert_eq!(association.echo().await.unwrap(), Status::SUCCESS);
    let object = Object {
        sop_class: Uid::parse(CAPTURE).unwrap(),
        sop_instance: Uid::parse("2.25.99").unwrap(),
        transfer_syntax: EXPLICIT_VR.to_owned(),
    };
    assert_eq!(association.store(&object, &smallest("2.25.99")[..]).await.unwrap(), Status::SUCCESS);
    association.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dcmtk_s_users_are_served_where_they_show_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path(), "hospital");
    let stranger = certificates(folder.path(), "stranger");
    let film = dicom_file(folder.path(), 1);
    let node = Node::start(policy(), Status::SUCCESS, Some(Acceptor::new(files.clone()).unwrap())).await;
    let port = node.address.port().to_string();
    for (program, file) in [("echoscu", None), ("storescu", Some(&film))] {
        let Some(mut command) = coxa_testing::tool(program) else { return };
        options(&mut command, &files);
        command.args(["-aec", "COXA", "127.0.0.1", &port]).args(file);
        let output = output(command).await;
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let (request, _, peer) = node.seen.stored.lock().unwrap().pop().unwrap();
    assert_eq!(request.sop_instance.as_str(), "2.25.1");
    assert_eq!(peer.certificate.map(|hash| hash.len()), Some(64));
    // A certificate of another authority, one that is not checked at the peer's side, and none at all.
    for own in [Some(&stranger), None] {
        let Some(mut command) = coxa_testing::tool("echoscu") else { return };
        match own {
            Some(own) => command.arg("+tls").args([&own.key, &own.certificate]),
            None => command.arg("+tla"),
        };
        command.args(["-ic", "-aec", "COXA", "127.0.0.1", &port]);
        assert!(!output(command).await.status.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dcmtk_s_provider_takes_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let received = folder.path().join("received");
    std::fs::create_dir(&received).unwrap();
    let files = certificates(folder.path(), "hospital");
    let Some(mut command) = coxa_testing::tool("storescp") else { return };
    let port = coxa_testing::free_port();
    options(&mut command, &files);
    command.args(["-aet", "COXA", "-od"]).arg(&received).arg(port.to_string());
    let storescp = Running::start(&mut command);
    echo_and_store(patiently(port, &files).await).await;
    drop(storescp);
    assert_eq!(std::fs::read_dir(&received).unwrap().count(), 1);
}

fn script(role: &str, port: u16, files: &TlsFiles) -> Option<tokio::process::Command> {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/tls.py");
    let mut command = tokio::process::Command::from(coxa_testing::python("pynetdicom")?);
    let own: [&Path; 3] = [files.authorities.as_ref().unwrap(), &files.certificate, &files.key];
    command.args([place, role, &port.to_string()]).args(own).stdout(Stdio::piped()).kill_on_drop(true);
    Some(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn pynetdicom_in_both_roles() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path(), "hospital");
    let node = Node::start(policy(), Status::SUCCESS, Some(Acceptor::new(files.clone()).unwrap())).await;
    let Some(mut user) = script("scu", node.address.port(), &files) else { return };
    let output = user.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (request, ..) = node.seen.stored.lock().unwrap().pop().unwrap();
    assert_eq!(request.sop_instance.as_str(), "2.25.7");

    let port = coxa_testing::free_port();
    let mut provider = script("scp", port, &files).unwrap().spawn().unwrap();
    let mut lines = BufReader::new(provider.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
    echo_and_store(patiently(port, &files).await).await;
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("2.25.99 SIMULATED"));
    assert!(provider.wait().await.unwrap().success());
}
