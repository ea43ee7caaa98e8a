//! A page of results: one self-contained HTML file that asks no host for anything, with each figure beside it as SVG and each table as CSV.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use coxa_files::whole::{Partial, write_whole};

use crate::figures::{Figure, escape};

/// What stands on every page.
pub const RESEARCH_USE_ONLY: &str = "Research use only. Not a medical device.";

/// A page under construction.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The title.
    pub title: String,
    /// A line below it.
    pub subtitle: String,
    /// Whether any figure on it comes from simulated films; the page then says so at its top.
    pub simulated: bool,
    /// Sections, in order.
    pub sections: Vec<Section>,
}

/// A part of a page under a heading.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// What stands below it.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone)]
pub enum Block {
    /// A paragraph of plain text.
    Text(String),
    /// A command that the reader may type.
    Command(String),
    /// A figure.
    Figure {
        /// File name without its ending.
        name: String,
        /// The figure.
        figure: Figure,
        /// What it shows.
        caption: String,
    },
    /// A table.
    Table(PageTable),
    /// Films with their findings.
    Films(Vec<FilmCard>),
    /// A picture.
    Picture {
        /// The PNG file's bytes.
        png: Vec<u8>,
        /// What it shows.
        caption: String,
    },
}

/// A table: a header and rows of the same length.
#[derive(Debug, Clone, Default)]
pub struct PageTable {
    /// File name without its ending.
    pub name: String,
    /// What it shows.
    pub caption: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
    /// The same for a program to read, header and rows: what the CSV file holds where it differs from the page.
    pub data: Option<(Vec<String>, Vec<Vec<String>>)>,
}

/// A film with the network's finding. Its two pictures, PNG files, are written before the page is, at [`FilmCard::picture`] and
/// [`FilmCard::overlay`]; the page reads them one at a time, so that it need not hold them.
#[derive(Debug, Clone)]
pub struct FilmCard {
    /// What its files are called, without an ending: a file's name, that of no other card of the report.
    pub name: String,
    /// What it is.
    pub title: String,
    /// The numbers beside it.
    pub lines: Vec<String>,
    /// How the finding compares with the truth, for the color of its frame.
    pub verdict: Verdict,
}

impl FilmCard {
    /// The folder of the films' pictures in a report's folder.
    pub fn folder(report: &Path) -> PathBuf {
        report.join("figures").join("films")
    }

    /// The place of the film's picture in a report's folder.
    pub fn picture(&self, report: &Path) -> PathBuf {
        Self::folder(report).join(format!("{}-film.png", self.name))
    }

    /// The place of the picture of the film with its heat map.
    pub fn overlay(&self, report: &Path) -> PathBuf {
        Self::folder(report).join(format!("{}-heatmap.png", self.name))
    }
}

/// How a finding compares with the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Right.
    Right,
    /// Wrong.
    Wrong,
    /// Right finding, wrong place.
    WrongPlace,
    /// The truth is not known.
    Unknown,
}

impl Verdict {
    fn class(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::WrongPlace => "place",
            Self::Unknown => "unknown",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Right => "classified correctly",
            Self::Wrong => "classified wrongly",
            Self::WrongPlace => "right finding, wrong place",
            Self::Unknown => "truth unknown",
        }
    }
}

impl Page {
    /// Writes the whole page as HTML; the pictures of its films are those in `folder`.
    ///
    /// # Errors
    /// When a picture cannot be read, or those of `out`.
    pub fn write_html(&self, folder: &Path, out: &mut impl Write) -> io::Result<()> {
        write!(
            out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{}</title><style>{STYLE}</style></head><body><header><h1>{}</h1><p>{}</p><p class=\"notice\">{}{}</p></header><nav>",
            escape(&self.title),
            escape(&self.title),
            escape(&self.subtitle),
            RESEARCH_USE_ONLY,
            if self.simulated { " All figures on this page come from simulated films." } else { "" },
        )?;
        for (i, section) in self.sections.iter().enumerate() {
            write!(out, "<a href=\"#s{i}\">{}</a> ", escape(&section.heading))?;
        }
        write!(out, "</nav><main>")?;
        for (i, section) in self.sections.iter().enumerate() {
            write!(out, "<section id=\"s{i}\"><h2>{}</h2>", escape(&section.heading))?;
            for block in &section.blocks {
                block.write_html(folder, out)?;
            }
            write!(out, "</section>")?;
        }
        writeln!(out, "</main><footer>{RESEARCH_USE_ONLY}</footer></body></html>")
    }

