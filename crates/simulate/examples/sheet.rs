//! A contact sheet of simulated films for looking at: `sheet OUT.pgm [SEED] [COUNT] [SIZE] [random|normal|neck|troch|subtroch]`.

use std::io::Write;
use std::time::Instant;

use coxa_simulate::{FilmKind, FilmOptions, display8, pelvis};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize, default: usize| arguments.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (seed, count, size) = (number(2, 1), number(3, 12), number(4, 512));
    let kind = match arguments.get(5).map(String::as_str) {
        Some("normal") => FilmKind::Normal,
        Some("neck") => FilmKind::FemoralNeck,
        Some("troch") => FilmKind::Trochanteric,
        Some("subtroch") => FilmKind::Subtrochanteric,
        _ => FilmKind::Random,
    };
    let columns = 4.min(count);
    let rows = count.div_ceil(columns);
    let mut sheet = vec![0_u8; columns * size * rows * size];
    let started = Instant::now();
    for n in 0..count {
        let film = pelvis(seed as u64, n as u64, &FilmOptions { size, kind, ..FilmOptions::default() });
        let mut values = display8(&film);
        if let Some(fracture) = film.truth.fracture
            && arguments.get(6).is_some()
        {
            let [x, y, w, h] = fracture.bbox.map(|q| q as usize);
            for i in x..(x + w).min(film.width) {
                values[y * film.width + i] = 255;
                values[(y + h).min(film.height - 1) * film.width + i] = 255;
            }
            for j in y..(y + h).min(film.height) {
                values[j * film.width + x] = 255;
                values[j * film.width + (x + w).min(film.width - 1)] = 255;
            }
        }
        for (y, row) in values.chunks(film.width).enumerate() {
            let at = ((n / columns) * size + y) * columns * size + (n % columns) * size;
            sheet[at..at + film.width].copy_from_slice(row);
        }
    }
    let elapsed = started.elapsed();
    let mut out = std::fs::File::create(arguments.get(1).map_or("sheet.pgm", String::as_str))?;
    write!(out, "P5\n{} {}\n255\n", columns * size, rows * size)?;
    out.write_all(&sheet)?;
    let mut log = std::io::stderr();
    writeln!(log, "{count} films in {elapsed:.2?}")
}
