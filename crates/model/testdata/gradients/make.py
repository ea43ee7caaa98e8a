"""Every parameter's gradient of the shipped network on four simulated films, from PyTorch in f64.

The films are `coxa simulate pelvis --n 4 --size 128 --seed 93 --close-up 1 --format png`, letterboxed by hand to 128×128. Writes
expected.json: for each tensor the norm of its gradient and its dot product with two vectors that tests/gradients.rs makes alike. Beside
them stands how far PyTorch's own f32 and its bfloat16 (autocast) lie from its f64. Needs torch, torchvision, safetensors and pillow.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE / "../../../engine/testdata/densenet121"))
from make import network, probe, rounded  # noqa: E402

# Wrong for each film, so that the gradient is not the small rest that a right answer leaves. Films are such that no ReLU's input that
# matters is within rounding of zero: where one is, PyTorch's own f32 is off by 1e-3 to 2e-2 in the worst tensor, and so are we (median 1e-6).
# Small films have fewer such inputs. With other weights take the first seed of 128×128 films whose PyTorch f32, printed below, is within 1e-4 with one
# thread and with two, and with which every dispatch path of ours passes tests/gradients.rs.
TARGETS = [1, 0, 1, 0]


def films() -> torch.Tensor:
    pictures = [np.asarray(Image.open(path), dtype=np.float32) / 255.0 for path in sorted((HERE / "films").glob("*.png"))]
    return torch.from_numpy(np.stack(pictures))[:, None]


def gradients(dtype, autocast=False):
    net = network(1)
    weights = {name: value.float() for name, value in load_file(HERE / "../../shipped/model.safetensors").items()}
    missing, extra = net.load_state_dict(weights, strict=False)
    assert not extra and all(name.endswith("num_batches_tracked") for name in missing)
    net = net.to(dtype).train()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits = net(films().to(dtype))[:, 0].to(dtype)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(TARGETS, dtype=dtype))
    loss.backward()
    return loss, {name: p.grad.flatten().double() for name, p in net.named_parameters()}


if __name__ == "__main__":
    loss, exact = gradients(torch.float64)


    def apart(found):
        errors = sorted(float((found[name] - g).norm() / g.norm()) for name, g in exact.items())
        return {"median": errors[len(errors) // 2], "most": errors[len(errors) * 95 // 100], "worst": errors[-1]}

    own, half = apart(gradients(torch.float32)[1]), apart(gradients(torch.float32, autocast=True)[1])
    tensors = {
        name: {"norm": float(g.norm()), "probes": [float(g @ probe(name, which, g.numel())) for which in (1, 2)]}
        for name, g in exact.items()
    }
    print(loss.item(), own, half)
    answer = {"targets": TARGETS, "loss": loss.item(), "pytorch_f32": own, "pytorch_bf16": half, "tensors": tensors}
    (HERE / "expected.json").write_text(json.dumps(rounded(answer), separators=(",", ":")) + "\n")
