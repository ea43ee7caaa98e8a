//! `coxa collect`: a registry's films from a PACS, de-identified in memory.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use coxa_collect::{Event, LinkRequest, Request, Rules, Source, Step, Summary, check, collect};
use coxa_deidentify::{Decisions, Deidentifier, Key, REGIONS_TABLE, Settings};
use coxa_dicom::uid::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use coxa_dimse::tls::{Connector, TlsFiles};
use coxa_dimse::web::{self, Credentials, WebLimits};
use coxa_dimse::{Call, Deadlines, Limits};
use serde_json::json;

use super::profile::{Linking, Profile, first_line, leave_no_dump};
use super::send::{AeTitle, Destination};
use crate::output::{Outcome, json_line, usage};
use crate::progress::Bar;

/// Collect the frontal films of the pelvis and hip of a registry's patients from a PACS, near the day of the injury.
///
/// Films are de-identified in memory: nothing that identifies a patient is written, unless --keep-identified says so. The output folder
/// holds images/, films.csv and registry.csv, which `coxa import registry` reads, and a report (report.html, report.csv) that explains each
/// choice and each miss. An interrupted collection is resumed by the same command.
#[derive(Args)]
#[command(after_help = "Examples:
  coxa collect --registry REGISTRY.csv --from PACS@10.0.0.5:104 --key KEY --check
  coxa collect --registry REGISTRY.csv --from PACS@10.0.0.5:104 --retrieve move --key KEY --out COLLECTION
  coxa collect --registry REGISTRY.csv --from https://pacs.example/dicom-web --key KEY --out COLLECTION
  coxa import registry COLLECTION/registry.csv --films COLLECTION/films.csv --out COHORT")]
pub struct Collect {
    /// The registry: patient, injury_date, age, sex, iss, diagnosis, admitted, procedures.
    #[arg(long, value_name = "CSV")]
    registry: PathBuf,
    /// The PACS: its AE title and address, or the root of its DICOMweb service.
    #[arg(long, value_name = "AET@HOST:PORT|URL")]
    from: From,
    /// The output folder: new, or of an earlier collection with the same key and rules.
    #[arg(long, value_name = "DIR", required_unless_present = "check")]
    out: Option<PathBuf>,
    /// The key of `coxa deidentify --create-key`.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Retrieve by C-MOVE, C-GET or WADO-RS; by default C-GET from an AE title, WADO-RS from a URL.
    #[arg(long, value_enum)]
    retrieve: Option<Retrieve>,
    /// Try the PACS first: an echo, a search, one film. Nothing is written.
    #[arg(long)]
    check: bool,
    /// Read the rules of days, views, copies and pace from this file.
    #[arg(long, value_name = "FILE.toml")]
    rules: Option<PathBuf>,
    /// Collect limb films too, labeled by body part and protocol, for pretraining.
    #[arg(long)]
    limbs: bool,
    /// Call as this AE title.
    #[arg(long, value_name = "AET", default_value = "COXA")]
    ae_title: AeTitle,
    /// Receive films here (C-MOVE).
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:11112")]
    listen: String,
    /// Encrypt by TLS, and trust the authorities of this file.
    #[arg(long, value_name = "CA.pem")]
    tls: Option<PathBuf>,
    /// Show this certificate to the PACS.
    #[arg(long, value_name = "FILE.pem", requires_all = ["tls", "certificate_key"])]
    certificate: Option<PathBuf>,
    /// The certificate's private key.
    #[arg(long, value_name = "FILE.pem", requires = "certificate")]
    certificate_key: Option<PathBuf>,
    /// Sign in at DICOMweb as this user.
    #[arg(long, value_name = "NAME", requires = "password_file")]
    user: Option<String>,
    /// The first line of this file is the user's password.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// The first line of this file is a bearer token for DICOMweb.
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    profile: Profile,
    /// Apply the decisions in this table (serial,x,y,width,height,verdict) to films that were withheld for review.
    ///
    /// A verdict is `blank`, `keep` or `exclude`. By default regions.csv in the output folder, where the pages of coxa serve write it.
    #[arg(long, value_name = "CSV")]
    regions: Option<PathBuf>,
    #[command(flatten)]
    linking: Linking,
    /// Write the films as they come, with every identity, to this folder too, those that are withheld for review among them.
    #[arg(long, value_name = "DIR")]
    keep_identified: Option<PathBuf>,
    /// Print one JSON object: counts of injuries and films; with --check, one for each step.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Retrieve {
    /// C-MOVE: the PACS sends to this node, which it must know by title, host and port.
    Move,
    /// C-GET.
    Get,
    /// WADO-RS.
    Web,
}

