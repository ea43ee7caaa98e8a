#!/usr/bin/env python3
"""Measures where the inner wall of the true pelvis lies: the table in crates/simulate/src/bones/pelvis.rs.

Usage: make.py VSD

VSD holds VSDFullBodyBoneModels v2 (Fischer, Scientific Data 2023) as binary PLY: ID_Hip_L.ply, ID_Hip_R.ply, ID_Femur_L.ply, ID_Femur_R.ply; x to the
subject's right, y forward, z up, millimeters. For each adult with both femora the heads are fitted by spheres; the hips' axis becomes the x axis
and a head's radius 22 mm. Printed is, over all hip bones, the mean of the most medial point within 3 mm of each level (y) and depth (z), from the
hip's center; "." where fewer than nine bones have one. Needs numpy.
"""
import glob, os, sys
import numpy as np

LEVELS, DEPTHS = (62, 55, 48, 40, 32, 24, 16, 8, 0, -8), range(-30, 7, 6)


def vertices(path):
    data = open(path, "rb").read()
    end = data.index(b"end_header\n") + 11
    count = int(data[:end].split(b"element vertex ")[1].split()[0])
    return np.frombuffer(data, "<f4", 3 * count, end).reshape(-1, 3).astype(float)


def sphere(points):
    """Center and radius by least squares."""
    solution = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)[0]
    return solution[:3], np.sqrt(solution[3] + solution[:3] @ solution[:3])


def head(femur, side):
    """The femoral head: from the most medial part of the upper end, whatever lies within 1 mm of its sphere."""
    near = femur[femur[:, 2] > femur[:, 2].max() - 45]
    medial = near[:, 0].min() if side == "R" else near[:, 0].max()
    points = near[np.abs(near[:, 0] - medial) < 18]
    for _ in range(40):
        center, radius = sphere(points)
        points = near[np.abs(np.linalg.norm(near - center, axis=1) - radius) < 1]
        if len(points) < 100:
            break
    return center, radius


def hips(folder):
    """Each hip bone: lateral, up and forward of its hip's center."""
    for path in sorted(glob.glob(f"{folder}/*_Hip_R.ply")):
        of = lambda bone, side: f"{path[:-len('Hip_R.ply')]}{bone}_{side}.ply"
        if not all(os.path.exists(of("Femur", side)) for side in "LR"):
            continue
        heads = {side: head(vertices(of("Femur", side)), side) for side in "LR"}
        axis = heads["R"][0] - heads["L"][0]
        turn, tilt = np.arctan2(axis[1], axis[0]), np.arctan2(axis[2], np.hypot(axis[0], axis[1]))
        upright = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]]) @ np.array(
            [[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        for side, (center, radius) in heads.items():
            right, forward, up = ((vertices(of("Hip", side)) - center) @ upright.T * (22 / radius)).T
            yield (right if side == "R" else -right), up, forward


def main():
    bones = list(hips(sys.argv[1]))
    print(f"{len(bones)} hip bones\n   y\\z " + "".join(f"{z:6}" for z in DEPTHS))
    for y in LEVELS:
        row = []
        for z in DEPTHS:
            near = [x[(abs(up - y) < 3) & (abs(forward - z) < 3)] for x, up, forward in bones]
            medial = [x.min() for x in near if len(x) > 2]
            row.append(f"{np.mean(medial):6.0f}" if len(medial) > 8 else "     .")
        print(f"{y:6} " + "".join(row))


if __name__ == "__main__":
    main()
