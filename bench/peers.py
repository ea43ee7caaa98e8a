"""Times Coxa beside PyTorch, ONNX Runtime and OpenVINO on the same weights and the same film, in turn.

Each peer is a process of its own that loads once and then runs on request (a line on its standard input), so that the
rounds of all of them interleave. Coxa is timed by its own `bench` command, which measures inside the process as the peers do.
"""

import argparse
import ctypes.util
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def network(weights, classes=1):
    import torch
    import torchvision
    from safetensors.torch import load_file

    model = torchvision.models.densenet121(weights=None, num_classes=classes)
    model.features.conv0 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    if weights:
        missing, extra = model.load_state_dict(load_file(weights), strict=False)
        wrong = [name for name in missing if not name.endswith("num_batches_tracked")] + list(extra)
        if wrong:
            raise SystemExit(f"weights do not fit: {wrong[:5]}")
    return model


def film_tensor(args):
    """The film, as many times as the batch has."""
    import numpy as np
    import torch
    from PIL import Image

    pixels = np.asarray(Image.open(args.film), dtype=np.float32) / 255.0
    return torch.from_numpy(pixels)[None, None].repeat(args.batch, 1, 1, 1)


def run_torch_detect(args, channels_last, bf16):
    import torch

    model = network(args.weights).eval()
    film = film_tensor(args)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        film = film.contiguous(memory_format=torch.channels_last)

    def once():
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return float(model(film).float()[0, 0])

    return once


def run_torch_cam(args, whole):
    """Grad-CAM by autograd: `whole` as it is mostly written, with `backward`, which makes the gradients of all weights too; else of
    the last maps alone."""
    import torch

    model = network(args.weights).eval()
    film = film_tensor(args)

    def once():
        maps = torch.relu(model.features(film))
        logit = model.classifier(torch.flatten(torch.nn.functional.adaptive_avg_pool2d(maps, 1), 1))[0, 0]
        if whole:
            maps.retain_grad()
            model.zero_grad(set_to_none=True)
            logit.backward()
            gradient = maps.grad
        else:
            (gradient,) = torch.autograd.grad(logit, maps)
        alpha = gradient.mean(dim=(2, 3), keepdim=True)
        once.cam = torch.relu((alpha * maps).sum(1))[0].detach().numpy()
        return float(logit)

    return once


def run_torch_train(args, bf16, channels_last):
    import torch

    torch.manual_seed(0)
    model = network(args.weights).train()
    films = torch.rand(args.batch, 1, args.size, args.size)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        films = films.contiguous(memory_format=torch.channels_last)
    targets = torch.tensor([float(i % 2) for i in range(args.batch)])[:, None]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    loss_of = torch.nn.BCEWithLogitsLoss()

    def once():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = model(films)
        loss = loss_of(logits.float(), targets)
        loss.backward()
        optimizer.step()
        return float(loss)

    return once


def export_onnx(args):
    import torch

    path = Path(args.weights).with_suffix(f".{args.batch}.onnx")
    if not path.exists():
        film = film_tensor(args)
        torch.onnx.export(network(args.weights).eval(), film, str(path), input_names=["film"], output_names=["logit"], dynamo=False)
    return path


def run_onnxruntime(args):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(str(export_onnx(args)), options, providers=["CPUExecutionProvider"])
    film = film_tensor(args).numpy()
    return lambda: float(session.run(None, {"film": film})[0][0, 0])


