//! Fractures of the proximal femur: rough surfaces that cut the bone into closed fragments, and how these are displaced.
//!
//! Neck fractures follow Garden (J Bone Joint Surg Br 1961) and Pauwels, trochanteric ones the AO/OTA classes 31-A1 to A3
//! (Meinberg et al., J Orthop Trauma 2018). Everything happens in the rest frame of the left femur.

use coxa_schema::FractureType;

use super::bank::FemurTemplate;
use super::femur::{FemurField, FemurShape};
use crate::geometry::mesh::Mesh;
use crate::geometry::{Rigid, Vec3, v};
use crate::noise::Noise;
use crate::random::{FilmRng, chance, choose, uniform};

/// How far the fragments have come apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// A crack: Garden II, A1 without displacement.
    Hairline,
    /// Fragments driven into each other: Garden I, impacted trochanteric.
    Impacted,
    /// In contact but tilted: Garden III.
    Partial,
    /// Apart: Garden IV, unstable trochanteric.
    Complete,
}

/// What surgeons call a fracture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Classes {
    /// Garden's stage of a fracture of the neck.
    pub garden: Option<&'static str>,
    /// The class of AO/OTA: 31 of the neck and the trochanters, 32 below them.
    pub ao: &'static str,
    /// Pauwels' angle of a fracture of the neck: its line against the horizontal with the shaft upright, degrees.
    pub pauwels: Option<f32>,
}

/// A fracture yet to be made.
#[derive(Clone, Debug)]
pub struct Fracture {
    /// Neck, trochanteric or subtrochanteric.
    pub kind: FractureType,
    /// What surgeons call it.
    pub classes: Classes,
    /// How far the fragments have come apart.
    pub severity: Severity,
    center: Vec3,
    normal: Vec3,
    noise: Noise,
    rough: f32,
    curl: f32,
    /// Width of the gap between the fragments, millimeters; less than 0 where they are driven into each other, so that the
    /// bone of both lies in one place: the dense line of impaction.
    gap: f32,
    proximal: Rigid,
    distal: Rigid,
    lesser: Option<(f32, Rigid)>,
    greater: Option<(f32, Rigid)>,
}

/// A piece of a broken bone.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// Outer surface in the unbroken bone's rest frame.
    pub outer: Mesh,
    /// Inner surface of the cortex, likewise.
    pub inner: Mesh,
    /// Where the fragment went, in the rest frame.
    pub motion: Rigid,
    /// Points on the fracture surface, where they were in the unbroken bone.
    pub face: Vec<Vec3>,
}

impl Fragment {
    /// A whole bone as the one fragment.
    #[must_use]
    pub fn whole(template: &FemurTemplate, shape: &FemurShape) -> Self {
        let inner = template.field.grid.mesh(&template.field.inner(shape.cortex));
        Self { outer: template.outer.clone(), inner, motion: Rigid::identity(), face: Vec::new() }
    }

    /// A femur whose head has been resected for a prosthesis.
    #[must_use]
    pub fn resected(template: &FemurTemplate, shape: &FemurShape) -> Self {
        let field = &template.field;
        let (center, normal) = (shape.on_neck(0.3, 0.0), (shape.neck_axis() + v(0.0, 0.2, 0.0)).unit());
        let cut = |surface: &[f32]| -> Vec<f32> {
            surface.iter().enumerate().map(|(i, d)| d.max((field.position(i) - center).dot(normal))).collect()
        };
        let outer = field.grid.mesh(&cut(&field.outer));
        let inner = field.grid.mesh(&cut(&field.inner(shape.cortex)));
        Self { outer, inner, motion: Rigid::identity(), face: Vec::new() }
    }
}

