#!/usr/bin/env python3
"""Plants strings and side markers on films, and scores what `coxa deidentify` leaves of them.

Usage: bench/burned_in_text.py COXA WORK --fracatlas DIR [--half 0|1] [--films 1000] [--covered 200] [--no-header-names] [--no-readers]

Half of the films are FracAtlas's, half are simulated. Half 0 is for tuning, half 1 is held out: other fonts, other films of FracAtlas (by blocks
of consecutive numbers), other seeds of the simulator. Each film has 1 to 5 strings and 0 to 3 markers, 8 or 16 bits allocated, 8 to 16
stored, MONOCHROME1 or 2, signed or not. Its header has the names that are drawn on it, as patient's, other and physicians' names, unless
`--no-header-names` says otherwise. Films are made, de-identified and scored a few at a time; WORK/films.jsonl has a line for each, and a run that was
stopped goes on where it was. What is printed:

- strings covered: at least 95 % of its box lies in blanked pixels; a string counts as withheld if its film is;
- strings unreadable: neither reader (tesseract, rapidocr-onnxruntime) finds four characters of it in a row, or as many as it has, in its
  place and 30 pixels around. Read are all strings of written films that are not wholly blanked, and `--covered` of those that are; each also
  before. A reader that found a string which is not there would count against us;
- markers kept: no more than 5 % of its box is blanked;
- anatomy blanked: pixels brighter than 5 % of the film's range that lie outside of the strings' boxes and half a height around;
- whether any pixel outside of the regions in the receipt has changed; processor seconds of `coxa`.

Needs numpy, pillow, pydicom, opencv-python, and for the readers rapidocr-onnxruntime and tesseract.
"""
import argparse, glob, json, os, re, resource, shutil, subprocess, time
import cv2, numpy as np, pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
import text_drawing as drawing
from text_network import fracatlas, gray

CHUNK = 20


def names_of(items):
    """The names among the strings, as headers have them."""
    found = []
    for item in items:
        text = item["text"]
        if item["kind"] != "text" or not item.get("is_name"):
            continue
        if item["han"]:
            found.append(f"{text[0]}^{text[1:3]}")
        elif ", " in text or "^" in text:
            found.append("^".join(re.split(r", |\^", text)))
        elif " " in text:
            found.append("^".join(reversed(text.rsplit(" ", 1))))
        else:
            found.append(text)
    return found


def write(path, film, rng, serial, names=()):
    """Writes a film of numbers from 0 to 1 as a DX image; its stored values."""
    bits = int(rng.choice([8, 10, 12, 14, 16]))
    signed, inverted = bits > 8 and rng.random() < .15, rng.random() < .4
    top = 2 ** bits - 1
    codes = np.round((1 - film if inverted else film) * np.float32(top)).astype(np.int32)
    if signed:
        codes -= 2 ** (bits - 1)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", f"1.2.826.0.1.3680043.10.999.{serial}"
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = meta.MediaStorageSOPInstanceUID + ".1", meta.MediaStorageSOPInstanceUID + ".2"
    ds.PatientID, ds.PatientName, ds.Modality = f"T{serial}", "Test^Film", "DX"
    if names:
        ds.PatientName, ds.OtherPatientNames = names[0], names[1:2] or None
        ds.NameOfPhysiciansReadingStudy = names[2:] or None
    ds.Rows, ds.Columns = film.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME1" if inverted else "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8 if bits == 8 else 16, bits, bits - 1, int(signed)
    ds.PixelData = codes.astype(("i" if signed else "u") + ("1" if bits == 8 else "2")).tobytes()
    ds.save_as(path, enforce_file_format=True)


