//! Figures for Prometheus, at `/metrics`.

use std::fmt;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::db::Stored;

/// A label of one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    /// Its value.
    pub kind: String,
}

/// A queue's label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueueState {
    /// `read`, `copy`, or a destination's name.
    pub queue: String,
    /// `due`, `leased`, `done`, `dead`.
    pub state: String,
}

/// The figures of one node.
pub struct Metrics {
    registry: Registry,
    received: Family<Kind, Counter>,
    /// Objects that were not stored.
    pub not_stored: Counter,
    /// Associations that were refused.
    pub refused: Counter,
    /// Associations that broke.
    pub broken: Counter,
    /// Films by outcome: `positive`, `negative`, `withheld` (by a trial), `not_read`, `failed`.
    pub read: Family<Kind, Counter>,
    /// Seconds from a film's last byte to its result.
    pub latency: Histogram,
    /// Seconds of reading a film.
    pub reading: Histogram,
    /// Objects by what became of sending them: `done`, `again`, `dead`.
    pub sent: Family<Kind, Counter>,
    /// Rows of each queue.
    pub queues: Family<QueueState, Gauge>,
    /// MiB that are free on the disk of the data folder.
    pub free_disk: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0]);
        let mut metrics = Self {
            registry: Registry::default(),
            received: Family::default(),
            not_stored: Counter::default(),
            refused: Counter::default(),
            broken: Counter::default(),
            read: Family::default(),
            latency: seconds(),
            reading: seconds(),
            sent: Family::default(),
            queues: Family::default(),
            free_disk: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("coxa_received", "Objects received: new, same, conflict", metrics.received.clone());
        registry.register("coxa_not_stored", "Objects that were not stored", metrics.not_stored.clone());
        registry.register("coxa_associations_refused", "Associations refused", metrics.refused.clone());
        registry.register("coxa_associations_broken", "Associations that ended with an error", metrics.broken.clone());
        registry.register(
            "coxa_read",
            "Films by outcome: positive, negative, withheld, not_read, failed",
            metrics.read.clone(),
        );
        registry.register("coxa_latency_seconds", "From a film's last byte to its result", metrics.latency.clone());
        registry.register("coxa_reading_seconds", "Decoding and network for a film", metrics.reading.clone());
        registry.register("coxa_sent", "Tries to send an object: done, again, dead", metrics.sent.clone());
        registry.register("coxa_queue", "Rows of each queue by state", metrics.queues.clone());
        registry.register("coxa_free_disk_mebibytes", "Free on the disk of the data folder", metrics.free_disk.clone());
        metrics
    }
}

impl Metrics {
    /// Counts an object that arrived.
    pub fn received(&self, stored: Stored) {
        let kind = match stored {
            Stored::New(_) => "new",
            Stored::Same(_) => "same",
            Stored::Conflict(_) => "conflict",
        };
        self.received.get_or_create(&Kind { kind: kind.into() }).inc();
    }

    /// Counts in a family.
    pub fn count(&self, family: &Family<Kind, Counter>, kind: &str) {
        family.get_or_create(&Kind { kind: kind.into() }).inc();
    }

    /// Takes over the queues' lengths.
    pub fn set_queues(&self, queues: Vec<(String, String, i64)>) {
        self.queues.clear();
        for (queue, state, rows) in queues {
            self.queues.get_or_create(&QueueState { queue, state }).set(rows);
        }
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
