//! Simulated films without a fracture, as PNG, with a table of their hips:
//! `normals DIR [SEED] [COUNT] [SIZE] [VARIATION] [HARDWARE] [CLUTTER]`.

use std::fmt::Write;
use std::path::Path;

use coxa_imaging::encode::png_gray8;
use coxa_simulate::{Domain, FilmKind, FilmOptions, display8, pelvis};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize, default: f32| arguments.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let folder = Path::new(arguments.get(1).map_or("normals", String::as_str));
    let (seed, count, size) = (number(2, 1.0) as u64, number(3, 24.0) as u64, number(4, 512.0) as usize);
    let domain =
        Domain { variation: number(5, 0.5), hardware: number(6, 0.0), clutter: number(7, 0.0), ..Domain::default() };
    std::fs::create_dir_all(folder)?;
    let mut table = "file,side,x,y,radius\n".to_owned();
    for index in 0..count {
        let film = pelvis(seed, index, &FilmOptions { size, kind: FilmKind::Normal, domain });
        let name = format!("{index:04}.png");
        png_gray8(&folder.join(&name), film.width, film.height, &display8(&film)).map_err(std::io::Error::other)?;
        for hip in &film.truth.hips {
            let [x, y] = hip.head;
            writeln!(table, "{name},{},{x:.1},{y:.1},{:.2}", hip.side, hip.radius).map_err(std::io::Error::other)?;
        }
    }
    std::fs::write(folder.join("hips.csv"), table)
}
