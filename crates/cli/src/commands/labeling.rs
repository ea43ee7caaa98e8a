//! `coxa labeling`: films for reviewers to label, and the dataset that comes of it, at the node's own machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use coxa_cohort::Dataset;
use coxa_cohort::dataset::MANIFEST;
use coxa_files::Table;
use coxa_files::whole::Partial;
use coxa_schema::Finding;
use coxa_serve::audit::Deed;
use coxa_serve::labeling::{Board, Import, Task, folder, history, import};
use coxa_serve::people::Role;
use coxa_serve::store::Store;
use coxa_study::Readings;

use super::place::{Opened, Place};
use crate::output::{Outcome, usage};

/// Give reviewers films to label on the pages of a node, and write the dataset that comes of it.
///
/// Each use is recorded in the audit log.
#[derive(Args)]
pub struct Labeling {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print a line for each labeling: number, name, task, decided films, whether it is closed.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Copy the films of a dataset or folder to the node, and print the number of the new labeling.
    Import(Box<Films>),
    /// Write a labeling to a new dataset folder: manifest.csv, truth.csv, decisions.csv and the films; or judged.csv.
    Export {
        /// The labeling's number, as `coxa labeling list` prints it.
        #[arg(long, value_name = "NUMBER")]
        labeling: i64,
        /// Write to this new folder.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        place: Place,
        /// The node's bucket, where films are kept in one.
        #[arg(long, value_name = "URL", env = "COXA_SERVE_OBJECTS")]
        objects: Option<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Reviewers label the films.
    Labels,
    /// Reviewers judge whether heat maps lie where the fracture is.
    HeatMaps,
}

#[derive(Args)]
#[command(
    after_help = "Example: coxa labeling import --films films --name \"Hips 2016\" --reviewers wang,chen --adjudicator lin"
)]
struct Films {
    /// Take the films of this folder: a dataset with manifest.csv, or any folder of films.
    #[arg(long, value_name = "DIR")]
    films: PathBuf,
    /// Name the labeling.
    #[arg(long)]
    name: String,
    /// Let these accounts decide without each other's decisions.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    reviewers: Vec<String>,
    /// Let this account decide where reviewers differ; needed for two reviewers or more.
    #[arg(long, value_name = "NAME")]
    adjudicator: Option<String>,
    /// What reviewers do.
    #[arg(long, value_enum, default_value = "labels")]
    task: What,
    /// Let every random order follow from this number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show these radiologists' reports beside the films (image_id, report).
    #[arg(long, value_name = "FILE.csv")]
    reports: Option<PathBuf>,
    /// Use the findings that `coxa predict --json` printed for these films: films where label and network differ come early, and heat maps
    /// are judged. `coxa report` writes them to readings.jsonl with their heat maps.
    #[arg(long, value_name = "FILE.jsonl")]
    readings: Option<PathBuf>,
    /// Judge so many heat maps at most.
    #[arg(long, value_name = "N", default_value_t = 49)]
    sample: usize,
    #[command(flatten)]
    place: Place,
    /// The node's bucket, where films are kept in one.
    #[arg(long, value_name = "URL", env = "COXA_SERVE_OBJECTS")]
    objects: Option<String>,
}

impl Labeling {
    /// Lists, imports or exports.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match self.verb {
                Verb::List { place } => list(&place).await,
                Verb::Import(films) => take(*films).await,
                Verb::Export { labeling, out, place, objects } => {
                    export(&place, objects.as_deref(), labeling, &out).await
                }
            }
        })
    }
}

async fn list(place: &Place) -> anyhow::Result<Outcome> {
    let node = place.open().await?;
    for labeling in node.db.labelings().await? {
        let board = Board::open(&node.db, labeling.id).await?;
        let decided = board.decided.iter().filter(|on_film| on_film.standing.decision().is_some()).count();
        let state = if labeling.closed_at > 0 { "closed" } else { "open" };
        println!("{}\t{}\t{}\t{decided} of {}\t{state}", labeling.id, labeling.name, labeling.task, board.films.len());
    }
    Ok(Outcome::Done)
}

fn store(place: &Place, objects: Option<&str>) -> anyhow::Result<Store> {
    let node = std::fs::read_to_string(place.data.join("node")).unwrap_or_default();
    Ok(Store::beside(&place.data, node.trim(), objects)?)
}

