#!/usr/bin/env python3
"""Plants strings and side markers on films, and scores what `coxa deidentify` leaves of them.

Usage: bench/burned_in_text.py COXA WORK --fracatlas DIR [--half 0|1] [--films 500] [--readers 200] [--simulated DIR]

WORK becomes a folder with the films (`in`), what de-identification makes of them (`out`) and the tables. Half 0 is for tuning, half 1 is held
out: other fonts, other films of FracAtlas (by blocks of consecutive numbers), other seeds of the simulator. Each film has 1 to 5 strings and
0 to 3 markers, 8 or 16 bits allocated, 8 to 16 stored, MONOCHROME1 or 2, signed or not. What is printed:

- strings unreadable: neither reader (tesseract, rapidocr-onnxruntime) finds four characters of it in a row, or as many as it has, in its
  place and 30 pixels around; of the strings of the first `--readers` films, and how many of them the readers could read before;
- strings covered: at least 95 % of its ink lies in blanked pixels; a string counts as withheld if its film is;
- markers kept: no more than 5 % of its box is blanked;
- anatomy blanked: pixels brighter than 5 % of the film's range that lie outside of the strings' boxes and half a height around;
- whether any pixel outside of the regions in the receipt has changed; seconds.

Needs numpy, pillow, pydicom, rapidocr-onnxruntime, opencv-python, and tesseract.
"""
import argparse, concurrent.futures, glob, json, os, re, subprocess, time
import cv2, numpy as np, pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from PIL import Image
import text_drawing as drawing
from text_network import fracatlas, gray


def write(path, film, rng, serial):
    """Writes a film of numbers from 0 to 1 as a DX image."""
    bits = int(rng.choice([8, 10, 12, 14, 16]))
    signed, inverted = bits > 8 and rng.random() < .15, rng.random() < .4
    top = 2 ** bits - 1
    codes = np.round((1 - film if inverted else film) * top).astype(np.int64) - (2 ** (bits - 1) if signed else 0)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", f"1.2.826.0.1.3680043.10.999.{serial}"
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = meta.MediaStorageSOPInstanceUID + ".1", meta.MediaStorageSOPInstanceUID + ".2"
    ds.PatientID, ds.PatientName, ds.Modality = f"T{serial}", "Test^Film", "DX"
    ds.Rows, ds.Columns = film.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME1" if inverted else "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8 if bits == 8 else 16, bits, bits - 1, int(signed)
    ds.PixelData = codes.astype(("i" if signed else "u") + ("1" if bits == 8 else "2")).tobytes()
    ds.save_as(path, enforce_file_format=True)


