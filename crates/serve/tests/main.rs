//! A node as its peers see it.

mod dicomweb;
mod films;
mod orthanc;
mod queue;
mod receive;
mod support;
