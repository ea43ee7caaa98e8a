#!/usr/bin/env python3
"""Trains the network that finds burned-in text, and writes its weights for crates/deidentify/data/text_network.bin.

Usage: bench/text_network.py OUT.bin --fracatlas DIR --simulated DIR [--patches 6000] [--minutes 15]

Text is drawn by us over films of FracAtlas's training half (Abedeen et al., CC BY 4.0) and over simulated ones; fonts are those of the first
half. Needs numpy, pillow, opencv-python and a C compiler. The network is that of crates/deidentify/src/text/network.rs, to the letter.
"""
import argparse, concurrent.futures, ctypes, glob, os, subprocess, tempfile, time
import cv2
import numpy as np
from PIL import Image
import text_drawing as drawing

SIDE, CELL = 256, 4
SIZES = (6.5, 26.0)
"""Heights of font in the scaled film that the network answers for; a scale halves the film, so that each text is met at one scale or two."""


def is_training(path):
    """FracAtlas is split by blocks of 50 consecutive numbers, as consecutive films are of one patient."""
    return int("".join(c for c in os.path.basename(path) if c.isdigit())) // 50 % 2 == 0


def fracatlas(folder, training):
    return [f for f in sorted(glob.glob(f"{folder}/images/*/*.jpg")) if is_training(f) == training]


def gray(path):
    try:
        return np.asarray(Image.open(path).convert("L"), np.float32) / 255
    except OSError:
        return None


def normalized(film, spread):
    """A film whose local mean is 0 and local deviation 1, over 33 × 33 pixels; `spread` is that of the whole film."""
    blur = lambda a: cv2.boxFilter(a, -1, (33, 33), normalize=False, borderType=cv2.BORDER_CONSTANT)
    film = film.astype(np.float64)
    n = blur(np.ones_like(film))
    mean = blur(film) / n
    deviation = np.sqrt(np.maximum(blur(film * film) / n - mean * mean, 0))
    return np.clip((film - mean) / (deviation + .02 * spread), -4, 4).astype(np.float32)


def spread(film):
    sample = film[::7, ::7]
    return float(np.quantile(sample, .98) - np.quantile(sample, .02)) or 1.0


def halved(film):
    h, w = film.shape[0] // 2 * 2, film.shape[1] // 2 * 2
    return film[:h, :w].reshape(h // 2, 2, w // 2, 2).mean((1, 3))


def patch(rng, films, fonts):
    """A patch of a film with text, normalized, and its cells: 1 text, 0 none, and their weights."""
    scale = int(rng.choice([1, 2, 4], p=[.5, .3, .2]))
    film = films[rng.integers(len(films))]
    width = max(int(rng.uniform(512, 3000)), 300 * scale)
    need = SIDE * scale
    factor = max(width / film.shape[1], (need + 8) / min(film.shape))
    h, w = min(film.shape[0], int(need / factor) + 2), min(film.shape[1], int(need / factor) + 2)
    y, x = rng.integers(0, film.shape[0] - h + 1), rng.integers(0, film.shape[1] - w + 1)
    whole = spread(film)
    method = cv2.INTER_CUBIC if rng.random() < .7 else cv2.INTER_LINEAR
    crop = np.clip(cv2.resize(film[y:y + h, x:x + w], (need, need), interpolation=method), 0, 1)
    if rng.random() < .15:
        crop = 1 - crop
    # Overlays at the highest value of many bits make the film itself darker.
    dim = rng.uniform(.15, 1) if rng.random() < .2 else 1
    crop = np.ascontiguousarray(crop * dim + (rng.uniform(0, .1) if rng.random() < .3 else 0)).clip(0, 1)
    taken, items = [], []
    for _ in range(rng.integers(0, 4)):
        items.append(drawing.draw_marker(rng, crop, fonts, taken, (max(14, 10 * scale), min(150, 120 * scale))))
    for _ in range(rng.integers(0, 7) if rng.random() < .8 else 0):
        low, high = (SIZES[0] * scale, SIZES[1] * scale) if rng.random() < .85 else (6, 64)
        items.append(drawing.draw_text(rng, crop, fonts, taken, .08, (max(7, low), min(64, high))))
    if rng.random() < .5:
        crop = crop + rng.normal(0, rng.uniform(.002, .03) * whole * dim, crop.shape).astype(np.float32)
    if rng.random() < .15:
        levels = 255 if rng.random() < .5 else 64
        crop = np.round(crop * levels) / levels
    step = scale
    while step > 1:
        crop, step = halved(crop), step // 2
    n = SIDE // CELL
    label, weight = np.zeros((n, n), np.float32), np.ones((n, n), np.float32)
    for item in filter(None, items):
        bx, by, bw, bh = (v / scale / CELL for v in item["box"])
        height = min(bw, bh)
        if item["kind"] == "marker":
            rows, columns = slice(int(by), int(np.ceil(by + bh))), slice(int(bx), int(np.ceil(bx + bw)))
            weight[rows, columns] = 6
            continue
        size = item["size"] / scale
        around = lambda grow: (slice(max(int(round(by - grow)), 0), int(round(by + bh + grow)) or 1), slice(max(int(round(bx - grow)), 0), int(round(bx + bw + grow)) or 1))
        weight[around(max(1, .4 * height))] = 0
        if not SIZES[0] <= size <= SIZES[1]:
            continue
        core = around(0)
        core = (slice(core[0].start, max(core[0].stop, core[0].start + 1)), slice(core[1].start, max(core[1].stop, core[1].start + 1)))
        label[core], weight[core] = 1, 2
    return normalized(crop, max(whole * dim, .05)).astype(np.float16), label.astype(np.uint8), weight.astype(np.float16)


def patches(n, seed, films, fonts):
    rng = np.random.default_rng(seed)
    made = [patch(rng, films, fonts) for _ in range(n)]
    return tuple(np.stack(part) for part in zip(*made))


CHANNELS, DILATIONS = 16, (1, 2, 4, 2, 1)


SHAPES = [(25, 8), 8, (72, CHANNELS), CHANNELS] + [shape for _ in DILATIONS for shape in ((9, CHANNELS), CHANNELS, (CHANNELS, CHANNELS), CHANNELS)] + [(CHANNELS, 1), 1]
"""The arrays of the file of weights, 32-bit floats in little endian: kernels (rows, columns, inputs by outputs), each with its biases."""


def initial(rng):
    made = []
    for shape in SHAPES:
        if isinstance(shape, int):
            made.append(np.full(shape, -2. if shape == 1 else 0.))
        else:
            made.append(rng.normal(0, np.sqrt(2 / shape[0]) * (.5 if shape == (CHANNELS, CHANNELS) else 1), shape).ravel())
    return np.concatenate(made).astype(np.float32)


def library():
    """text_network.c, compiled for this machine."""
    folder = tempfile.mkdtemp()
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "text_network.c")
    subprocess.run(["cc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-o", f"{folder}/net.so", source, "-lm"], check=True)
    net = ctypes.CDLL(f"{folder}/net.so")
    floats = np.ctypeslib.ndpointer(np.float32, flags="C")
    net.judge.argtypes = [floats] * 3
    net.judge.restype = None
    net.learn.argtypes = [floats] * 4 + [ctypes.c_float, floats]
    net.learn.restype = ctypes.c_double
    return net


