#!/usr/bin/env python3
"""De-identifies the films of bench/planted_identifiers.py with coxa and with other programs, and compares what they leave.

Usage: bench/deidentify_peers.py COXA WORK [FILMS]

Programs: coxa, pydicom's deid (its default recipe with header and pixel rules, private elements removed), dicognito (as it comes). CTP
is not on a package index and is not run. For each: identifiers left (different ones, in bytes of files and names; pixels are not read), films written, films
unreadable, seconds. Needs deid and dicognito from PyPI beside what bench/planted_identifiers.py needs.
"""
import glob, os, shutil, subprocess, sys, time
import numpy as np, pydicom
import planted_identifiers as planted
import text_drawing as drawing


def films(work):
    return sorted(path for path in glob.glob(f"{work}/in/*/*") if path.endswith(".dcm"))


def by_coxa(coxa, work, paths, out):
    subprocess.run([coxa, "deidentify", *paths, "--out", out, "--key", f"{work}/key", "--threads", "1"], capture_output=True)


def by_deid(coxa, work, paths, out):
    from deid.config import DeidRecipe
    from deid.dicom import get_identifiers, replace_identifiers
    from deid.dicom.pixels import DicomCleaner
    recipe = DeidRecipe(deid=None, base=True, default_base="dicom")
    os.makedirs(out)
    for path in paths:
        try:
            cleaned = replace_identifiers([path], deid=recipe, ids=get_identifiers([path]), save=True, output_folder=out, overwrite=True, remove_private=True)
            cleaner = DicomCleaner(output_folder=out)
            if cleaner.detect(cleaned[0]).get("flagged"):
                cleaner.clean()
                cleaner.save_dicom(output_folder=out)
                os.replace(f"{out}/cleaned-{os.path.basename(cleaned[0])}", cleaned[0])
        except Exception as error:
            print("  deid:", type(error).__name__, str(error)[:80])


def by_dicognito(coxa, work, paths, out):
    os.makedirs(out)
    for n, path in enumerate(paths):
        shutil.copy(path, f"{out}/{n}.dcm")
    subprocess.run([sys.executable, "-m", "dicognito", "--in-place", "--quiet", out], capture_output=True, check=True)


def damaged(work, paths, out):
    """How many outputs cannot be read."""
    wrong = 0
    for path in glob.glob(f"{out}/**/*.dcm", recursive=True):
        try:
            ds = pydicom.dcmread(path)
            ds.pixel_array
        except Exception:
            wrong += 1
    return wrong


def main():
    coxa, work = sys.argv[1:3]
    films_wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 250
    planted.FONTS = drawing.fonts_of(1)
    p = planted.Planter(11)
    shadow = type("Args", (), dict(work=f"{work}/again", films=films_wanted, identifiers=0, simulated=None))
    shutil.rmtree(shadow.work, ignore_errors=True)
    os.makedirs(shadow.work)
    planted.make(shadow, p)
    searcher = planted.Searcher(p.planted)
    paths = films(shadow.work)
    subprocess.run([coxa, "deidentify", "--create-key", "--key", f"{work}/again/key"], capture_output=True)
    print("| program | films written | withheld or failed | identifiers left | films with any left | films unreadable | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, program in (("coxa", by_coxa), ("deid", by_deid), ("dicognito", by_dicognito)):
        out = f"{shadow.work}/{name}"
        begun = time.time()
        program(coxa, shadow.work, paths, out)
        seconds = time.time() - begun
        left, with_any = set(), 0
        written = [path for path in glob.glob(f"{out}/**/*", recursive=True) if os.path.isfile(path) and path.endswith(".dcm")]
        for path in written:
            found = searcher.find(open(path, "rb").read()) + searcher.find(path[len(out):].encode())
            left |= {text for text, _ in found}
            with_any += bool(found)
        print(f"| {name} | {len(written)} | {len(paths) - len(written)} | {len(left)} of {len(p.planted)} | {with_any} | {damaged(work, paths, out)} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
