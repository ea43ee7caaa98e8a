//! Sending files: contexts by what the files are, associations as they are needed, and a slower pace where the peer is busy.

use std::time::Duration;

use tokio::io::AsyncSeekExt as _;

use coxa_schema::{ErrorKind, Hint};

use crate::association::Association;
use crate::client::{Call, Denial, Proposal, connect};
use crate::error::DimseError;
use crate::file::{DicomFile, FileError, class_name, syntax_name};
use crate::status::Outcome;
use crate::{Status, Uid};

/// Contexts of an association: their numbers are odd and below 256.
const MOST_CONTEXTS: usize = 128;
/// Files in a row that end the association before [`Sender::send`] gives up.
const MOST_BROKEN: usize = 2;

/// How often a file is sent, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often in all, 1 or more.
    pub attempts: u32,
    /// The wait after the first attempt; it doubles with each.
    pub first_wait: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, first_wait: Duration::from_secs(1) }
    }
}

impl Retry {
    /// The longest wait.
    const LONGEST: Duration = Duration::from_secs(60);

    /// The wait after an attempt, counted from 1; `None` after the last.
    fn wait(self, attempt: u32) -> Option<Duration> {
        let factor = 2u32.saturating_pow(attempt.saturating_sub(1));
        (attempt < self.attempts).then(|| self.first_wait.saturating_mul(factor).min(Self::LONGEST))
    }
}

/// Why a file was not answered with a status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The peer does not store objects of this class.
    #[error("the peer does not accept {}", class_name(.0))]
    Class(Uid),
    /// The peer stores objects of this class, but not in this transfer syntax.
    #[error("the peer does not accept {} in {}", class_name(.class), syntax_name(.syntax))]
    Syntax {
        /// The class.
        class: Uid,
        /// The transfer syntax.
        syntax: String,
    },
    /// The association could not be opened, or ended.
    #[error(transparent)]
    Association(#[from] DimseError),
}

impl Hint for SendError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Association(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Association(error) => return error.hint(),
            Self::File(_) => return None,
            Self::Class(_) => "allow this SOP class at the peer",
            Self::Syntax { .. } => "allow this transfer syntax at the peer, or convert the file first",
        };
        Some(hint.to_owned())
    }
}

/// Sends files to one peer, over one association at a time.
pub struct Sender {
    call: Call,
    retry: Retry,
    was_open: bool,
}

impl Sender {
    /// A sender; `call` says where and how, and its proposals are replaced by what each file needs.
    pub fn new(call: Call, retry: Retry) -> Self {
        Self { call, retry, was_open: false }
    }

    /// Sends files. `done` gets each once, in no promised order, with the peer's last status or the reason why there is none. A busy
    /// peer (A7xx) gets the file again, ever more slowly; so does one that ended the association, as storing is idempotent by UID.
    ///
    /// # Errors
    /// [`DimseError`] where going on is of no use: the peer cannot be reached or rejects associations, or ended the association at two
    /// files in a row. The files that `done` did not get were not sent, or not answered.
    pub async fn send(
        &mut self,
        files: &[DicomFile],
        mut done: impl FnMut(&DicomFile, Result<Status, SendError>),
    ) -> Result<(), DimseError> {
        let mut broken = 0;
        for (proposals, group) in groups(files) {
            self.call.proposals = proposals;
            let mut association = None;
            for file in group {
                let result = self.send_one(file, &mut association).await?;
                let was_broken = matches!(result, Err(SendError::Association(_)));
                broken = if was_broken { broken + 1 } else { 0 };
                match result {
                    Err(SendError::Association(error)) if broken >= MOST_BROKEN => return Err(error),
                    result => done(file, result),
                }
            }
            if let Some(association) = association {
                // Every file was answered: a peer that does not answer the release changes nothing.
                let _ = association.release().await;
            }
        }
        Ok(())
    }