def judged(net, weights, patch):
    logits = np.empty((SIDE // CELL, SIDE // CELL), np.float32)
    net.judge(weights, np.ascontiguousarray(patch, np.float32), logits)
    return logits


def drawn(args, rng):
    """Patches of FracAtlas's training half and of simulated films in equal numbers."""
    real = fracatlas(args.fracatlas, True)
    chosen = rng.permutation(len(real))[:900]
    films = [film for film in (gray(real[i]) for i in chosen) if film is not None]
    simulated = [film for film in (gray(f) for f in sorted(glob.glob(f"{args.simulated}/images/**/*.png", recursive=True))) if film is not None]
    films += simulated * max(1, len(films) // max(1, len(simulated)))
    begun = time.time()
    made = patches(args.patches, args.seed, films, drawing.fonts_of(0))
    print(f"{len(films)} films, {args.patches} patches in {time.time() - begun:.0f} s", flush=True)
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--fracatlas", required=True)
    parser.add_argument("--simulated", required=True)
    parser.add_argument("--patches", type=int, default=6000)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--resume", help="weights of an earlier run (OUT.bin)")
    parser.add_argument("--cache", help="keep the patches in this file (.npz), or take them from it")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    if args.cache and os.path.exists(args.cache):
        x, y, w = (np.load(args.cache)[name] for name in "xyw")
    else:
        x, y, w = drawn(args, rng)
        if args.cache:
            np.savez(args.cache, x=x, y=y, w=w)
    net = library()
    weights = np.fromfile(args.resume, np.float32) if args.resume else initial(rng)
    m, v = np.zeros_like(weights, np.float64), np.zeros_like(weights, np.float64)
    held = max(64, len(x) // 20)
    batch, t, begun, values = 16, 0, time.time(), []
    seconds = 60 * args.minutes

    def one(i, flips):
        parts = [x[i].astype(np.float32), y[i].astype(np.float32), w[i].astype(np.float32)]
        if flips[0]:
            parts = [part[:, ::-1] for part in parts]
        if flips[1]:
            parts = [part[::-1] for part in parts]
        if flips[2]:
            parts[0] = -parts[0]
        return [np.ascontiguousarray(part) for part in parts]

    def gradient(patches):
        g, loss = np.zeros_like(weights), 0.
        total = sum(float(part[2].sum()) for part in patches) * 2
        for film, label, weight in patches:
            loss += net.learn(weights, film, label, weight, total, g)
        return g, loss

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        while (passed := time.time() - begun) < seconds:
            flips = rng.random((batch, 3)) < (.5, .3, .5)
            chosen = [one(i, f) for i, f in zip(rng.integers(held, len(x), batch), flips)]
            results = list(pool.map(gradient, (chosen[:batch // 2], chosen[batch // 2:])))
            g = sum(g.astype(np.float64) for g, _ in results)
            t += 1
            rate = 5e-3 * min(1, t / 100) * (.5 * (1 + np.cos(np.pi * passed / seconds)) + .005)
            m, v = .9 * m + .1 * g, .99 * v + .01 * g * g
            weights = (weights - rate * (m / (1 - .9 ** t)) / (np.sqrt(v / (1 - .99 ** t)) + 1e-8)).astype(np.float32)
            values.append(sum(loss for _, loss in results))
            if t % 200 == 0:
                hits = [0, 0, 0]
                for i in range(held):
                    z, yy, ww = judged(net, weights, x[i]) > 0, y[i] > 0, w[i] > 0
                    hits[0] += (z & yy).sum(); hits[1] += (yy & ww).sum(); hits[2] += (z & ~yy & ww).sum()
                print(f"step {t} {passed:.0f} s, loss {np.mean(values[-200:]):.4f}, cells found {hits[0] / hits[1]:.4f}, wrong for each right {hits[2] / max(1, hits[0]):.4f}", flush=True)
                weights.astype("<f4").tofile(args.out)
    print(f"{t} steps", flush=True)
    weights.astype("<f4").tofile(args.out)


if __name__ == "__main__":
    main()