    /// Writes the page alone to `file` (a name) in `folder`, whole or not at all.
    ///
    /// # Errors
    /// When a picture cannot be read, or the file cannot be written.
    pub fn write_page(&self, folder: &Path, file: &str) -> io::Result<()> {
        let partial = Partial::file(&folder.join(file))?;
        let mut out = BufWriter::new(File::create(partial.path())?);
        self.write_html(folder, &mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        partial.keep()
    }

    /// Writes `index.html`, `figures/*.svg` and `*.pdf`, and `tables/*.csv` below `folder`, each whole or not at all.
    ///
    /// # Errors
    /// When a picture of a film is not there, or a file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let figures = folder.join("figures");
        let tables = folder.join("tables");
        fs::create_dir_all(&figures)?;
        fs::create_dir_all(&tables)?;
        for block in self.sections.iter().flat_map(|s| &s.blocks) {
            match block {
                Block::Figure { name, figure, .. } => {
                    write_whole(&figures.join(format!("{name}.svg")), figure.svg.as_bytes())?;
                    write_whole(&figures.join(format!("{name}.pdf")), &figure.pdf)?;
                }
                Block::Table(table) => {
                    write_whole(&tables.join(format!("{}.csv", table.name)), table.csv()?.as_slice())?
                }
                Block::Films(_) | Block::Picture { .. } | Block::Text(_) | Block::Command(_) => {}
            }
        }
        self.write_page(folder, "index.html")
    }
}

impl PageTable {
    fn csv(&self) -> io::Result<Vec<u8>> {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let (header, rows) = self.data.as_ref().map_or((&self.header, &self.rows), |(header, rows)| (header, rows));
        writer.write_record(header)?;
        for row in rows {
            writer.write_record(row)?;
        }
        writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

impl Block {
    fn write_html(&self, folder: &Path, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Text(text) => write!(out, "<p>{}</p>", escape(text)),
            Self::Command(command) => write!(out, "<pre><code>{}</code></pre>", escape(command)),
            Self::Figure { figure, caption, .. } => {
                write!(out, "<figure>{}<figcaption>{}</figcaption></figure>", figure.svg, escape(caption))
            }
            Self::Table(table) => write_table(table, out),
            Self::Films(cards) => {
                write!(out, "<div class=\"films\">")?;
                cards.iter().try_for_each(|card| write_card(card, folder, out))?;
                write!(out, "</div>")
            }
            Self::Picture { png, caption } => {
                let caption = escape(caption);
                write!(out, "<figure><img alt=\"{caption}\" src=\"data:image/png;base64,{}\">", STANDARD.encode(png))?;
                write!(out, "<figcaption>{caption}</figcaption></figure>")
            }
        }
    }
}

fn write_table(table: &PageTable, out: &mut impl Write) -> io::Result<()> {
    write!(out, "<div class=\"scroll\"><table><caption>{}</caption><thead><tr>", escape(&table.caption))?;
    for name in &table.header {
        write!(out, "<th scope=\"col\">{}</th>", escape(name))?;
    }
    write!(out, "</tr></thead><tbody>")?;
    for row in &table.rows {
        write!(out, "<tr>")?;
        for (i, cell) in row.iter().enumerate() {
            let tag = if i == 0 { "th scope=\"row\"" } else { "td" };
            write!(out, "<{tag}>{}</{}>", escape(cell), &tag[..2])?;
        }
        write!(out, "</tr>")?;
    }
    write!(out, "</tbody></table></div>")
}

fn write_card(card: &FilmCard, folder: &Path, out: &mut impl Write) -> io::Result<()> {
    let title = escape(&card.title);
    write!(out, "<article class=\"film {}\"><div class=\"pair\">", card.verdict.class())?;
    write_picture(&format!("{title}: the film"), &card.picture(folder), out)?;
    write_picture(&format!("{title}: the film with its heat map"), &card.overlay(folder), out)?;
    write!(out, "</div><h3>{title}</h3><p>{}</p>", card.verdict.words())?;
    for line in &card.lines {
        write!(out, "<p>{}</p>", escape(line))?;
    }
    write!(out, "</article>")
}

/// A PNG file within the page; `alt` is escaped already.
fn write_picture(alt: &str, path: &Path, out: &mut impl Write) -> io::Result<()> {
    let mut file =
        File::open(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    write!(out, "<img alt=\"{alt}\" src=\"data:image/png;base64,")?;
    let mut encoder = EncoderWriter::new(&mut *out, &STANDARD);
    io::copy(&mut file, &mut encoder)?;
    encoder.finish()?;
    drop(encoder);
    write!(out, "\">")
}

const STYLE: &str = "\
:root{color-scheme:dark light;--paper:#0f1316;--ink:#e8ecef;--faint:#8b97a1;--grid:#28313a;--model:#56b4e9;--other:#e69f00;--card:#171d22;--good:#2fa37c;--bad:#e0593a}\
@media (prefers-color-scheme:light){:root{--paper:#fff;--ink:#1a1f24;--faint:#5b6670;--grid:#e3e7ea;--model:#0072b2;--other:#d55e00;--card:#f4f6f7}}\
@media print{:root{--paper:#fff;--ink:#000;--faint:#555;--grid:#ddd;--card:#fff}}\
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,'DejaVu Sans',sans-serif}\
header,nav,main,footer{max-width:1180px;margin:0 auto;padding:0 24px}header{padding-top:28px}h1{font-size:26px;margin:0}h2{font-size:19px;margin:36px 0 8px;border-bottom:1px solid var(--grid);padding-bottom:4px}\
h3{font-size:14px;margin:6px 0 0}.notice{color:var(--other);font-weight:600}nav a{color:var(--model);margin-right:14px}a:focus-visible{outline:2px solid var(--model)}\
figure{display:inline-block;margin:8px 16px 8px 0;vertical-align:top;max-width:100%}figure svg,figure img{max-width:100%;height:auto}figcaption{color:var(--faint);font-size:13px;max-width:60ch}\
.scroll{overflow-x:auto;display:inline-block;vertical-align:top;margin-right:24px;max-width:100%}table{border-collapse:collapse;margin:10px 0}caption{text-align:left;color:var(--faint);font-size:13px;padding-bottom:4px}\
th,td{padding:4px 12px;border-bottom:1px solid var(--grid);text-align:left;font-variant-numeric:tabular-nums}tbody th{font-weight:500}\
pre{background:var(--card);padding:10px 14px;overflow-x:auto}.films{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:16px}\
.film{background:var(--card);padding:8px;border-left:4px solid var(--grid)}.film.right{border-color:var(--good)}.film.wrong{border-color:var(--bad)}.film.place{border-color:var(--other)}\
.film p{margin:0;font-size:13px;color:var(--faint)}.pair{display:flex;gap:4px}.pair img{width:50%;height:auto;object-fit:contain;background:#000;align-self:flex-start}\
footer{color:var(--faint);padding:32px 24px}";

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let table = PageTable {
            name: "confusion".into(),
            caption: "c".into(),
            header: vec!["a".into(), "b".into()],
            rows: vec![vec!["<x>".into(), "1,5".into()]],
            data: None,
        };
        Page {
            title: "A & B".into(),
            simulated: true,
            sections: vec![Section {
                heading: "One".into(),
                blocks: vec![Block::Table(table), Block::Text("t".into())],
            }],
            ..Page::default()
        }
    }

