//! A contact sheet of simulated limb films for looking at: `limbs OUT.pgm [SEED] [COUNT] [SIZE] [PART]`.

use std::io::Write;
use std::time::Instant;

use coxa_simulate::{FilmOptions, display8, limb, limbs::PARTS};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize, default: usize| arguments.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (seed, count, size) = (number(2, 1), number(3, 20), number(4, 400));
    let only = arguments.get(5).map_or("", String::as_str);
    let parts: Vec<_> = PARTS.iter().filter(|part| only.is_empty() || part.as_str() == only).collect();
    if parts.is_empty() {
        return Err(std::io::Error::other(format!("`{only}` is none of ankle, elbow, foot, knee, wrist")));
    }
    let columns = 5.min(count.max(1));
    let mut sheet = vec![0_u8; columns * size * count.div_ceil(columns) * size];
    let options = FilmOptions { size, ..FilmOptions::default() };
    for part in &parts {
        let _ = limb(0, 0, part, &options);
    }
    let started = Instant::now();
    for n in 0..count {
        let film = limb(seed as u64, n as u64, parts[n % parts.len()], &options);
        for (y, row) in display8(&film).chunks(film.width).enumerate() {
            let at = ((n / columns) * size + y) * columns * size + (n % columns) * size;
            sheet[at..at + film.width].copy_from_slice(row);
        }
    }
    let elapsed = started.elapsed();
    let name = arguments.get(1).map_or("limbs.pgm", String::as_str);
    let mut out = std::fs::File::create(name)?;
    write!(out, "P5\n{} {}\n255\n", columns * size, sheet.len() / (columns * size))?;
    out.write_all(&sheet)?;
    writeln!(std::io::stderr(), "{count} films in {elapsed:.2?}")
}