/// Rotation about the head-to-foot axis by external rotation, about the sagittal axis by varus, and a shift: all of a fragment
/// of the left femur around `pivot`.
fn displace(pivot: Vec3, external: f32, varus: f32, flexion: f32, shift: Vec3) -> Rigid {
    Rigid::rotate(pivot, v(0.0, 1.0, 0.0), external)
        .then(&Rigid::rotate(pivot, v(0.0, 0.0, 1.0), varus))
        .then(&Rigid::rotate(pivot, v(1.0, 0.0, 0.0), flexion))
        .then(&Rigid::translate(shift))
}

/// Width of the gap of a fracture without displacement, millimeters: a lucent line where bone at its edges is crushed or has gone, a
/// dense one where the fragments are impacted.
fn crack(rng: &mut FilmRng) -> f32 {
    if chance(rng, 0.55) { uniform(rng, 1.4, 3.2) } else { uniform(rng, -4.0, -1.8) }
}

/// Height of a fracture surface's steps, millimeters: where fragments still touch, front and back of the bone break along nearly one
/// line, else the line is smeared and not seen.
fn step_height(rng: &mut FilmRng, severity: Severity, most: f32) -> f32 {
    match severity {
        Severity::Hairline | Severity::Impacted => uniform(rng, 0.5, 1.8),
        Severity::Partial | Severity::Complete => uniform(rng, 1.2, most),
    }
}

impl Fracture {
    /// Draws a fracture of this kind for this femur.
    #[must_use]
    pub fn draw(rng: &mut FilmRng, kind: FractureType, shape: &FemurShape) -> Self {
        let noise = Noise::new((uniform(rng, 0.0, 1.0) * 4e9) as u32);
        if kind == FractureType::FemoralNeck {
            Self::neck(rng, shape, noise)
        } else {
            Self::of_trochanters_or_shaft(rng, kind, shape, noise)
        }
    }

    fn neck(rng: &mut FilmRng, shape: &FemurShape, noise: Noise) -> Self {
        let severity = choose(
            rng,
            &[
                (Severity::Impacted, 0.15),
                (Severity::Hairline, 0.1),
                (Severity::Partial, 0.33),
                (Severity::Complete, 0.42),
            ],
        );
        let k = shape.scale();
        // Subcapital, transcervical, basicervical.
        let (place, ao) =
            choose(rng, &[((0.72, "AO 31B1"), 0.5), ((0.52, "AO 31B2"), 0.33), ((0.36, "AO 31B3"), 0.17)]);
        let place = place + uniform(rng, -0.07, 0.07);
        let center = shape.on_neck(place, 0.0);
        let axis = shape.neck_axis();
        let tilt = uniform(rng, -24.0, 20.0);
        let normal = Rigid::rotate(Vec3::default(), v(0.0, 0.0, 1.0), tilt)
            .then(&Rigid::rotate(Vec3::default(), v(0.0, 1.0, 0.0), uniform(rng, -18.0, 18.0)))
            .direction(axis);
        let (proximal, distal, gap) = match severity {
            Severity::Hairline => {
                let slip = v(uniform(rng, -1.5, 1.5), uniform(rng, -1.0, 2.2), 0.0);
                (Rigid::rotate(center, v(0.0, 0.0, 1.0), uniform(rng, -4.0, 4.0)), Rigid::translate(slip), crack(rng))
            }
            Severity::Impacted => {
                let valgus = uniform(rng, 6.0, 24.0);
                let drive = uniform(rng, 2.0, 6.0);
                let tilt = Rigid::rotate(center, v(0.0, 0.0, 1.0), -valgus).then(&Rigid::rotate(
                    center,
                    v(0.0, 1.0, 0.0),
                    uniform(rng, -14.0, 8.0),
                ));
                (
                    tilt.then(&Rigid::translate(-axis * drive + v(uniform(rng, -1.0, 3.0), 0.0, 0.0))),
                    Rigid::identity(),
                    0.0,
                )
            }
            Severity::Partial => {
                let head = displace(
                    center,
                    uniform(rng, -15.0, 5.0),
                    uniform(rng, 5.0, 28.0),
                    uniform(rng, -10.0, 10.0),
                    Vec3::default(),
                );
                let shift = v(uniform(rng, -2.0, 5.0), uniform(rng, 2.0, 12.0) * k, uniform(rng, -3.0, 4.0));
                (
                    head,
                    displace(center, uniform(rng, 5.0, 35.0), uniform(rng, -6.0, 4.0), 0.0, shift),
                    uniform(rng, 0.2, 1.5),
                )
            }
            Severity::Complete => {
                let head = displace(
                    Vec3::default(),
                    uniform(rng, -25.0, 15.0),
                    uniform(rng, -12.0, 30.0),
                    uniform(rng, -15.0, 15.0),
                    Vec3::default(),
                );
                let shift = v(uniform(rng, -1.0, 13.0) * k, uniform(rng, 8.0, 34.0) * k, uniform(rng, -6.0, 6.0));
                let pivot = shape.neck_base();
                (
                    head,
                    displace(pivot, uniform(rng, 10.0, 60.0), uniform(rng, -9.0, 6.0), 0.0, shift),
                    uniform(rng, 0.5, 3.0),
                )
            }
        };
        let garden = match severity {
            Severity::Impacted => "Garden I",
            Severity::Hairline => "Garden II",
            Severity::Partial => "Garden III",
            Severity::Complete => "Garden IV",
        };
        let pauwels = normal.x.abs().atan2(normal.y.abs()).to_degrees();
        Self {
            kind: FractureType::FemoralNeck,
            classes: Classes { garden: Some(garden), ao, pauwels: Some(pauwels) },
            severity,
            center,
            normal,
            noise,
            rough: step_height(rng, severity, 3.8),
            curl: uniform(rng, -0.02, 0.02),
            gap,
            proximal,
            distal,
            lesser: None,
            greater: None,
        }
    }

