"""Golden values of DenseNet-121 from PyTorch: inference in evaluation mode, and a training step with batch and with running
statistics.

No weights are stored: every tensor is a formula of its name and index (SplitMix64), written here and in tests/formula.rs alike.
Writes expected.json and, for the gradients, expected_training.json beside this file. Needs torch and torchvision.
"""

import json
import math
import pathlib

import numpy as np
import torch
import torchvision

HERE = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1


def name_hash(name: str) -> int:
    """FNV-1a, 64 bits, of the UTF-8 name."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def uniform(name: str, count: int) -> np.ndarray:
    """`count` f64 values in [0, 1): the top 53 bits of SplitMix64(hash(name) + (index + 1) * golden)."""
    index = np.arange(1, count + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = np.uint64(name_hash(name)) + index * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def tensor(name: str, shape) -> torch.Tensor:
    """The formula of each kind of tensor: f64, rounded once to f32."""
    u = uniform(name, int(np.prod(shape)))
    if len(shape) == 4:  # convolutions: uniform with variance 2 / fan_in
        fan_in = shape[1] * shape[2] * shape[3]
        v = (2.0 * u - 1.0) * math.sqrt(6.0 / fan_in)
    elif name == "classifier.weight":
        v = (2.0 * u - 1.0) * 0.25
    elif name == "classifier.bias":
        v = u - 0.5
    elif name.endswith(".weight"):
        v = 0.75 + 0.5 * u
    elif name.endswith(".bias"):
        v = 0.4 * u - 0.2
    elif name.endswith(".running_mean"):
        v = 0.4 * u - 0.2
    elif name.endswith(".running_var"):
        v = 0.5 + u
    else:
        raise ValueError(name)
    return torch.from_numpy(v.astype(np.float32)).reshape(shape)


def images(n: int, size: int) -> torch.Tensor:
    """Smooth shapes and some noise in 0..=1; `u` is uniform("images.<n>.<size>")."""
    u = uniform(f"images.{n}.{size}", n * size * size).reshape(n, 1, size, size)
    y = (np.arange(size, dtype=np.float64)[:, None] + 0.5) / size
    x = (np.arange(size, dtype=np.float64)[None, :] + 0.5) / size
    out = np.empty((n, 1, size, size))
    for i in range(n):
        smooth = x * (1.0 - x) * y * (1.0 - y) * 16.0
        ramp = x if i % 2 == 0 else y
        out[i, 0] = 0.5 * smooth + 0.25 * ramp + 0.25 * u[i, 0]
    return torch.from_numpy(out.astype(np.float32))


def network(classes: int) -> torch.nn.Module:
    net = torchvision.models.densenet121(weights=None)
    net.features.conv0 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    net.classifier = torch.nn.Linear(1024, classes)
    state = {
        name: torch.zeros((), dtype=torch.int64) if name.endswith("num_batches_tracked") else tensor(name, tuple(t.shape))
        for name, t in net.state_dict().items()
    }
    net.load_state_dict(state)
    return net




def inference() -> list:
    cases = []
    with torch.no_grad():
        for classes, n, size in [(1, 1, 32), (1, 1, 64), (1, 3, 64), (3, 1, 96), (3, 3, 128), (1, 1, 160)]:
            net = network(classes).double().eval()
            features = torch.relu(net.features(images(n, size).double()))
            side = size // 32
            maps = torch.einsum("ck,nkyx->ncyx", net.classifier.weight, features) / (side * side)
            logits = net(images(n, size).double())
            assert torch.allclose(maps.sum((2, 3)) + net.classifier.bias, logits)
            cases.append(
                {
                    "classes": classes,
                    "n": n,
                    "size": size,
                    "logits": [float(np.float32(v)) for v in logits.flatten()],
                    "maps": [float(np.float32(v)) for v in maps.flatten()],
                }
            )
            print(classes, n, size, logits.flatten()[:3].tolist(), float(maps.abs().max()), float(features.std()))
    return cases


def probe(name: str, which: int, count: int) -> torch.Tensor:
    """A vector of values in [-1, 1) to take dot products with: 2·uniform("probe<which>.<name>") − 1."""
    return torch.from_numpy(2.0 * uniform(f"probe{which}.{name}", count) - 1.0)


def by_window(net, x, window: int) -> torch.Tensor:
    """The logits of the windows of `window` × `window` cells with the greatest mean."""
    maps = torch.einsum("ck,nkyx->ncyx", net.classifier.weight, torch.relu(net.features(x)))
    return torch.nn.functional.avg_pool2d(maps, window, stride=1).amax((2, 3)) + net.classifier.bias


def training() -> list:
    cases = []
    for loss_name, classes, targets, size, normalization, window in [
        ("binary", 1, [1, 0, 1, 0], 64, "batch", None),
        ("softmax", 3, [2, 0, 1, 1], 64, "batch", None),
        ("binary", 1, [1, 0, 1, 0], 64, "running", None),
        ("binary", 1, [1, 0, 1, 0], 128, "batch", 2),
    ]:
        net = network(classes).double().train(normalization == "batch")
        x = images(len(targets), size).double()
        logits = by_window(net, x, window) if window else net(x)
        if loss_name == "binary":
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], torch.tensor(targets, dtype=torch.float64))
        else:
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(targets))
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        optimizer.zero_grad()
        loss.backward()
        tensors = {}
        for name, p in net.named_parameters():
            g = p.grad.flatten()
            tensors[name] = {
                "norm": float(g.norm()),
                "probes": [float(g @ probe(name, which, g.numel())) for which in (1, 2)],
                "first": [float(v) for v in g[:2]],
            }
        optimizer.step()
        for name, p in net.named_parameters():
            w = p.detach().flatten()
            tensors[name]["stepped_probe"] = float(w @ probe(name, 1, w.numel()))
        statistics = {
            name: float(b.flatten() @ probe(name, 1, b.numel()))
            for name, b in net.named_buffers()
            if "running" in name
        }
        norms = [t["norm"] for t in tensors.values()]
        print(loss_name, float(loss), min(norms), max(norms))
        cases.append(
            {
                "loss_name": loss_name,
                "classes": classes,
                "targets": targets,
                "size": size,
                "normalization": normalization,
                "window": window,
                "learning_rate": 1e-3,
                "loss": float(loss),
                "logits": [float(v) for v in logits.detach().flatten()],
                "tensors": tensors,
                "running_probes": statistics,
            }
        )
    return cases


def rounded(value):
    """Nine significant digits: more than f32 has, and a small file."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return value


if __name__ == "__main__":
    torch.manual_seed(0)
    (HERE / "expected.json").write_text(json.dumps(rounded(inference()), indent=None, separators=(",", ":")) + "\n")
    (HERE / "expected_training.json").write_text(json.dumps(rounded(training()), indent=None, separators=(",", ":")) + "\n")
