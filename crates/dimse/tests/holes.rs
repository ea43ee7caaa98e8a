//! Holes that were published of other nodes: forged UIDs, associations that end at every state, malformed PDUs, TLS against plain.

use std::time::Duration;

use coxa_dimse::command::{CommandSet, DataSet, Operation, element};
use coxa_dimse::commitment::{Reference, Request, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE};
use coxa_dimse::tls::{Acceptor, Connector};
use coxa_dimse::{
    Deadlines, Incoming, Limits, PeerRule, Permission, Policy, Proposal, Status, Uid, VERIFICATION, connect,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::hostile::{end_of, recorded_request};
use super::loopback::certificates;
use super::{CAPTURE, Node, call, policy};

/// UIDs of the command set that would become paths (CVE-2022-2119).
#[tokio::test(flavor = "multi_thread")]
async fn forged_uids_reach_no_handler() {
    let node = Node::start(policy(), Status::SUCCESS, None).await;
    let mut association = connect(&call(node.address, None)).await.unwrap();
    let context = association.contexts().iter().find(|context| context.abstract_syntax == CAPTURE).unwrap().id;
    let long = "1.2".repeat(22);
    for (class, instance, status) in [
        (CAPTURE, "../../x", Status::INVALID_INSTANCE),
        (CAPTURE, "/etc/passwd", Status::INVALID_INSTANCE),
        (CAPTURE, "1.2\x00../3", Status::INVALID_INSTANCE),
        (CAPTURE, &long, Status::INVALID_INSTANCE),
        (CAPTURE, "", Status::INVALID_INSTANCE),
        ("../../x", "2.25.1", Status::SOP_CLASS_NOT_SUPPORTED),
        // Of another context.
        ("1.2.840.10008.5.1.4.1.1.2", "2.25.1", Status::DATA_SET_MISMATCH),
    ] {
        let store = CommandSet::request(Operation::Store, 3, DataSet::Follows)
            .with_text(element::AFFECTED_SOP_CLASS, class)
            .with_text(element::AFFECTED_SOP_INSTANCE, instance);
        association.send_command(context, &store).await.unwrap();
        association.send_data(context, b"data").await.unwrap();
        let Incoming::Command { command, .. } = association.receive().await.unwrap() else { panic!("an answer") };
        assert_eq!(command.status(), Some(status), "{instance}");
    }
    association.release().await.unwrap();
    assert!(node.seen.stored.lock().unwrap().is_empty());
}

/// A peer that may only query cannot ask for commitment on the context of an echo, which is open to all.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_on_the_context_of_another_service_is_refused() {
    let rule =
        PeerRule { ae_title: "TESTER".into(), addresses: Vec::new(), certificate: None, may: vec![Permission::Query] };
    let node = Node::start(Policy { peers: vec![rule], ..policy() }, Status::SUCCESS, None).await;
    let mut association = connect(&call(node.address, None)).await.unwrap();
    let context = association.contexts()[0].clone();
    assert_eq!((association.contexts().len(), context.abstract_syntax.as_str()), (1, VERIFICATION));
    let uid = |text| Uid::parse(text).unwrap();
    let sop_instance = uid("2.25.1");
    let asked = Request {
        transaction: uid("2.25.9"),
        references: vec![Reference { sop_class: uid(CAPTURE), sop_instance: sop_instance.clone() }],
    };
    let data = asked.to_bytes(&context.transfer_syntax).unwrap();
    let operations = [
        (Operation::Action, element::REQUESTED_SOP_CLASS, element::REQUESTED_SOP_INSTANCE, element::ACTION_TYPE),
        (Operation::EventReport, element::AFFECTED_SOP_CLASS, element::AFFECTED_SOP_INSTANCE, element::EVENT_TYPE),
    ];
    for (operation, class, instance, kind) in operations {
        let command = CommandSet::request(operation, 3, DataSet::Follows)
            .with_text(class, STORAGE_COMMITMENT)
            .with_text(instance, STORAGE_COMMITMENT_INSTANCE)
            .with_u16(kind, 1);
        association.send_command(context.id, &command).await.unwrap();
        association.send_data(context.id, &data).await.unwrap();
        let Incoming::Command { command, .. } = association.receive().await.unwrap() else { panic!("an answer") };
        assert_eq!(command.status(), Some(Status::SOP_CLASS_NOT_SUPPORTED));
    }
    association.release().await.unwrap();
    assert!(node.seen.requests.lock().unwrap().is_empty() && node.seen.reports.lock().unwrap().is_empty());
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or(0)
}

