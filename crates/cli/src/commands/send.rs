//! `coxa send`: DICOM files to a peer by C-STORE.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use coxa_dicom::uid::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use coxa_dimse::file::{DicomFile, FileReason};
use coxa_dimse::send::{Retry, SendError, Sender};
use coxa_dimse::tls::{Connector, TlsFiles};
use coxa_dimse::{Call, Deadlines, Limits, Outcome as Answered, Status};
use coxa_schema::Hint as _;
use serde::Serialize;

use crate::output::{Outcome, json_line};
use crate::progress::Bar;

/// Files that are known at once: each is read to know what it needs before an association is opened.
const BATCH: usize = 500;

/// Send DICOM files to a peer (C-STORE) as they are, without converting them.
///
/// Each file's SOP class and transfer syntax are proposed. A peer that is out of resources gets the file again, ever more slowly. Exit 1
/// where a file was not stored; each is named.
#[derive(Args)]
#[command(after_help = "Example: coxa send films --recursive --to ORTHANC@127.0.0.1:4242")]
pub struct Send {
    /// DICOM files; folders with --recursive.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Send to this peer.
    #[arg(long, value_name = "AET@HOST:PORT")]
    to: Destination,
    /// Call as this AE title.
    #[arg(long, value_name = "AET", default_value = "COXA")]
    from: AeTitle,
    /// Send every DICOM file below the folders; other files are skipped and counted.
    #[arg(long)]
    recursive: bool,
    /// Encrypt by TLS, and trust the authorities of this file.
    #[arg(long, value_name = "CA.pem")]
    tls: Option<PathBuf>,
    /// Show this certificate to the peer.
    #[arg(long, value_name = "FILE.pem", requires_all = ["tls", "key"])]
    certificate: Option<PathBuf>,
    /// The certificate's private key.
    #[arg(long, value_name = "FILE.pem", requires = "certificate")]
    key: Option<PathBuf>,
    /// Give up where the peer does nothing for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Send a file so many times at most.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20))]
    attempts: u32,
    /// Print one JSON object a file: file, sop_class, status, explained.
    #[arg(long)]
    json: bool,
}

/// A peer: its AE title, and `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) title: AeTitle,
    pub(super) address: String,
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (title, address) = text.rsplit_once('@').ok_or("not AET@host:port")?;
        let (host, port) = address.rsplit_once(':').ok_or("no port: AET@host:port")?;
        if host.is_empty() || port.parse::<u16>().ok().is_none_or(|port| port == 0) {
            return Err("host or port is missing: AET@host:port".to_owned());
        }
        Ok(Self { title: title.parse()?, address: address.to_owned() })
    }
}

/// An AE title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AeTitle(pub(super) String);

impl FromStr for AeTitle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed = |byte: u8| (0x20..0x7F).contains(&byte) && byte != b'\\';
        if (1..=16).contains(&text.len()) && text.trim() == text && text.bytes().all(is_allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err("an AE title is 1 to 16 printable ASCII characters without a backslash".to_owned())
    }
}

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a Path,
    sop_class: Option<&'a str>,
    status: Option<String>,
    explained: String,
}

/// What became of the files so far.
struct Progress {
    json: bool,
    bar: Bar,
    done: usize,
    stored: usize,
    warnings: usize,
    failed: usize,
    skipped: usize,
    /// Standard output's error, once there is one.
    broken: Option<anyhow::Error>,
}

impl Send {
    /// Sends the files and prints what became of each.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let call = self.call()?;
        let retry = Retry { attempts: self.attempts, ..Retry::default() };
        let paths = self.paths()?;
        let mut progress = Progress::new(self.json, paths.len());
        let mut sender = Sender::new(call, retry);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting")?;
        for batch in paths.chunks(BATCH) {
            let files: Vec<_> = batch.iter().filter_map(|path| progress.known(path, self.recursive)).collect();
            let before = progress.done;
            let mut is_done = vec![false; files.len()];
            let sent = runtime.block_on(sender.send(&files, |file, result| {
                if let Some(place) = files.iter().position(|other| other.path == file.path) {
                    is_done[place] = true;
                }
                progress.answered(file, result);
            }));
            if let Err(error) = sent {
                for (file, _) in files.iter().zip(&is_done).filter(|(_, is_done)| !**is_done) {
                    progress.unsent(file, &error.to_string());
                }
                progress.bar.finish();
                let left = paths.len() - before - files.len();
                let sent_before = progress.stored;
                return Err(anyhow::Error::new(error).context(format!(
                    "{}: {sent_before} files were stored, {} were not",
                    self.to.address,
                    progress.failed + left
                )));
            }
            if let Some(error) = progress.broken.take() {
                return Err(error);
            }
        }
        progress.bar.finish();
        Ok(progress.summary(&self.to.title))
    }

    fn call(&self) -> anyhow::Result<Call> {
        let own = self.certificate.clone().zip(self.key.clone());
        let own = own.map(|(certificate, key)| TlsFiles { certificate, key, authorities: None });
        let tls = self.tls.as_deref().map(|authorities| Connector::new(authorities, own.as_ref())).transpose()?;
        let deadlines = Deadlines {
            opening: Duration::from_secs(self.timeout.min(30)),
            idle: Duration::from_secs(self.timeout),
            // A batch may be large and the line slow; a peer that does nothing is noticed by `idle`.
            total: Duration::from_secs(24 * 3600),
        };
        Ok(Call {
            to: self.to.address.clone(),
            called: self.to.title.0.clone(),
            calling: self.from.0.clone(),
            proposals: Vec::new(),
            tls,
            deadlines,
            limits: Limits::default(),
            implementation: (IMPLEMENTATION_CLASS_UID.to_owned(), IMPLEMENTATION_VERSION_NAME.to_owned()),
        })
    }

    /// The files to send, those of a folder in the order of their names.
    fn paths(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for path in &self.files {
            if !path.is_dir() {
                found.push(path.clone());
            } else if self.recursive {
                below(path, &mut found).with_context(|| path.display().to_string())?;
            } else {
                let hint = "add --recursive to send the files below it";
                return Err(crate::output::usage(format!("{} is a folder", path.display()), hint));
            }
        }
        Ok(found)
    }
}

