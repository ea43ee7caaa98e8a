//! A check as a page: one self-contained HTML file, with the numbers beside it as JSON.

use std::path::Path;

use coxa_files::whole::write_whole;
use coxa_study::page::{Block, Page, PageTable, Section};

use super::moves::hips_of;
use super::{Check, Compared, PartMoves, Spread, pictures};
use crate::WorkflowError;
use crate::report::refuse_existing;

/// Writes `index.html`, `check.json` and `hips.csv` (where the real films' hips were taken to lie) to a new folder.
///
/// # Errors
/// When the folder is there already, a picture cannot be encoded or a file cannot be written.
pub fn write(check: &Check, folder: &Path) -> Result<(), WorkflowError> {
    refuse_existing(folder)?;
    std::fs::create_dir_all(folder).map_err(WorkflowError::io(folder))?;
    let json = serde_json::to_vec_pretty(&check.result).map_err(|error| WorkflowError::Internal(error.to_string()))?;
    for (name, bytes) in [("check.json", json), ("hips.csv", check.hips_csv())] {
        let place = folder.join(name);
        write_whole(&place, &bytes).map_err(WorkflowError::io(&place))?;
    }
    page(check)?.write_page(folder, "index.html").map_err(WorkflowError::io(folder.join("index.html")))
}

fn page(check: &Check) -> Result<Page, WorkflowError> {
    let result = &check.result;
    let (real, simulated) = (hips_of(&check.real), hips_of(&check.simulated));
    let picture = |png, caption: &str| Block::Picture { png, caption: caption.to_owned() };
    let looks = vec![
        picture(pictures::hips(&real, 2)?, "Real hips without a fracture, at one scale; left ones are mirrored."),
        picture(pictures::hips(&simulated, 2)?, "Simulated hips without a fracture, at the same scale."),
        picture(
            pictures::means(&real, &simulated)?,
            "The mean of all real hips, that of all simulated ones, and the first less the second: where that is light, real hips are \
             brighter than what surrounds it, and where it is dark, simulated ones. Hips that lie alike make it sharp.",
        ),
    ];
    let mut exchange = vec![
        Block::Text(
            "Each part of a hip without a fracture is pasted into another film without one, at the scale of the femoral head, matched in \
             mean and deviation, with soft edges, bent below the neck so that shaft meets shaft. What moves the logit there is not a \
             fracture: it is what the network has never seen. A simulator is good when real donors move it no more than simulated ones."
                .to_owned(),
        ),
        moves_table("into-simulated", "Into simulated films: the logit's move", &result.into_simulated),
        moves_table("into-real", "Into real films: the logit's move", &result.into_real),
    ];
    if let (Some(donor), Some(film)) = (real.first(), simulated.last()) {
        let caption =
            "A simulated hip, the real donor, and each part of the donor in the simulated film, in the table's order.";
        exchange.push(picture(pictures::pasted(film, donor)?, caption));
    }
    if let (Some(donor), Some(film)) = (simulated.first(), real.last()) {
        let caption = "The other way: a real hip, the simulated donor, and each part of the donor in the real film.";
        exchange.push(picture(pictures::pasted(film, donor)?, caption));
    }
    let section = |heading: &str, blocks| Section { heading: heading.to_owned(), blocks };
    let measured = vec![
        Block::Text(
            "Measured by the program on films seen at one scale. Cortex's contrast is the shaft's two cortices over the soft tissue beside \
             them."
                .to_owned(),
        ),
        descriptors_table(&result.descriptors),
    ];
    Ok(Page {
        title: "Simulated hips beside real ones".to_owned(),
        subtitle: format!(
            "Network {}; {} real films with {} whole hips, {} simulated films with {}. Logits of whole films: real {}, simulated {}.",
            result.model,
            result.real_films,
            result.real_hips,
            result.simulated_films,
            result.simulated_hips,
            spread(result.real_logits, 1),
            spread(result.simulated_logits, 1)
        ),
        simulated: false,
        sections: vec![
            section("Hips", looks),
            section("Parts exchanged", exchange),
            section("Measures", measured),
            section("Films without a hip found", vec![Block::Text(left_out(&result.without_hip))]),
        ],
    })
}

fn left_out(names: &[String]) -> String {
    if names.is_empty() { "None.".to_owned() } else { names.join(", ") }
}

/// A median with its quartiles.
fn spread(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(
        || "–".to_owned(),
        |s| format!("{:+.digits$} ({:+.digits$} to {:+.digits$})", s.median, s.lower, s.upper),
    )
}

fn moves_table(name: &str, caption: &str, parts: &[PartMoves]) -> Block {
    let count = |s: Option<Spread>| s.map_or(0, |s| s.n).to_string();
    let row = |part: &PartMoves| {
        let cells = [spread(part.real, 1), count(part.real), spread(part.simulated, 1), count(part.simulated)];
        [part.part.to_owned()].into_iter().chain(cells).collect()
    };
    table(
        name,
        &format!("{caption}: median (quartiles)"),
        &["part", "real donor", "n", "simulated donor", "n"],
        parts.iter().map(row).collect(),
    )
}

fn descriptors_table(descriptors: &[Compared]) -> Block {
    let plain = |s: Option<Spread>| {
        s.map_or_else(|| "–".to_owned(), |s| format!("{:.3} ({:.3} to {:.3}), {}", s.median, s.lower, s.upper, s.n))
    };
    let row = |d: &Compared| vec![d.name.to_owned(), plain(d.real), plain(d.simulated), d.unit.to_owned()];
    table(
        "measures",
        "Median (quartiles), hips",
        &["measure", "real", "simulated", "unit"],
        descriptors.iter().map(row).collect(),
    )
}

fn table(name: &str, caption: &str, header: &[&str], rows: Vec<Vec<String>>) -> Block {
    Block::Table(PageTable {
        name: name.to_owned(),
        caption: caption.to_owned(),
        header: header.iter().map(|cell| (*cell).to_owned()).collect(),
        rows,
        data: None,
    })
}
