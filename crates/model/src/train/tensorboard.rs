//! TensorBoard event files: scalars as `Event` messages (tensorflow/core/util/event.proto) in TFRecord framing.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ModelError;

/// TensorBoard shows any file whose name holds `tfevents`.
const FILE: &str = "events.out.tfevents.coxa";

/// An event file that is being written.
pub(crate) struct Events {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Events {
    /// Opens the folder's event file, cut back to its first `length` bytes: what came after a checkpoint is written again.
    pub(crate) fn open(folder: &Path, length: u64) -> Result<Self, ModelError> {
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(false).open(&path).map_err(ModelError::io(&path))?;
        let there = file.metadata().map_err(ModelError::io(&path))?.len();
        // A file that is shorter than the checkpoint says was lost in part; it starts anew.
        let length = if there < length { 0 } else { length };
        file.set_len(length).map_err(ModelError::io(&path))?;
        file.seek(SeekFrom::Start(length)).map_err(ModelError::io(&path))?;
        let mut events = Events { path, file, length };
        if length == 0 {
            let mut event = header(0);
            field_bytes(&mut event, 3, b"brain.Event:2");
            events.write(&event)?;
        }
        Ok(events)
    }

    /// Bytes written so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Writes scalars of a step.
    pub(crate) fn scalars(&mut self, step: usize, scalars: &[(&str, f64)]) -> Result<(), ModelError> {
        let mut summary = Vec::new();
        for (tag, value) in scalars {
            let mut entry = Vec::new();
            field_bytes(&mut entry, 1, tag.as_bytes());
            // simple_value, a float.
            entry.push(2 << 3 | 5);
            entry.extend((*value as f32).to_le_bytes());
            field_bytes(&mut summary, 1, &entry);
        }
        let mut event = header(step);
        field_bytes(&mut event, 5, &summary);
        self.write(&event)
    }

    fn write(&mut self, event: &[u8]) -> Result<(), ModelError> {
        let record = record(event);
        self.file.write_all(&record).map_err(ModelError::io(&self.path))?;
        self.length += record.len() as u64;
        Ok(())
    }
}

/// The beginning of an `Event`: wall_time (field 1, a double) and step (field 2).
fn header(step: usize) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    let mut event = vec![1 << 3 | 1];
    event.extend(now.to_le_bytes());
    event.push(2 << 3);
    varint(&mut event, step as u64);
    event
}

fn field_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A TFRecord: length, masked checksum of the length, data, masked checksum of the data.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend(length);
    out.extend(masked(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked(data).to_le_bytes());
    out
}

/// TensorFlow's masked CRC-32C (tensorflow/core/lib/hash/crc32c.h).
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: event files are small.
fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_of_the_standards_examples() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    #[test]
    fn a_reopened_file_goes_on_where_the_checkpoint_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = Events::open(folder.path(), 0).unwrap();
        events.scalars(1, &[("loss/train", 0.5)]).unwrap();
        let kept = events.length();
        events.scalars(2, &[("loss/train", 0.25)]).unwrap();
        drop(events);
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let again = Events::open(folder.path(), kept).unwrap();
        assert_eq!(again.length(), kept);
        assert_eq!(std::fs::read(&path).unwrap(), whole[..kept as usize]);
    }
}
