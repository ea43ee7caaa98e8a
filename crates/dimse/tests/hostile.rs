//! What a hostile or broken peer gets: a clear end, soon, and no room for what it only announces.

use std::time::Duration;

use coxa_dimse::{Deadlines, Policy, Status, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Node, call, policy};

async fn impatient() -> Node {
    let deadlines =
        Deadlines { opening: Duration::from_secs(1), idle: Duration::from_secs(1), total: Duration::from_secs(20) };
    Node::start(Policy { deadlines, ..policy() }, Status::SUCCESS, None).await
}

/// Sends bytes and reads until the node closes the connection.
pub(crate) async fn end_of(node: &Node, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    // The node may have closed already.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await.expect("it is closed");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn other_protocols_and_lengths_of_4_gib_are_refused_by_six_bytes() {
    let node = impatient().await;
    for (bytes, word) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS"),
        (b"\x01\0\xff\xff\xff\xff", "4294967295"),
        (b"\x04\0\xff\xff\xff\xff", "4294967295"),
        (b"\x07\0\0\0\0\x04\0\0\0\0", "unexpected abort"),
        (b"\x09\0\0\0\0\x04\0\0\0\0", "unknown type 09H"),
        (b"\x01\0\0\0\0\x10aaaaaaaaaaaaaaaa", "cannot be parsed"),
    ] {
        end_of(&node, bytes).await;
        node.until(word, |seen| !seen.refused.lock().unwrap().is_empty()).await;
        let refusal = node.seen.refused.lock().unwrap().pop().unwrap();
        assert!(refusal.to_string().contains(word), "{refusal} does not say {word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_trickles_hold_a_place_no_longer_than_the_deadline() {
    let node = impatient().await;
    end_of(&node, b"").await;
    end_of(&node, b"\x01\0\0").await;
    // One byte now and then, each within the deadline for the next bytes: the deadline for opening ends it.
    let mut slow = TcpStream::connect(node.address).await.unwrap();
    for byte in [1, 0, 0, 0, 0, 200].into_iter().chain(std::iter::repeat_n(0, 100)) {
        if slow.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(slow.read_u8().await.is_err());
    node.until("three ends", |seen| seen.ended.lock().unwrap().len() >= 3).await;
    // The node still works.
    assert_eq!(connect(&call(node.address, None)).await.unwrap().echo().await.unwrap(), Status::SUCCESS);
}

#[tokio::test(flavor = "multi_thread")]
async fn mutations_of_a_request_neither_crash_nor_stall_a_node() {
    let node = impatient().await;
    let request = recorded_request().await;
    for i in 0..300usize {
        let mut bytes = request.clone();
        // A fixed sequence of places and values.
        let at = 6 + (i * 7919) % (bytes.len() - 6);
        bytes[at] = bytes[at].wrapping_add(1 + (i % 255) as u8);
        if i % 5 == 0 {
            bytes.truncate(at);
        }
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await.expect("it ends");
    }
    assert_eq!(connect(&call(node.address, None)).await.unwrap().echo().await.unwrap(), Status::SUCCESS);
}

/// The association request that this crate's client sends.
pub(crate) async fn recorded_request() -> Vec<u8> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let call = call(listener.local_addr().unwrap(), None);
    let client = tokio::spawn(async move { connect(&call).await.is_ok() });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = [0; 6];
    stream.read_exact(&mut head).await.unwrap();
    let mut bytes = head.to_vec();
    let length = u32::from_be_bytes([head[2], head[3], head[4], head[5]]) as usize;
    bytes.resize(6 + length, 0);
    stream.read_exact(&mut bytes[6..]).await.unwrap();
    drop(stream);
    assert!(!client.await.unwrap());
    bytes
}
