//! Sentences that the database has in English, of the gate, the decoders, peers and the audit log, and those of monitoring, the trial and
//! the statistics: in the reader's language where they are known.
//!
//! The English messages `reason-…` are the sentences themselves, with a variable for what differs: a sentence is known where one of
//! them fits. A value stays as it is, but for `$reason` and `$hint`, which must be known sentences too, and for words of a closed list
//! (`$part`: the messages `part-…`).

use std::sync::LazyLock;

use super::text::visible;
use crate::language::{Language, Message, ids};

/// Sentences in sentences in sentences.
const DEPTH: usize = 3;

/// A sentence as a page shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) text: String,
    /// Whether it is English on a page that is not.
    pub(super) is_english: bool,
}

impl Reason {
    /// A sentence of the database in a language.
    pub(super) fn of(language: Language, text: &str) -> Self {
        let text = visible(text);
        if language == Language::default() || text.is_empty() {
            return Self { text, is_english: false };
        }
        match translated(language, &text, DEPTH) {
            Some(text) => Self { text, is_english: false },
            None => Self { text, is_english: true },
        }
    }

    /// A message whose `$why` is such a sentence: in English as a whole where the sentence is not known.
    pub(super) fn within(language: Language, message: &str, why: &str) -> Self {
        Self::of(language, why).in_message(language, |language, why| language.say(message).with("why", why).to_string())
    }

    /// A text around the sentence, in the language of the sentence.
    pub(super) fn in_message(self, language: Language, form: impl FnOnce(Language, &str) -> String) -> Self {
        let language = if self.is_english { Language::default() } else { language };
        Self { text: form(language, &self.text), is_english: self.is_english }
    }
}

impl From<Message<'_>> for Reason {
    /// A message of the pages is in their language.
    fn from(message: Message<'_>) -> Self {
        Self { text: message.to_string(), is_english: false }
    }
}

/// A known sentence: what stands before, between and after its values, and their names.
struct Known {
    id: &'static str,
    literals: Vec<String>,
    names: Vec<&'static str>,
}

/// Two sentences in one first, then the most literal ones: `the film is missing` is not `{$what} is missing` where both are known.
static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let mut all: Vec<Known> = ids("reason-").map(Known::of).collect();
    let literal = |known: &Known| known.literals.iter().map(String::len).sum::<usize>();
    all.sort_by_key(|known| (!known.names.contains(&"hint"), std::cmp::Reverse(literal(known))));
    all
});

impl Known {
    fn of(id: &'static str) -> Self {
        // Without values, a variable stands in the text as `{$name}`.
        let text = Language::default().say(id).to_string();
        let mut parts = text.split("{$");
        let mut literals = vec![parts.next().unwrap_or_default().to_owned()];
        let mut names = Vec::new();
        for part in parts {
            let (name, literal) = part.split_once('}').unwrap_or((part, ""));
            names.push(&*name.to_owned().leak());
            literals.push(literal.to_owned());
        }
        Self { id, literals, names }
    }

    /// The values in a text that the sentence fits, each as short as it can be but the last.
    fn values<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let mut rest = text.strip_prefix(self.literals[0].as_str())?;
        let mut values = Vec::new();
        for (i, literal) in self.literals.iter().enumerate().skip(1) {
            let is_last = i + 1 == self.literals.len();
            let end = if is_last { rest.strip_suffix(literal.as_str())?.len() } else { rest.find(literal.as_str())? };
            values.push(&rest[..end]);
            rest = &rest[end + literal.len()..];
        }
        let fits = rest.is_empty() && values.iter().all(|value| !value.is_empty());
        fits.then_some(values)
    }
}

fn translated(language: Language, text: &str, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    KNOWN.iter().find_map(|known| {
        let mut message = language.say(known.id);
        for (name, value) in known.names.iter().zip(known.values(text)?) {
            message = message.with(
                name,
                match *name {
                    "reason" | "hint" => translated(language, value, depth)?,
                    "part" => word(language, "part-", value),
                    _ => value.to_owned(),
                },
            );
        }
        Some(message.to_string())
    })
}

