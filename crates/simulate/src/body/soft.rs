//! Adds a posed patient's soft tissue to a scene: skin, fat, muscles, bladder, genitals, folds.

use coxa_schema::Side;

use super::envelope::Form;
use super::muscles::bellies;
use super::patient::Patient;
use crate::accessories::curve::curve;
use crate::film::beam::gaussian_blur;
use crate::film::projection::Camera;
use crate::film::scene::{Material, Scene};
use crate::geometry::mesh::Mesh;
use crate::geometry::{Vec3, smoothstep, v};
use crate::noise;
use crate::random::{FilmRng, chance, normal, uniform};

/// Size of the raster's pixel that soft tissue is worked out on, millimeters at the detector.
const CELL: f32 = 1.2;

/// Skin, fat, muscle, bladder, genitals, folds.
pub(crate) fn draw_soft(scene: &mut Scene, patient: &Patient, offset: [f32; 2], rng: &mut FilmRng) {
    let legs = [Side::Right, Side::Left].map(|side| {
        let motion = patient.leg_motion(side);
        let turn = |p: Vec3| if side == Side::Right { p.mirrored() } else { p };
        (turn(motion.translation), turn(motion.direction(v(0.0, -1.0, 0.0))))
    });
    let fine = scene.camera;
    let cell = ((CELL / fine.spacing).round() as usize).max(1);
    let camera = Camera {
        spacing: fine.spacing * cell as f32,
        width: fine.width.div_ceil(cell),
        height: fine.height.div_ceil(cell),
        pivot: fine.pivot.map(|q| q / cell as f32),
        ..fine
    };
    let coarse = Scene::new(camera);
    let motion = patient.motion();
    let body = &patient.body;
    let form = Form::new(body, legs, rng);
    let scale = patient.pelvis.half_distance / 84.0;
    let mut muscle = coarse.depth(&bellies(rng, legs, scale, body.muscle).moved(&motion));
    gaussian_blur(&mut muscle, camera.width, camera.height, 1.0 / camera.spacing);

    let back = motion.inverse();
    let source = back.apply(camera.source);
    let texture = Texture::new(rng, offset);
    let mut soft = vec![0.0_f32; muscle.len()];
    let mut fat = vec![0.0_f32; muscle.len()];
    for y in 0..camera.height {
        for x in 0..camera.width {
            let i = y * camera.width + x;
            let on_detector = camera.unproject([x as f32 + 0.5, y as f32 + 0.5], camera.detector_z);
            let ray = back.apply(on_detector) - source;
            let p = source - ray * (source.z / ray.z);
            let slope = [ray.x / ray.z, ray.y / ray.z];
            let met = form.meet(p, slope);
            if met.whole <= 0.0 {
                continue;
            }
            let between = (met.lean - muscle[i].max(0.0)).max(0.05 * met.lean);
            soft[i] = met.whole;
            // The belly and the pelvis hold bowel, which is leaner than what lies between the muscles of the limb.
            let inside = smoothstep(-60.0, 10.0, p.y) * smoothstep(1.0, 0.75, p.x.abs() / body.waist);
            fat[i] = met.fat + body.marbling * between * (1.0 - 0.55 * inside);
            fat[i] += texture.at(p, met.fat, met.lean);
        }
    }
    if let Some((center, radii)) = body.bladder() {
        let depth = coarse.depth(&Mesh::ellipsoid(center, radii, 48).moved(&motion));
        fat.iter_mut().zip(&depth).for_each(|(fat, depth)| *fat -= body.marbling.max(0.35) * depth);
    }
    if let Some(genitals) = genitals(body.genitals, rng) {
        let depth = coarse.depth(&genitals.moved(&motion));
        soft.iter_mut().zip(&depth).for_each(|(soft, depth)| *soft += depth);
    }
    let mut lack = vec![0.0_f32; soft.len()];
    for (tube, weight) in creases(rng, patient, legs) {
        camera.accumulate(&tube.moved(&motion), weight, &mut lack);
    }
    gaussian_blur(&mut lack, camera.width, camera.height, 0.6 / camera.spacing);
    soft.iter_mut().zip(&lack).for_each(|(soft, lack)| *soft -= lack.min(0.5 * *soft));
    for (material, plane) in [(Material::Soft, &soft), (Material::Fat, &fat)] {
        spread(plane, camera.width, camera.height, scene.plane_mut(material), fine.width, cell);
    }
}

/// Fat in and between the bundles of the muscles, lobules of the fat under the skin.
struct Texture {
    offset: [f32; 2],
    bundles: f32,
    lobules: f32,
    grain: f32,
}

impl Texture {
    fn new(rng: &mut FilmRng, offset: [f32; 2]) -> Self {
        Self { offset, bundles: uniform(rng, 1.5, 6.0), lobules: uniform(rng, 1.0, 4.5), grain: uniform(rng, 1.0, 3.2) }
    }

