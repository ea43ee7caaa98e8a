//! A node as its peers see it.

mod dicomweb;
mod faults;
mod films;
mod nodes;
mod orthanc;
mod pages;
mod peers;
mod postgres;
mod queue;
mod receive;
mod support;
