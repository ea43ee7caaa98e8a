//! An image read together with its mirror image.

use super::predictor::{FEATURES_PER_IMAGE, Output};

impl Output {
    /// Joins each image with its mirror image: of 2n images, the second n are the first ones mirrored left to right, in the same order. What
    /// is left is an output of n: the maps are the mean of the image's and its mirror image's, turned back; the logits are the mean of
    /// both, each as it was read so far ([`Output::read_by_window`]); the features are those of the images as they are.
    ///
    /// A network with strides sees a mirror image on another grid: the mean errs less than either. An output of an odd number of
    /// images stays as it is.
    pub fn join_mirrored(&mut self) {
        let (images, cells) = (self.features.len() / FEATURES_PER_IMAGE, self.map_side * self.map_side);
        if images == 0 || !images.is_multiple_of(2) || self.maps.len() != self.logits.len() * cells {
            return;
        }
        let half = self.logits.len() / 2;
        let mean = |a: f32, b: f32| 0.5 * (a + b);
        let (logits, mirrored) = self.logits.split_at_mut(half);
        logits.iter_mut().zip(mirrored).for_each(|(logit, other)| *logit = mean(*logit, *other));
        let (maps, mirrored) = self.maps.split_at_mut(half * cells);
        let rows = maps.chunks_exact_mut(self.map_side).zip(mirrored.chunks_exact(self.map_side));
        for (row, other) in rows {
            row.iter_mut().zip(other.iter().rev()).for_each(|(value, other)| *value = mean(*value, *other));
        }
        self.logits.truncate(half);
        self.maps.truncate(half * cells);
        self.features.truncate(images / 2 * FEATURES_PER_IMAGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, Parameters, Precision, Predictor, PredictorOptions};

    const SIZE: usize = 96;

    fn mirrored(image: &[f32]) -> Vec<f32> {
        image.chunks_exact(SIZE).flat_map(|row| row.iter().rev().copied()).collect()
    }

    #[test]
    fn maps_are_turned_back_and_averaged() {
        // Two images with a class each, then their mirror images; 2 × 2 cells.
        let maps = [[1.0, 2.0, 3.0, 4.0], [0.0; 4], [0.0, 5.0, 0.0, 0.0], [8.0, 0.0, 0.0, 0.0]].concat();
        let features = (0..4 * FEATURES_PER_IMAGE).map(|i| (i / FEATURES_PER_IMAGE) as f32).collect();
        let mut output = Output { logits: vec![10.0, 0.0, 5.0, 8.0], map_side: 2, maps, features };
        output.join_mirrored();
        assert_eq!(output.logits, [7.5, 4.0]);
        assert_eq!(output.maps, [3.0, 1.0, 1.5, 2.0, 0.0, 4.0, 0.0, 0.0]);
        assert_eq!(output.features.len(), 2 * FEATURES_PER_IMAGE);
        assert!(output.features[FEATURES_PER_IMAGE..].iter().all(|value| *value == 1.0));
    }

    #[test]
    fn an_odd_number_of_images_stays() {
        let output =
            Output { logits: vec![1.0], map_side: 1, maps: vec![1.0], features: vec![0.0; FEATURES_PER_IMAGE] };
        let mut joined = output.clone();
        joined.join_mirrored();
        assert_eq!(joined, output);
    }

    #[test]
    fn an_image_and_its_mirror_image_are_read_alike() {
        for classes in [1, 3] {
            let parameters = Parameters::initialize(&Architecture::new(classes), 11);
            let mut predictor =
                Predictor::new(&parameters, Precision::F32, PredictorOptions::default()).expect("always there");
            let image: Vec<f32> = (0..SIZE * SIZE).map(|i| ((i * 53 + i / SIZE * 29) % 97) as f32 / 96.0).collect();
            let mut read = |images: [&[f32]; 2]| {
                let mut output = predictor.run(&images.concat(), 2, SIZE).expect("valid images");
                output.join_mirrored();
                output
            };
            let other = mirrored(&image);
            let (straight, turned) = (read([&image, &other]), read([&other, &image]));
            assert_eq!(straight.logits, turned.logits);
            let back: Vec<f32> =
                turned.maps.chunks_exact(SIZE / 32).flat_map(|row| row.iter().rev().copied()).collect();
            assert_eq!(straight.maps, back);
            // The map still sums to the logit less the bias, which is zero here.
            let cells = straight.map_side * straight.map_side;
            for (logit, map) in straight.logits.iter().zip(straight.maps.chunks_exact(cells)) {
                assert!((logit - map.iter().sum::<f32>()).abs() < 1e-4 * logit.abs().max(1.0));
            }
        }
    }
}