/// A word of a closed list in a language; as it stands where the list has it not.
fn word(language: Language, list: &'static str, word: &str) -> String {
    let id = ids(list).find(|id| Language::default().say(id).to_string() == word);
    id.map_or_else(|| word.to_owned(), |id| language.say(id).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sentences as the crates write them.
    #[test]
    fn known_sentences_are_translated_with_their_values() {
        let chinese = Language::of_tag("zh-Hant-TW").unwrap();
        let film = coxa_imaging::ReadError::TooSmall { file: "the film".into(), width: 8, height: 9 }.to_string();
        let refused = coxa_dimse::DimseError::Aborted.to_string();
        for (sentence, kept) in [
            ("lateral view", ""),
            ("smaller than 128 pixels", "128"),
            ("shows a chest, by its header", "胸部"),
            ("shows a left ear, by its header", "a left ear"),
            ("Series Description (0008,103E) names CHEST", "CHEST"),
            (film.strip_prefix("the film: ").unwrap(), "8×9"),
            (&refused, ""),
            (
                "cannot connect to 127.0.0.1:1: Connection refused (os error 111); check host and port, and that the peer is running",
                "127.0.0.1:1",
            ),
            ("C000H (cannot understand the object)", "C000H"),
            (
                "3 times the program ended while it worked on this (out of memory, a crash, or stopped by force): look at its log, then try again",
                "3",
            ),
            ("MODALITY asked for no SOP class that is taken here", "MODALITY"),
            ("MODALITY offered no transfer syntax that is taken here", "MODALITY"),
            ("a peer showed no certificate", ""),
            ("a peer showed a certificate that cannot be trusted here", ""),
            ("a peer did not begin with TLS", ""),
            ("a peer declined this node's certificate or TLS", ""),
            ("TLS failed: peer is incompatible", "peer is incompatible"),
            ("an object was not stored: the data set cannot be parsed", "the data set cannot be parsed"),
            ("send films (CR, DX) and what the conformance statement lists: other SOP classes are not taken here", ""),
            (
                "switch Explicit VR Little Endian or another transfer syntax of the conformance statement on at the peer",
                "",
            ),
            (
                "add the authority of the peer's certificate to the file of [tls] authorities, or renew the certificate at the peer",
                "",
            ),
            (
                "give the peer the authority of this node's certificate, and check that both know a common TLS version",
                "",
            ),
            ("announce the object with its own UIDs at the peer", ""),
            ("look at the object at the peer, and send it again from its source", ""),
            ("C-ECHO was answered with 0122H (the SOP class is not supported)", "0122H"),
            (
                "did you mean COXA? Set the called AE title to COXA at the peer, or this node's to KOXA by `--ae-title KOXA`",
                "`--ae-title KOXA`",
            ),
            ("is missing", ""),
            ("and those up to 7 are missing", "7"),
        ] {
            let reason = Reason::of(chinese, sentence);
            assert!(
                !reason.is_english && reason.text != sentence && reason.text.contains(kept),
                "{sentence}: {reason:?}"
            );
            assert_eq!(Reason::of(Language::default(), sentence).text, sentence);
        }
    }

    /// Every sentence that monitoring, the trial and their statistics write for a page is known, whatever is in it.
    #[test]
    fn the_sentences_of_monitoring_and_the_trial_are_known() {
        use crate::monitor::cases::{LabelSource, Sources};
        use crate::monitor::drift::Drift;
        use crate::monitor::recalibrate::{Asked, TemperatureRule, propose};
        use crate::monitor::{cases::Case, labels, performance::Point};
        use crate::trial::{TrialPlan, read_diagnoses};

        let spread = |n: usize, shift: f64| -> Vec<f64> {
            (0..n).map(|i| (i * 37 % n) as f64 / n as f64 * 6.0 - 3.0 + shift).collect()
        };
        let reference = spread(400, 0.0);
        let drifts =
            [0.0, -0.3, 0.3, -0.9, 0.9, 2.0].map(|shift| Drift::of(&reference, &spread(300, shift), 1.0).words);
        let few = [(20, 60), (60, 49)].map(|(one, other)| Drift::of(&spread(one, 0.0), &spread(other, 0.0), 1.0).words);
        let case = |patient: usize, logit: f32, truth| Case { patient: format!("P{patient}"), logit, truth };
        let cases = |n: usize| -> Vec<Case> {
            (0..n).map(|i| case(i, (i * 7 % 20) as f32 / 10.0 + (i % 2) as f32 - 1.5, i % 2 == 1)).collect()
        };
        let sources = Sources { uploaded: 3, reviewed: 4, contradictory: 2, unsure: 1 };
        let propose = |n, target, temperature| {
            let asked = Asked { target, labels: LabelSource::Both, temperature };
            propose((&cases(n), sources), asked, Point { temperature: 1.0, threshold: 0.5 }, &[])
        };
        let (fitted, kept) = (TemperatureRule::Fitted, TemperatureRule::Kept);
        let proposal = propose(60, 0.9, fitted).unwrap();
        let mut sentences = proposal.notes.clone();
        sentences.extend([
            proposal.chosen_on(),
            propose(60, 0.0, kept).unwrap_err(),
            propose(10, 0.9, kept).unwrap_err(),
        ]);
        sentences.extend(drifts.into_iter().chain(few));
        sentences.extend(LabelSource::ALL.map(|source| source.words().to_owned()));
        for table in [
            "sop_instance_uid,label\n=1,1\n2.25.1,1\n2.25.1,1\n2.25.1,0\nDOE,x\n,0\n",
            "accession,label\n",
            "accession,label\nA\\B,1\n",
            "name,label\nDOE,1\n",
        ] {
            sentences.extend(labels::parse(table.as_bytes()).unwrap_err().iter().map(ToString::to_string));
        }
        let good = TrialPlan { name: "Trial".into(), planned: 100, ..TrialPlan::default() };
        let plans = [
            TrialPlan { name: String::new(), ..good.clone() },
            TrialPlan { ratio: [1, 0], ..good.clone() },
            TrialPlan { block_sizes: vec![5], ..good.clone() },
            TrialPlan { planned: 0, ..good.clone() },
            TrialPlan { minimum_age: 131, ..good.clone() },
            TrialPlan { start: "x".into(), ..good.clone() },
            TrialPlan { end: "x".into(), ..good.clone() },
            TrialPlan { start: "2026-02-01".into(), end: "2026-01-01".into(), ..good },
        ];
        sentences.extend(plans.map(|plan| plan.check().unwrap_err()));
        let long = format!("accession,date,fracture,kind\n,x,maybe,{}\n", "x".repeat(201));
        for table in ["patient,kind\n", "patient_id,date,fracture\n", &long] {
            sentences.extend(read_diagnoses(table).unwrap_err());
        }
        let chinese = Language::of_tag("zh-Hant-TW").unwrap();
        for sentence in sentences {
            let reason = Reason::of(chinese, &sentence);
            assert!(!reason.is_english && reason.text != sentence, "{sentence}: {reason:?}");
        }
    }

    #[test]
    fn what_is_not_known_stays_and_is_marked() {
        let chinese = Language::of_tag("zh-Hant-TW").unwrap();
        for sentence in
            ["the moon is full", "the disk is full; the moon too", "lateral view of a hip", "{$part}", "`x`"]
        {
            let reason = Reason::of(chinese, sentence);
            assert_eq!((reason.text.as_str(), reason.is_english), (sentence, true));
        }
        assert_eq!(Reason::of(chinese, ""), Reason::default());
        assert_eq!(Reason::of(chinese, "view \u{202E}, by its header").text.matches("U+202E").count(), 1);
    }

    /// Whatever English says with values, it says as the sentence was.
    #[test]
    fn every_known_sentence_fits_itself() {
        for known in KNOWN.iter() {
            let filled =
                known.names.iter().fold(Language::default().say(known.id), |message, name| message.with(name, "17"));
            assert!(known.values(&filled.to_string()).is_some(), "{}", known.id);
        }
    }
}
