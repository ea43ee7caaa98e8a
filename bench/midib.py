#!/usr/bin/env python3
"""Scores `coxa deidentify` in the categories of MIDI-B (arXiv 2507.23608) on simulated films whose answers are written here.

Usage: bench/midib.py COXA WORK [--patients 100] [--simulated DIR]

Each patient has two films, with identifiers in the header, descriptions, sequences, private elements and pixels. The categories are those of
the challenge's validation script: tag_retained, text_notnull, text_retained, text_removed, tag_removed (attributes that the profile removes or empties), date_shifted, uid_changed,
uid_consistent, patid_consistent, pixels_hidden, pixels_retained (of films without text). References that the
profile removes are not asked about. Films that are withheld for review are decided about as a person would: a region that touches a planted string
is blanked, another is kept, and where none was found the strings are drawn; then all films are written. Prints right, asked and the share of each.
The script itself has no license and is not copied; this asks the same questions of our own answers. Needs what bench/planted_identifiers.py needs.
"""
import argparse, datetime, glob, json, os, random, shutil, subprocess
import numpy as np, pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
import planted_identifiers as planted
import text_drawing as drawing
from burned_in_text import shown

RETAINED = {"Modality": "DX", "BodyPartExamined": "PELVIS", "ViewPosition": "AP", "PatientSex": "F", "PatientAge": "071Y", "PatientSize": "1.61", "PatientWeight": "58", "KVP": "75", "ExposureTime": "80", "XRayTubeCurrent": "320", "ImagerPixelSpacing": "[0.143, 0.143]", "PixelSpacing": "[0.143, 0.143]", "Rows": None, "Columns": None, "BitsStored": "12", "PhotometricInterpretation": "MONOCHROME2", "Manufacturer": "Siemens", "PatientOrientation": "['L', 'F']", "WindowCenter": "2048", "WindowWidth": "4096", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "StudyTime": "101112", "ImageLaterality": "B", "PresentationIntentType": "FOR PRESENTATION"}
NOT_NULL = ["PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "StudyDate", "Modality", "PatientIdentityRemoved", "DeidentificationMethod"]
REMOVED = ["PatientAddress", "PatientTelephoneNumbers", "OtherPatientIDs", "PatientBirthName", "PatientMotherBirthName", "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "OperatorsName", "PerformingPhysicianName", "PhysiciansOfRecord", "StationName", "DeviceSerialNumber", "MilitaryRank", "RequestingPhysician", "MedicalRecordLocator", "CurrentPatientLocation"]
DATES = ["StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"]
TEXTS = [("StudyDescription", "Pelvis AP {name}", "pelvis ap"), ("SeriesDescription", "left hip {id}", "left hip"), ("ProtocolName", "PELVIS {doctor}", "pelvis"), ("ImageComments", "fracture of the hip, call {phone}, {name}", "fracture of the hip"), ("PerformedProcedureStepDescription", "hip right for {hospital}", "hip right"), ("RequestedProcedureDescription", "Hip lateral {name} born {birth}", "hip lateral")]


def film(p, n, person, days, pixels, folder):
    r = p.random
    last, first, number, doctor, hospital, birth, phone = person
    ds = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = RETAINED["SOPClassUID"], p.uid(), p.uid(), p.uid(), p.uid()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID, ds.file_meta.TransferSyntaxUID = ds.SOPClassUID, ds.SOPInstanceUID, "1.2.840.10008.1.2.1"
    for keyword, value in RETAINED.items():
        if value and keyword not in ("SOPClassUID",):
            setattr(ds, keyword, eval(value) if value.startswith("[") else value)
    ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.AccessionNumber = number, f"{last}^{first}", birth, p.number("accession number", 8)
    for keyword in REMOVED:
        setattr(ds, keyword, {"PatientTelephoneNumbers": phone, "InstitutionName": hospital, "OtherPatientIDs": number}.get(keyword, f"{last} {doctor}"[:16]))
    day = (datetime.date(2017, 3, 1) + datetime.timedelta(days)).strftime("%Y%m%d")
    for keyword in DATES:
        setattr(ds, keyword, day)
    fill = dict(name=p.spelled(last, first), id=number, doctor=doctor, phone=phone, hospital=hospital, birth=birth)
    for keyword, text, _ in TEXTS:
        setattr(ds, keyword, text.format(**fill))
    ds.ReferencedStudySequence = Sequence([planted.reference(ds.StudyInstanceUID)])
    ds.SourceImageSequence = Sequence([planted.reference(ds.SOPInstanceUID)])
    ds.private_block(0x0009, "ACME", create=True).add_new(1, "LO", f"{last}^{first}")
    canvas, taken, items = pixels.copy(), [], []
    for text in (f"{last}, {first}", number)[: n % 3]:
        old, drawing.string = drawing.string, lambda rng: (text, False, False)
        item = drawing.draw_text(np.random.default_rng(r.randrange(1 << 30)), canvas, planted.FONTS, taken, .25, (12, 40))
        drawing.string = old
        items += [item] if item else []
    codes = np.round(canvas * 4095).astype("<u2")
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated, ds.HighBit, ds.PixelRepresentation = *codes.shape, 1, 16, 11, 0
    ds.BitsStored, ds.BurnedInAnnotation = 12, "YES" if items else "NO"
    ds.PixelData = codes.tobytes()
    path = f"{folder}/{n:04}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path, items


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("coxa")
    parser.add_argument("work")
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--simulated", required=True)
    args = parser.parse_args()
    planted.FONTS = drawing.fonts_of(1)
    shutil.rmtree(args.work, ignore_errors=True)
    os.makedirs(f"{args.work}/in")
    p = planted.Planter(23)
    pngs = sorted(glob.glob(f"{args.simulated}/images/*.png"))
    truth = []
    for n in range(2 * args.patients):
        if n % 2 == 0:
            person = (p.word(), p.word(), p.number("patient ID", 8), p.word(), p.word(), p.birth_date(), p.number("telephone", 10))
        pixels = np.asarray(Image.open(pngs[n % len(pngs)]).convert("L"), np.float32) / 255
        days = p.random.randint(0, 300)
        path, items = film(p, n, person, days, pixels, f"{args.work}/in")
        truth.append((path, person, items))
    key = f"{args.work}/key"
    command = [args.coxa, "deidentify", f"{args.work}/in", "--out", f"{args.work}/out", "--key", key, "--threads", "2"]
    run = subprocess.run([*command, "--create-key"], capture_output=True)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    held = [(line, items) for line, (_, _, items) in zip(lines, truth) if line["status"] == "withheld"]
    print(f"withheld for review: {len(held)} of {len(lines)} films, {sum(not items for _, items in held)} of them without text")
    with open(f"{args.work}/regions.csv", "w") as table:
        table.write("serial,x,y,width,height,verdict\n")
        for line, items in held:
            for r in line["regions"] or [dict(zip(("x", "y", "width", "height"), item["box"])) for item in items]:
                touches = any(r["x"] < x + w and x < r["x"] + r["width"] and r["y"] < y + h and y < r["y"] + r["height"] for x, y, w, h in (item["box"] for item in items))
                table.write(f"{line['serial']},{r['x']},{r['y']},{r['width']},{r['height']},{'blank' if touches else 'keep'}\n")
    run = subprocess.run([*command, "--regions", f"{args.work}/regions.csv"], capture_output=True)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    scores = {}

    def ask(category, right, what=""):
        one = scores.setdefault(category, [0, 0, []])
        one[0] += bool(right)
        one[1] += 1
        if not right:
            one[2].append(what)

    uids, patients, shifts = {}, {}, {}
    for (path, person, items), line in zip(truth, lines):
        before = pydicom.dcmread(path)
        if line["status"] == "withheld":
            ask("tag_retained", False, f"film {line['serial']} withheld: {line['reason']}")
            if not items:
                ask("pixels_retained", False, f"film {line['serial']} withheld: {line['reason']}")
            continue
        out = f"{args.work}/out/{line['file']}"
        after = pydicom.dcmread(out)
        for keyword in RETAINED:
            ask("tag_retained", str(after.get(keyword)) == str(before.get(keyword)), keyword)
        for keyword in NOT_NULL:
            ask("text_notnull", after.get(keyword) not in (None, ""), keyword)
        for keyword in REMOVED:
            ask("tag_removed", after.get(keyword) in (None, ""), keyword)
        ask("tag_removed", not any(element.tag.is_private for element in after), "private")
        last, first, number, doctor, hospital, birth, phone = person
        for keyword, _, kept in TEXTS:
            text = str(after.get(keyword, "")).lower()
            for word in kept.split():
                ask("text_retained", word in text.replace(",", " ").split(), f"{keyword}: {word} of `{text}`")
            for word in (last, first, number, doctor, hospital, birth, phone):
                ask("text_removed", word.lower() not in text, f"{keyword}: {word}")
        for keyword in DATES:
            parse = lambda ds: datetime.datetime.strptime(ds.get(keyword, ""), "%Y%m%d")
            moved = (parse(before) - parse(after)).days
            shifts.setdefault(number, moved)
            ask("date_shifted", moved != 0 and moved == shifts[number], keyword)
        pairs = [(before.get(k), after.get(k)) for k in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")]
        for sequence in ("ReferencedStudySequence", "SourceImageSequence"):
            inner = after.get(sequence)
            pairs += [(before[sequence][0].ReferencedSOPInstanceUID if hasattr(before[sequence], "__getitem__") else before[sequence].value[0].ReferencedSOPInstanceUID, inner[0].ReferencedSOPInstanceUID)] if inner else []
        for old, new in pairs:
            ask("uid_changed", new and old != new, str(old))
            uids.setdefault(old, new)
            ask("uid_consistent", new and uids[old] == new, str(old))
        patients.setdefault(number, after.PatientID)
        ask("patid_consistent", after.PatientID == after.PatientName and patients[number] == after.PatientID, number)
        a, b = shown(path)[1], shown(out)[1]
        for item in items:
            x, y, w, h = item["box"]
            ask("pixels_hidden", (b[y:y + h, x:x + w] == 0).mean() >= .95, f"film {line['serial']}: {item}")
        if not items:
            ask("pixels_retained", (a == b).all(), f"film {line['serial']}: {int((a != b).sum())} pixels")
    ask("patid_consistent", len(set(patients.values())) == len(patients), "two patients became one")
    ask("uid_consistent", len(set(uids.values())) == len(uids), "two UIDs became one")
    for category, (right, asked, wrong) in sorted(scores.items()):
        print(f"{category:<18}{right:>7} of {asked:>7}  {100 * right / asked:.3f} %", wrong[:3] if wrong else "")
    right, asked = sum(s[0] for s in scores.values()), sum(s[1] for s in scores.values())
    print(f"{'all':<18}{right:>7} of {asked:>7}  {100 * right / asked:.3f} %")


if __name__ == "__main__":
    main()
