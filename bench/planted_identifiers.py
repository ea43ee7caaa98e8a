#!/usr/bin/env python3
"""Plants 2,000 identifiers in films, de-identifies the films, and searches every byte of what comes out.

Usage: bench/planted_identifiers.py COXA WORK [--identifiers 2000] [--films 250] [--simulated DIR] [--read 60] [--no-readers]

Names in many orders and spellings, IDs, birth dates, addresses, telephone numbers, UIDs, accession numbers, physicians and institutions are
planted in the header, private elements, sequences, overlays, texts, the pixels, their unused bits, the bytes after them, the preamble, the file
meta information, comments of compressed pixels, a DICOMDIR, an encapsulated document, file names, folders and the registry, in six character
sets and six transfer syntaxes. The output folder, standard output, standard error, the registry, the encrypted linking table, and all that a run
leaves which is aborted in the middle, with dumps of memory allowed, are searched in UTF-8, Latin-1, UTF-16 (both orders), GB18030, Big5, EUC-KR and
ISO 2022, whatever the case, in the files as they are and with their pixels decoded; and the pixels by two text readers. Exit code 1 if anything is left.

Needs numpy, pillow, opencv-python, pydicom; for the readers tesseract and rapidocr-onnxruntime; for compressed films dcmtk.
"""
import argparse, concurrent.futures, glob, json, os, random, re, shutil, signal, subprocess, sys
import numpy as np, pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
import text_drawing as drawing

ENCODINGS = ["utf-8", "latin-1", "utf-16-le", "utf-16-be", "gb18030", "big5", "euc-kr", "iso2022_jp", "iso2022_jp_2", "iso2022_kr"]
SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu za bri cro dwe fla gri kle plo sku tro vly zwe".split()
CHARSETS = ["", "ISO_IR 100", "ISO_IR 192", "GB18030", "\\ISO 2022 IR 87", "\\ISO 2022 IR 149"]
PYTHON = {"": "ascii", "ISO_IR 100": "latin-1", "ISO_IR 192": "utf-8", "GB18030": "gb18030"}


class Planter:
    """Makes identifiers and remembers them."""

    def __init__(self, seed):
        self.random, self.planted = random.Random(seed), {}

    def note(self, kind, text):
        self.planted.setdefault(text, kind)
        return text

    def word(self, kind="name"):
        while True:
            word = "".join(self.random.choice(SYLLABLES) for _ in range(self.random.randint(3, 4))).capitalize()
            if word not in self.planted:
                return self.note(kind, word)

    def han(self):
        return self.note("name in Chinese", "".join(chr(self.random.randint(0x5000, 0x8f00)) for _ in range(3)))

    def number(self, kind, n=8, prefix=""):
        return self.note(kind, prefix + str(self.random.randint(10 ** (n - 1), 10 ** n - 1)))

    def birth_date(self):
        return self.note("birth date", f"{self.random.randint(1921, 1959)}{self.random.randint(1, 12):02}{self.random.randint(1, 28):02}")

    def uid(self):
        return self.note("UID", f"1.2.826.0.1.{self.random.randint(10 ** 8, 10 ** 9)}.{self.random.randint(10 ** 8, 10 ** 9)}")

    def spelled(self, last, first):
        return self.random.choice([f"{last}^{first}", f"{first} {last}", f"{last}, {first}", f"{last.upper()} {first.upper()}", f"{last.lower()}{first.lower()}", f"{first}_{last}", f"{last}-{first}", f"{first[0]}. {last}", f"Dr {first} {last} MD"])