    /// Millimeters of fat more or less at a point, for the thickness of fat and lean tissue there.
    fn at(&self, p: Vec3, fat: f32, lean: f32) -> f32 {
        let tile = noise::tile();
        let [a, b] = self.offset;
        // Bundles run down and, over the hip, laterally.
        let side = p.x.signum();
        let across = p.x - 0.3 * side * p.y;
        let bundle = noise::tile_at(tile, across * 2.4 + a, p.y * 0.42 + b);
        let broad = noise::tile_at(tile, p.x * 0.5 + b, p.y * 0.33 + a);
        let grain = noise::tile_at(tile, p.x * 4.1 + b + 57.0, p.y * 3.6 + a);
        let lobule = noise::tile_at(tile, p.x * 1.3 + a + 31.0, p.y * 1.5 + b);
        let much = (lean * (1.0 / 160.0)).min(1.0);
        let little = (fat * (1.0 / 40.0)).min(1.0);
        much * (self.bundles * bundle + 6.0 * broad + self.grain * grain)
            + little * (self.lobules * lobule + 0.6 * self.grain * grain)
    }
}

/// Creases of the skin with air in them: below the buttocks, in the groins and between the thighs. They may cross the neck of the
/// femur as lines that are no fractures.
fn creases(rng: &mut FilmRng, patient: &Patient, legs: [(Vec3, Vec3); 2]) -> Vec<(Mesh, f32)> {
    let body = &patient.body;
    let mut tubes = Vec::new();
    for (side, (hip, down)) in [-1.0_f32, 1.0].into_iter().zip(legs) {
        let hips = body.hips;
        // From the perineum outward and down the back of the thigh, or outward and up the groin.
        if chance(rng, 0.5) {
            let sag = uniform(rng, 4.0, 22.0);
            let low = hip + down * uniform(rng, 92.0, 122.0);
            let z = -body.thigh * 0.9;
            let reach = uniform(rng, 0.35, 0.95);
            let points = [
                v(side * 6.0, low.y + uniform(rng, -6.0, 24.0), z),
                v(side * hips * 0.22, low.y - 0.5 * sag, z),
                v(side * hips * (0.25 + 0.2 * reach), low.y - sag, z),
                v(side * hips * (0.3 + 0.55 * reach), low.y - 0.3 * sag + 4.0, z),
            ];
            tubes.push((points, uniform(rng, 0.5, 1.3), uniform(rng, 0.3, 1.0)));
        }
        if chance(rng, 0.3) {
            let lift = body.belly[0] * 0.4 + uniform(rng, -14.0, 14.0);
            let z = body.depth * 0.75;
            let points = [
                v(side * uniform(rng, 14.0, 30.0), -66.0 + 0.4 * lift, z),
                v(side * hips * 0.34, -40.0 + lift, z),
                v(side * hips * 0.62, -4.0 + lift, z),
                v(side * hips * 0.9, 44.0 + lift, z * 0.8),
            ];
            tubes.push((points, uniform(rng, 0.4, 1.1), uniform(rng, 0.25, 0.9)));
        }
    }
    let finish = |(points, radius, weight): ([Vec3; 4], f32, f32)| {
        let path = curve(&points, 7);
        let last = (path.len() - 1) as f32;
        let along = path.iter().enumerate().map(|(i, p)| {
            let taper = (std::f32::consts::PI * i as f32 / last).sin().max(0.02).powf(0.6);
            // A crease is deep, not round: it is drawn round and its weight makes it deep.
            (*p, radius * taper)
        });
        (Mesh::tube(&along.collect::<Vec<_>>(), 10), 3.0 * weight)
    };
    tubes.into_iter().map(finish).collect()
}

/// External genitals of size `s` between the thighs, if they are in view.
fn genitals(s: f32, rng: &mut FilmRng) -> Option<Mesh> {
    (s > 0.3).then(|| {
        let lean = normal(rng, 0.0, 9.0);
        let mut mesh = Mesh::ellipsoid(v(3.0, -92.0 - 18.0 * s, 35.0), v(27.0 * s, 34.0 * s, 19.0 * s), 40);
        let shaft = [
            (v(0.0, -45.0, 60.0), 4.0 * s),
            (v(0.2 * lean, -62.0, 66.0), 9.0 * s),
            (v(0.7 * lean - 3.0, -95.0, 72.0), 9.5 * s),
            (v(1.3 * lean - 5.0, -124.0, 72.0), 8.0 * s),
            (v(1.5 * lean - 5.0, -132.0, 71.0), 4.0 * s),
        ];
        mesh.append(&Mesh::tube(&shaft, 24));
        mesh
    })
}

/// Adds a coarse plane to a fine one `cell` times as dense, by bilinear interpolation.
fn spread(from: &[f32], width: usize, height: usize, to: &mut [f32], fine_width: usize, cell: usize) {
    let step = 1.0 / cell as f32;
    let place = |i: usize, n: usize| {
        let q = ((i as f32 + 0.5) * step - 0.5).clamp(0.0, (n - 1) as f32);
        let low = q as usize;
        (low, (low + 1).min(n - 1), q - low as f32)
    };
    let columns: Vec<_> = (0..fine_width).map(|x| place(x, width)).collect();
    let mut line = vec![0.0_f32; width];
    for (y, row) in to.chunks_mut(fine_width).enumerate() {
        let (y0, y1, v) = place(y, height);
        for (x, value) in line.iter_mut().enumerate() {
            *value = from[y0 * width + x] * (1.0 - v) + from[y1 * width + x] * v;
        }
        for (value, (x0, x1, u)) in row.iter_mut().zip(&columns) {
            *value += line[*x0] * (1.0 - u) + line[*x1] * u;
        }
    }
}
