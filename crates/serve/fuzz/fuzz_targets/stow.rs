//! Any bytes as the body of a STOW-RS request to a node that runs: an answer, and no file that is half-written.

#![no_main]

use std::sync::OnceLock;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use coxa_serve::config::{Config, Limits, Role};
use coxa_serve::{Node, http};
use tower::ServiceExt as _;

struct Running {
    runtime: tokio::runtime::Runtime,
    node: Node,
    folder: tempfile::TempDir,
}

fn running() -> &'static Running {
    static RUNNING: OnceLock<Running> = OnceLock::new();
    RUNNING.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data: folder.path().join("data"),
            http: ([127, 0, 0, 1], 0).into(),
            dicom: ([127, 0, 0, 1], 0).into(),
            roles: vec![Role::Receive],
            limits: Limits { free_disk_mib: 1, object_mib: 1, ..Limits::default() },
            ..Config::default()
        };
        let node = runtime.block_on(Node::start(config)).unwrap();
        Running { runtime, node, folder }
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let running = running();
    let request = Request::post("/dicom-web/studies")
        .header("host", "localhost")
        .header("content-type", "multipart/related; type=\"application/dicom\"; boundary=b")
        .body(Body::from(bytes.to_vec()))
        .unwrap();
    let router = http::router(running.node.app());
    let status = running.runtime.block_on(router.oneshot(request)).unwrap().status();
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let left = std::fs::read_dir(running.folder.path().join("data/incoming")).unwrap().count();
    assert_eq!(left, 0, "what was not stored is removed");
});
