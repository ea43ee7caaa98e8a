//! A node that serves one association from memory, as `Server` does from a connection.

use std::sync::Once;
use std::time::Duration;

use coxa_dimse::command::{CommandSet, Operation};
use coxa_dimse::commitment::{Report, Request, STORAGE_COMMITMENT};
use coxa_dimse::{
    Deadlines, IMPLICIT_VR, Incoming, Limits, Offer, Origin, Policy, Status, VERIFICATION, accept,
};
use tokio::io::AsyncWriteExt;

/// Serves a peer that sends `bytes` and no more. The node must come to an end without a panic.
pub fn serve(bytes: &[u8]) {
    static QUIET: Once = Once::new();
    // A panic of the PDU codec is caught by the crate and is a malformed PDU: libFuzzer's hook would abort at it. One that is not caught
    // still ends the run.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (mut peer, node) = tokio::io::duplex(1 << 22);
        peer.write_all(bytes).await.unwrap();
        peer.shutdown().await.unwrap();
        let origin = Origin::plain(([127, 0, 0, 1], 1).into());
        let Ok(mut association) = accept(Box::new(node), origin, &policy()).await else { return };
        while let Ok(Incoming::Command { context, command }) = association.receive().await {
            let status = match command.operation() {
                Some(Operation::Action) => {
                    let Ok(data) = association.data_whole(1 << 20).await else { return };
                    let request = Request::of_action(&command, &context.transfer_syntax, &data);
                    request.map_or_else(|invalid| invalid.status, |_| Status::SUCCESS)
                }
                Some(Operation::EventReport) => {
                    let Ok(data) = association.data_whole(1 << 20).await else { return };
                    let report = Report::of_event(&command, &context.transfer_syntax, &data);
                    report.map_or_else(|invalid| invalid.status, |_| Status::SUCCESS)
                }
                _ => Status::SUCCESS,
            };
            if association.skip_data().await.is_err() {
                return;
            }
            let answer = CommandSet::response_to(&command, status);
            if association.send_command(context.id, &answer).await.is_err() {
                return;
            }
        }
    });
}

fn policy() -> Policy {
    let offer = |class: &str| Offer {
        abstract_syntax: class.to_owned(),
        transfer_syntaxes: vec![IMPLICIT_VR.to_owned()],
        permission: None,
    };
    let second = Duration::from_secs(1);
    Policy {
        ae_title: "COXA".to_owned(),
        peers: Vec::new(),
        offers: [VERIFICATION, "1.2.840.10008.5.1.4.1.1.7", STORAGE_COMMITMENT].map(offer).to_vec(),
        deadlines: Deadlines { opening: second, idle: second, total: second },
        limits: Limits { pdu: 1 << 16, data_set: 1 << 20, association: 1 << 22, ..Limits::default() },
        implementation: ("2.25.1".to_owned(), "FUZZ".to_owned()),
    }
}

/// An association request for the three services, on contexts 1, 3 and 5.
#[allow(dead_code, reason = "one of the targets begins without it")]
pub fn request() -> Vec<u8> {
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
    for (id, class) in [(1u8, VERIFICATION), (3, "1.2.840.10008.5.1.4.1.1.7"), (5, STORAGE_COMMITMENT)] {
        let mut content = vec![id, 0, 0, 0];
        content.extend(item(0x30, class.as_bytes()));
        content.extend(item(0x40, IMPLICIT_VR.as_bytes()));
        body.extend(item(0x20, &content));
    }
    body.extend(item(0x50, &item(0x51, &16384u32.to_be_bytes())));
    let mut bytes = vec![1, 0];
    bytes.extend((body.len() as u32).to_be_bytes());
    bytes.extend(body);
    bytes
}