/// Every file below a folder. Links to folders are not followed, as they can form a circle.
fn below(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_type()?.is_dir() {
            below(&entry.path(), found)?;
        } else if entry.path().is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

impl Progress {
    fn new(json: bool, total: usize) -> Self {
        let bar = Bar::new("sending", total);
        Self { json, bar, done: 0, stored: 0, warnings: 0, failed: 0, skipped: 0, broken: None }
    }

    /// What a file needs; `None` for one that cannot be sent. In folders, files of other kinds are skipped.
    fn known(&mut self, path: &Path, is_recursive: bool) -> Option<DicomFile> {
        match DicomFile::read(path) {
            Ok(file) => Some(file),
            Err(error) if is_recursive && matches!(error.reason, FileReason::NotDicom | FileReason::Directory) => {
                self.skipped += 1;
                self.step();
                None
            }
            Err(error) => {
                self.failed += 1;
                self.bar.line(&format!("error: {error}"));
                self.line(path, None, None, error.reason.to_string());
                None
            }
        }
    }

    fn answered(&mut self, file: &DicomFile, result: Result<Status, SendError>) {
        let status = match result {
            Ok(status) => status,
            Err(error) => {
                if let Some(hint) = error.hint() {
                    self.bar.line(&format!("error: {}: {error}\nhint: {hint}", file.path.display()));
                } else {
                    self.bar.line(&format!("error: {}: {error}", file.path.display()));
                }
                self.failed += 1;
                return self.line(&file.path, Some(file), None, error.to_string());
            }
        };
        match status.outcome() {
            Answered::Accepted => self.stored += 1,
            Answered::AcceptedWithWarning => {
                self.stored += 1;
                self.warnings += 1;
                self.bar.line(&format!("note: {}: {status}", file.path.display()));
            }
            _ => {
                self.failed += 1;
                self.bar.line(&format!("error: {}: {status}", file.path.display()));
            }
        }
        self.line(&file.path, Some(file), Some(status), status.meaning().to_owned());
    }

    fn unsent(&mut self, file: &DicomFile, reason: &str) {
        self.failed += 1;
        self.line(&file.path, Some(file), None, format!("not sent, or not answered: {reason}"));
    }

    fn line(&mut self, path: &Path, file: Option<&DicomFile>, status: Option<Status>, explained: String) {
        if self.json && self.broken.is_none() {
            let status = status.map(|Status(status)| format!("{status:04X}"));
            let sop_class = file.map(|file| file.object.sop_class.as_str());
            self.broken = json_line(&Line { file: path, sop_class, status, explained }).err();
        }
        self.step();
    }

    fn step(&mut self) {
        self.done += 1;
        self.bar.set(self.done, "");
    }

    fn summary(&self, to: &AeTitle) -> Outcome {
        let Self { stored, warnings, failed, skipped, .. } = self;
        let notes = [(warnings, "with a warning"), (failed, "failed"), (skipped, "skipped: not DICOM")];
        let notes: Vec<_> = notes.iter().filter(|(n, _)| **n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        eprintln!("{stored} files stored at {}{notes}", to.0);
        Outcome::of_failures(self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_title_a_host_and_a_port() {
        let read = |text: &str| text.parse::<Destination>();
        let expected = Destination { title: AeTitle("PACS 1".into()), address: "[::1]:104".into() };
        assert_eq!(read("PACS 1@[::1]:104"), Ok(expected));
        for wrong in [
            "PACS",
            "PACS@host",
            "PACS@host:0",
            "PACS@host:99999",
            "@host:104",
            "A-TITLE-TOO-LONG-X@h:1",
            "A\\B@h:1",
            "A@:1",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
