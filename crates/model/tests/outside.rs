//! An outside crate, compiled against the built library: what would give a probability without the gate, or a heat map of a film that
//! is not called, is out of its reach. Unlike a `compile_fail` doc test, which any error satisfies, each case names the reason.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the compiler says of a crate that uses the library; `None` where it compiles.
struct Outside {
    library: PathBuf,
    folder: tempfile::TempDir,
}

impl Outside {
    /// Finds the library that this test was linked with: several builds may lie beside it, and the one with which a harmless crate
    /// compiles is it.
    fn find() -> Self {
        let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        let mut libraries: Vec<PathBuf> = std::fs::read_dir(&deps)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                name.starts_with("libcoxa_model-") && name.ends_with(".rlib")
            })
            .collect();
        libraries.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().modified().unwrap()));
        for library in libraries {
            let outside = Self { library, folder: tempfile::tempdir().unwrap() };
            if outside
                .error("pub fn f(d: &mut coxa_model::Detector, p: &std::path::Path) { drop(d.read(p)); }")
                .is_none()
            {
                return outside;
            }
        }
        panic!("no library in {} compiles with a harmless crate", deps.display());
    }

    fn error(&self, source: &str) -> Option<String> {
        let file = self.folder.path().join("outside.rs");
        std::fs::write(&file, source).unwrap();
        let deps = self.library.parent().unwrap_or(Path::new("."));
        let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args(["--edition=2024", "--crate-type=lib", "--crate-name=outside", "--emit=metadata"])
            .arg("--extern")
            .arg(format!("coxa_model={}", self.library.display()))
            .arg("-L")
            .arg(format!("dependency={}", deps.display()))
            .arg("--out-dir")
            .arg(self.folder.path())
            .arg(&file)
            .output()
            .unwrap();
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn no_outside_crate_gets_a_probability_without_the_gate() {
    let outside = Outside::find();
    for (source, reason) in [
        ("pub use coxa_model::backends::infer_executor;", "module `backends` is private"),
        ("pub fn f(d: &mut coxa_model::Detector) { let _ = &d.executor; }", "field `executor` of struct"),
        ("pub fn f(d: &mut coxa_model::Detector) { let _ = d.run(Vec::new()); }", "method `run` is private"),
        (
            "pub fn f(d: coxa_model::Detection) { let coxa_model::Detection { output, .. } = d; }",
            "field `output` of struct",
        ),
        (
            "pub fn f(d: &mut coxa_model::Detection) { d.prediction = d.prediction().clone(); }",
            "field `prediction` of struct",
        ),
        ("pub use coxa_model::detect::detection::Output;", "module `detection` is private"),
        ("pub fn f(w: &mut coxa_model::Workload) -> f64 { w.run().unwrap() }", "mismatched types"),
    ] {
        let error = outside.error(source).unwrap_or_else(|| panic!("this compiles: {source}"));
        assert!(error.contains(reason), "{source} fails for another reason:\n{error}");
    }
}