/// Where films come from.
#[derive(Debug, Clone)]
enum From {
    Title(Destination),
    Url(String),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Url(text.to_owned()));
        }
        text.parse().map(Self::Title).map_err(|error: String| format!("{error}, or https://…"))
    }
}

impl Collect {
    /// Collects, or tries the PACS.
    pub fn run(self) -> anyhow::Result<Outcome> {
        leave_no_dump()?;
        let mut rules = self.rules.as_deref().map(Rules::read).transpose()?.unwrap_or_default();
        rules.limbs.collect |= self.limbs;
        let regions = self.regions.clone().or_else(|| self.out.as_ref().map(|out| out.join(REGIONS_TABLE)));
        let decisions = match regions {
            Some(table) if self.regions.is_some() => Decisions::read(&table)?,
            Some(table) => Decisions::read_if_there(&table)?,
            None => Decisions::default(),
        };
        let settings = Settings { decisions, ..self.profile.settings()? };
        let deidentifier = Deidentifier::new(Key::read(&self.key)?, settings);
        let source = self.source(&rules)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.context("starting")?;
        if self.check {
            return runtime.block_on(self.try_it(&source, &rules, &deidentifier));
        }
        let out = self.out.as_deref().context("--out is missing")?;
        let linking = self.linking.place()?.map(|(place, seal)| (free_place(place), seal));
        let link = linking.as_ref().map(|(place, seal)| LinkRequest { place, seal: seal.clone() });
        let request = Request {
            registry: &self.registry,
            source: &source,
            out,
            rules: &rules,
            deidentifier: &deidentifier,
            keep_identified: self.keep_identified.as_deref(),
            link,
        };
        let mut progress = Progress::default();
        let summary = runtime.block_on(collect(&request, &mut |event| progress.on(event)));
        if let Some(bar) = &progress.bar {
            bar.finish();
        }
        if let Some((place, _)) = linking.filter(|(place, _)| place.exists()) {
            eprintln!("linking table of this run: {}", place.display());
        }
        let summary = summary?;
        self.print(&summary, out)?;
        Ok(Outcome::of_failures(summary.failed + summary.withheld))
    }

    fn source(&self, rules: &Rules) -> anyhow::Result<Source> {
        let own = self.certificate.clone().zip(self.certificate_key.clone());
        let own = own.map(|(certificate, key)| TlsFiles { certificate, key, authorities: None });
        let deadlines = Deadlines {
            opening: Duration::from_secs(rules.pace.idle_seconds.min(30)),
            idle: Duration::from_secs(rules.pace.idle_seconds),
            // An association serves many requests, each with its own limit.
            total: Duration::from_secs(30 * 24 * 3600),
        };
        let contradiction = |hint: &str| usage("--from and --retrieve contradict each other", hint);
        match (&self.from, self.retrieve) {
            (From::Url(base), None | Some(Retrieve::Web)) => {
                let credentials = match (&self.user, &self.password_file, &self.token_file) {
                    (Some(user), Some(file), _) => {
                        Credentials::Basic { user: user.clone(), password: first_line(file)? }
                    }
                    (_, _, Some(file)) => Credentials::Bearer(first_line(file)?.trim().to_owned()),
                    _ => Credentials::None,
                };
                let deadlines = Deadlines { total: Duration::from_secs(rules.pace.request_seconds), ..deadlines };
                Ok(Source::Web(Box::new(web::Settings {
                    base: base.clone(),
                    credentials,
                    authorities: self.tls.clone(),
                    own,
                    deadlines,
                    limits: WebLimits::default(),
                })))
            }
            (From::Url(_), _) => Err(contradiction("a URL is retrieved from by --retrieve web")),
            (From::Title(_), Some(Retrieve::Web)) => Err(contradiction("--retrieve web wants --from https://…")),
            (From::Title(pacs), retrieve) => {
                let tls =
                    self.tls.as_deref().map(|authorities| Connector::new(authorities, own.as_ref())).transpose()?;
                let call = Call {
                    to: pacs.address.clone(),
                    called: pacs.title.0.clone(),
                    calling: self.ae_title.0.clone(),
                    proposals: Vec::new(),
                    tls,
                    deadlines,
                    limits: Limits { association: u64::MAX, ..Limits::default() },
                    implementation: (IMPLEMENTATION_CLASS_UID.to_owned(), IMPLEMENTATION_VERSION_NAME.to_owned()),
                };
                Ok(match retrieve {
                    Some(Retrieve::Move) => Source::Move { call, listen: self.listen.clone() },
                    _ => Source::Get(call),
                })
            }
        }
    }