    /// Sends one file, over the association that is open, if one is. The outer error is that none can be opened.
    async fn send_one(
        &mut self,
        file: &DicomFile,
        open: &mut Option<Association>,
    ) -> Result<Result<Status, SendError>, DimseError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut association = match open.take() {
                Some(association) => association,
                None => self.open().await?,
            };
            if let Some(error) = denied(&association, file) {
                *open = Some(association);
                return Ok(Err(error));
            }
            let result = match store(&mut association, file).await {
                Err(SendError::File(error)) => {
                    *open = Some(association);
                    return Ok(Err(error.into()));
                }
                Err(error) => {
                    association.abort().await;
                    Err(error)
                }
                Ok(status) => {
                    *open = Some(association);
                    if status.outcome() != Outcome::Busy {
                        return Ok(Ok(status));
                    }
                    Ok(status)
                }
            };
            let Some(wait) = self.retry.wait(attempt) else { return Ok(result) };
            tokio::time::sleep(wait).await;
        }
    }

    /// Opens an association. A peer that is full is asked again; one that was reached before may be starting again.
    async fn open(&mut self) -> Result<Association, DimseError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let error = match connect(&self.call).await {
                Ok(association) => {
                    self.was_open = true;
                    return Ok(association);
                }
                Err(error) => error,
            };
            let may_pass = match &error {
                DimseError::Rejected { is_transient, .. } => *is_transient,
                _ => self.was_open,
            };
            match self.retry.wait(attempt).filter(|_| may_pass) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
        }
    }
}

/// Stores a file, which is read as it is sent.
async fn store(association: &mut Association, file: &DicomFile) -> Result<Status, SendError> {
    let unreadable = |error: std::io::Error| FileError { path: file.path.clone(), reason: error.into() };
    let mut source = tokio::fs::File::open(&file.path).await.map_err(unreadable)?;
    source.seek(std::io::SeekFrom::Start(file.data_at)).await.map_err(unreadable)?;
    Ok(association.store(&file.object, source).await?)
}

/// Why the peer does not take a file over this association.
fn denied(association: &Association, file: &DicomFile) -> Option<SendError> {
    let (class, syntax) = (&file.object.sop_class, &file.object.transfer_syntax);
    let fits =
        |context: &crate::Context| context.abstract_syntax == class.as_str() && context.transfer_syntax == *syntax;
    if association.contexts().iter().any(fits) {
        return None;
    }
    let denial = association.denied().iter().find(|(proposal, _)| {
        proposal.abstract_syntax == class.as_str() && proposal.transfer_syntaxes.contains(syntax)
    });
    Some(match denial {
        Some((_, Denial::TransferSyntaxes)) => SendError::Syntax { class: class.clone(), syntax: syntax.clone() },
        _ => SendError::Class(class.clone()),
    })
}

/// Files by the association that can send them: a context for each SOP class and transfer syntax, so that the peer cannot choose one
/// that the file is not in.
fn groups(files: &[DicomFile]) -> Vec<(Vec<Proposal>, Vec<&DicomFile>)> {
    let mut groups: Vec<(Vec<Proposal>, Vec<&DicomFile>)> = Vec::new();
    for file in files {
        let proposal = Proposal::new(file.object.sop_class.as_str(), &[&file.object.transfer_syntax]);
        let place = groups.iter_mut().position(|(proposals, _)| proposals.contains(&proposal));
        let place = place.or_else(|| {
            let room = groups.iter().position(|(proposals, _)| proposals.len() < MOST_CONTEXTS);
            let room = room.unwrap_or_else(|| {
                groups.push((Vec::new(), Vec::new()));
                groups.len() - 1
            });
            groups[room].0.push(proposal);
            Some(room)
        });
        groups[place.unwrap_or(0)].1.push(file);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Object;

    #[test]
    fn waits_double_and_end() {
        let retry = Retry { attempts: 4, first_wait: Duration::from_secs(20) };
        let waits: Vec<_> = (1..5).map(|attempt| retry.wait(attempt).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits, [Some(20), Some(40), Some(60), None]);
    }

    #[test]
    fn no_association_has_more_contexts_than_there_are_numbers() {
        let file = |n: usize| DicomFile {
            path: n.to_string().into(),
            object: Object {
                sop_class: Uid::parse(&format!("1.2.{}", n % 300)).unwrap(),
                sop_instance: Uid::parse("2.25.1").unwrap(),
                transfer_syntax: crate::EXPLICIT_VR.to_owned(),
            },
            data_at: 0,
        };
        let files: Vec<_> = (0..900).map(file).collect();
        let groups = groups(&files);
        let sizes: Vec<_> = groups.iter().map(|(proposals, files)| (proposals.len(), files.len())).collect();
        assert_eq!(sizes, [(128, 384), (128, 384), (44, 132)]);
    }
}
