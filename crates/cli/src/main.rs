//! The one binary, `coxa`: parses the command line, runs a subcommand and turns what happened into an exit code.
//!
//! Data goes to standard output, everything else to standard error. Exit 0: all done; 1: some inputs failed, each named; 2: wrong usage.
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a command line program prints")]

mod commands;
mod inputs;
mod output;
mod predictions;
mod progress;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use coxa_engine::Isa;

use crate::output::Outcome;

/// Coxa reads hip fractures on plain pelvic radiographs: it simulates or imports films, trains a network on them, proves how good it is
/// and reads new films into a probability, a heatmap and regions.
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
    Train(commands::train::Train),
    Predict(commands::predict::Predict),
    Evaluate(commands::evaluate::Evaluate),
    Compare(commands::compare::Compare),
    Power(commands::power::Power),
    Readers(commands::readers::Readers),
    Report(commands::report::Report),
    Model(commands::model::Model),
    Bench(commands::bench::Bench),
}

/// A reader that has seen enough (`coxa evaluate … | head`) ends the program, and no panic is shown for it; what cannot be printed for
/// another reason (a full disk) is an error of one line.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            std::process::exit(0);
        }
        if said.starts_with("failed printing to stdout") {
            eprintln!("error: {said}");
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
    end_with_the_reader();
    let cli = Cli::parse();
    if let Err(error) = prefer_instruction_set() {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    let result = match cli.command {
        Command::Demo(command) => command.run(),
        Command::Simulate(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Train(command) => command.run(),
        Command::Predict(command) => command.run(),
        Command::Evaluate(command) => command.run(),
        Command::Compare(command) => command.run(),
        Command::Power(command) => command.run(),
        Command::Readers(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Model(command) => command.run(),
        Command::Bench(command) => command.run(),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed(n)) => {
            eprintln!("{n} of the inputs failed; each is named above.");
            ExitCode::from(1)
        }
        Err(error) => {
            output::report_error(&error);
            ExitCode::from(output::exit_status(&error))
        }
    }
}
