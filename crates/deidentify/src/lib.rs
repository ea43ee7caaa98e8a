//! Takes every identity off a DICOM file.