    async fn try_it(&self, source: &Source, rules: &Rules, deidentifier: &Deidentifier) -> anyhow::Result<Outcome> {
        let mut closed = None;
        let mut print = |step: Step| {
            if self.json {
                let line = json!({ "step": step.what, "ok": step.ok, "result": step.result, "hint": step.hint });
                closed = closed.take().or(json_line(&line).err());
                return;
            }
            println!("{:<11} {:<7} {}", step.what, if step.ok { "ok" } else { "failed" }, step.result);
            if let Some(hint) = step.hint {
                println!("{:<19} hint: {hint}", "");
            }
        };
        let ok = check(&self.registry, source, rules, deidentifier, &mut print).await?;
        closed.map_or(Ok(Outcome::of_failures(usize::from(!ok))), Err)
    }

    fn print(&self, summary: &Summary, out: &Path) -> anyhow::Result<()> {
        let Summary { injuries, found, ambiguous, missing, failed, films, limbs, withheld, repeated } = *summary;
        if self.json {
            return json_line(&json!({
                "injuries": injuries, "found": found, "ambiguous": ambiguous, "missing": missing, "failed": failed,
                "films": films, "limbs": limbs, "withheld": withheld, "repeated": repeated,
            }));
        }
        println!(
            "{}: {films} films of {injuries} injuries: {found} found, {ambiguous} to review, {missing} without, {failed} failed",
            out.display()
        );
        if limbs > 0 {
            println!("{limbs} limb films: coxa import folders {}/limbs --out LIMBS", out.display());
        }
        if withheld > 0 {
            println!("{withheld} films withheld, each with its reason in the report");
            println!("those to review are decided about by --regions, or on the pages of coxa serve ([[collection]])");
        }
        println!("report: {}", out.join(coxa_collect::REPORT_PAGE).display());
        println!("next: coxa import registry {0}/registry.csv --films {0}/films.csv --out COHORT", out.display());
        Ok(())
    }
}

/// The place of a run's linking table: an interrupted collection is resumed by the same command, and each of its runs has a table of its own,
/// `LINK.age`, `LINK.2.age`, …
fn free_place(place: &Path) -> PathBuf {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, extension) = (text(place.file_stem()), text(place.extension()));
    let numbered = |n: usize| match (n, extension.as_str()) {
        (1, _) => place.to_owned(),
        (_, "") => place.with_file_name(format!("{stem}.{n}")),
        _ => place.with_file_name(format!("{stem}.{n}.{extension}")),
    };
    (1..).map(numbered).find(|place| !place.exists()).unwrap_or_else(|| place.to_owned())
}

/// The progress bar and the lines above it.
#[derive(Default)]
struct Progress {
    bar: Option<Bar>,
}

impl Progress {
    fn on(&mut self, event: &Event<'_>) {
        let line = match event {
            Event::Injuries { done, total, films } => {
                let bar = self.bar.get_or_insert_with(|| Bar::new("collecting", *total));
                return bar.set(*done, &format!("{films} films"));
            }
            Event::Note(note) => format!("note: {note}"),
            Event::Failed(row) => {
                let detail = row.detail.as_deref().unwrap_or("a film was not delivered");
                format!("error: row {} of the registry: {detail}", row.row)
            }
            Event::Withheld(film) => {
                let detail = film.detail.as_deref().unwrap_or(film.reason.sentence());
                format!("withheld: film {}: {detail}", film.serial)
            }
            _ => return,
        };
        match &self.bar {
            Some(bar) => bar.line(&line),
            None => eprintln!("{line}"),
        }
    }
}
