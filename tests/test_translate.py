"""Runs that translate, through the commands and the Python API."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

import flaxgan
from flaxgan.evaluate import main as evaluate_main
from flaxgan.runs.loading import load
from flaxgan.runs.naming import CheckpointName
from flaxgan.runs.trained import load_run
from flaxgan.sample import main as sample_main
from flaxgan.translate import main as translate_main
from tests.conftest import size_of

TINY = ("--image-size", 16, "--features", 2, "--batch-size", 8, "--patch", 16, "--log-every", 1)
OWN = {
    "pix2pix": ("--source", "edges"),
    "cyclegan": ("--pool", 4, "--blocks", 1),
    "cut": ("--patches", 8, "--blocks", 1),
    "srgan": ("--scale", 2, "--blocks", 1, "--pixel-images", 16, "--perceptual", 0.1),
}


@pytest.fixture
def train_method(train, pictures, tmp_path):
    def call(method, name, *argv):
        target = ("--target", pictures / "squares") if method in ("cyclegan", "cut") else ()
        dataset = pictures / "discs" if target else pictures
        run = tmp_path / name
        argv = (*TINY, *OWN[method], *target, *argv)
        train("--method", method, "--dataset", dataset, "--run-dir", run, *argv)
        return run

    return call


def leaves(run_dir, step):
    state = load(load_run(run_dir), CheckpointName("step", step), jax.devices()[0])
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def rows(run_dir):
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if k not in ("images_per_second", "time")}
        for line in lines
    ]


@pytest.mark.slow
@pytest.mark.parametrize("method", OWN)
def test_a_resumed_run_equals_an_unbroken_one(train_method, method):
    """To the bit, the pool, the schedule and the phase included."""
    unbroken = train_method(method, "unbroken", "--max-steps", 4, "--schedule", "constant")
    broken = train_method(method, "broken", "--max-steps", 2, "--schedule", "constant")
    flaxgan.train(run_dir=broken, max_steps=4)
    pairs = zip(leaves(unbroken, 4), leaves(broken, 4), strict=True)
    assert all((a == b).all() for a, b in pairs)
    assert rows(unbroken) == rows(broken)
    (last,) = [path for path in (unbroken / "generated_images").iterdir() if "epoch" in path.name]
    assert last.read_bytes() == (broken / "generated_images" / last.name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("method", OWN)
def test_a_run_is_translated_with_and_measured(
    train_method, printed, refused, pictures, tmp_path, method
):
    run = train_method(method, "run", "--max-steps", 2, "--evaluate-every", "1 step")
    logged = rows(run)
    assert "kid_efficientnet_lite0" in logged[-1] and (run / "best_checkpoint").is_dir()
    assert (run / "losses.png").exists() and (run / "real_vs_generated.png").exists()
    out = tmp_path / "out"
    printed(translate_main, run, pictures, "--output", out)
    scale = 2 if method == "srgan" else 1
    made = sorted(out.rglob("*.png"))
    assert len(made) == 40 and made[0].relative_to(out).parts[0] == "discs"
    assert size_of(made[0]) == (24 * scale, 24 * scale)
    assert "is there already" in refused(run, pictures, "--output", out, command=translate_main)
    large = tmp_path / "photo.jpg"
    Image.new("RGB", (37, 22), "orange").save(large)
    printed(translate_main, run, large, "--output", tmp_path / "one")
    assert size_of(tmp_path / "one" / "photo.png") == (37 * scale, 22 * scale)
    backwards = (run, large, "--output", tmp_path / "two", "--backwards")
    if method == "cyclegan":
        printed(translate_main, *backwards)
        assert size_of(tmp_path / "two" / "photo.png") == (37, 22)
    else:
        assert "is for --method cyclegan" in refused(*backwards, command=translate_main)
    assert "flaxgan.translate" in refused(run, command=sample_main)

    text = printed(evaluate_main, run)
    assert "doing nothing" in text
    content = json.loads((run / "evaluation.json").read_text())
    metrics = content["metrics"]
    expected = {
        "pix2pix": {"l1", "psnr", "psnr_luma", "ssim", "ssim_luma", "target_distance"},
        "srgan": {"l1", "psnr", "psnr_luma", "ssim", "ssim_luma", "target_distance"},
        "cyclegan": {"source_distance", "cycle_distance"},
        "cut": {"source_distance"},
    }[method]
    assert metrics.keys() >= expected | {"kid_efficientnet_lite0", "fd_efficientnet_lite0"}
    assert all("nothing" in metrics[name] for name in expected)
    assert (run / "evaluation_translations.png").exists()
    assert "leave --real" in refused(run, "--real", pictures, command=evaluate_main)


def test_what_a_translation_takes_and_does_not(refused, pictures, tmp_path):
    assert "give that too" in refused("--method", "cut", "--dataset", pictures)
    assert "has no pairs" in refused("--method", "pix2pix")
    message = refused("--method", "cut", "--dataset", pictures, "--latent-dim", 8)
    assert "--latent-dim" in message
    message = refused(
        *("--method", "srgan", "--dataset", pictures, "--image-size", 30, "--scale", 4)
    )
    assert "--image-size 30x30" in message
    missing = refused(*("--method", "cut", "--dataset", pictures, "--target", tmp_path / "nowhere"))
    assert "nowhere" in missing


@pytest.mark.slow
def test_translating_with_a_gan_is_refused(train, refused, pictures, tmp_path):
    run = tmp_path / "run"
    train(
        *("--dataset", pictures, "--run-dir", run, "--image-size", 16, "--features", 4),
        *("--batch-size", 8, "--max-steps", 1),
    )
    picture = next(pictures.rglob("*.png"))
    argv = (run, picture, "--output", tmp_path / "out")
    assert "flaxgan.sample" in refused(*argv, command=translate_main)


@pytest.mark.slow
def test_arrays_in_python():
    rng = np.random.default_rng(0)
    dark, bright = (rng.integers(a, a + 100, (24, 16, 16, 3), np.uint8) for a in (0, 150))
    seen = []
    run = flaxgan.train(
        dark, method="cut", target=bright, image_size=16, features=4, batch_size=8, patch=16,
        blocks=1, patches=8, max_steps=2, run_dir="two", on_snapshot=lambda *x: seen.append(x),
    )  # fmt: skip
    assert run.step == 2 and seen[-1][0].shape[1:] == (16, 16, 3)
    model = run.load()
    assert model.translate(dark[:3]).shape == (3, 16, 16, 3)
    assert model.translate(dark[:1, :9, :13, :1]).shape == (1, 9, 13, 3)
    with pytest.raises(flaxgan.UserError, match="uint8"):
        model.translate(dark.astype(np.float32))
    with pytest.raises(flaxgan.UserError, match="translates pictures"):
        model.sample(4)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
