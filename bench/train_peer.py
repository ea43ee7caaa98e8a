"""Trains in PyTorch what a run of `coxa train` trained: the same films, split, recipe and number of steps, with torchvision's
DenseNet-121 and its own augmentation. Prints each epoch, and at the end the validation AUC with its 95% interval (DeLong).

    python bench/train_peer.py --run runs/fracatlas-1 --dataset fracatlas --stage fractures

Stages that start from the one before are started from this program's own weights of it: `--save` and `--start`. A localization or
patch stage has no peer here.
"""

import argparse
import csv
import math
import random
import time
import tomllib
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image


def letterboxed(path, size):
    film = Image.open(path).convert("L")
    scale = size / max(film.size)
    film = film.resize(tuple(max(1, round(side * scale)) for side in film.size), Image.BOX)
    square = Image.new("L", (size, size))
    square.paste(film, ((size - film.width) // 2, (size - film.height) // 2))
    return np.asarray(square, np.float32) / 255.0


def varied(images, recipe):
    """Zoom along each axis, flips and rotation, as a batch."""
    n = len(images)
    zoom = 1 + recipe["zoom"] * (2 * torch.rand(n, 2) - 1)
    angle = torch.deg2rad(recipe["rotation_degrees"] * (2 * torch.rand(n) - 1))
    flip = torch.ones(n, 2)
    for axis, key in enumerate(["horizontal_flip", "vertical_flip"]):
        if recipe[key]:
            flip[:, axis] = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    turn = torch.stack([torch.cos(angle), -torch.sin(angle), torch.sin(angle), torch.cos(angle)], 1).view(n, 2, 2)
    matrix = turn * (flip / zoom)[:, None, :]
    grid = torch.nn.functional.affine_grid(torch.cat([matrix, torch.zeros(n, 2, 1)], 2), images.shape, align_corners=False)
    return torch.nn.functional.grid_sample(images, grid, align_corners=False)


def delong(positive, negative):
    """AUC and the standard error of DeLong, DeLong and Clarke-Pearson (1988)."""
    order = (positive[:, None] > negative[None]) + 0.5 * (positive[:, None] == negative[None])
    auc = order.mean()
    variance = order.mean(1).var(ddof=1) / len(positive) + order.mean(0).var(ddof=1) / len(negative)
    return auc, math.sqrt(variance)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--start", type=Path, help="weights that this program saved")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    random.seed(args.seed)

    stages = tomllib.loads((args.run / "recipe.toml").read_text())["stage"]
    number, stage = next((i, s) for i, s in enumerate(stages, 1) if s["name"] == args.stage)
    if "localization" in stage or "patch" in stage:
        raise SystemExit("a stage with localization or patches has no peer here")
    with open(args.run / f"{number}-{args.stage}" / "split.csv") as file:
        part = {row["image_id"]: row["part"] for row in csv.DictReader(file)}
    with open(args.dataset / "manifest.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["image_id"] in part]
    column = "body_part" if stage["target"] == "body_part" else "label"
    classes = sorted({row[column] for row in rows})
    size, batch = stage["input_size"], stage["batch"]
    images = torch.from_numpy(np.stack([letterboxed(args.dataset / row["path"], size) for row in rows]))[:, None]
    target = torch.tensor([classes.index(row[column]) for row in rows])
    train = [i for i, row in enumerate(rows) if part[row["image_id"]] == "train"]
    held = [i for i, row in enumerate(rows) if part[row["image_id"]] != "train"]

    binary = column == "label"
    model = torchvision.models.densenet121(num_classes=1 if binary else len(classes))
    model.features.conv0 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    if args.start:
        kept = {k: v for k, v in torch.load(args.start).items() if not k.startswith("classifier.")}
        model.load_state_dict(kept, strict=False)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), stage["optimizer"]["learning_rate"])
    steps = stage["epochs"] * math.ceil(len(train) / batch)
    schedule = stage["schedule"]
    if schedule["kind"] == "cosine":
        least, warm = schedule["min_lr"] / stage["optimizer"]["learning_rate"], schedule["warm_up_steps"]

        def rate(step):
            return min(1, (step + 1) / max(warm, 1)) * (least + (1 - least) * 0.5 * (1 + math.cos(math.pi * step / steps)))

        adjust = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    else:
        adjust = None

    def loss_of(logits, wanted):
        if binary:
            return torch.nn.functional.binary_cross_entropy_with_logits(logits.float()[:, 0], wanted.float())
        return torch.nn.functional.cross_entropy(logits.float(), wanted)

    bf16 = stage["precision"] == "bf16"
    for epoch in range(stage["epochs"]):
        start, total = time.time(), 0.0
        random.shuffle(train)
        model.train()
        for at in range(0, len(train), batch):
            chosen = train[at : at + batch]
            picture = varied(images[chosen], stage["augment"]).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                logits = model(picture)
            loss = loss_of(logits, target[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if adjust:
                adjust.step()
            total += loss.item() * len(chosen)
        model.eval()
        with torch.no_grad():
            logits = torch.cat([model(images[held[i : i + 32]]) for i in range(0, len(held), 32)])
        wanted = target[held]
        called = (logits[:, 0] > 0).long() if binary else logits.argmax(1)
        line = f"epoch {epoch + 1}: loss {total / len(train):.4f}; validation loss {loss_of(logits, wanted):.4f}"
        line += f", accuracy {(called == wanted).float().mean():.4f}"
        if binary:
            score, label = logits[:, 0].numpy(), wanted.numpy()
            auc, error = delong(score[label == 1], score[label == 0])
            line += f", AUC {auc:.4f} ({auc - 1.96 * error:.4f}-{auc + 1.96 * error:.4f})"
        print(f"{line} ({time.time() - start:.0f} s)", flush=True)
    if args.save:
        torch.save(model.state_dict(), args.save)


if __name__ == "__main__":
    main()
