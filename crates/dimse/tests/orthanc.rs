//! Orthanc as the peer: an archive of its own in a temporary folder, on loopback.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Running;

/// Debian's DICOMweb plugin.
const PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";

/// A running archive; it ends with the value.
pub(crate) struct Orthanc {
    pub(crate) http: u16,
    pub(crate) dicom: u16,
    _process: Running,
    _folder: tempfile::TempDir,
}

impl Orthanc {
    /// Starts an archive that knows a node COXA at `node`, with the DICOMweb plugin where it is asked for. `None`, with a line, where
    /// one of them is not installed.
    pub(crate) async fn start(node: u16, plugin: Plugin) -> Option<Self> {
        let mut command = coxa_testing::tool("Orthanc")?;
        if plugin == Plugin::DicomWeb && !Path::new(PLUGIN).exists() {
            assert!(
                !coxa_testing::tools_are_required(),
                "orthanc-dicomweb is not installed, and COXA_E2E=1 requires it"
            );
            coxa_testing::skip("orthanc-dicomweb is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (http, dicom) = (coxa_testing::free_port(), coxa_testing::free_port());
        let plugins = if plugin == Plugin::DicomWeb { format!("\"{PLUGIN}\"") } else { String::new() };
        let text = format!(
            r#"{{ "StorageDirectory": "{0}", "IndexDirectory": "{0}", "HttpPort": {http}, "DicomPort": {dicom},
                 "DicomAet": "ORTHANC", "RemoteAccessAllowed": false, "AuthenticationEnabled": true,
                 "RegisteredUsers": {{ "coxa": "secret" }}, "Plugins": [{plugins}], "DicomWeb": {{ "Enable": true }},
                 "DicomModalities": {{ "coxa": {{ "AET": "COXA", "Host": "127.0.0.1", "Port": {node} }} }} }}"#,
            folder.path().join("db").display()
        );
        let configuration = folder.path().join("orthanc.json");
        std::fs::write(&configuration, text).unwrap();
        let _process = Running::start(command.arg(configuration));
        let orthanc = Self { http, dicom, _process, _folder: folder };
        for _ in 0..1000 {
            if TcpStream::connect(("127.0.0.1", http)).await.is_ok() && orthanc.ask("GET", "/system", "").await.0 == 200
            {
                return Some(orthanc);
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("Orthanc does not start");
    }

    /// A request to the archive's own interface: status and body of the answer.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).await.unwrap();
        // coxa:secret
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Basic Y294YTpzZWNyZXQ=\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
    }
}

/// What an archive is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plugin {
    None,
    DicomWeb,
}
