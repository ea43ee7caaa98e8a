//! The engine against PyTorch, and against itself on other instruction sets and numbers of threads.

mod formula;
mod inference;
mod training;