    /// Trochanteric, or below the lesser trochanter.
    fn of_trochanters_or_shaft(rng: &mut FilmRng, kind: FractureType, shape: &FemurShape, noise: Noise) -> Self {
        let k = shape.scale();
        let severity = choose(
            rng,
            &[
                (Severity::Hairline, 0.1),
                (Severity::Impacted, 0.12),
                (Severity::Partial, 0.4),
                (Severity::Complete, 0.38),
            ],
        );
        // 31-A1/A2: from the greater to the lesser trochanter; 31-A3: reverse oblique or transverse. 32: spiral, oblique or
        // transverse, begins below the lesser trochanter and may run far down.
        const TROCHANTERIC: [((Vec3, Vec3, &str), f32); 3] = [
            ((v(23.0, 24.0, 0.0), v(-24.0, -13.0, 0.0), "AO 31A1"), 0.51),
            ((v(25.0, 8.0, 0.0), v(-23.0, -26.0, 0.0), "AO 31A1"), 0.34),
            ((v(-23.0, -6.0, 0.0), v(19.0, -36.0, 0.0), "AO 31A3"), 0.15),
        ];
        const SUBTROCHANTERIC: [((Vec3, Vec3, &str), f32); 3] = [
            ((v(18.0, -26.0, 0.0), v(-19.0, -58.0, 0.0), "AO 32A"), 0.4),
            ((v(-20.0, -28.0, 0.0), v(17.0, -86.0, 0.0), "AO 32A"), 0.3),
            ((v(18.0, -38.0, 0.0), v(-18.0, -46.0, 0.0), "AO 32A"), 0.3),
        ];
        let (high, low, ao) =
            choose(rng, if kind == FractureType::Subtrochanteric { &SUBTROCHANTERIC } else { &TROCHANTERIC });
        let jitter = |rng: &mut FilmRng, p: Vec3| shape.neck_base() + (p + v(0.0, uniform(rng, -6.0, 6.0), 0.0)) * k;
        let (a, b) = (jitter(rng, high), jitter(rng, low));
        let along = (a - b).unit();
        let across = v(-along.y, along.x, 0.0);
        let upward = if across.y < 0.0 { -across } else { across };
        let normal = Rigid::rotate(Vec3::default(), along, uniform(rng, -30.0, 30.0)).direction(upward);
        let center = a.lerp(b, 0.5);
        let (proximal, distal, gap) = match severity {
            Severity::Hairline => {
                let slip = v(uniform(rng, -1.2, 1.2), uniform(rng, -1.0, 1.8), 0.0);
                (Rigid::identity(), Rigid::translate(slip), crack(rng))
            }
            Severity::Impacted => {
                let varus = uniform(rng, 2.0, 14.0);
                let shift = v(uniform(rng, -5.0, 1.0), uniform(rng, 2.0, 8.0), 0.0);
                (Rigid::rotate(center, v(0.0, 0.0, 1.0), varus), Rigid::translate(shift), 0.0)
            }
            Severity::Partial => {
                let head = displace(
                    center,
                    uniform(rng, -8.0, 8.0),
                    uniform(rng, 0.0, 18.0),
                    uniform(rng, -8.0, 8.0),
                    Vec3::default(),
                );
                let shift = v(uniform(rng, -7.0, 4.0), uniform(rng, 0.0, 12.0), uniform(rng, -4.0, 4.0)) * k;
                (
                    head,
                    displace(center, uniform(rng, 0.0, 30.0), uniform(rng, -6.0, 5.0), 0.0, shift),
                    uniform(rng, 0.8, 3.5),
                )
            }
            Severity::Complete => {
                let head = displace(
                    center,
                    uniform(rng, -15.0, 15.0),
                    uniform(rng, 8.0, 38.0),
                    uniform(rng, -20.0, 15.0),
                    Vec3::default(),
                );
                let shift = v(uniform(rng, -20.0, 9.0), uniform(rng, 4.0, 34.0), uniform(rng, -10.0, 8.0)) * k;
                (
                    head,
                    displace(center, uniform(rng, 5.0, 50.0), uniform(rng, -14.0, 9.0), 0.0, shift),
                    uniform(rng, 1.5, 6.0),
                )
            }
        };
        let loose = match severity {
            Severity::Hairline => 0.15,
            Severity::Impacted | Severity::Partial => 0.45,
            Severity::Complete => 0.7,
        };
        let far = if severity == Severity::Complete { 1.0 } else { 0.4 };
        let lesser = chance(rng, loose).then(|| {
            let shift = v(uniform(rng, -14.0, -1.0), uniform(rng, -4.0, 16.0), uniform(rng, -8.0, 4.0)) * far;
            let turn = displace(
                shape.lesser_trochanter(),
                uniform(rng, -25.0, 25.0),
                uniform(rng, -40.0, 30.0) * far,
                0.0,
                shift,
            );
            (uniform(rng, 15.0, 27.0) * k, turn)
        });
        let greater = chance(rng, loose * 0.8).then(|| {
            let shift = v(uniform(rng, -2.0, 9.0), uniform(rng, -2.0, 15.0), uniform(rng, -8.0, 2.0)) * far;
            let turn = displace(
                shape.greater_trochanter(),
                uniform(rng, -20.0, 20.0),
                uniform(rng, -25.0, 25.0) * far,
                0.0,
                shift,
            );
            (uniform(rng, 20.0, 32.0) * k, turn)
        });
        // A2: a third fragment behind, with the lesser trochanter; 32B: a third fragment of the shaft.
        let ao = match (ao, lesser.is_some()) {
            ("AO 31A1", true) => "AO 31A2",
            ("AO 32A", true) => "AO 32B",
            _ => ao,
        };
        Self {
            kind,
            classes: Classes { garden: None, ao, pauwels: None },
            severity,
            center,
            normal,
            noise,
            rough: step_height(rng, severity, 5.0),
            curl: uniform(rng, -0.012, 0.012),
            gap,
            proximal,
            distal,
            lesser,
            greater,
        }
    }