def make(args):
    rng = np.random.default_rng(1000 + args.half)
    fonts = drawing.fonts_of(args.half)
    real = [f for f in fracatlas(args.fracatlas, args.half == 0)]
    real = [real[i] for i in rng.permutation(len(real))[:args.films // 2]]
    simulated = sorted(glob.glob(f"{args.simulated}/images/*.png"))[:args.films - args.films // 2]
    os.makedirs(f"{args.work}/in", exist_ok=True)
    truth = {}
    for n, path in enumerate(real + simulated):
        film = gray(path)
        if film is None:
            continue
        width = int(rng.uniform(512, 3000))
        height = int(film.shape[0] * width / film.shape[1])
        film = np.clip(cv2.resize(film, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
        if rng.random() < .5:
            film = np.clip(film + rng.normal(0, rng.uniform(.002, .02), film.shape), 0, 1).astype(np.float32)
        clean = film.copy()
        if rng.random() < .15:
            film = (film * rng.uniform(.2, .8)).astype(np.float32)
        taken, items = [], []
        for _ in range(rng.integers(0, 4)):
            items.append(drawing.draw_marker(rng, film, fonts, taken))
        for _ in range(rng.integers(1, 6)):
            items.append(drawing.draw_text(rng, film, fonts, taken))
        name = f"{n:05}.dcm"
        write(f"{args.work}/in/{name}", film, rng, n + 1)
        anatomy = np.packbits(clean > .05 * clean.max() + .02)
        truth[name] = {"items": [i for i in items if i], "source": "fracatlas" if n < len(real) else "simulated", "shape": film.shape}
        np.save(f"{args.work}/in/{name}.npy", anatomy)
    json.dump(truth, open(f"{args.work}/truth.json", "w"), default=lambda v: v.item())


def shown(path):
    """A film as 8 bits, white highest, and its stored values."""
    ds = pydicom.dcmread(path)
    kind = np.dtype(("i" if ds.PixelRepresentation else "u") + str(ds.BitsAllocated // 8))
    codes = np.frombuffer(ds.PixelData, kind)[:ds.Rows * ds.Columns].reshape(ds.Rows, ds.Columns).astype(np.int32)
    low = -(2 ** (ds.BitsStored - 1)) if ds.PixelRepresentation else 0
    value = (codes - low) / (2 ** ds.BitsStored - 1) * 255
    return np.round(255 - value if ds.PhotometricInterpretation == "MONOCHROME1" else value).astype(np.uint8), codes


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


def place(image, box, turned):
    x, y, w, h = box
    part = image[max(y - 30, 0):y + h + 30, max(x - 30, 0):x + w + 30]
    return np.ascontiguousarray(np.rot90(part, 1)) if turned else part


def readable(args):
    before, after, item = args
    tries = lambda part: [part] if not item["turned"] else [part, np.ascontiguousarray(part[::-1, ::-1])]
    was = any(is_read(item["text"], read(part)) for part in tries(before))
    left = after is not None and any(is_read(item["text"], read(part)) for part in tries(after))
    return was, left


def score(args, seconds):
    truth = json.load(open(f"{args.work}/truth.json"))
    lines = [json.loads(line) for line in open(f"{args.work}/receipts.jsonl")]
    names = sorted(truth)
    rows, tasks, missed = [], [], []
    totals = dict(films=0, withheld=0, strings=0, covered=0, in_withheld=0, markers=0, kept=0, markers_withheld=0, touched=0)
    anatomy = {"fracatlas": [0, 0], "simulated": [0, 0]}
    worst = []
    for line in lines:
        name = names[line["serial"] - 1]
        one = truth[name]
        totals["films"] += 1
        held = line["status"] == "withheld"
        totals["withheld"] += held
        image, codes = shown(f"{args.work}/in/{name}")
        mask = np.zeros(image.shape, bool)
        for r in line.get("regions", []):
            mask[r["y"]:r["y"] + r["height"], r["x"]:r["x"] + r["width"]] = True
        after = None
        if not held:
            after, blanked = shown(f"{args.work}/out/{line['file']}")
            totals["touched"] += int(((codes != blanked) & ~mask).any())
        own = np.zeros(image.shape, bool)
        for item in one["items"]:
            x, y, w, h = item["box"]
            inside = mask[y:y + h, x:x + w]
            if item["kind"] == "marker":
                totals["markers_withheld" if held else "markers"] += 1
                ok = inside.mean() <= .05
                totals["kept"] += int(ok and not held)
                if not ok and not held:
                    missed.append((name, item))
                continue
            grow = min(w, h) // 2 + 4
            own[max(y - grow, 0):y + h + grow, max(x - grow, 0):x + w + grow] = True
            totals["strings"] += 1
            if held:
                totals["in_withheld"] += 1
            elif inside.mean() >= .95:
                totals["covered"] += 1
            else:
                missed.append((name, {**item, "covered": round(float(inside.mean()), 3)}))
            if len(rows) < 10 ** 9 and int(name[:5]) % max(1, args.films // max(args.readers, 1)) == 0 and not held:
                tasks.append((place(image, item["box"], item["turned"]).copy(), place(after, item["box"], item["turned"]).copy(), item))
        bits = np.unpackbits(np.load(f"{args.work}/in/{name}.npy"))[:image.size].reshape(image.shape).astype(bool)
        if not held:
            lost, all_ = int((mask & bits & ~own).sum()), int((bits & ~own).sum())
            anatomy[one["source"]][0] += lost
            anatomy[one["source"]][1] += all_
            worst.append((lost / max(all_, 1), name))
    print(json.dumps({**totals, "films a second": round(totals["films"] / seconds, 2), "seconds": round(seconds, 1)}))
    share = lambda a, b: f"{100 * a / max(b, 1):.3f} %"
    print("strings covered", share(totals["covered"], totals["strings"] - totals["in_withheld"]), "| with withheld films", share(totals["covered"] + totals["in_withheld"], totals["strings"]))
    print("markers kept", share(totals["kept"], totals["markers"]))
    print("anatomy blanked", {k: share(*v) for k, v in anatomy.items()}, "worst films", [(round(100 * a, 2), n) for a, n in sorted(worst, reverse=True)[:8]])
    print("films with pixels changed outside of the regions", totals["touched"])
    json.dump(missed, open(f"{args.work}/missed.json", "w"))
    print("missed", len(missed))
    for name, item in missed[:args.show]:
        print(" ", name, {k: item.get(k) for k in ("kind", "text", "size", "style", "turned", "box", "covered")})
    if args.readers:
        with concurrent.futures.ProcessPoolExecutor(2) as pool:
            results = list(pool.map(readable, tasks, chunksize=4))
        was, left = sum(a for a, _ in results), sum(b for _, b in results)
        print(f"readers: {len(results)} strings, readable before {was}, after {left}: unreadable", share(len(results) - left, len(results)), "| of those readable before", share(was - sum(a and b for a, b in results), was))
        for (_, _, item), (_, b) in zip(tasks, results):
            if b:
                print("  still read:", {k: item.get(k) for k in ("text", "size", "style", "turned", "box")})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("coxa")
    parser.add_argument("work")
    parser.add_argument("--fracatlas", required=True)
    parser.add_argument("--simulated")
    parser.add_argument("--half", type=int, default=0)
    parser.add_argument("--films", type=int, default=500)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--show", type=int, default=25)
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    if not args.simulated:
        args.simulated = f"{args.work}/simulated"
        if not os.path.exists(args.simulated):
            subprocess.run([args.coxa, "simulate", "pelvis", "--out", args.simulated, "-n", str(args.films - args.films // 2), "--seed", str(7000 + args.half), "--size", "768", "--format", "png", "--clutter", "0"], check=True, stderr=subprocess.DEVNULL)
    if not os.path.exists(f"{args.work}/truth.json"):
        make(args)
    key = f"{args.work}/key"
    if not os.path.exists(key):
        subprocess.run([args.coxa, "deidentify", "--create-key", "--key", key], check=True)
    subprocess.run(["rm", "-rf", f"{args.work}/out"], check=True)
    films = sorted(glob.glob(f"{args.work}/in/*.dcm"))
    begun = time.time()
    with open(f"{args.work}/receipts.jsonl", "w") as out:
        subprocess.run([args.coxa, "deidentify", *films, "--out", f"{args.work}/out", "--key", key, "--threads", "2"], stdout=out, stderr=subprocess.DEVNULL)
    score(args, time.time() - begun)


if __name__ == "__main__":
    main()