async fn take(films: Films) -> anyhow::Result<Outcome> {
    let node = films.place.open().await?;
    let store = store(&films.place, films.objects.as_deref())?;
    let mut reviewers = Vec::new();
    for name in &films.reviewers {
        reviewers.push(reviewer(&node, name).await?);
    }
    let adjudicator = match &films.adjudicator {
        Some(name) => Some(reviewer(&node, name).await?),
        None if reviewers.len() > 1 => {
            return Err(usage("several reviewers need an adjudicator", "name one with --adjudicator"));
        }
        None => None,
    };
    let everybody: std::collections::BTreeSet<i64> = reviewers.iter().copied().chain(adjudicator).collect();
    if everybody.len() < reviewers.len() + usize::from(adjudicator.is_some()) {
        return Err(usage("somebody is named twice", "reviewers and adjudicator are different people"));
    }
    let dataset =
        if films.films.join(MANIFEST).is_file() { Dataset::load(&films.films)? } else { folder(&films.films)? };
    let task = match films.task {
        What::Labels => Task::Labels,
        What::HeatMaps => Task::HeatMaps,
    };
    let (reports, findings) = (
        films.reports.as_deref().map(reports).transpose()?.unwrap_or_default(),
        films.readings.as_deref().map(|path| findings(path, &dataset)).transpose()?.unwrap_or_default(),
    );
    if task == Task::HeatMaps && findings.is_empty() {
        return Err(usage("there are no heat maps to judge", "name readings with heat maps with --readings"));
    }
    let by = std::env::var("USER").unwrap_or_default().chars().take(64).collect();
    let number = dataset.films.len().to_string();
    node.record(Deed::LabelingMade, &[("films", &number), ("task", task.as_str())]).await?;
    let Films { name, seed, sample, .. } = films;
    let new = Import { name, task, seed, by, dataset, reports, findings, sample, reviewers, adjudicator };
    println!("{}", import(&node.db, &store, new).await?);
    Ok(Outcome::Done)
}

async fn reviewer(node: &Opened, name: &str) -> anyhow::Result<i64> {
    let account = node.db.account_named(&name.trim().to_lowercase()).await?;
    match account.filter(|account| !account.is_disabled && account.person.roles.has(Role::Reviewer)) {
        Some(account) => Ok(account.person.id),
        None => Err(usage(
            format!("there is no reviewer {name}"),
            "`coxa people add --name NAME --roles reviewer` makes one; `coxa people list` prints all",
        )),
    }
}

fn reports(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let table = Table::read(path)?;
    for column in ["image_id", "report"] {
        table.require(column)?;
    }
    Ok(table.rows().map(|row| (row.text("image_id").to_owned(), row.text("report").to_owned())).collect())
}

fn findings(path: &Path, dataset: &Dataset) -> anyhow::Result<BTreeMap<String, Finding>> {
    let readings = Readings::load(path)?;
    let joined = readings.join(dataset)?;
    Ok(joined.findings().map(|(film, finding)| (film.image_id.clone(), finding.clone())).collect())
}

async fn export(place: &Place, objects: Option<&str>, labeling: i64, out: &Path) -> anyhow::Result<Outcome> {
    coxa_workflow::report::refuse_existing(out)?;
    let node = place.open().await?;
    let store = store(place, objects)?;
    let board = Board::open(&node.db, labeling).await?;
    node.record(Deed::LabelingExported, &[("labeling", &labeling.to_string())]).await?;
    let given = board.given(&node.db).await?;
    let partial = Partial::folder(out)?;
    let write = |name: &str, bytes: &[u8]| -> anyhow::Result<()> {
        let path = partial.path().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(coxa_files::whole::write_synced(&path, bytes)?)
    };
    write("decisions.csv", &history(&board.history(&node.db, &given).await?))?;
    if board.task == Task::HeatMaps {
        write("judged.csv", &board.judgments(&given).to_csv())?;
    } else {
        let mut dataset = board.dataset(&given);
        dataset.folder = partial.path().to_owned();
        for (film, row) in board.films.iter().zip(&mut dataset.films) {
            let bytes = board.file(&store, film, row).await?;
            if Path::new(&row.path).is_absolute() {
                // A dataset may refer to files elsewhere; what is exported has its own.
                let ending = Path::new(&row.path).extension().map(|ending| ending.to_string_lossy().into_owned());
                row.path = format!("images/{}.{}", film.place + 1, ending.unwrap_or_default());
            }
            write(&row.path, &bytes)?;
        }
        dataset.save()?;
    }
    partial.keep()?;
    println!("{}", out.display());
    Ok(Outcome::Done)
}
