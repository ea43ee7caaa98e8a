//! The walk: one recursive pass in which every element of a data set and of its sequences is decided.

use dicom_core::Tag;
use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::charset::Charset;
use crate::dataset::{DataSet, Element, Known, Value, ascii, is_in_character_set, is_text, padded};
use crate::identifiers::Identifiers;
use crate::key::{Key, is_derived_uid};
use crate::receipt::{Done, Elements};
use crate::rules::{Action, Rules};
use crate::values;
use crate::words::Words;

/// Where UIDs come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mapping<'a> {
    /// From the key.
    Keyed(&'a Key),
    /// From nowhere: a UID that has a derived one's form stays, and any other is a finding.
    Shapes,
}

impl Mapping<'_> {
    fn uid(self, uid: &str) -> String {
        match self {
            Self::Keyed(key) => key.uid(uid),
            Self::Shapes if is_derived_uid(uid) => uid.to_owned(),
            Self::Shapes => String::new(),
        }
    }
}

/// The patient that a film is of from now on.
#[derive(Debug, Clone)]
pub(crate) struct Patient {
    pub(crate) pseudonym: String,
    /// Days that dates move by.
    pub(crate) shift: i64,
}

/// A walk over one film.
pub(crate) struct Walk<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) mapping: Mapping<'a>,
    pub(crate) words: &'a Words,
    pub(crate) identifiers: &'a Identifiers,
    pub(crate) patient: &'a Patient,
    /// What was done.
    pub(crate) elements: Elements,
}

/// What of the surrounding data set an element's value depends on.
struct Context {
    charset: Charset,
    /// Coding Scheme Designator of a code.
    scheme: Option<String>,
    /// The bytes that LUT Data has by its descriptor.
    lut_bytes: Option<usize>,
    is_top: bool,
}

/// Elements that state what was done: they are left out here and written anew at the end.
fn is_statement(tag: Tag) -> bool {
    [
        tags::SPECIFIC_CHARACTER_SET,
        tags::PATIENT_IDENTITY_REMOVED,
        tags::DEIDENTIFICATION_METHOD,
        tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
        tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
    ]
    .contains(&tag)
}