    /// Where the shaft went, in the rest frame.
    #[must_use]
    pub fn shaft_motion(&self) -> Rigid {
        self.distal
    }

    /// Distance from the fracture surface, positive on the side of the head: a plane, curved and roughened.
    fn side(&self, p: Vec3) -> f32 {
        let q = p - self.center;
        let plain = q.dot(self.normal);
        if plain.abs() > 22.0 {
            return plain;
        }
        let foot = q - self.normal * plain;
        let bent = plain + self.curl * foot.dot(foot).min(900.0);
        bent + self.roughness(p)
    }

    fn roughness(&self, p: Vec3) -> f32 {
        let coarse = self.noise.space(p.x * 0.07, p.y * 0.07, p.z * 0.07);
        let medium = self.noise.space(p.x * 0.17 + 50.0, p.y * 0.17, p.z * 0.17);
        let fine = self.noise.space(p.x * 0.37, p.y * 0.37 + 80.0, p.z * 0.37);
        self.rough * (coarse * 1.2 + medium * 0.8 + fine * 0.4)
    }

    /// Distance from the surface of a broken-off trochanter, negative in it.
    fn bite(&self, p: Vec3, tip: Vec3, radius: f32) -> f32 {
        let d = (p - tip).length() - radius;
        if d.abs() > 12.0 { d } else { d + 0.7 * self.roughness(p) }
    }

