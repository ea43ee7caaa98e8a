//! What the rules judge by: attributes of a study, series, image or file, from C-FIND, QIDO-RS or the file's header.

use coxa_deidentify::Charset;
use coxa_dimse::Uid;
use coxa_dimse::query::Identifier;
use jiff::civil::Date;
use serde_json::Value;

/// Tags that are asked for.
pub(crate) mod tag {
    pub(crate) const CHARACTER_SET: u32 = 0x0008_0005;
    pub(crate) const IMAGE_TYPE: u32 = 0x0008_0008;
    pub(crate) const SOP_CLASS: u32 = 0x0008_0016;
    pub(crate) const SOP_INSTANCE: u32 = 0x0008_0018;
    pub(crate) const STUDY_DATE: u32 = 0x0008_0020;
    pub(crate) const ACQUISITION_DATE: u32 = 0x0008_0022;
    pub(crate) const ACQUISITION_TIME: u32 = 0x0008_0032;
    pub(crate) const LEVEL: u32 = 0x0008_0052;
    pub(crate) const MODALITY: u32 = 0x0008_0060;
    pub(crate) const MODALITIES: u32 = 0x0008_0061;
    pub(crate) const CONVERSION_TYPE: u32 = 0x0008_0064;
    pub(crate) const STUDY_DESCRIPTION: u32 = 0x0008_1030;
    pub(crate) const SERIES_DESCRIPTION: u32 = 0x0008_103E;
    pub(crate) const DERIVATION: u32 = 0x0008_2111;
    pub(crate) const SOURCE_IMAGES: u32 = 0x0008_2112;
    pub(crate) const REFERENCED_INSTANCE: u32 = 0x0008_1155;
    pub(crate) const IRRADIATION_EVENT: u32 = 0x0008_3010;
    pub(crate) const CODE_MEANING: u32 = 0x0008_0104;
    pub(crate) const PATIENT_ID: u32 = 0x0010_0020;
    pub(crate) const BODY_PART: u32 = 0x0018_0015;
    pub(crate) const PROTOCOL: u32 = 0x0018_1030;
    pub(crate) const VIEW_POSITION: u32 = 0x0018_5101;
    pub(crate) const STUDY: u32 = 0x0020_000D;
    pub(crate) const SERIES: u32 = 0x0020_000E;
    pub(crate) const SERIES_NUMBER: u32 = 0x0020_0011;
    pub(crate) const INSTANCE_NUMBER: u32 = 0x0020_0013;
    pub(crate) const VIEW_CODE: u32 = 0x0054_0220;
}

/// Attributes; those that are absent or empty are `None`. It has no `Debug`, as it holds what identifies.
#[derive(Clone, Default)]
pub(crate) struct Attributes {
    pub(crate) patient_id: Option<String>,
    pub(crate) study: Option<Uid>,
    pub(crate) series: Option<Uid>,
    pub(crate) instance: Option<Uid>,
    pub(crate) sop_class: Option<String>,
    pub(crate) study_date: Option<Date>,
    pub(crate) acquisition_date: Option<Date>,
    /// `HHMMSS`, fractions left out.
    pub(crate) acquisition_time: Option<String>,
    pub(crate) modality: Option<String>,
    pub(crate) modalities: Vec<String>,
    pub(crate) body_part: Option<String>,
    pub(crate) view_position: Option<String>,
    pub(crate) view_code: Option<String>,
    pub(crate) study_description: Option<String>,
    pub(crate) series_description: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) derivation: Option<String>,
    pub(crate) image_type: Vec<String>,
    pub(crate) conversion_type: Option<String>,
    pub(crate) irradiation_event: Option<String>,
    pub(crate) sources: Vec<String>,
    pub(crate) series_number: Option<i64>,
    pub(crate) instance_number: Option<i64>,
}

impl Attributes {
    /// Of a C-FIND answer or a file's header.
    pub(crate) fn of_identifier(identifier: &Identifier) -> Self {
        let charset = identifier.ascii(tag::CHARACTER_SET).map_or(Charset::UNSTATED, Charset::of);
        let mut found = Self::of(|tag| {
            let text = charset.decode(identifier.value(tag)?);
            Some(text.trim_matches([' ', '\0']).to_owned())
        });
        let meaning = |item: &Identifier| item.value(tag::CODE_MEANING).map(|value| charset.decode(value));
        found.view_code = identifier.items(tag::VIEW_CODE).first().and_then(meaning);
        let sources = identifier.items(tag::SOURCE_IMAGES);
        found.sources =
            sources.iter().filter_map(|item| item.ascii(tag::REFERENCED_INSTANCE).map(str::to_owned)).collect();
        found
    }

