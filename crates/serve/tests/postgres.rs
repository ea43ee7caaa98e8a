//! A PostgreSQL server for the tests, on loopback.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A server that lives as long as the test program.
pub struct Postgres {
    folder: tempfile::TempDir,
    port: u16,
}

/// The programs of PostgreSQL, which refuse to run as root.
fn program(name: &str) -> Option<Command> {
    let places =
        ["/usr/lib/postgresql".into()].into_iter().chain(std::env::var_os("PGBIN").map(std::path::PathBuf::from));
    let versions =
        places.flat_map(|place: std::path::PathBuf| std::fs::read_dir(place).into_iter().flatten().flatten());
    let found = versions.map(|entry| entry.path().join("bin").join(name)).find(|path| path.is_file())?;
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0);
    if !is_root {
        return Some(Command::new(found));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(found);
    Some(command)
}

/// The server; `None`, having said so, where PostgreSQL is not installed.
pub fn postgres() -> Option<&'static Postgres> {
    static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
    SERVER.get_or_init(start).as_ref()
}

fn start() -> Option<Postgres> {
    let (Some(mut initdb), Some(mut pg_ctl)) = (program("initdb"), program("pg_ctl")) else {
        assert!(!coxa_testing::tools_are_required(), "PostgreSQL is not installed, and COXA_E2E=1 requires it");
        coxa_testing::skip("PostgreSQL is not installed");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let data = folder.path().join("data");
    let port = coxa_testing::free_port();
    let run = |command: &mut Command| {
        let status = command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{command:?}");
    };
    run(initdb.arg("-D").arg(&data).args(["-U", "coxa", "-A", "trust", "-E", "UTF8", "--no-sync"]));
    let options =
        format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={}", folder.path().display());
    run(pg_ctl.arg("-D").arg(&data).args(["-w", "-l"]).arg(folder.path().join("log")).args(["-o", &options, "start"]));
    // The server goes with the test program.
    let (pid, mine) = (std::fs::read_to_string(data.join("postmaster.pid")).unwrap(), std::process::id());
    let pid = pid.lines().next().unwrap().to_owned();
    let guard = format!("while kill -0 {mine} 2>/dev/null; do sleep 1; done; kill -INT {pid}");
    drop(
        Command::new("sh")
            .args(["-c", &guard])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn(),
    );
    Some(Postgres { folder, port })
}

impl Postgres {
    /// A database of its own.
    pub fn database(&self, name: &str) -> String {
        let mut createdb = program("createdb").unwrap();
        let status = createdb
            .current_dir(self.folder.path())
            .args(["-h", "127.0.0.1", "-U", "coxa", "-p", &self.port.to_string(), name])
            .status()
            .unwrap();
        assert!(status.success());
        format!("postgres://coxa@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }
}
