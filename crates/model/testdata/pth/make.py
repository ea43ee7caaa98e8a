"""Makes the small PyTorch files that the reader of .pth files is tested with, and expected.json with what PyTorch finds in them.

Run here with PyTorch installed: python make.py
"""

import collections
import json

import torch

torch.manual_seed(7)


def state_dict():
    """Tensors of every type that is read, and views: transposed, sliced, sharing a storage, scalar, empty."""
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8
    return collections.OrderedDict(
        [
            ("f32", torch.randn(3, 4)),
            ("f64", torch.randn(5, dtype=torch.float64)),
            ("f16", torch.randn(2, 3).half()),
            ("bf16", torch.randn(2, 3).bfloat16()),
            ("i64", torch.tensor([-3, 0, 2**40])),
            ("i32", torch.tensor([-3, 70000], dtype=torch.int32)),
            ("i16", torch.tensor([-300, 300], dtype=torch.int16)),
            ("i8", torch.tensor([-128, 127], dtype=torch.int8)),
            ("u8", torch.tensor([0, 255], dtype=torch.uint8)),
            ("bool", torch.tensor([True, False])),
            ("whole", base),
            ("transposed", base.t()),
            ("sliced", base[1:, ::2]),
            ("permuted", torch.arange(24, dtype=torch.float32).reshape(2, 3, 4).permute(2, 0, 1)),
            ("expanded", torch.tensor([1.5, 2.5]).unsqueeze(1).expand(2, 3)),
            ("scalar", torch.tensor(4.25)),
            ("empty", torch.zeros(0, 3)),
            ("parameter", torch.nn.Parameter(torch.tensor([0.5, -0.5]))),
        ]
    )


def module():
    """A module with children and buffers, saved whole."""
    net = torch.nn.Sequential(
        collections.OrderedDict(
            [("conv0", torch.nn.Conv2d(1, 2, 3, bias=False)), ("norm0", torch.nn.BatchNorm2d(2)), ("inner", torch.nn.Sequential(torch.nn.Linear(2, 1)))]
        )
    )
    net.norm0.running_mean.copy_(torch.tensor([0.25, -0.75]))
    return net


def listing(tensors):
    return {name: {"shape": list(t.shape), "values": [float(v) for v in t.detach().flatten().float().tolist()]} for name, t in tensors.items()}


def main():
    tensors = state_dict()
    torch.save(tensors, "zip.pth")
    torch.save(tensors, "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": {"a": torch.tensor([1.0, 2.0])}, "optimizer": {"lr": 0.1}}, "wrapped.pth")
    torch.save(module(), "module.pth")
    torch.save({"complex": torch.zeros(2, dtype=torch.complex64)}, "refused.pth")
    expected = {
        "zip.pth": listing(tensors),
        "legacy.pth": listing(tensors),
        "wrapped.pth": listing({"a": torch.tensor([1.0, 2.0])}),
        "module.pth": listing(torch.load("module.pth", weights_only=False).state_dict()),
    }
    with open("expected.json", "w") as out:
        json.dump(expected, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