impl Walk<'_> {
    /// Walks a film's data set, from which the pixels were taken.
    pub(crate) fn film(&mut self, data: DataSet) -> DataSet {
        self.data_set(data, Charset::UNSTATED, true)
    }

    fn data_set(&mut self, data: DataSet, inherited: Charset, is_top: bool) -> DataSet {
        let stated = data.ascii(tags::SPECIFIC_CHARACTER_SET);
        let context = Context {
            charset: stated.map_or(inherited, |value| Charset::of(&value)),
            scheme: data.ascii(tags::CODING_SCHEME_DESIGNATOR),
            lut_bytes: values::lut_bytes(&data),
            is_top,
        };
        let mut out = DataSet::default();
        for (tag, element) in data.0 {
            if is_statement(tag) {
                if !is_top {
                    self.elements.note(tag, Done::Removed);
                }
            } else if let Some(element) = self.element(tag, element, &context) {
                out.0.insert(tag, element);
            }
        }
        out
    }

    fn element(&mut self, tag: Tag, element: Element, context: &Context) -> Option<Element> {
        let (action, entry) = self.rules.action(tag);
        let decided = match (action, entry) {
            (Action::Remove, _) | (_, None) => None,
            (_, Some(entry)) => self.decide(tag, action, entry, &element, context),
        };
        let was_empty = matches!(&element.value, Value::Bytes(bytes) if bytes.is_empty());
        let done = match &decided {
            None => Some(Done::Removed),
            Some((after, _)) if *after == element => None,
            // A VR that was not stated is no loss, and an empty value stays one.
            Some((Element { value: Value::Bytes(bytes), .. }, _)) if bytes.is_empty() => {
                (!was_empty).then_some(Done::Emptied)
            }
            Some((Element { value: Value::Items(items), .. }, done)) if items.is_empty() => done.map(|_| Done::Emptied),
            Some((_, done)) => *done,
        };
        if let Some(done) = done {
            self.elements.note(tag, done);
        }
        decided.map(|(element, _)| element)
    }

    /// The element that takes an element's place, and what is done if it differs; `None` where it goes.
    fn decide(
        &mut self,
        tag: Tag,
        action: Action,
        entry: Known,
        element: &Element,
        context: &Context,
    ) -> Option<(Element, Option<Done>)> {
        let bytes = match &element.value {
            Value::Items(items) if entry.vr == VR::SQ => return self.sequence(action, items, context),
            Value::Bytes(bytes) if entry.vr != VR::SQ => bytes,
            // An empty sequence without a VR of its own.
            Value::Bytes(bytes) if bytes.is_empty() => return self.sequence(action, &[], context),
            _ => return None,
        };
        let vr = values::vr_of(element.vr, entry)?;
        let text = || match is_in_character_set(vr) {
            true => context.charset.decode(bytes).trim_matches([' ', '\0']).to_owned(),
            false => ascii(bytes),
        };
        let made = |text: String| Some(padded(vr, text.into_bytes()));
        let (value, done) = match action {
            Action::Empty if context.is_top && (tag == tags::PATIENT_NAME || tag == tags::PATIENT_ID) => {
                (made(self.patient.pseudonym.clone()), Done::Replaced)
            }
            Action::Empty => (made(String::new()), Done::Emptied),
            Action::Dummy if vr == VR::UI => (made(self.mapping.uid(&ascii(bytes))), Done::Replaced),
            Action::Dummy => (values::dummy(vr), Done::Replaced),
            Action::Uid => (made(each(&text(), |uid| self.mapping.uid(uid))), Done::Replaced),
            Action::KeepUid => (values::uids(&text()).and_then(made), Done::Cleaned),
            Action::Shift => (made(each(&text(), |date| values::shifted(vr, date, self.patient.shift))), Done::Shifted),
            Action::Clean => (self.text(vr, &text()).and_then(made), Done::Cleaned),
            Action::Retain if is_text(vr) => (made(self.without_names(&text())), Done::Cleaned),
            Action::Retain => (values::numbers(vr, bytes, 16), Done::Cleaned),
            Action::Keep(most) => (self.kept(tag, vr, bytes, &text(), most, context), Done::Cleaned),
            Action::Walk(_) | Action::Remove => (None, Done::Removed),
        };
        Some((Element { vr, value: Value::Bytes(value?) }, Some(done)))
    }

    fn sequence(&mut self, action: Action, items: &[DataSet], context: &Context) -> Option<(Element, Option<Done>)> {
        let is_empty = items.is_empty();
        let walked = match action {
            Action::Empty => Vec::new(),
            Action::Walk(most) => {
                let items = items.iter().take(most);
                let walked: Vec<DataSet> = items.filter_map(|item| self.item(item.clone(), context.charset)).collect();
                if walked.is_empty() && !is_empty {
                    return None;
                }
                walked
            }
            _ => return None,
        };
        // What was done within is noted within; that items are missing is not.
        let done = (walked.len() != items.len()).then_some(Done::Cleaned);
        Some((Element { vr: VR::SQ, value: Value::Items(walked) }, done))
    }

    /// An item; `None` where nothing of it stays, or a code without its value.
    fn item(&mut self, item: DataSet, charset: Charset) -> Option<DataSet> {
        let was_code = item.0.contains_key(&tags::CODE_VALUE);
        let walked = self.data_set(item, charset, false);
        let is_code = walked.0.contains_key(&tags::CODE_VALUE);
        (!walked.0.is_empty() && was_code == is_code).then_some(walked)
    }

    /// A value of an element of the list, as far as it is what its VR demands.
    fn kept(&self, tag: Tag, vr: VR, bytes: &[u8], text: &str, most: usize, context: &Context) -> Option<Vec<u8>> {
        let made = |text: String| Some(padded(vr, text.into_bytes()));
        if text.is_empty() && is_text(vr) {
            return Some(Vec::new());
        }
        match vr {
            _ if tag == tags::LUT_DESCRIPTOR => context.lut_bytes.and_then(|_| values::numbers(vr, bytes, most)),
            _ if tag == tags::LUT_DATA => values::cut(bytes, context.lut_bytes?),
            _ if tag == tags::CODE_VALUE => values::code(text, context.scheme.as_deref()?).and_then(made),
            _ if tag == tags::CODING_SCHEME_DESIGNATOR => values::scheme(text).and_then(made),
            _ if tag == tags::CODE_MEANING => self.text(vr, text).or(Some(values::REMOVED.to_owned())).and_then(made),
            _ if tag == tags::PATIENT_SEX => {
                made(if matches!(text, "M" | "F" | "O") { text.to_owned() } else { String::new() })
            }
            VR::AS => values::age(text).and_then(made),
            VR::CS => values::codes(text, self.words, most).and_then(made),
            VR::DS | VR::IS => values::decimals(vr, text, most, self.identifiers).and_then(made),
            VR::UI => values::is_class(text).then(|| text.to_owned()).and_then(made),
            _ if is_in_character_set(vr) && vr != VR::PN => self.text(vr, text).and_then(made),
            _ if is_text(vr) => None,
            VR::OB | VR::OW | VR::UN | VR::SQ => None,
            _ => values::numbers(vr, bytes, most),
        }
    }

    /// A cleaned text; `None` where nothing of it stays.
    fn text(&self, vr: VR, text: &str) -> Option<String> {
        let clean = |text: &str| self.words.clean(text, |word| self.identifiers.has_token(word));
        let cleaned = match vr {
            VR::LT | VR::ST | VR::UT => clean(text),
            _ => each(text, clean),
        };
        (!cleaned.is_empty()).then_some(cleaned)
    }

    /// A text without the names and numbers that the header knows.
    fn without_names(&self, text: &str) -> String {
        each(text, |value| {
            let words = value.split_whitespace();
            let is_fine = |word: &&str| {
                let is_name = crate::words::tokens(word).any(|token| self.identifiers.has_token(&token));
                !is_name && !self.identifiers.has_value(word)
            };
            words.filter(is_fine).collect::<Vec<_>>().join(" ")
        })
    }
}

/// Maps each of the values between backslashes; trailing empty ones go.
fn each(text: &str, map: impl Fn(&str) -> String) -> String {
    let trimmed = |value: &str| map(value.trim_matches([' ', '\0']));
    let map_unless_empty =
        |value: &str| if value.trim_matches([' ', '\0']).is_empty() { String::new() } else { trimmed(value) };
    let values: Vec<String> = text.split('\\').map(map_unless_empty).collect();
    values.join("\\").trim_end_matches('\\').to_owned()
}
