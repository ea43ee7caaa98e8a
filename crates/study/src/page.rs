//! A page of results: one self-contained HTML file that asks no host for anything, with each figure beside it as SVG and each table as CSV.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use coxa_files::whole::write_whole;

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
    Table(Table),
    /// Films with their findings.
    Films(Vec<FilmCard>),
}

/// A table: a header and rows of the same length.
#[derive(Debug, Clone, Default)]
pub struct Table {
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

/// A film with the network's reading of it.
#[derive(Debug, Clone)]
pub struct FilmCard {
    /// What its files are called, without an ending.
    pub name: String,
    /// The film, a PNG.
    pub film: Vec<u8>,
    /// The film with its heatmap, a PNG.
    pub overlay: Vec<u8>,
    /// What it is.
    pub title: String,
    /// The numbers beside it.
    pub lines: Vec<String>,
    /// Whether the reading was right, for the color of its frame.
    pub verdict: Verdict,
}

/// How a reading compares with the truth.
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
            Self::Right => "rightly called",
            Self::Wrong => "wrongly called",
            Self::WrongPlace => "right finding, wrong place",
            Self::Unknown => "truth unknown",
        }
    }
}

impl Page {
    /// The whole page as HTML.
    pub fn html(&self) -> String {
        let mut out = String::with_capacity(64 * 1024);
        let _ = write!(
            out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{}</title><style>{STYLE}</style></head><body><header><h1>{}</h1><p>{}</p><p class=\"notice\">{}{}</p></header><nav>",
            escape(&self.title),
            escape(&self.title),
            escape(&self.subtitle),
            RESEARCH_USE_ONLY,
            if self.simulated { " All figures on this page come from simulated films." } else { "" },
        );
        for (i, section) in self.sections.iter().enumerate() {
            let _ = write!(out, "<a href=\"#s{i}\">{}</a> ", escape(&section.heading));
        }
        out.push_str("</nav><main>");
        for (i, section) in self.sections.iter().enumerate() {
            let _ = write!(out, "<section id=\"s{i}\"><h2>{}</h2>", escape(&section.heading));
            for block in &section.blocks {
                block.write_html(&mut out);
            }
            out.push_str("</section>");
        }
        let _ = writeln!(out, "</main><footer>{RESEARCH_USE_ONLY}</footer></body></html>");
        out
    }

    /// Writes `index.html`, `figures/*.svg` and `*.pdf`, the films of Fig. 3 and 4 as `figures/films/*.png`, and `tables/*.csv` below
    /// `folder`, each under another name first and then renamed.
    ///
    /// # Errors
    /// When a file cannot be written.
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
                Block::Films(cards) => {
                    let films = figures.join("films");
                    fs::create_dir_all(&films)?;
                    for card in cards {
                        write_whole(&films.join(format!("{}-film.png", card.name)), &card.film)?;
                        write_whole(&films.join(format!("{}-heatmap.png", card.name)), &card.overlay)?;
                    }
                }
                Block::Table(table) => {
                    write_whole(&tables.join(format!("{}.csv", table.name)), table.csv()?.as_slice())?
                }
                Block::Text(_) | Block::Command(_) => {}
            }
        }
        write_whole(&folder.join("index.html"), self.html().as_bytes())
    }
}

impl Table {
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
    fn write_html(&self, out: &mut String) {
        match self {
            Self::Text(text) => {
                let _ = write!(out, "<p>{}</p>", escape(text));
            }
            Self::Command(command) => {
                let _ = write!(out, "<pre><code>{}</code></pre>", escape(command));
            }
            Self::Figure { figure, caption, .. } => {
                let _ = write!(out, "<figure>{}<figcaption>{}</figcaption></figure>", figure.svg, escape(caption));
            }
            Self::Table(table) => write_table(table, out),
            Self::Films(cards) => {
                out.push_str("<div class=\"films\">");
                for card in cards {
                    write_card(card, out);
                }
                out.push_str("</div>");
            }
        }
    }
}

fn write_table(table: &Table, out: &mut String) {
    let _ = write!(out, "<div class=\"scroll\"><table><caption>{}</caption><thead><tr>", escape(&table.caption));
    for name in &table.header {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(name));
    }
    out.push_str("</tr></thead><tbody>");
    for row in &table.rows {
        out.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            let tag = if i == 0 { "th scope=\"row\"" } else { "td" };
            let _ = write!(out, "<{tag}>{}</{}>", escape(cell), &tag[..2]);
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}

fn write_card(card: &FilmCard, out: &mut String) {
    let _ = write!(
        out,
        "<article class=\"film {}\"><div class=\"pair\"><img alt=\"{title}: the film\" src=\"data:image/png;base64,{}\">\
         <img alt=\"{title}: the film with its heatmap\" src=\"data:image/png;base64,{}\"></div><h3>{title}</h3><p>{}</p>",
        card.verdict.class(),
        base64(&card.film),
        base64(&card.overlay),
        card.verdict.words(),
        title = escape(&card.title),
    );
    for line in &card.lines {
        let _ = write!(out, "<p>{}</p>", escape(line));
    }
    out.push_str("</article>");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

const STYLE: &str = "\
:root{color-scheme:dark light;--paper:#0f1316;--ink:#e8ecef;--faint:#8b97a1;--grid:#28313a;--model:#56b4e9;--other:#e69f00;--card:#171d22;--good:#2fa37c;--bad:#e0593a}\
@media (prefers-color-scheme:light){:root{--paper:#fff;--ink:#1a1f24;--faint:#5b6670;--grid:#e3e7ea;--model:#0072b2;--other:#d55e00;--card:#f4f6f7}}\
@media print{:root{--paper:#fff;--ink:#000;--faint:#555;--grid:#ddd;--card:#fff}}\
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,'DejaVu Sans',sans-serif}\
header,nav,main,footer{max-width:1180px;margin:0 auto;padding:0 24px}header{padding-top:28px}h1{font-size:26px;margin:0}h2{font-size:19px;margin:36px 0 8px;border-bottom:1px solid var(--grid);padding-bottom:4px}\
h3{font-size:14px;margin:6px 0 0}.notice{color:var(--other);font-weight:600}nav a{color:var(--model);margin-right:14px}a:focus-visible{outline:2px solid var(--model)}\
figure{display:inline-block;margin:8px 16px 8px 0;vertical-align:top;max-width:100%}figure svg{max-width:100%;height:auto}figcaption{color:var(--faint);font-size:13px;max-width:60ch}\
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
        let table = Table {
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
        let html = page().html();
        assert!(!html.contains("src=\"http") && !html.contains("href=\"http") && !html.contains("url("));
        assert!(html.contains("A &amp; B") && html.contains("&lt;x&gt;"));
        assert!(html.contains(RESEARCH_USE_ONLY) && html.contains("simulated films"));
    }

    #[test]
    fn figures_and_tables_stand_beside_it() {
        let folder = std::env::temp_dir().join(format!("coxa-page-{}", std::process::id()));
        page().write(&folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("tables/confusion.csv")).unwrap(), "a,b\n<x>,\"1,5\"\n");
        assert!(folder.join("index.html").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