    /// Of a QIDO-RS match (PS3.18 F.2).
    pub(crate) fn of_json(matched: &Value) -> Self {
        Self::of(|tag| {
            let values = matched.get(format!("{tag:08X}"))?.get("Value")?.as_array()?;
            let texts = values.iter().filter_map(|value| match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
            Some(texts.collect::<Vec<_>>().join("\\"))
        })
    }

    fn of(text: impl Fn(u32) -> Option<String>) -> Self {
        let text = |tag| text(tag).filter(|text| !text.trim().is_empty());
        let uid = |tag| text(tag).and_then(|text| Uid::parse(&text));
        let upper = |tag| text(tag).map(|text| text.trim().to_uppercase());
        let list = |tag| {
            let upper = upper(tag).unwrap_or_default();
            upper.split('\\').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
        };
        let date = |tag| text(tag).and_then(|text| date_of(&text));
        let number = |tag| text(tag).and_then(|text| text.trim().parse().ok());
        Self {
            patient_id: text(tag::PATIENT_ID),
            study: uid(tag::STUDY),
            series: uid(tag::SERIES),
            instance: uid(tag::SOP_INSTANCE),
            sop_class: uid(tag::SOP_CLASS).map(|uid| uid.as_str().to_owned()),
            study_date: date(tag::STUDY_DATE),
            acquisition_date: date(tag::ACQUISITION_DATE),
            acquisition_time: text(tag::ACQUISITION_TIME).and_then(|time| {
                let time = time.replace(':', "");
                time.get(..6).filter(|time| time.bytes().all(|b| b.is_ascii_digit())).map(str::to_owned)
            }),
            modality: upper(tag::MODALITY),
            modalities: list(tag::MODALITIES),
            body_part: upper(tag::BODY_PART),
            view_position: upper(tag::VIEW_POSITION),
            view_code: None,
            study_description: text(tag::STUDY_DESCRIPTION),
            series_description: text(tag::SERIES_DESCRIPTION),
            protocol: text(tag::PROTOCOL),
            derivation: text(tag::DERIVATION),
            image_type: list(tag::IMAGE_TYPE),
            conversion_type: upper(tag::CONVERSION_TYPE),
            irradiation_event: uid(tag::IRRADIATION_EVENT).map(|uid| uid.as_str().to_owned()),
            sources: Vec::new(),
            series_number: number(tag::SERIES_NUMBER),
            instance_number: number(tag::INSTANCE_NUMBER),
        }
    }

    /// These, and where one is absent, that of a level above.
    pub(crate) fn or(mut self, above: &Self) -> Self {
        macro_rules! fill {
            ($($field:ident),*) => { $( if self.$field.is_none() { self.$field = above.$field.clone(); } )* };
        }
        fill!(patient_id, study, series, instance, sop_class, study_date, acquisition_date, acquisition_time);
        fill!(modality, body_part, view_position, view_code, study_description, series_description, protocol);
        fill!(derivation, conversion_type, irradiation_event, series_number, instance_number);
        for (own, other) in [
            (&mut self.modalities, &above.modalities),
            (&mut self.image_type, &above.image_type),
            (&mut self.sources, &above.sources),
        ] {
            if own.is_empty() {
                own.clone_from(other);
            }
        }
        self
    }
}

/// A date of DICOM, `YYYYMMDD` or the old `YYYY.MM.DD`.
fn date_of(text: &str) -> Option<Date> {
    let digits = text.trim().replace('.', "");
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Date::new(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_say_the_same() {
        let identifier = Identifier::default()
            .with(tag::MODALITY, b"CS", "dx")
            .with(tag::STUDY_DATE, b"DA", "20150301")
            .with(tag::ACQUISITION_TIME, b"TM", "101112.5")
            .with(tag::SERIES_NUMBER, b"IS", "7 ")
            .with(tag::VIEW_POSITION, b"CS", "")
            .with(tag::IMAGE_TYPE, b"CS", "DERIVED\\PRIMARY");
        let of_find = Attributes::of_identifier(&identifier);
        let matched = serde_json::json!({
            "00080060": { "vr": "CS", "Value": ["DX"] }, "00080020": { "vr": "DA", "Value": ["20150301"] },
            "00080032": { "vr": "TM", "Value": ["101112.5"] }, "00200011": { "vr": "IS", "Value": [7] },
            "00185101": { "vr": "CS" }, "00080008": { "vr": "CS", "Value": ["DERIVED", "PRIMARY"] },
        });
        for found in [of_find, Attributes::of_json(&matched)] {
            assert_eq!(found.modality.as_deref(), Some("DX"));
            assert_eq!(found.study_date, Some(Date::constant(2015, 3, 1)));
            assert_eq!(found.acquisition_time.as_deref(), Some("101112"));
            assert_eq!((found.series_number, found.view_position.is_none()), (Some(7), true));
            assert_eq!(found.image_type, ["DERIVED", "PRIMARY"]);
        }
    }

    #[test]
    fn a_level_inherits_from_the_one_above() {
        let study =
            Attributes { modality: Some("DX".into()), study_description: Some("Pelvis".into()), ..Default::default() };
        let series = Attributes { modality: Some("CR".into()), ..Default::default() }.or(&study);
        assert_eq!((series.modality.as_deref(), series.study_description.as_deref()), (Some("CR"), Some("Pelvis")));
    }
}