def film(p, n, pixels, charset):
    """A film with about ten identifiers of its own, and how its pixels' text reads."""
    r = p.random
    last, first, doctor, hospital, street = p.word(), p.word(), p.word("physician"), p.word("institution"), p.word("address")
    number, accession, birth = p.number("patient ID", 8, r.choice(["", "ID", "H-"])), p.number("accession number", 7, "A"), p.birth_date()
    phone = p.number("telephone", 10)
    han = p.han() if charset in ("ISO_IR 192", "GB18030") else ""
    name = lambda: p.spelled(last, first)
    meta = FileMetaDataset()
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SpecificCharacterSet = charset.split("\\") if charset else None
    if not charset:
        del ds.SpecificCharacterSet
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = p.uid(), p.uid(), p.uid()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"][n % 3]
    meta.SourceApplicationEntityTitle = last.upper()[:16]
    ds.preamble = (f"{last}^{first} {number}".encode() + b"\0" * 128)[:128] if n % 4 == 0 else b"\0" * 128
    ds.PatientName = f"{last}^{first}" + (f"={han}" if han else "")
    ds.PatientID, ds.PatientBirthDate, ds.AccessionNumber, ds.PatientSex, ds.PatientAge = number, birth, accession, "F", "071Y"
    ds.OtherPatientNames, ds.PatientBirthName = f"{first}^{last}", f"{last}^{first}^^Mrs"
    ds.PatientAddress, ds.PatientTelephoneNumbers = f"12 {street} Road", phone
    ds.ReferringPhysicianName, ds.PerformingPhysicianName, ds.OperatorsName = f"{doctor}^Ann", f"{doctor}^Ann^^Dr", f"{doctor}"
    ds.InstitutionName, ds.InstitutionAddress, ds.StationName = f"{hospital} Hospital", f"{street} Road 12", hospital.upper()[:16]
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.Modality = f"2017{r.randint(1, 12):02}{r.randint(1, 28):02}", "101112", accession[-7:], "DX"
    ds.StudyDescription = r.choice([f"Pelvis AP {name()}", f"{name()} hip left", f"hip for Dr {doctor}, {hospital}"])
    ds.SeriesDescription = f"AP {first} {number}"
    ds.ImageComments = f"call {phone}, {street} Road; {name()}; born {birth[6:]}.{birth[4:6]}.{birth[:4]} " + han
    ds.PatientComments, ds.AdditionalPatientHistory = f"{name()} fell at {hospital}", f"{doctor.upper()} saw {last.lower()}"
    ds.ProtocolName, ds.BodyPartExamined, ds.ViewPosition = f"PELVIS {last}", "PELVIS", "AP"
    ds.DerivationDescription, ds.AcquisitionDeviceProcessingDescription = f"by {doctor}", f"{hospital} look"
    ds.DeviceSerialNumber, ds.ManufacturerModelName, ds.Manufacturer = p.number("serial number", 9), f"DX {hospital}", "Acme"
    ds.RequestAttributesSequence = Sequence([nested(p, name, number, accession, doctor, 0)])
    ds.ReferencedStudySequence = Sequence([reference(p.uid())])
    ds.PerformedProcedureStepDescription, ds.CurrentPatientLocation = f"{last} hip", f"Ward {street}"
    block = ds.private_block(0x0009, f"{hospital} {last}"[:60], create=True)
    block.add_new(1, "LO", f"{last}^{first}")
    block.add_new(2, "UN", f"{first} {number}".encode("utf-16-le"))
    block.add_new(3, "SQ", Sequence([nested(p, name, number, accession, doctor, 2)]))
    ds.add_new(0x60000010, "US", 8); ds.add_new(0x60000011, "US", 64); ds.add_new(0x60000022, "LO", name()[:60]); ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1]); ds.add_new(0x60000100, "US", 1); ds.add_new(0x60000102, "US", 0); ds.add_new(0x60001500, "LO", last)
    ds.add_new(0x60003000, "OW", (f"{last} {first}".encode() + b" " * 64)[:64])
    ds.add_new(0x50003000, "OW", (number + " " * 8)[:len(number) // 2 * 2 + 2].encode())
    taken, items = [], []
    canvas = pixels.copy()
    for text in ((f"{last}, {first}", number, f"{hospital} Hospital", f"DOB {birth[:4]}-{birth[4:6]}-{birth[6:]}") if n % 2 == 0 else ()):
        old = drawing.string
        drawing.string = lambda rng: (text, False, False)
        item = drawing.draw_text(np.random.default_rng(r.randrange(1 << 30)), canvas, FONTS, taken, .25, (12, 40))
        drawing.string = old
        items += [item] if item else []
    codes = np.round(canvas * 4095).astype("<u2")
    if n % 5 == 0:
        hidden = np.frombuffer((f"{last}{number}" * 4).encode()[:32], np.uint8)
        flat = codes.reshape(-1)
        flat[:32] = flat[:32] & 0x0fff | ((hidden & 15).astype("<u2") << 12)
    tail = (f"{last}^{first}" + " " * (len(last + first) % 2 ^ 1)).encode() if n % 6 == 0 else b""
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = *codes.shape, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = codes.tobytes() + tail
    return ds, (last, first, number), items


def reference(uid):
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", uid
    return item


def nested(p, name, number, accession, doctor, depth):
    item = Dataset()
    item.ScheduledProcedureStepDescription, item.ScheduledProcedureStepID, item.RequestedProcedureID = f"hip {name()}"[:60], accession, number
    item.RequestedProcedureDescription, item.RequestingPhysician, item.AccessionNumber = f"Pelvis {doctor}", f"{doctor}^Ann", accession
    if depth < 2:
        item.ReferencedStudySequence = Sequence([reference(p.uid())])
        item.RequestAttributesSequence = Sequence([nested(p, name, number, accession, doctor, depth + 1)])
    return item


def encode_names(ds, charset):
    """pydicom encodes by the stated character set; where a text cannot be, it is left out."""
    for element in list(ds.iterall()):
        if element.VR in ("PN", "LO", "LT", "SH", "ST", "UT") and charset in PYTHON:
            try:
                str(element.value).encode(PYTHON[charset])
            except UnicodeEncodeError:
                element.value = ""


def forms(text):
    """The bytes that a text may be written as, in lower case where that is ASCII."""
    found = set()
    for text in {text, text.upper(), text[::-1]} if len(text) > 6 else {text}:
        for encoding in ENCODINGS:
            try:
                bytes_ = text.encode(encoding)
            except UnicodeEncodeError:
                continue
            for escape in (b"\x1b$B", b"\x1b(B", b"\x1b$)C", b"\x1b(J", b"\x0e", b"\x0f"):
                bytes_ = bytes_.replace(escape, b"")
            if len(bytes_) > 3:
                found.add(bytes_.lower())
    return found


class Searcher:
    """Finds any of many forms in bytes, by their first four."""

    def __init__(self, planted):
        self.by_head = {}
        for text, kind in planted.items():
            for form in forms(text):
                self.by_head.setdefault(form[:4], []).append((form, text, kind))
        self.heads = np.array(sorted(int.from_bytes(head, "little") for head in self.by_head), np.uint32)

    def find(self, data):
        data = data.lower()
        raw = np.frombuffer(data, np.uint8).astype(np.uint32)
        if len(raw) < 4:
            return []
        windows = raw[:-3] | raw[1:-2] << 8 | raw[2:-1] << 16 | raw[3:] << 24
        places = np.nonzero(np.isin(windows, self.heads))[0]
        return [(text, kind) for at in places for form, text, kind in self.by_head[data[at:at + 4]] if data.startswith(form, at)]


def make(args, p):
    """Writes the inputs; returns what the pixels say by SOP Instance UID."""
    root = f"{args.work}/in"
    os.makedirs(root)
    pngs = sorted(glob.glob(f"{args.simulated}/images/*.png")) if args.simulated else []
    rng = np.random.default_rng(5)
    people, drawn, n = [], {}, 0
    while n < args.films or len(p.planted) < args.identifiers:
        if pngs:
            from PIL import Image
            pixels = np.asarray(Image.open(pngs[n % len(pngs)]).convert("L"), np.float32) / 255
        else:
            y, x = np.mgrid[0:600, 0:500]
            pixels = (.25 + .2 * np.sin(x / 90) * np.cos(y / 70) + rng.normal(0, .01, x.shape)).clip(0, 1).astype(np.float32)
        charset = CHARSETS[n % len(CHARSETS)]
        ds, person, items = film(p, n, pixels, charset)
        encode_names(ds, charset)
        folder = f"{root}/{person[0]}_{person[1]}"
        os.makedirs(folder, exist_ok=True)
        path = f"{folder}/{person[2]}.dcm"
        ds.save_as(path, enforce_file_format=True)
        if n % 3 == 0 and shutil.which("dcmcjpeg") and n % 6 == 3:
            tool = ["dcmcjpeg", "+e1"] if n % 12 == 3 else ["dcmcjpls", "+el"]
            if subprocess.run([*tool, path, path + ".c"], capture_output=True).returncode == 0:
                os.replace(path + ".c", path)
        elif n % 7 == 0 and shutil.which("dcmcrle") and subprocess.run(["dcmcrle", path, path + ".c"], capture_output=True).returncode == 0:
            os.replace(path + ".c", path)
        people.append((person, ds.StudyDate))
        drawn[n] = items
        n += 1
    if shutil.which("dcmmkdir"):
        some = glob.glob(f"{root}/*/*.dcm")[:20]
        os.makedirs(f"{root}/medium")
        for i, path in enumerate(some):
            shutil.copy(path, f"{root}/medium/F{i}")
        subprocess.run(["dcmmkdir", "+D", "DICOMDIR", "-Pgp", "+I", *[f"F{i}" for i in range(len(some))]], cwd=f"{root}/medium", capture_output=True)
    letter = Dataset()
    letter.SOPClassUID, letter.SOPInstanceUID, letter.PatientName = "1.2.840.10008.5.1.4.1.1.104.1", p.uid(), f"{people[0][0][0]}^{people[0][0][1]}"
    letter.EncapsulatedDocument, letter.MIMETypeOfEncapsulatedDocument = b"%PDF " + people[0][0][0].encode() + b"  "[:1 + len(people[0][0][0]) % 2], "application/pdf"
    letter.file_meta = FileMetaDataset()
    letter.file_meta.TransferSyntaxUID, letter.file_meta.MediaStorageSOPClassUID, letter.file_meta.MediaStorageSOPInstanceUID = "1.2.840.10008.1.2.1", letter.SOPClassUID, letter.SOPInstanceUID
    letter.save_as(f"{root}/letter.dcm", enforce_file_format=True)
    with open(f"{args.work}/registry.csv", "w") as file:
        file.write("patient,injury_date,age,sex,diagnosis,name\n")
        for (last, first, number), _ in people:
            file.write(f"{number},2017-03-04,71,F,820.{p.random.randint(0, 9)},{last} {first}\n")


def pixels_read(path):
    """What the readers find in the pixels of a film; `None` where they are compressed, as nothing was found in them."""
    from burned_in_text import read, shown
    return None if pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID.is_compressed else read(shown(path)[0])


def abort(args, key):
    """De-identifies the films once more and aborts the program after five; a folder with all that it left: output, messages, a dump."""
    folder = f"{args.work}/crashed"
    os.makedirs(folder)
    script = f"cd {folder}; ulimit -c unlimited; exec \"$@\" 2> messages"
    command = [os.path.abspath(args.coxa), "deidentify", os.path.abspath(f"{args.work}/in"), "--out", "out", "--key", os.path.abspath(key), "--threads", "2"]
    run = subprocess.Popen(["bash", "-c", script, "bash", *command], stdout=subprocess.PIPE)
    lines = [run.stdout.readline() for _ in range(5)]
    run.send_signal(signal.SIGABRT)
    with open(f"{folder}/receipts", "wb") as file:
        file.writelines([*lines, run.stdout.read()])
    print(f"aborted after 5 films: exit {run.wait()}, {sum(os.path.isfile(path) for path in glob.glob(folder + '/**/*', recursive=True, include_hidden=True))} files left")
    return folder


def main():
    global FONTS
    parser = argparse.ArgumentParser()
    parser.add_argument("coxa")
    parser.add_argument("work")
    parser.add_argument("--identifiers", type=int, default=2000)
    parser.add_argument("--films", type=int, default=250)
    parser.add_argument("--simulated")
    parser.add_argument("--read", type=int, default=60, help="how many films the readers see")
    parser.add_argument("--no-readers", action="store_true")
    args = parser.parse_args()
    FONTS = drawing.fonts_of(1)
    shutil.rmtree(args.work, ignore_errors=True)
    os.makedirs(args.work)
    p = Planter(11)
    make(args, p)
    key, out = f"{args.work}/key", f"{args.work}/out"
    phrase = f"{args.work}/phrase"
    open(phrase, "w").write("a long enough passphrase\n")
    run = subprocess.run([args.coxa, "deidentify", f"{args.work}/in", "--out", out, "--create-key", "--key", key, "--registry", f"{args.work}/registry.csv", "--registry-out", f"{args.work}/registry_out.csv", "--link-table", f"{args.work}/link.age", "--link-passphrase-file", phrase, "--threads", "2"], capture_output=True)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    written = [line for line in lines if line["status"] != "withheld"]
    reasons = {}
    for line in lines:
        if line["status"] == "withheld":
            reasons[line["reason"]] = reasons.get(line["reason"], 0) + 1
    print(f"{len(p.planted)} identifiers in {len(lines)} files; {len(written)} written; withheld: {reasons}")
    searcher = Searcher(p.planted)
    inputs = sum(bool(searcher.find(open(path, "rb").read())) for path in glob.glob(f"{args.work}/in/**/*", recursive=True) if os.path.isfile(path))
    print(f"input files in which the search finds some: {inputs}")
    left = []
    look = lambda where, data: left.extend((where, text, kind) for text, kind in searcher.find(data))
    look("standard output", run.stdout)
    look("standard error", run.stderr)
    for path in [f"{args.work}/registry_out.csv", f"{args.work}/link.age", *glob.glob(f"{out}/**/*", recursive=True)]:
        look("name", path[len(args.work):].encode())
        if os.path.isfile(path):
            look(path, open(path, "rb").read())
    decoded = 0
    for line in written:
        ds = pydicom.dcmread(f"{out}/{line['file']}")
        if ds.file_meta.TransferSyntaxUID.is_compressed:
            plain = f"{args.work}/plain.dcm"
            for tool in (["dcmdjpeg"], ["dcmdjpls"], ["dcmdrle"]):
                if subprocess.run([*tool, f"{out}/{line['file']}", plain], capture_output=True).returncode == 0:
                    look(f"{line['file']} decoded", open(plain, "rb").read())
                    decoded += 1
                    break
    print(f"films whose compressed pixels were decoded and searched: {decoded}")
    verify = subprocess.run([args.coxa, "deidentify", "verify", out, "--key", key, "--registry", f"{args.work}/registry.csv", "--link-table", f"{args.work}/link.age", "--link-passphrase-file", phrase], capture_output=True, text=True)
    print("verify:", verify.stderr.strip().splitlines()[-1:], "exit", verify.returncode)
    crashed = abort(args, key)
    for path in [path for path in glob.glob(f"{crashed}/**/*", recursive=True, include_hidden=True) if os.path.isfile(path)]:
        look(path[len(args.work):], open(path, "rb").read())
        look("name", path[len(crashed):].encode())
    seen = 0
    if not args.no_readers:
        from burned_in_text import letters
        words = {letters(text): text for text, kind in p.planted.items() if kind in ("name", "patient ID", "institution")}
        chosen = written[::max(1, len(written) // args.read)]
        with concurrent.futures.ProcessPoolExecutor(2) as pool:
            texts = list(pool.map(pixels_read, [f"{out}/{line['file']}" for line in chosen]))
        print(f"films whose pixels were read: {sum(text is not None for text in texts)}")
        for line, text in zip(chosen, texts):
            found = letters(text or "")
            hits = [text for word, text in words.items() if len(word) > 4 and word in found]
            seen += len(hits)
            for text in hits:
                print(f"  read in the pixels of film {line['serial']}: `{text}`")
        print(f"identifiers read in the pixels: {seen}")
    for where, text, kind in left[:40]:
        print(f"  left: {kind} `{text}` in {where}")
    print(f"identifiers left: {len(left) + seen}")
    sys.exit(1 if left or seen else 0)


if __name__ == "__main__":
    main()
