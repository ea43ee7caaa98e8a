//! How a network reads films, the same in validation, in what is settled on films afterwards, and for users.

use coxa_engine::Output;

use crate::ModelError;
use crate::bundle::Card;
use crate::recipe::Stage;

/// How a network reads films.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Pixels on each side of the network's input: a network that was trained on patches of whole films can read these.
    pub size: usize,
    /// By the most telling window of so many cells; by the mean over the whole film, if `None`.
    pub window: Option<usize>,
    /// Whether each film is read together with its mirror image ([`Output::join_mirrored`]), which takes twice as long.
    pub mirror: bool,
}

impl Reading {
    /// As a bundle says.
    pub fn of(card: &Card) -> Self {
        Reading { size: card.input.size, window: card.window, mirror: card.mirror }
    }

    /// As the bundle of a stage will say.
    pub(crate) fn of_stage(stage: &Stage) -> Self {
        Reading { size: stage.input_size, window: stage.window, mirror: stage.mirror }
    }

    /// Reads `n` images of `size` × `size` with a network, `run`. Mirror images pass through `images`, which is left as it was.
    ///
    /// # Errors
    /// As `run`.
    pub(crate) fn read(
        self,
        images: &mut Vec<f32>,
        n: usize,
        run: impl FnOnce(&[f32], usize) -> Result<Output, ModelError>,
    ) -> Result<Output, ModelError> {
        let whole = images.len();
        if self.mirror {
            for row in (0..whole).step_by(self.size.max(1)) {
                images.extend_from_within(row..(row + self.size).min(whole));
                images[whole + row..].reverse();
            }
        }
        let output = run(images, if self.mirror { 2 * n } else { n });
        images.truncate(whole);
        let mut output = output?;
        if let Some(window) = self.window {
            output.read_by_window(window);
        }
        // Each by its own window: joined before, the maps blur what they do not see in the same cell, and unseen films are read worse.
        if self.mirror {
            output.join_mirrored();
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_images_follow_the_images_row_by_row() {
        let reading = Reading { size: 2, window: None, mirror: true };
        let mut images = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let before = images.clone();
        let mut seen = Vec::new();
        let failed = reading.read(&mut images, 2, |images, n| {
            seen = images.to_vec();
            Err(ModelError::Setting(format!("{n} images")))
        });
        assert_eq!(failed.unwrap_err().to_string(), "4 images");
        assert_eq!(seen[..8], before);
        assert_eq!(seen[8..], [2.0, 1.0, 4.0, 3.0, 6.0, 5.0, 8.0, 7.0]);
        assert_eq!(images, before);
        let plain = Reading { mirror: false, ..reading };
        assert!(
            plain.read(&mut images, 2, |images, n| Err(ModelError::Setting(format!("{n} {}", images.len())))).is_err()
        );
    }
}
