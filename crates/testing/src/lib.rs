//! What the tests of several crates share: foreign programs and real files that may be absent. A development dependency only.
//!
//! A test that cannot run says so by name, and the name is added to `skipped.txt` in the target folder, which `scripts/check.sh`
//! counts and prints. Nothing is skipped where it is required:
//!
//! - with `COXA_E2E=1` (continuous integration) a missing program is an error;
//! - with `COXA_DATA=DIR` a missing folder of real files is an error.
#![expect(clippy::print_stderr, reason = "a test says what it skipped")]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether foreign programs may not be missing.
pub fn tools_are_required() -> bool {
    std::env::var_os("COXA_E2E").is_some_and(|value| value == "1")
}

/// A command of a foreign program, or `None`, having said so, where it is not installed.
///
/// # Panics
/// Where it is not installed and `COXA_E2E=1`.
#[track_caller]
pub fn tool(program: &str) -> Option<Command> {
    // Starting it is the question: what it makes of the argument is of no interest.
    let started = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if started.is_ok() {
        return Some(Command::new(program));
    }
    assert!(!tools_are_required(), "{program} is not installed, and COXA_E2E=1 requires it");
    skip(&format!("{program} is not installed"));
    None
}

/// A Python that has a package of `scripts/foreign/requirements.txt`: `$COXA_PYTHON`, or else `python3`; `None`, having said so, where it
/// lacks the package. `scripts/foreign.sh` may not have reached PyPI; where it has, and so `COXA_PYTHON` is set, nothing may be missing.
///
/// # Panics
/// Where no Python is installed and `COXA_E2E=1`, or `COXA_PYTHON` names one without the package then.
#[track_caller]
pub fn python(package: &str) -> Option<Command> {
    let found = optional_python(package);
    let is_named = std::env::var_os("COXA_PYTHON").is_some();
    assert!(
        found.is_some() || !is_named || !tools_are_required(),
        "COXA_PYTHON has no {package}, and COXA_E2E=1 requires it: scripts/foreign.sh installs it"
    );
    found
}

/// The same of a package that is in no list, as it is too large for every test run.
///
/// # Panics
/// Where no Python is installed and `COXA_E2E=1`.
#[track_caller]
pub fn optional_python(package: &str) -> Option<Command> {
    let program = std::env::var("COXA_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut probe = tool(&program)?;
    let found = probe.args(["-c", &format!("import {package}")]).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Some(Command::new(program));
    }
    skip(&format!("{program} has no {package}: scripts/foreign.sh installs one that COXA_PYTHON may name"));
    None
}

/// A port of loopback that is free now.
///
/// # Panics
/// Where none is.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// Where tests leave pictures to look at: `artifacts` in the target folder.
///
/// # Panics
/// Where it cannot be made.
pub fn artifacts() -> PathBuf {
    // target/debug/deps/<test program>
    let program = std::env::current_exe().expect("the test has a program");
    let place = program.ancestors().nth(3).expect("in a target folder").join("artifacts");
    std::fs::create_dir_all(&place).expect("the folder can be made");
    place
}

/// A folder of real files outside the repository, below `$COXA_DATA` or else `../shared/data` beside the checkout; `None`, having said
/// so, where it is not there.
///
/// # Panics
/// Where `COXA_DATA` is set and the folder is not in it.
#[track_caller]
pub fn data(folder: &str) -> Option<PathBuf> {
    let named = std::env::var_os("COXA_DATA").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let place = named.clone().unwrap_or_else(beside).join(folder);
    if place.exists() {
        return Some(place);
    }
    assert!(named.is_none(), "{} is not there, though COXA_DATA is set", place.display());
    skip(&format!("the real files of `{folder}` are not there"));
    None
}

/// Says that the calling test, or a part of it, is skipped, and notes it for the count at the end.
///
/// A test's output is shown only when the test fails, so the note is what a person sees.
#[track_caller]
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test").to_owned();
    let line = format!("skipped: {name} ({}): {reason}", std::panic::Location::caller().file());
    eprintln!("{line}");
    let Ok(program) = std::env::current_exe() else { return };
    // target/debug/deps/<test program>
    if let Some(target) = program.ancestors().nth(3) {
        let file = OpenOptions::new().create(true).append(true).open(target.join("skipped.txt"));
        // A note that cannot be kept was printed all the same.
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found() {
        assert!(tool("cargo").is_some());
        if !tools_are_required() {
            assert!(tool("no-such-program-of-coxa").is_none());
        }
    }
}
