#!/usr/bin/env python3
"""Makes confidentiality_profile.csv: the action table of PS3.15 Annex E, Table E.1-1, with the columns of its options.

    make.py confidentiality_profile_attributes.json dicomfields_2026c.py > confidentiality_profile.csv

- The first file is standard/confidentiality_profile_attributes.json of github.com/innolitics/dicom-standard (commit d6ed9ccf, about
  edition 2024e): every attribute with every option.
- The second is of the PyPI package dicom-anonymizer 2.1.0 (edition 2026c): the Basic Profile alone. It is compared with the first, and
  what it adds is appended without options, so that no option keeps what was not reviewed. A difference in an action is an error.

The contents are facts of the DICOM Standard, which NEMA publishes.
"""

import csv
import json
import re
import sys

OPTIONS = {
    "uids": "rtnUIDsOpt",
    "device": "rtnDevIdOpt",
    "institution": "rtnInstIdOpt",
    "patient": "rtnPatCharsOpt",
    "full_dates": "rtnLongFullDatesOpt",
    "modified_dates": "rtnLongModifDatesOpt",
    "descriptors": "cleanDescOpt",
    "structured": "cleanStructContOpt",
    "graphics": "cleanGraphOpt",
}
ACTIONS = {"D": "D", "Z": "Z", "X": "X", "U": "U", "Z_D": "Z/D", "X_Z": "X/Z", "X_D": "X/D", "X_Z_D": "X/Z/D", "X_Z_U_STAR": "X/Z/U*"}


def basic_2026c(path):
    """Tag -> (action, name), without the repeating groups, which are in the first file."""
    found, action = {}, None
    pair = re.compile(r"\(\s*0x([0-9A-Fa-f]{4}),\s*0x([0-9A-Fa-f]{4}),?\s*\),?\s*#\s*(.*)")
    text = re.sub(r"\(\s*\n\s*(0x\w+),\s*\n\s*(0x\w+),\s*\n\s*\)", r"(\1, \2)", open(path, encoding="utf-8").read())
    for line in text.splitlines():
        if begins := re.match(r"([A-Z_]+)_TAGS = \[", line):
            action = ACTIONS.get(begins.group(1))
        elif (entry := pair.search(line)) and action:
            found[(entry.group(1) + entry.group(2)).upper()] = (action, entry.group(3).strip())
    return found


def main(attributes, newer):
    rows = {}
    for entry in json.load(open(attributes, encoding="utf-8")):
        tag = entry["tag"].strip("()").replace(",", "").upper()
        if not re.fullmatch(r"[0-9A-FX]{8}", tag):
            continue  # Private attributes, which a rule of their own removes.
        options = [entry.get(key, "") for key in OPTIONS.values()]
        # Some names have a note below them.
        name = entry["name"].splitlines()[0]
        rows[tag] = [tag, name, entry["basicProfile"], *options, "2024e"]
    for tag, (action, name) in basic_2026c(newer).items():
        if tag not in rows:
            rows[tag] = [tag, name, action, *[""] * len(OPTIONS), "2026c"]
        elif rows[tag][2] != action:
            sys.exit(f"{tag}: {rows[tag][2]} in one source and {action} in the other")
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["tag", "name", "basic", *OPTIONS, "edition"])
    out.writerows(rows[tag] for tag in sorted(rows))


main(*sys.argv[1:])
