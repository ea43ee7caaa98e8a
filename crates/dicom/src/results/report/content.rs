//! The tree of a structured report: content items with their relationship to the item above (PS3.3 C.17.3).

use dicom_core::header::VR;
use dicom_core::value::PrimitiveValue;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use crate::element::{decimal, put, put_items};
use crate::results::code::Code;

/// How an item relates to the one above.
#[derive(Debug, Clone, Copy)]
pub(super) enum Relation {
    Contains,
    HasConceptModifier,
    HasObservationContext,
    InferredFrom,
    SelectedFrom,
}

impl Relation {
    fn term(self) -> &'static str {
        match self {
            Self::Contains => "CONTAINS",
            Self::HasConceptModifier => "HAS CONCEPT MOD",
            Self::HasObservationContext => "HAS OBS CONTEXT",
            Self::InferredFrom => "INFERRED FROM",
            Self::SelectedFrom => "SELECTED FROM",
        }
    }
}

/// A content item in the making.
pub(super) struct Item {
    object: InMemDicomObject,
    children: Vec<InMemDicomObject>,
}

impl Item {
    fn new(value_type: &str, concept: Option<Code>) -> Self {
        let mut object = InMemDicomObject::new_empty();
        put(&mut object, tags::VALUE_TYPE, VR::CS, value_type);
        if let Some(concept) = concept {
            put_items(&mut object, tags::CONCEPT_NAME_CODE_SEQUENCE, vec![concept.item()]);
        }
        Self { object, children: Vec::new() }
    }

    /// A container that follows a template of PS3.16, or none of its own.
    pub(super) fn container(concept: Code, template: Option<&str>) -> Self {
        let mut item = Self::new("CONTAINER", Some(concept));
        put(&mut item.object, tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
        if let Some(template) = template {
            let mut identification = InMemDicomObject::new_empty();
            put(&mut identification, tags::MAPPING_RESOURCE, VR::CS, "DCMR");
            put(&mut identification, tags::TEMPLATE_IDENTIFIER, VR::CS, template);
            put_items(&mut item.object, tags::CONTENT_TEMPLATE_SEQUENCE, vec![identification]);
        }
        item
    }

    pub(super) fn code(concept: Code, value: Code) -> Self {
        let mut item = Self::new("CODE", Some(concept));
        put_items(&mut item.object, tags::CONCEPT_CODE_SEQUENCE, vec![value.item()]);
        item
    }

    pub(super) fn text(concept: Code, value: &str) -> Self {
        let mut item = Self::new("TEXT", Some(concept));
        put(&mut item.object, tags::TEXT_VALUE, VR::UT, value);
        item
    }

    pub(super) fn uid(concept: Code, value: &str) -> Self {
        let mut item = Self::new("UIDREF", Some(concept));
        put(&mut item.object, tags::UID, VR::UI, value);
        item
    }

    /// A number as it is shown, with at most two decimals, and in full beside it where that rounds.
    pub(super) fn number(concept: Code, value: f64, unit: Code) -> Self {
        let mut item = Self::new("NUM", Some(concept));
        let mut measured = InMemDicomObject::new_empty();
        let shown = (100.0 * value).round() / 100.0;
        put(&mut measured, tags::NUMERIC_VALUE, VR::DS, decimal(shown));
        if shown != value {
            put(&mut measured, tags::FLOATING_POINT_VALUE, VR::FD, value);
        }
        put_items(&mut measured, tags::MEASUREMENT_UNITS_CODE_SEQUENCE, vec![unit.item()]);
        put_items(&mut item.object, tags::MEASURED_VALUE_SEQUENCE, vec![measured]);
        item
    }

    /// A reference to an image.
    pub(super) fn image(concept: Code, reference: InMemDicomObject) -> Self {
        let mut item = Self::new("IMAGE", Some(concept));
        put_items(&mut item.object, tags::REFERENCED_SOP_SEQUENCE, vec![reference]);
        item
    }

    /// A closed outline in an image's pixels; the image is a child.
    pub(super) fn outline(concept: Code, corners: &[[f32; 2]]) -> Self {
        let mut item = Self::new("SCOORD", Some(concept));
        put(&mut item.object, tags::GRAPHIC_TYPE, VR::CS, "POLYLINE");
        let points = corners.iter().chain(corners.first()).flatten().copied();
        put(&mut item.object, tags::GRAPHIC_DATA, VR::FL, PrimitiveValue::F32(points.collect()));
        item
    }

    /// Adds an item below this one.
    pub(super) fn with(mut self, relation: Relation, child: Self) -> Self {
        let mut object = child.into_object();
        put(&mut object, tags::RELATIONSHIP_TYPE, VR::CS, relation.term());
        self.children.push(object);
        self
    }

    /// The item's data set; that of the root is merged into the document's.
    pub(super) fn into_object(mut self) -> InMemDicomObject {
        if !self.children.is_empty() {
            put_items(&mut self.object, tags::CONTENT_SEQUENCE, self.children);
        }
        self.object
    }
}