    #[test]
    fn the_page_asks_no_host_and_says_what_it_is() {
        let mut html = Vec::new();
        page().write_html(Path::new("nowhere"), &mut html).unwrap();
        let html = String::from_utf8(html).unwrap();
        assert!(!html.contains("src=\"http") && !html.contains("href=\"http") && !html.contains("url("));
        assert!(html.contains("A &amp; B") && html.contains("&lt;x&gt;"));
        assert!(html.contains(RESEARCH_USE_ONLY) && html.contains("simulated films"));
    }

    #[test]
    fn figures_and_tables_stand_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        page().write(folder.path()).unwrap();
        let table = fs::read_to_string(folder.path().join("tables/confusion.csv")).unwrap();
        assert_eq!(table, "a,b\n<x>,\"1,5\"\n");
        assert!(folder.path().join("index.html").exists());
    }

    #[test]
    fn the_pictures_of_films_are_read_from_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let card = FilmCard {
            name: "a".into(),
            title: "A".into(),
            lines: vec!["probability 1%".into()],
            verdict: Verdict::Right,
        };
        let films = Section { heading: "Films".into(), blocks: vec![Block::Films(vec![card.clone()])] };
        let page = Page { sections: vec![films], ..Page::default() };
        let missing = page.write(folder.path()).unwrap_err().to_string();
        assert!(missing.contains("a-film.png") && !folder.path().join("index.html").exists(), "{missing}");
        fs::create_dir_all(FilmCard::folder(folder.path())).unwrap();
        fs::write(card.picture(folder.path()), "film").unwrap();
        fs::write(card.overlay(folder.path()), "map").unwrap();
        page.write(folder.path()).unwrap();
        let html = fs::read_to_string(folder.path().join("index.html")).unwrap();
        assert!(html.contains("base64,ZmlsbQ==\">") && html.contains("base64,bWFw\">"), "{html}");
    }
}
