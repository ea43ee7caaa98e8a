//! `coxa send` with dcmtk's peers.

use std::fs;
use std::process::{Child, Stdio};

use crate::*;

/// A running peer that ends with the value.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// dcmtk's receiver, once it listens; `None` where it is not installed.
fn storescp(folder: &Path, options: &[&str]) -> Option<(Peer, String)> {
    let mut command = coxa_testing::tool("storescp")?;
    let port = coxa_testing::free_port();
    command.args(options).arg("-od").arg(folder).arg(port.to_string()).stderr(Stdio::null());
    let peer = Peer(command.spawn().unwrap());
    for _ in 0..500 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some((peer, format!("PACS@127.0.0.1:{port}")));
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("storescp does not listen");
}

fn films(folder: &Path) -> PathBuf {
    let films = folder.join("films");
    succeed(&run(&["simulate", "pelvis", "--n", "3", "--size", "256", "--out", text(&films)]));
    films
}

#[test]
fn a_folder_of_films_is_stored_by_storescp() {
    let folder = tempfile::tempdir().unwrap();
    let received = folder.path().join("received");
    fs::create_dir(&received).unwrap();
    let Some((_peer, to)) = storescp(&received, &[]) else { return };
    let films = films(folder.path());
    let output = run(&["send", text(&films), "--recursive", "--to", &to, "--json"]);
    succeed(&output);
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 3, "{}", errors(&output));
    for line in &lines {
        assert_eq!((line["status"].as_str(), line["explained"].as_str()), (Some("0000"), Some("success")));
        assert_eq!(line["sop_class"], "1.2.840.10008.5.1.4.1.1.1.1");
        assert!(Path::new(line["file"].as_str().unwrap()).is_file());
    }
    assert_eq!(fs::read_dir(&received).unwrap().count(), 3);
    // The tables beside the films are no DICOM files.
    assert!(errors(&output).contains("3 files stored at PACS (") && errors(&output).contains("not DICOM"));
    // A folder without --recursive, and a file of another kind by its own name.
    assert_eq!(run(&["send", text(&films), "--to", &to]).status.code(), Some(2));
    let table = films.join("manifest.csv");
    let output = run(&["send", text(&table), "--to", &to, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("manifest.csv: not a DICOM file"), "{}", errors(&output));
    assert!(json_lines(&output)[0]["status"].is_null());
}

#[test]
fn a_transfer_syntax_that_the_peer_refuses_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_peer, to)) = storescp(folder.path(), &["+xi"]) else { return };
    let films = films(folder.path());
    let output = run(&["send", text(&films), "--recursive", "--to", &to]);
    assert_eq!(output.status.code(), Some(1));
    let message = errors(&output);
    assert!(
        message.contains("does not accept Digital X-Ray Image Storage - For Presentation")
            && message.contains("in Explicit VR Little Endian (1.2.840.10008.1.2.1)"),
        "{message}"
    );
}

#[test]
fn nothing_listens_and_nothing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let films = films(folder.path());
    let port = coxa_testing::free_port();
    let to = format!("PACS@127.0.0.1:{port}");
    let output = run(&["send", text(&films), "--recursive", "--to", &to, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("cannot connect") && errors(&output).contains("hint: "), "{}", errors(&output));
    assert!(json_lines(&output).iter().all(|line| line["explained"].as_str().unwrap().starts_with("not sent, or")));
    for wrong in [&["send", "a.dcm"][..], &["send", "a.dcm", "--to", "PACS"], &["send", "--to", "PACS@127.0.0.1:104"]] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}
