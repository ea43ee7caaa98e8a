//! The one binary, `coxa`: parses the command line, runs a subcommand and turns what happened into an exit code.
//!
//! Data goes to standard output, everything else to standard error. Exit 0: all done; 1: some inputs failed, each named; 2: wrong usage;
//! 70: a fault of the program.
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a command line program prints")]

mod commands;
mod output;
mod progress;
mod screen;
mod values;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use coxa_engine::Isa;

use crate::output::Outcome;

/// Detect hip fractures on plain pelvic radiographs: simulate or import films, train a network on them, measure how good it is, and read
/// new films into a probability, a heat map and regions.
///
/// Research use only. Not a medical device.
#[derive(Parser)]
#[command(name = "coxa", version, about, max_term_width = 100)]
#[command(after_help = "Start with `coxa demo`. Every command explains itself: `coxa predict --help`.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(commands::demo::Demo),
    Simulate(commands::simulate::Simulate),
    Import(commands::import::Import),
    Collect(Box<commands::collect::Collect>),
    Deidentify(Box<commands::deidentify::Deidentify>),
    Train(commands::train::Train),
    Predict(commands::predict::Predict),
    Evaluate(commands::evaluate::Evaluate),
    Compare(commands::compare::Compare),
    Power(commands::power::Power),
    Readers(commands::readers::Readers),
    Report(commands::report::Report),
    Serve(Box<commands::serve::Serve>),
    Token(commands::token::Token),
    People(commands::people::People),
    Labeling(commands::labeling::Labeling),
    Audit(commands::audit::Audit),
    Trial(Box<commands::trial::Trial>),
    Backup(commands::backup::Backup),
    Restore(commands::backup::Restore),
    Model(commands::model::Model),
    Send(commands::send::Send),
    Bench(commands::bench::Bench),
}

/// A closed pipe (`coxa evaluate … | head`) ends the program without a word; what cannot be printed for another reason (a full disk) is
/// an error of one line. Every other panic is shown as usual.
fn end_with_the_pipe() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        if message.starts_with("failed printing to stdout") && message.contains("Broken pipe") {
            std::process::exit(0);
        }
        if message.starts_with("failed printing to stdout") {
            eprintln!("error: {message}");
            std::process::exit(1);
        }
        usual(panic);
    }));
}

/// Makes the engine use the instruction set that the environment variable `COXA_ISA` names, where it is set.
fn prefer_instruction_set() -> Result<(), String> {
    let Some(name) = std::env::var_os("COXA_ISA") else { return Ok(()) };
    let name = name.to_string_lossy();
    let preferred = name.trim().parse().and_then(Isa::prefer);
    preferred.map_err(|_| {
        let available: Vec<_> = Isa::available().map(Isa::name).collect();
        format!("COXA_ISA is `{}`, but this processor has kernels for {}", name.trim(), available.join(", "))
    })
}

fn main() -> ExitCode {
    end_with_the_pipe();
    let cli = Cli::parse();
    if let Err(error) = prefer_instruction_set() {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    // A panic was shown by the hook; what it leaves half-written is removed on the way here.
    match panic::catch_unwind(AssertUnwindSafe(|| cli.command.run())) {
        Ok(Ok(Outcome::Done)) => ExitCode::SUCCESS,
        Ok(Ok(Outcome::SomeFailed(n))) => {
            eprintln!("{n} of the inputs failed; each is named above.");
            ExitCode::from(1)
        }
        Ok(Err(error)) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => ExitCode::from(output::report_error(&error)),
        Err(_) => ExitCode::from(output::report_panic()),
    }
}

impl Command {
    fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Command::Demo(command) => command.run(),
            Command::Simulate(command) => command.run(),
            Command::Import(command) => command.run(),
            Command::Collect(command) => command.run(),
            Command::Deidentify(command) => command.run(),
            Command::Train(command) => command.run(),
            Command::Predict(command) => command.run(),
            Command::Evaluate(command) => command.run(),
            Command::Compare(command) => command.run(),
            Command::Power(command) => command.run(),
            Command::Readers(command) => command.run(),
            Command::Report(command) => command.run(),
            Command::Serve(command) => command.run(),
            Command::Token(command) => command.run(),
            Command::People(command) => command.run(),
            Command::Labeling(command) => command.run(),
            Command::Audit(command) => command.run(),
            Command::Trial(command) => command.run(),
            Command::Backup(command) => command.run(),
            Command::Restore(command) => command.run(),
            Command::Model(command) => command.run(),
            Command::Send(command) => command.run(),
            Command::Bench(command) => command.run(),
        }
    }
}