    /// Breaks a bone: closed fragments, displaced so that the head stays at the origin.
    #[must_use]
    pub fn break_bone(&self, shape: &FemurShape, field: &FemurField) -> Vec<Fragment> {
        let half = self.gap * 0.5;
        let hollow = field.inner(shape.cortex);
        let n = field.outer.len();
        let pieces = 2 + usize::from(self.lesser.is_some()) + usize::from(self.greater.is_some());
        let mut regions: Vec<Vec<f32>> = vec![vec![f32::MAX; n]; pieces];
        for (i, outer) in field.outer.iter().enumerate() {
            if *outer > 4.0 {
                continue;
            }
            let p = field.position(i);
            let side = self.side(p);
            regions[0][i] = half - side;
            let mut rest = side + half;
            let mut piece = 2;
            for (part, tip) in [(&self.lesser, shape.lesser_trochanter()), (&self.greater, shape.greater_trochanter())]
            {
                let Some((radius, _)) = part else { continue };
                let bite = self.bite(p, tip, *radius);
                regions[piece][i] = rest.max(bite + 0.4);
                rest = rest.max(0.4 - bite);
                piece += 1;
            }
            regions[1][i] = rest;
        }
        let mut motions = vec![self.proximal, self.distal];
        for (_, own) in [&self.lesser, &self.greater].into_iter().flatten() {
            motions.push(own.then(&self.distal));
        }
        // The head stays in its socket: everything is shifted by the movement of its center.
        let home = Rigid::translate(-self.proximal.apply(Vec3::default()));
        regions
            .iter()
            .zip(motions)
            .map(|(region, motion)| {
                let cut =
                    |surface: &[f32]| -> Vec<f32> { surface.iter().zip(region).map(|(a, b)| a.max(*b)).collect() };
                let outer = field.grid.mesh(&cut(&field.outer));
                let inner = field.grid.mesh(&cut(&hollow));
                let face = self.face(shape, &outer);
                Fragment { outer, inner, motion: motion.then(&home), face }
            })
            .filter(|f| !f.outer.triangles.is_empty())
            .collect()
    }

