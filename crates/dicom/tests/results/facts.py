"""Read result objects with pydicom and highdicom, and print what they hold as a JSON array, one object a file."""

import json
import sys

import highdicom
import pydicom
from pydicom.sr.codedict import codes

IDENTITY = ["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyID",
            "AccessionNumber", "ReferringPhysicianName"]


def report(path):
    document = highdicom.sr.srread(path)
    content = document.content
    reference, = document.get_evidence()
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    # None where the film was not read.
    films = content.get_image_measurement_groups()
    assert len(films) <= 1 and all(film.finding_type.value == "72704001" for film in films)
    for film in films:
        number, = (item for item in film[0].ContentSequence if item.ValueType == "NUM")
        whole, = number.ContentSequence
        assert (number.ConceptNameCodeSequence[0].CodeMeaning, whole.RelationshipType, whole.ValueType) == \
            ("Certainty of Finding", "INFERRED FROM", "SCOORD")
        assert whole.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == reference[2]
    regions = []
    for group in content.get_planar_roi_measurement_groups():
        site, = group.finding_sites
        measurement, = group.get_measurements()
        outline = group.roi
        assert outline.graphic_type.value == "POLYLINE"
        regions.append({
            "tracking": group.tracking_identifier,
            "tracking_uid": str(group.tracking_uid),
            "site": site.topography.value if hasattr(site, "topography") else site.value.value,
            "side": site.laterality.meaning if site.laterality is not None else None,
            "points": outline.value.tolist(),
            "film": outline.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID,
            "score": float(measurement.value),
        })
    certainty = [float(m.value) for film in films for m in film.get_measurements(name=codes.DCM.CertaintyOfFinding)]
    evaluations = document.ContentSequence[-1].ContentSequence
    presence, = (item for item in evaluations if item.ValueType == "CODE")
    assert presence.ConceptNameCodeSequence[0].CodeValue == "72704001"
    texts = {}
    for item in [*(item for film in films for item in film[0].ContentSequence), *evaluations]:
        if item.ValueType == "TEXT":
            texts.setdefault(item.ConceptNameCodeSequence[0].CodeMeaning, []).append(item.TextValue)
    return {
        "evidence": [str(uid) for uid in reference],
        "certainty": certainty,
        "presence": presence.ConceptCodeSequence[0].CodeMeaning,
        "film": str(films[0].source_images[0].referenced_sop_instance_uid if films else reference[2]),
        "texts": texts,
        "regions": regions,
        "observer": content.get_observer_contexts()[0].observer_identifying_attributes.serial_number,
    }


def presentation(data):
    layers = {item.GraphicLayer: item.GraphicLayerDescription for item in data.GraphicLayerSequence}
    lines, labels, texts = [], [], []
    for annotation in data.GraphicAnnotationSequence:
        assert annotation.GraphicLayer in layers
        for item in annotation.get("GraphicObjectSequence", []):
            assert len(item.GraphicData) == 2 * item.NumberOfGraphicPoints
            lines.append([float(value) for value in item.GraphicData])
        for item in annotation.TextObjectSequence:
            (labels if "AnchorPoint" in item else texts).append(item.UnformattedTextValue)
    voi = data.SoftcopyVOILUTSequence[0]
    return {
        "layers": sorted(layers),
        "lines": lines,
        "labels": labels,
        "texts": texts,
        "film": data.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID,
        "area": list(data.DisplayedAreaSelectionSequence[0].DisplayedAreaBottomRightHandCorner),
        "window": [float(voi.WindowCenter), float(voi.WindowWidth)],
        "lut": data.PresentationLUTShape,
        "rescale": float(data.RescaleSlope),
    }


def capture(data):
    return {
        "pixels": data.pixel_array.reshape(-1).tolist()[:12],
        "shape": list(data.pixel_array.shape),
        "film": data.SourceImageSequence[0].ReferencedSOPInstanceUID,
        "burned_in": data.get("BurnedInAnnotation"),
        "derivation": data.DerivationDescription,
    }


def parametric_map(path):
    image = highdicom.imread(path)
    assert image.pixel_array.dtype == "float32"
    measured = image.get_frame(1, apply_real_world_transform=True)
    volume = image.get_volume()
    mapping = image.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    voi = image.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence[0]
    quantity = mapping.QuantityDefinitionSequence[0]
    source = image.SharedFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    return {
        "values": [float(value) for value in measured.reshape(-1)],
        "shape": list(measured.shape),
        "position": [float(value) for value in volume.position],
        "spacing": [float(value) for value in volume.spacing][1:],
        "window": [float(voi.WindowCenter), float(voi.WindowWidth), voi.VOILUTFunction],
        "quantity": quantity.ConceptCodeSequence[0].CodeValue,
        "qualification": image.ContentQualification,
        "film": source.ReferencedSOPInstanceUID,
        "film_in_series": image.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID,
        "comments": image.ImageComments,
    }


def facts(path):
    data = pydicom.dcmread(path)
    name = data.SOPClassUID.keyword
    held = {
        "Comprehensive3DSRStorage": lambda: report(path),
        "GrayscaleSoftcopyPresentationStateStorage": lambda: presentation(data),
        "SecondaryCaptureImageStorage": lambda: capture(data),
        "ParametricMapStorage": lambda: parametric_map(path),
    }[name]()
    held["class"] = name
    held["identity"] = [str(data[keyword].value or "") for keyword in IDENTITY]
    held["series"] = [data.Modality, data.SeriesDescription, str(data.SeriesInstanceUID)]
    held["maker"] = [data.Manufacturer, data.SoftwareVersions, data.DeviceSerialNumber]
    held["created"] = [data.InstanceCreationDate, data.InstanceCreationTime]
    return held


print(json.dumps([facts(path) for path in sys.argv[1:]]))
