//! PACS of others: Orthanc and dcmtk's dcmqrscp, each in a process and a folder of its own, on loopback.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use coxa_dimse::{Call, Limits, Proposal, Status, connect};

use super::films::{EXPLICIT, Stored};
use super::pacs::deadlines;

/// A running archive that ends with the value.
pub struct Foreign {
    pub address: SocketAddr,
    /// The root of its DICOMweb service, where it has one.
    pub web: Option<String>,
    process: Child,
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";

/// Orthanc under the title `PACS`, with its DICOMweb; it moves to `COXA` at a port. `None`, with a line, where it is not installed.
pub fn orthanc(folder: &Path, node: u16) -> Option<Foreign> {
    let place = ["/usr/sbin/Orthanc", "/usr/bin/Orthanc"].into_iter().find(|place| Path::new(place).is_file());
    let (Some(place), true) = (place, Path::new(PLUGIN).exists()) else {
        assert!(!coxa_testing::tools_are_required(), "orthanc or orthanc-dicomweb is not installed, and COXA_E2E=1");
        coxa_testing::skip("orthanc or orthanc-dicomweb is not installed");
        return None;
    };
    let (http, dicom) = (coxa_testing::free_port(), coxa_testing::free_port());
    let text = format!(
        r#"{{ "StorageDirectory": "{0}", "IndexDirectory": "{0}", "HttpPort": {http}, "DicomPort": {dicom},
             "DicomAet": "PACS", "RemoteAccessAllowed": false, "AuthenticationEnabled": false, "Plugins": ["{PLUGIN}"],
             "DicomWeb": {{ "Enable": true, "Root": "/dicom-web/" }},
             "DicomModalities": {{ "coxa": {{ "AET": "COXA", "Host": "127.0.0.1", "Port": {node} }} }} }}"#,
        folder.join("db").display()
    );
    let configuration = folder.join("orthanc.json");
    std::fs::write(&configuration, text).unwrap();
    let mut command = Command::new(place);
    let foreign = start(command.arg(configuration), dicom, Some(format!("http://127.0.0.1:{http}/dicom-web")));
    wait(http);
    Some(foreign)
}

/// The titles of dcmqrscp, each of a storage area of its own.
pub const TITLES: [&str; 2] = ["PACS", "PACS2"];

/// dcmqrscp under [`TITLES`]; it moves to `COXA` at a port. `None`, with a line, where it is not installed.
pub fn dcmqrscp(folder: &Path, node: u16) -> Option<Foreign> {
    let mut command = coxa_testing::tool("dcmqrscp")?;
    let port = coxa_testing::free_port();
    let area = |title: &str| {
        let store = folder.join("store").join(title);
        std::fs::create_dir_all(&store).unwrap();
        format!("{title} {} RW (2000, 1024mb) ANY\n", store.display())
    };
    let text = format!(
        "NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n\
         HostTable BEGIN\ncoxa = (COXA, 127.0.0.1, {node})\nHostTable END\n\
         VendorTable BEGIN\nVendorTable END\n\
         AETable BEGIN\n{}AETable END\n",
        TITLES.map(area).concat()
    );
    let configuration = folder.join("dcmqrscp.cfg");
    std::fs::write(&configuration, text).unwrap();
    Some(start(command.arg("-c").arg(configuration), port, None))
}

fn start(command: &mut Command, port: u16, web: Option<String>) -> Foreign {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let process = quiet.spawn().unwrap();
    let foreign = Foreign { address: ([127, 0, 0, 1], port).into(), web, process };
    wait(port);
    foreign
}

fn wait(port: u16) {
    for _ in 0..2000 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    panic!("the archive does not start");
}

impl Foreign {
    /// Stores objects under the title `PACS`.
    pub async fn fill(&self, objects: &[Stored]) {
        self.fill_area("PACS", &objects.iter().collect::<Vec<_>>()).await;
    }

    /// Stores objects under a title.
    pub async fn fill_area(&self, title: &str, objects: &[&Stored]) {
        let mut call = Call {
            to: self.address.to_string(),
            called: title.to_owned(),
            calling: "COXA".to_owned(),
            proposals: Vec::new(),
            tls: None,
            deadlines: coxa_dimse::Deadlines { idle: Duration::from_secs(20), ..deadlines() },
            limits: Limits::default(),
            implementation: ("2.25.3".to_owned(), "TESTER".to_owned()),
        };
        for stored in objects {
            let proposal = Proposal::new(stored.object.sop_class.as_str(), &[EXPLICIT]);
            if !call.proposals.contains(&proposal) {
                call.proposals.push(proposal);
            }
        }
        let mut association = connect(&call).await.unwrap();
        for stored in objects {
            assert_eq!(association.store(&stored.object, &stored.data[..]).await.unwrap(), Status::SUCCESS);
        }
        association.release().await.unwrap();
    }
}