/// One association that ends at a state of its own.
async fn end_at(state: usize, node: &Node, request: &[u8]) {
    let mut stream = loop {
        match TcpStream::connect(node.address).await {
            Ok(stream) => break stream,
            // Every port of this side waits for its time to pass.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let mut answer = [0; 512];
    let n = match state % 8 {
        0 => 0,
        1 => 3,
        2 => request.len() / 2,
        _ => request.len(),
    };
    // The node may close at any time: what happens to this side is of no interest.
    let _ = stream.write_all(&request[..n]).await;
    if state % 8 < 4 {
        return;
    }
    let _ = stream.read(&mut answer).await;
    let store = CommandSet::request(Operation::Store, 1, DataSet::Follows)
        .with_text(element::AFFECTED_SOP_CLASS, CAPTURE)
        .with_text(element::AFFECTED_SOP_INSTANCE, "2.25.1")
        .to_bytes();
    let mut command = vec![4, 0];
    command.extend((store.len() as u32 + 6).to_be_bytes());
    command.extend((store.len() as u32 + 2).to_be_bytes());
    command.extend([3, 3]);
    command.extend(&store);
    let tail: &[u8] = match state % 8 {
        // An abort; a release whose answer is not read; a data set that stops within a PDU; a PDU that is only announced.
        4 => b"\x07\0\0\0\0\x04\0\0\0\0",
        5 => b"\x05\0\0\0\0\x04\0\0\0\0",
        6 => b"\x04\0\0\x01\xff\0\0\x01\xfe\0\x03\0half",
        _ => b"\x04\0\0\x01\xff\0",
    };
    if state % 8 > 5 {
        let _ = stream.write_all(&command).await;
    }
    let _ = stream.write_all(tail).await;
}

async fn associations(n: usize, most_growth_kib: u64) {
    let limits = Limits { associations: 8, ..Limits::default() };
    let deadlines = Deadlines { opening: Duration::from_secs(1), idle: Duration::from_secs(1), ..policy().deadlines };
    let node = Node::start(Policy { limits, deadlines, ..policy() }, Status::SUCCESS, None).await;
    let request = recorded_request().await;
    let warm = n / 10;
    let mut before = 0;
    for state in 0..n {
        if state == warm {
            before = resident();
        }
        end_at(state, &node, &request).await;
        // What the test keeps of each end would be its own growth.
        node.seen.ended.lock().unwrap().clear();
        node.seen.refused.lock().unwrap().clear();
    }
    let growth = resident().saturating_sub(before);
    assert!(growth < most_growth_kib, "{n} associations: memory grew by {growth} KiB");
    // No place is held for longer than the deadlines.
    for _ in 0..500 {
        if let Ok(mut association) = connect(&call(node.address, None)).await {
            assert_eq!(association.echo().await.unwrap(), Status::SUCCESS);
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the node serves no more");
}

/// Other tests of this process take memory at the same time: a leak of one PDU an association would be 256 MiB.
#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_associations_that_end_at_every_state() {
    associations(2_000, 128 * 1024).await;
}

/// CVE-2026-50254, CVE-2026-35505.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute, and memory of its own: bench/associations.sh runs it alone"]
async fn a_hundred_thousand_associations_leave_memory_flat() {
    associations(100_000, 8 * 1024).await;
}

/// An association request of raw parts.
fn request(contexts: &[(u8, &str)], user_items: usize) -> Vec<u8> {
    let item = |kind: u8, content: &[u8]| {
        let mut bytes = vec![kind, 0];
        bytes.extend((content.len() as u16).to_be_bytes());
        bytes.extend(content);
        bytes
    };
    let mut body = vec![0, 1, 0, 0];
    body.extend(b"COXA            TESTER          ");
    body.extend([0; 32]);
    body.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
    for (id, class) in contexts {
        let mut content = vec![*id, 0, 0, 0];
        content.extend(item(0x30, class.as_bytes()));
        content.extend(item(0x40, b"1.2.840.10008.1.2"));
        body.extend(item(0x20, &content));
    }
    let mut user = item(0x51, &16384u32.to_be_bytes());
    user.extend(item(0x52, b"2.25.1"));
    for _ in 0..user_items {
        user.extend(item(0x5A, &[7; 60_000]));
    }
    let mut user_item = vec![0x50, 0];
    user_item.extend((user.len() as u16).to_be_bytes());
    user_item.extend(&user);
    body.extend(user_item);
    let mut bytes = vec![1, 0];
    bytes.extend((body.len() as u32).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// The type of the first PDU that the node answers with; 0 where it answers none.
async fn answer_to(node: &Node, bytes: &[u8]) -> u8 {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    // The node may have closed already.
    let _ = stream.write_all(bytes).await;
    let mut head = [0; 6];
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut head)).await.expect("it ends");
    read.map_or(0, |_| head[0])
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_pdus_are_refused_and_cost_no_place() {
    const ECHO: &str = "1.2.840.10008.1.1";
    let deadlines = Deadlines { opening: Duration::from_secs(1), idle: Duration::from_secs(1), ..policy().deadlines };
    let node = Node::start(Policy { deadlines, ..policy() }, Status::SUCCESS, None).await;
    let good = request(&[(1, ECHO)], 0);
    assert_eq!(answer_to(&node, &good).await, 2);
    // 128 contexts are the most that fit: their numbers are odd.
    let many: Vec<_> = (0..128u8).map(|i| (2 * i + 1, ECHO)).collect();
    assert_eq!(answer_to(&node, &request(&many, 0)).await, 2);
    let refused = [
        ("context 0", request(&[(0, ECHO)], 0), 3),
        ("an even context", request(&[(2, ECHO)], 0), 3),
        ("a context twice", request(&[(1, ECHO), (1, ECHO)], 0), 3),
        ("data before an association", b"\x04\0\0\0\0\x08\0\0\0\x04\x01\x03ab".to_vec(), 7),
        ("a release before an association", b"\x05\0\0\0\0\x04\0\0\0\0".to_vec(), 7),
        ("1 MiB of user items", request(&[(1, ECHO)], 17), 7),
    ];
    for (what, bytes, kind) in refused {
        assert_eq!(answer_to(&node, &bytes).await, kind, "{what}");
    }
    // After the association: each ends it, and the node goes on.
    for bytes in [
        // A PDV longer than its PDU, one without its header, one of another context, data before a command.
        &b"\x04\0\0\0\0\x06\0\0\x10\0\x01\x03"[..],
        b"\x04\0\0\0\0\x04\0\0\0\0",
        b"\x04\0\0\0\0\x08\0\0\0\x04\x63\x03ab",
        b"\x04\0\0\0\0\x08\0\0\0\x04\x01\x02ab",
        b"\x04\0\0\0\0\x08\0\0\0\x04\x01\x03ab",
        b"\x02\0\0\0\0\x08\0\0\0\x04\x01\x03ab",
        b"\x06\0\0\0\0\x04\0\0\0\0",
    ] {
        let answer = end_of(&node, &[&good[..], bytes].concat()).await;
        assert_eq!(answer[0], 2);
        let length = u32::from_be_bytes([answer[2], answer[3], answer[4], answer[5]]) as usize;
        assert_eq!(answer.get(6 + length), Some(&7), "{bytes:?} is answered by an abort");
    }
    assert_eq!(connect(&call(node.address, None)).await.unwrap().echo().await.unwrap(), Status::SUCCESS);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_bytes_on_a_tls_port_and_silence_in_the_handshake_end_soon() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path(), "hospital");
    let authorities = files.authorities.clone().unwrap();
    let deadlines = Deadlines { opening: Duration::from_secs(1), idle: Duration::from_secs(1), ..policy().deadlines };
    let limits = Limits { associations: 1, ..Limits::default() };
    let acceptor = Acceptor::new(files.clone()).unwrap();
    let node = Node::start(Policy { deadlines, limits, ..policy() }, Status::SUCCESS, Some(acceptor)).await;
    let plain = recorded_request().await;
    // A handshake that stops after its first record's header, and one that never begins.
    for bytes in [&plain[..], b"\x16\x03\x01\x02\x00", b""] {
        end_of(&node, bytes).await;
    }
    let ends = |seen: &super::Seen| seen.ended.lock().unwrap().len() + seen.refused.lock().unwrap().len();
    node.until("three ends", |seen| ends(seen) >= 3).await;
    let connector = Connector::new(&authorities, Some(&files)).unwrap();
    let mut association = connect(&call(node.address, Some(connector))).await.unwrap();
    assert_eq!(association.echo().await.unwrap(), Status::SUCCESS);
    // And TLS on a plain port: the client gets an error, not a wait.
    let open = Node::start(policy(), Status::SUCCESS, None).await;
    let connector = Connector::new(&authorities, Some(&files)).unwrap();
    assert!(connect(&call(open.address, Some(connector))).await.is_err());
    open.until("a refusal", |seen| !seen.refused.lock().unwrap().is_empty()).await;
    assert!(open.seen.refused.lock().unwrap()[0].to_string().contains("TLS"));
}

/// A user that proposes what is no context is stopped here, not at the peer.
#[tokio::test(flavor = "multi_thread")]
async fn more_contexts_than_numbers_are_not_proposed() {
    let mut call = call("127.0.0.1:1", None);
    call.proposals = vec![Proposal::new(CAPTURE, &[super::EXPLICIT_VR]); 129];
    assert!(connect(&call).await.is_err());
}
