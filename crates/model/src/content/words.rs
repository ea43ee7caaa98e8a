//! Reasons in words for a physician.

/// Why a film of this class is not read.
pub(crate) fn reason(class: &str) -> String {
    match class {
        "turned" => "lies on its side or upside down, by its picture".to_owned(),
        "moved" => "blurred, as if the patient had moved".to_owned(),
        "washed out" => "too little contrast".to_owned(),
        "cut off" => "the hip is cut off, by its picture".to_owned(),
        "lateral" => "no frontal view, by its picture".to_owned(),
        "several views" => "several views on one film, by its picture".to_owned(),
        "several parts" => "shows several body parts, by its picture".to_owned(),
        super::OTHER => "does not look like a radiograph of a pelvis or hip".to_owned(),
        part => {
            let article = if part.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            format!("shows {article} {part}, by its picture")
        }
    }
}
