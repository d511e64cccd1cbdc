"""Features a second of EfficientNet-Lite0 beside PyTorch's, with the same weights: python -m
benchmarks.extractors

Needs the extra `parity` (PyTorch and efficientnet-lite-pytorch). Both take 64x64 pictures that are
already resized to 224x224 for PyTorch, and uint8 64x64 ones for ours, so that ours does the
resizing besides.
"""

import argparse
import statistics

import efficientnet_lite_pytorch
import jax
import numpy as np
import torch

from benchmarks.timing import ROUNDS, alternate, finish, spread
from flaxgan.pretrained import efficientnet
from flaxgan.pretrained.extractor import Extractor, own_devices
from flaxgan.pretrained.weights import read_weights
from flaxgan.system.devices import set_up_devices

NUM = 64  # pictures of a round


def theirs(channels_last: bool, device: str, images: np.ndarray):
    network = efficientnet_lite_pytorch.EfficientNet.from_name("efficientnet-lite0")
    weights = read_weights(efficientnet.weights(), efficientnet.SHA256)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.eval().to(device, memory_format=layout)
    x = (np.asarray(efficientnet.resize(images)) - 127) / 128
    x = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).to(device).contiguous(memory_format=layout)

    @torch.inference_mode()
    def run():
        features = network.extract_features(x).mean((2, 3))
        return features.cpu().numpy()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extractors")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    set_up_devices("auto")
    device = "cpu" if jax.devices()[0].platform == "cpu" else "cuda"
    images = np.random.default_rng(0).integers(0, 256, (NUM, 64, 64, 3), np.uint8)
    extractor = Extractor("efficientnet_lite0", own_devices()[:1])
    contenders = {
        "flaxgan (resizing included)": lambda: extractor(images, ""),
        "PyTorch": theirs(False, device, images),
        "PyTorch, channels_last": theirs(True, device, images),
    }
    ours, *others = (run() for run in contenders.values())
    for other in others:
        np.testing.assert_allclose(ours, other, rtol=0, atol=1e-4 * abs(ours).max())
    times = alternate(contenders, args.rounds)
    best = min(
        (name for name in times if name.startswith("PyTorch")),
        key=lambda name: statistics.median(times[name]),
    )
    rows = [
        {
            "": name,
            "images/s": spread([NUM / t for t in values]),
            f"times {best}": spread([b / t for t, b in zip(values, times[best], strict=True)]),
        }
        for name, values in times.items()
    ]
    finish("extractors", rows, torch=torch.__version__, rounds=str(args.rounds))


if __name__ == "__main__":
    main()
