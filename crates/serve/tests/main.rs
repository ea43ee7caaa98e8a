//! A node as its peers see it.

mod audit;
mod collections;
mod dicomweb;
mod faults;
mod films;
mod hostile;
mod labeling;
mod language;
mod monitoring;
mod nodes;
mod oidc;
mod openapi;
mod operations;
mod orthanc;
mod pages;
mod peers;
mod people;
mod postgres;
mod queue;
mod readers;
mod receive;
mod rules;
mod support;
mod trial;
mod trial_effect;
mod trial_leaks;