def run_openvino(args, precision):
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(
        str(export_onnx(args)),
        "CPU",
        {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY"},
    )
    request = compiled.create_infer_request()
    film = film_tensor(args).numpy()
    return lambda: float(request.infer({0: film})[compiled.output(0)][0, 0])


PEERS = {
    "detect": {
        "pytorch f32": lambda a: run_torch_detect(a, False, False),
        "pytorch f32 channels-last": lambda a: run_torch_detect(a, True, False),
        "pytorch bf16": lambda a: run_torch_detect(a, True, True),
        "onnxruntime f32": run_onnxruntime,
        "openvino f32": lambda a: run_openvino(a, "f32"),
        "openvino bf16": lambda a: run_openvino(a, "bf16"),
    },
    "localize": {
        "pytorch autograd Grad-CAM": lambda a: run_torch_cam(a, True),
        "pytorch Grad-CAM, autograd of the maps alone": lambda a: run_torch_cam(a, False),
    },
    "train": {
        "pytorch f32 channels-last": lambda a: run_torch_train(a, False, True),
        "pytorch bf16 channels-last": lambda a: run_torch_train(a, True, True),
    },
}


def allocators():
    """PyTorch's training steps take hundreds of megabytes and release them, so the allocator counts: settings by name, of those
    that this machine has, as PyTorch's tuning guide has them. glibc ignores a mapping threshold above 32 MiB, hence no mappings."""
    settings = {"": {}, "glibc without mappings": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184"}}
    keep = "oversize_threshold:1,background_thread:true,metadata_thp:auto,dirty_decay_ms:9000000000,muzzy_decay_ms:9000000000"
    for name, env in (("jemalloc", {"MALLOC_CONF": keep}), ("tcmalloc_minimal", {})):
        library = ctypes.util.find_library(name)
        if library:
            settings[name] = {"LD_PRELOAD": library, **env}
    return settings


def worker(args):
    """Loads one peer, then times one run for each line read."""
    try:
        import torch

        torch.set_num_threads(args.threads)
    except ImportError:
        pass
    once = PEERS[args.work][args.peer](args)
    once()
    answer = {"ready": True}
    if hasattr(once, "cam"):
        answer["cam"] = once.cam.ravel().tolist()
    print(json.dumps(answer), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        value = once()
        print(json.dumps({"ms": (time.perf_counter() - start) * 1e3, "value": value}), flush=True)


class Peer:
    """A worker process and the times it has reported."""

    def __init__(self, args, work, name, size, batch, allocator):
        command = [sys.executable, __file__, "--worker", "--work", work, "--peer", name, "--weights", str(args.weights)]
        command += ["--film", str(args.film), "--threads", str(args.threads), "--size", str(size), "--batch", str(batch)]
        env = dict(os.environ, OMP_NUM_THREADS=str(args.threads), **allocator)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        self.times, self.value = [], None
        line = self.process.stdout.readline()
        self.ready = json.loads(line) if line else None

    def run(self, n):
        if not self.ready:
            return
        for _ in range(n):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
            self.times.append(answer["ms"])
            self.value = answer["value"]

    def peak_mb(self):
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return None
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return None

    def close(self):
        peak = self.peak_mb()
        self.process.stdin.close()
        self.process.wait()
        return peak


def best_allocator(args, name, size, batch):
    """The allocator's setting under which a training peer is fastest, each tried alone: together they would not fit in memory."""
    tried = {}
    for allocator, env in allocators().items():
        peer = Peer(args, "train", name, size, batch, env)
        peer.run(3)
        peak = peer.close()
        if peer.times:
            tried[allocator] = statistics.median(peer.times)
            print(f"  {name}, {allocator or 'glibc'}: {tried[allocator]:.0f} ms, {peak:.0f} MB", file=sys.stderr)
    best = min(tried, key=tried.get, default="")
    return best or "glibc", allocators()[best]


def coxa_bench(args, work, precision, size, batch, runs):
    command = [args.coxa, "bench", "--json", "--only", work, "--precision", precision, "--threads", str(args.threads)]
    command += ["--size", str(size), "--batch", str(batch), "--runs", str(runs), "--model", str(args.bundle)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return json.loads(lines[-1])


def compare(args, work, size, batch, precisions):
    peers = {}
    for name in PEERS[work]:
        allocator, env = best_allocator(args, name, size, batch) if work == "train" else ("", {})
        peer = Peer(args, work, name, size, batch, env)
        if peer.ready:
            peers[f"{name}, {allocator}" if allocator else name] = peer
        else:
            print(f"  {name}: did not start on this machine", file=sys.stderr)
    ours = {precision: [] for precision in precisions}
    memory = {}
    for _ in range(args.rounds):
        for precision in precisions:
            line = coxa_bench(args, work, precision, size, batch, args.runs)
            ours[precision].extend(line["times_ms"])
            memory[f"coxa {precision}"] = line["peak_rss_mb"]
        for peer in peers.values():
            peer.run(args.runs)
    rows = [
        {"name": f"coxa {precision}", "median_ms": statistics.median(times), "min_ms": min(times), "peak_mb": memory[f"coxa {precision}"]}
        for precision, times in ours.items()
    ]
    for name, peer in peers.items():
        value, cam = peer.value, peer.ready.get("cam")
        median, least = statistics.median(peer.times), min(peer.times)
        rows.append({"name": name, "median_ms": median, "min_ms": least, "peak_mb": peer.close(), "value": value, "cam": cam})
    return {"work": work, "size": size, "batch": batch, "threads": args.threads, "runs": args.rounds * args.runs, "rows": rows}


def print_table(result):
    print(f"\n## {result['work']}, {result['size']}×{result['size']}, batch {result['batch']}, {result['threads']} threads\n")
    ours = [row for row in result["rows"] if row["name"].startswith("coxa")]
    print("| | median ms | peak MB | " + " | ".join(f"{row['name']} ÷ it" for row in ours) + " |")
    print("|---|---|---|" + "---|" * len(ours))
    for row in result["rows"]:
        ratios = " | ".join(f"{own['median_ms'] / row['median_ms']:.2f}" for own in ours)
        peak = f"{row['peak_mb']:.0f}" if row["peak_mb"] else ""
        print(f"| {row['name']} | {row['median_ms']:.1f} | {peak} | {ratios} |")


def outputs(args, results):
    """How far Coxa's logit and raw map lie from each peer's, on the film, in each precision."""
    import math

    ours = {}
    for precision in ("f32", "bf16", "int8"):
        command = [args.coxa, "predict", str(args.film), "--model", str(args.bundle), "--json", "--cam", "--precision", precision]
        line = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        p = line["probability"]
        ours[precision] = (math.log(p / (1 - p)), line["cam"]["values"])
    print("\n## Outputs on the film\n")
    print("Coxa: " + ", ".join(f"{name} logit {logit:.6f}" for name, (logit, _) in ours.items()))
    for result in results:
        for row in result["rows"]:
            if result["work"] == "train" or result["batch"] > 1 or row.get("value") is None:
                continue
            apart = ", ".join(f"{name} {abs(logit - row['value']):.1e}" for name, (logit, _) in ours.items())
            print(f"- {row['name']}: logit {row['value']:.6f}; Coxa's differ by {apart}")
            if row.get("cam"):
                apart = ", ".join(f"{n} {max(abs(a - b) for a, b in zip(row['cam'], cam)):.1e}" for n, (_, cam) in ours.items())
                print(f"  raw map, of values up to {max(row['cam']):.3f}: largest differences {apart}")


def prepare(args, folder):
    """The weights as safetensors, a bundle of them and one film; random weights of a fixed seed where that is asked for."""
    args.film = folder / "film.png"
    if args.model != "random":
        args.bundle = args.model or Path(__file__).parent.parent / "crates/model/shipped"
        args.weights = folder / "weights.safetensors"
        subprocess.run([args.coxa, "model", "export", args.bundle, "--out", args.weights], check=True)
    else:
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(0)
        model = network(None)
        # A few steps of batch statistics, so that activations keep their scale.
        with torch.no_grad():
            for _ in range(8):
                model(torch.rand(4, 1, 128, 128))
        args.weights, args.bundle = folder / "weights.safetensors", folder / "bundle"
        save_file({k: v.contiguous() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}, args.weights)
        subprocess.run([args.coxa, "model", "import", "--weights", args.weights, "--out", args.bundle], check=True)
    films = folder / "films"
    subprocess.run([args.coxa, "simulate", "pelvis", "--n", "1", "--size", "512", "--seed", "1", "--format", "png", "--out", films], check=True)
    from PIL import Image

    picture = Image.open(next((films / "images").iterdir())).convert("L")
    square = Image.new("L", (512, 512))
    square.paste(picture.resize((512, 512)))
    square.save(args.film)


def versions():
    """What is compared, and on what."""
    from importlib.metadata import version

    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnxruntime", "openvino"))
    cpu = Path("/proc/cpuinfo")
    models = [line for line in cpu.read_text().splitlines() if line.startswith("model name")] if cpu.exists() else []
    model = models[0].split(":")[1].strip() if models else platform.processor()
    print(f"{names}; {model}, {os.cpu_count()} threads; {datetime.date.today()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coxa", default="target/release/coxa")
    parser.add_argument("--model", help="a bundle, or `random` [default: the shipped one]")
    parser.add_argument("--only", choices=list(PEERS))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", default="bench/results.json")
    for hidden in ("--work", "--peer", "--weights", "--film"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=512, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=8, help=argparse.SUPPRESS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return worker(args)
    versions()
    with tempfile.TemporaryDirectory() as folder:
        prepare(args, Path(folder))
        results = []
        if args.only in (None, "detect"):
            for batch in (1, 8):
                results.append(compare(args, "detect", 512, batch, ["f32", "bf16", "int8"]))
        if args.only in (None, "localize"):
            results.append(compare(args, "localize", 512, 1, ["f32", "bf16"]))
        if args.only in (None, "train"):
            for size in (128, 512):
                results.append(compare(args, "train", size, 8, ["f32", "bf16"]))
        for result in results:
            print_table(result)
        outputs(args, results)
        for result in results:
            for row in result["rows"]:
                row.pop("cam", None)
        Path(args.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
