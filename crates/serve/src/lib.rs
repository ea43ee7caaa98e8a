//! Coxa beside the PACS.
