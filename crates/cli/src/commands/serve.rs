//! `coxa serve`: a DICOM node that reads the films it receives and sends the results back.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use coxa_serve::config::Role;
use coxa_serve::log::{LogFormat, begin};
use coxa_serve::{Config, Node, check, node};

use crate::output::{Outcome, usage};

/// Start a DICOM node that reads the films it receives and sends the results back into their studies.
///
/// Without any configuration: films come by C-STORE or STOW-RS from this machine alone, are kept in ./coxa-data, and are read by the
/// network that comes with the program. A configuration file adds peers, destinations, certificates and more; flags and environment
/// variables come before it. Research use only.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  coxa serve\n  coxa serve --config coxa.toml --check\n  coxa send film.dcm --to COXA@127.0.0.1:11112"
)]
pub struct Serve {
    /// Read settings from this file; docs/serve.md lists every key with its default.
    #[arg(long, value_name = "FILE.toml", env = "COXA_SERVE_CONFIG")]
    config: Option<PathBuf>,
    /// Keep films and database in this folder [default: coxa-data].
    #[arg(long, value_name = "DIR", env = "COXA_SERVE_DATA")]
    data: Option<PathBuf>,
    /// Serve the web interfaces at this address [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR", env = "COXA_SERVE_HTTP")]
    http: Option<SocketAddr>,
    /// Accept DICOM associations at this address [default: 127.0.0.1:11112].
    #[arg(long, value_name = "ADDR", env = "COXA_SERVE_DICOM")]
    dicom: Option<SocketAddr>,
    /// Use this AE title [default: COXA].
    #[arg(long, value_name = "TITLE", env = "COXA_SERVE_AE_TITLE")]
    ae_title: Option<String>,
    /// Use this database: postgres://USER@HOST/NAME, or sqlite://FILE [default: a file in the data folder].
    #[arg(long, value_name = "URL", env = "COXA_SERVE_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Copy films to this bucket: s3://BUCKET/PREFIX.
    #[arg(long, value_name = "URL", env = "COXA_SERVE_OBJECTS", hide_env_values = true)]
    objects: Option<String>,
    /// Do this part of the work alone, where several nodes share a database: receive, read, send, pages.
    #[arg(long, value_name = "ROLES", value_delimiter = ',', env = "COXA_SERVE_ROLES", value_parser = role)]
    roles: Option<Vec<Role>>,
    /// Call this node so, among others that share the database [default: the host's name].
    #[arg(long, value_name = "NAME", env = "COXA_SERVE_NODE")]
    node: Option<String>,
    /// Say what is wrong with the settings, try each destination, and end.
    #[arg(long)]
    check: bool,
    /// Print the DICOM conformance statement as Markdown, and end.
    #[arg(long)]
    conformance: bool,
    /// Write the log as JSON lines.
    #[arg(long)]
    log_json: bool,
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "the roles are receive, read, send and pages".to_owned())
}

impl Serve {
    /// Runs the node until SIGTERM or SIGINT.
    pub fn run(self) -> anyhow::Result<Outcome> {
        if self.conformance {
            print!("{}", coxa_serve::conformance::statement());
            return Ok(Outcome::Done);
        }
        let config = self.settings()?;
        begin(if self.log_json { LogFormat::Json } else { LogFormat::Text });
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        if self.check {
            return Ok(runtime.block_on(try_all(&config)));
        }
        runtime.block_on(async {
            let node = Node::start(config).await?;
            if let Some(line) = node.first_sign_in() {
                eprintln!("{line}");
            }
            // The one line that scripts wait for.
            eprintln!("{}", node.ready_line());
            node::tell_system_ready();
            node.run_until(node::told_to_stop()).await?;
            Ok(Outcome::Done)
        })
    }

    fn settings(&self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            Some(file) => {
                Config::load(file).map_err(|error| usage(error.to_string(), error.hint().unwrap_or_default()))?
            }
            None => Config::default(),
        };
        let Self { data, http, dicom, ae_title, roles, .. } = self;
        set(&mut config.data, data);
        set(&mut config.http, http);
        set(&mut config.dicom, dicom);
        set(&mut config.ae_title, ae_title);
        set(&mut config.roles, roles);
        for (setting, given) in [
            (&mut config.database, &self.database),
            (&mut config.objects, &self.objects),
            (&mut config.node, &self.node),
        ] {
            if given.is_some() {
                setting.clone_from(given);
            }
        }
        Ok(config)
    }
}

fn set<T: Clone>(setting: &mut T, given: &Option<T>) {
    if let Some(given) = given {
        setting.clone_from(given);
    }
}

/// Prints a line for each thing that was tried.
async fn try_all(config: &Config) -> Outcome {
    let found = check::check(config).await;
    for finding in &found {
        match &finding.wrong {
            None => println!("ok     {}", finding.what),
            Some(wrong) => println!("wrong  {}: {wrong}", finding.what),
        }
    }
    match found.iter().filter(|finding| finding.wrong.is_some()).count() {
        0 => Outcome::Done,
        wrong => Outcome::SomeFailed(wrong),
    }
}
