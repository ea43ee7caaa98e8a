//! A node as its peers see it.

mod dicomweb;
mod films;
mod orthanc;
mod pages;
mod queue;
mod receive;
mod support;