def noise(rng, shape):
    """Normal noise: a square of it, repeated."""
    tile = rng.standard_normal((509, 509), np.float32)
    return np.tile(tile, (shape[0] // 509 + 1, shape[1] // 509 + 1))[:shape[0], :shape[1]]


def plant(args, n, source, fonts):
    """Film number `n` with what is drawn on it: written, and the truth about it. `None` where the picture cannot be read."""
    rng = np.random.default_rng([1000 + args.half, n])
    film = gray(source)
    if film is None:
        return None
    width = int(rng.uniform(512, 3000))
    height = int(film.shape[0] * width / film.shape[1])
    film = np.clip(cv2.resize(film, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    if rng.random() < .5:
        film = np.clip(film + noise(rng, film.shape) * np.float32(rng.uniform(.002, .02)), 0, 1)
    anatomy = (film > .05 * film.max() + .02).astype(np.uint8)
    if rng.random() < .15:
        film = film * np.float32(rng.uniform(.2, .8))
    taken, items = [], []
    for _ in range(rng.integers(0, 4)):
        items.append(drawing.draw_marker(rng, film, fonts, taken))
    for _ in range(rng.integers(1, 6)):
        items.append(drawing.draw_text(rng, film, fonts, taken))
    items = [item for item in items if item]
    names = names_of(items) if args.header_names else ()
    write(f"{args.work}/in/{n:05}.dcm", film, rng, n + 1, names)
    return {"items": items, "source": "simulated" if n % 2 else "fracatlas", "shape": film.shape}, anatomy


def stored(path):
    """A film's header and its stored values."""
    ds = pydicom.dcmread(path)
    kind = np.dtype(("i" if ds.PixelRepresentation else "u") + str(ds.BitsAllocated // 8))
    return ds, np.frombuffer(ds.PixelData, kind)[:ds.Rows * ds.Columns].reshape(ds.Rows, ds.Columns)


def shown(path):
    """A film as 8 bits, white highest, and its stored values."""
    ds, codes = stored(path)
    return as_shown(ds, codes), codes.astype(np.int32)


def as_shown(ds, codes):
    low = -(2 ** (ds.BitsStored - 1)) if ds.PixelRepresentation else 0
    value = (codes.astype(np.float32) - low) / (2 ** ds.BitsStored - 1) * 255
    return np.round(255 - value if ds.PhotometricInterpretation == "MONOCHROME1" else value).astype(np.uint8)


def letters(text):
    return re.sub(r"[^0-9a-z\u4e00-\u9fff]", "", text.lower())


def is_read(expected, found):
    """Whether a reader found four characters of a string in a row, or all of a shorter one."""
    expected, found = letters(expected), letters(found)
    n = min(4, len(expected))
    return n > 0 and any(expected[i:i + n] in found for i in range(len(expected) - n + 1))


ENGINE = None


def read(image):
    """What the two readers find in a picture: of its polarity and the other, enlarged where it is small."""
    global ENGINE
    if ENGINE is None:
        from rapidocr_onnxruntime import RapidOCR
        ENGINE = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
    if image.shape[0] < 64:
        image = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    low, high = np.percentile(image, 1), np.percentile(image, 99.5)
    image = np.clip((image.astype(np.float32) - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    found = ""
    for picture in (image, 255 - image):
        ok, png = cv2.imencode(".png", picture)
        run = subprocess.run(["tesseract", "-", "-", "--psm", "6", "-l", "eng"], input=png.tobytes(), capture_output=True, env={**os.environ, "OMP_THREAD_LIMIT": "1"})
        found += run.stdout.decode("utf-8", "ignore") + "\n"
    result, _ = ENGINE(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    return found + "\n".join(line[1] for line in result or [])


def place(ds, codes, item):
    """What is shown at a string's place and 30 pixels around, upright."""
    x, y, w, h = item["box"]
    part = as_shown(ds, codes[max(y - 30, 0):y + h + 30, max(x - 30, 0):x + w + 30])
    return np.ascontiguousarray(np.rot90(part, 1)) if item["turned"] else part


def readable(path, item):
    part = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    tries = [part] if not item["turned"] else [part, np.ascontiguousarray(part[::-1, ::-1])]
    return any(is_read(item["text"], read(one)) for one in tries)


def score(args, n, truth, anatomy, line):
    """The record of a film: counts and what was missed. Pictures of strings that the readers are to see are kept."""
    name = f"{n:05}"
    held = line["status"] == "withheld"
    record = {"film": n, "source": truth["source"], "held": held, "markers": [0, 0], "touched": 0, "anatomy": [0, 0], "strings": []}
    before, codes = stored(f"{args.work}/in/{name}.dcm")
    mask = np.zeros(codes.shape, np.uint8)
    for r in line.get("regions", []):
        mask[r["y"]:r["y"] + r["height"], r["x"]:r["x"] + r["width"]] = 1
    if not held:
        after, blanked = stored(f"{args.work}/out/{line['file']}")
        record["touched"] = int(((codes != blanked) & (mask == 0)).any())
    for k, item in enumerate(truth["items"]):
        x, y, w, h = item["box"]
        covered = float(mask[y:y + h, x:x + w].mean())
        if item["kind"] == "marker":
            record["markers"][0] += covered <= .05 and not held
            record["markers"][1] += not held
            if covered > .05 and not held:
                record.setdefault("lost", []).append({**item, "covered": round(covered, 3)})
            continue
        grow = min(w, h) // 2 + 4
        anatomy[max(y - grow, 0):y + h + grow, max(x - grow, 0):x + w + grow] = 0
        one = {**item, "covered": round(covered, 3)}
        if not held:
            one["crop"] = f"{name}_{k}"
            cv2.imwrite(f"{args.work}/crops/{name}_{k}_before.png", place(before, codes, item))
            cv2.imwrite(f"{args.work}/crops/{name}_{k}_after.png", place(after, blanked, item))
        record["strings"].append(one)
    if not held:
        record["anatomy"] = [cv2.countNonZero(cv2.bitwise_and(mask, anatomy)), cv2.countNonZero(anatomy)]
    return record


def chunk(args, numbers, sources, fonts):
    """Makes, de-identifies and scores some films; a record each."""
    for folder in ("in", "out"):
        shutil.rmtree(f"{args.work}/{folder}", ignore_errors=True)
    os.makedirs(f"{args.work}/in")
    made = {n: plant(args, n, sources[n], fonts) for n in numbers}
    made = {n: one for n, one in made.items() if one}
    files = [f"{args.work}/in/{n:05}.dcm" for n in made]
    begun, used = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([args.coxa, "deidentify", *files, "--out", f"{args.work}/out", "--key", f"{args.work}/key", "--threads", "2"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wall, now = time.time() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = (now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime) / len(files)
    for n, line in zip(made, map(json.loads, run.stdout.splitlines())):
        yield {**score(args, n, *made[n], line), "seconds": round(seconds, 3), "wall": round(wall / len(files), 3), "megapixels": round(np.prod(made[n][0]["shape"]) / 1e6, 2)}


def simulated(args, numbers):
    """Pictures of simulated films for some odd numbers, made in one go."""
    if args.simulated:
        pngs = sorted(glob.glob(f"{args.simulated}/images/*.png"))
        return {n: pngs[n // 2] for n in numbers}
    folder = f"{args.work}/simulated"
    shutil.rmtree(folder, ignore_errors=True)
    seed = str(7000 + 1_000_000 * args.half + numbers[0])
    subprocess.run([args.simulator or args.coxa, "simulate", "pelvis", "--out", folder, "-n", str(len(numbers)), "--seed", seed, "--size", "640", "--format", "png", "--clutter", "0"], check=True, stderr=subprocess.DEVNULL)
    return dict(zip(numbers, sorted(glob.glob(f"{folder}/images/*.png"))))


def summary(args, records):
    share = lambda a, b: f"{100 * a / max(b, 1):.2f} % ({a} of {b})"
    total = lambda pick: sum(pick(r) for r in records)
    print(f"{len(records)} films ({total(lambda r: r['source'] == 'fracatlas')} of FracAtlas), withheld {share(total(lambda r: r['held']), len(records))}")
    strings = [(r, s) for r in records for s in r["strings"]]
    held = sum(r["held"] for r, _ in strings)
    good = sum(not r["held"] and s["covered"] >= .95 for r, s in strings)
    print("strings covered or in withheld films", share(good + held, len(strings)), "| in written films", share(good, len(strings) - held))
    print("markers kept", share(total(lambda r: r["markers"][0]), total(lambda r: r["markers"][1])))
    for source in ("fracatlas", "simulated"):
        own = [r["anatomy"] for r in records if r["source"] == source]
        print(f"anatomy blanked, {source}: {100 * sum(a for a, _ in own) / max(1, sum(b for _, b in own)):.3f} %")
    print("films with pixels changed outside of the regions", total(lambda r: r["touched"]))
    seconds = total(lambda r: r["seconds"])
    print(f"processor seconds a film {seconds / max(1, len(records)):.3f} at {total(lambda r: r['megapixels']) / max(1, len(records)):.2f} million pixels")
    known = [(r, s) for r, s in strings if "after" in s]
    if known:
        left = sum(s["after"] for _, s in known)
        partly = sum(not r["held"] and s["covered"] < 1 for r, s in strings)
        print(f"readers: {len(known)} strings of written films ({sum(s['covered'] < 1 for _, s in known)} of the {partly} not wholly blanked), readable before {sum(s['before'] for _, s in known)}, after {left}")
        print("unreadable to both readers or withheld, of all strings", share(len(strings) - left, len(strings)))
    for r, s in strings:
        if not r["held"] and (s["covered"] < .95 or s.get("after")):
            print("  missed:", r["film"], {k: s.get(k) for k in ("text", "size", "style", "turned", "box", "covered", "before", "after")})
    for r in records:
        for item in r.get("lost", []):
            print("  marker lost:", r["film"], {k: item.get(k) for k in ("text", "size", "box", "covered")})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("coxa")
    parser.add_argument("work")
    parser.add_argument("--fracatlas", required=True)
    parser.add_argument("--simulated", help="a folder of `coxa simulate` instead of films simulated here")
    parser.add_argument("--simulator", help="another program that simulates")
    parser.add_argument("--half", type=int, default=0)
    parser.add_argument("--films", type=int, default=1000)
    parser.add_argument("--covered", type=int, default=200, help="how many of the strings that are wholly blanked the readers see")
    parser.add_argument("--no-header-names", dest="header_names", action="store_false")
    parser.add_argument("--no-readers", dest="readers", action="store_false")
    args = parser.parse_args()
    os.makedirs(f"{args.work}/crops", exist_ok=True)
    key, table = f"{args.work}/key", f"{args.work}/films.jsonl"
    if not os.path.exists(key):
        subprocess.run([args.coxa, "deidentify", "--create-key", "--key", key], check=True)
    done = {record["film"]: record for record in map(json.loads, open(table))} if os.path.exists(table) else {}
    real = fracatlas(args.fracatlas, args.half == 0)
    real = [real[i] for i in np.random.default_rng(1000 + args.half).permutation(len(real))]
    fonts = drawing.fonts_of(args.half)
    for first in range(0, args.films, CHUNK):
        numbers = [n for n in range(first, min(first + CHUNK, args.films))]
        if numbers[-1] in done:
            continue
        sources = {n: real[n // 2] for n in numbers if n % 2 == 0} | simulated(args, [n for n in numbers if n % 2])
        records = list(chunk(args, numbers, sources, fonts))
        with open(table, "a") as file:
            file.writelines(json.dumps(record, default=lambda v: v.item()) + "\n" for record in records)
        done.update({record["film"]: record for record in records})
        print(f"{first + len(numbers)} films", flush=True)
    records = [done[n] for n in sorted(done)]
    if args.readers:
        rng = np.random.default_rng(3)
        strings = [s for r in records if not r["held"] for s in r["strings"]]
        whole = [s for s in strings if s["covered"] == 1]
        chosen = [s for s in strings if s["covered"] < 1] + [whole[i] for i in rng.permutation(len(whole))[:args.covered]]
        seen = f"{args.work}/read.jsonl"
        known = {one["crop"]: one for one in map(json.loads, open(seen))} if os.path.exists(seen) else {}
        for s in chosen:
            if s["crop"] not in known:
                picture = lambda when: f"{args.work}/crops/{s['crop']}_{when}.png"
                known[s["crop"]] = {"crop": s["crop"], "before": readable(picture("before"), s), "after": readable(picture("after"), s)}
                with open(seen, "a") as file:
                    file.write(json.dumps(known[s["crop"]]) + "\n")
            s.update({when: known[s["crop"]][when] for when in ("before", "after")})
    summary(args, records)


if __name__ == "__main__":
    main()