    /// The vertices of a fragment that lie on a fracture surface.
    fn face(&self, shape: &FemurShape, outer: &Mesh) -> Vec<Vec3> {
        let near = self.gap.abs() * 0.5 + 1.0;
        let on = |p: &&Vec3| {
            self.side(**p).abs() < near
                || self.lesser.is_some_and(|(r, _)| self.bite(**p, shape.lesser_trochanter(), r).abs() < 1.2)
                || self.greater.is_some_and(|(r, _)| self.bite(**p, shape.greater_trochanter(), r).abs() < 1.2)
        };
        outer.vertices.iter().filter(on).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::bones::bank;
    use crate::random::{Stream, stream};

    /// Whether every directed edge is met by as many in the other direction.
    fn closed(mesh: &Mesh) -> bool {
        let mut edges: HashMap<(u32, u32), i32> = HashMap::new();
        for t in &mesh.triangles {
            for k in 0..3 {
                *edges.entry((t[k], t[(k + 1) % 3])).or_default() += 1;
            }
        }
        edges.iter().all(|((a, b), n)| edges.get(&(*b, *a)) == Some(n))
    }

    #[test]
    fn fragments_are_closed_and_together_make_up_the_bone() {
        let template = bank::femur(0);
        let whole = template.outer.volume();
        for (seed, kind) in
            [(1, FractureType::FemoralNeck), (2, FractureType::Trochanteric), (3, FractureType::Trochanteric)]
        {
            let fracture = Fracture::draw(&mut stream(seed, 0, Stream::Fracture), kind, &template.shape);
            let fragments = fracture.break_bone(&template.shape, &template.field);
            assert!(fragments.len() >= 2);
            let sum: f64 = fragments.iter().map(|f| f.outer.volume()).sum();
            assert!(sum < whole * 1.02 && sum > whole * 0.85, "{sum} of {whole}");
            for fragment in &fragments {
                assert!(closed(&fragment.outer) && closed(&fragment.inner));
                assert!(!fragment.face.is_empty());
            }
        }
    }

    #[test]
    fn a_crack_takes_bone_away_and_impaction_has_it_twice() {
        let template = bank::femur(0);
        let whole = template.outer.volume();
        let drawn = |impacted: bool| {
            (0..)
                .map(|seed| {
                    Fracture::draw(&mut stream(seed, 0, Stream::Fracture), FractureType::FemoralNeck, &template.shape)
                })
                .find(|f| f.severity == Severity::Hairline && (f.gap < 0.0) == impacted)
                .expect("an endless search")
        };
        for impacted in [false, true] {
            let fragments = drawn(impacted).break_bone(&template.shape, &template.field);
            let sum: f64 = fragments.iter().map(|f| f.outer.volume()).sum();
            assert_eq!(sum > whole * 1.001, impacted, "{sum} of {whole}");
            assert_eq!(sum < whole * 0.999, !impacted, "{sum} of {whole}");
        }
    }

    #[test]
    fn a_fracture_below_the_trochanters_crosses_the_shaft_below_the_lesser_one() {
        let shape = FemurShape::numbered(0);
        for seed in 0..40 {
            let rng = &mut stream(seed, 0, Stream::Fracture);
            let fracture = Fracture::draw(rng, FractureType::Subtrochanteric, &shape);
            assert!(fracture.classes.ao.starts_with("AO 32"), "{:?}", fracture.classes);
            assert!(fracture.side(shape.on_shaft(18.0)) > 0.0, "{:?}", fracture.classes);
            assert!(fracture.side(shape.on_shaft(150.0)) < 0.0, "{:?}", fracture.classes);
        }
    }

    #[test]
    fn the_head_stays_in_its_socket() {
        let template = bank::femur(1);
        for seed in 0..20 {
            let fracture =
                Fracture::draw(&mut stream(seed, 0, Stream::Fracture), FractureType::FemoralNeck, &template.shape);
            let home = fracture.proximal.then(&Rigid::translate(-fracture.proximal.apply(Vec3::default())));
            assert!(home.apply(Vec3::default()).length() < 1e-3);
        }
    }

    #[test]
    fn a_resected_femur_has_no_head() {
        let template = bank::femur(2);
        let stump = Fragment::resected(&template, &template.shape);
        assert!(closed(&stump.outer));
        assert!(stump.outer.vertices.iter().all(|p| p.length() > 5.0));
    }
}
