#!/usr/bin/env python3
"""Draws a sheet of hips: simulated ones, and real ones among them in random order, for eyes that are to distinguish them.

Usage: bench/hip_sheet.py SIMULATED OUT [--real FOLDER PLACES.csv] [--each 24] [--seed 20]

SIMULATED is a folder that `cargo run --release -p coxa-simulate --example normals -- SIMULATED SEED NUMBER 512 0.5 0 0` writes: films without a
fracture, and hips.csv with the columns file, side, x, y, radius (of the femoral head, in pixels). PLACES.csv has the same columns for films below
FOLDER; `coxa simulate check` finds such places and writes them. Each hip is cut 3.2 head radii about the head, brought to 32 pixels a radius and to one
median, left ones mirrored. OUT gets sheet1.png and so on, twelve hips each, and key.csv with what is what. Needs numpy and pillow.
"""
import argparse, csv, os, random
import numpy as np
from PIL import Image, ImageDraw, ImageOps

SIDE, RADIUS, COLUMNS, ROWS = 208, 32, 4, 3


def cut(path, place):
    """The hip at its place, upright as a right one."""
    film = ImageOps.exif_transpose(Image.open(path)).convert("L")
    x, y, radius = (float(place[key]) for key in ("x", "y", "radius"))
    half = 3.2 * radius
    box = max(x - half, 0), max(y - 0.85 * half, 0), min(x + half, film.width), min(y + 1.15 * half, film.height)
    hip = film.crop(tuple(round(edge) for edge in box))
    hip = hip.resize([max(8, round(edge * RADIUS / radius)) for edge in hip.size], Image.LANCZOS)
    values = np.asarray(hip, np.float32)
    low, high = np.percentile(values, [1, 99])
    values = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    middle = np.median(values)
    if 0.1 < middle < 0.9:
        values = values ** (np.log(0.45) / np.log(middle))
    hip = Image.fromarray((values * 255).astype(np.uint8))
    hip = ImageOps.mirror(hip) if place["side"] == "left" else hip
    canvas = Image.new("L", (SIDE, SIDE))
    canvas.paste(hip.crop((0, 0, SIDE, SIDE)), ((SIDE - min(SIDE, hip.width)) // 2, (SIDE - min(SIDE, hip.height)) // 2))
    return canvas


def places(table, folder):
    """Hips whose head lies on the film."""
    for place in csv.DictReader(open(table)):
        path = os.path.join(folder, place["file"])
        width, height = ImageOps.exif_transpose(Image.open(path)).size
        if 0 < float(place["x"]) < width and 0 < float(place["y"]) < height:
            yield path, place


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simulated")
    parser.add_argument("out")
    parser.add_argument("--real", nargs=2, metavar=("FOLDER", "PLACES"))
    parser.add_argument("--each", type=int, default=24)
    parser.add_argument("--seed", type=int, default=20)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    kinds = {"simulated": (f"{args.simulated}/hips.csv", args.simulated)}
    if args.real:
        kinds["real"] = (args.real[1], args.real[0])
    hips = []
    for kind, (table, folder) in kinds.items():
        found = list(places(table, folder))
        rng.shuffle(found)
        hips += [(kind, path, place) for path, place in found[:args.each]]
    rng.shuffle(hips)
    os.makedirs(args.out, exist_ok=True)
    with open(f"{args.out}/key.csv", "w") as key:
        key.write("number,kind,file,side\n")
        for number, (kind, path, place) in enumerate(hips, 1):
            key.write(f"{number},{kind},{os.path.basename(path)},{place['side']}\n")
    for first in range(0, len(hips), COLUMNS * ROWS):
        sheet = Image.new("L", (COLUMNS * (SIDE + 8), ROWS * (SIDE + 24)), 30)
        draw = ImageDraw.Draw(sheet)
        for i, (_, path, place) in enumerate(hips[first:first + COLUMNS * ROWS]):
            x, y = i % COLUMNS * (SIDE + 8) + 4, i // COLUMNS * (SIDE + 24) + 20
            sheet.paste(cut(path, place), (x, y))
            draw.text((x, y - 16), str(first + i + 1), fill=255)
        sheet.save(f"{args.out}/sheet{first // (COLUMNS * ROWS) + 1}.png")


if __name__ == "__main__":
    main()
