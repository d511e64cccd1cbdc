"""Latents: directions, projections of pictures, and files of them."""

import csv
import shutil

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import flaxgan
from flaxgan.main import main
from flaxgan.methods.latent_space import directions, images_of, latent_space
from flaxgan.methods.projection import Projection
from flaxgan.methods.state import Network
from flaxgan.project import main as project
from flaxgan.sample import main as sample
from tests.conftest import TINY


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, pictures):
    run_dir = tmp_path_factory.mktemp("project") / "run"
    flags = ["--architecture", "dense", "--max-steps", "10", *TINY]
    main(["--dataset", str(pictures), "--run-dir", str(run_dir), *flags])
    return run_dir


@pytest.fixture(scope="module")
def model(run_dir):
    return flaxgan.load(run_dir)


class _Affine(nn.Module):
    @nn.compact
    def __call__(self, w):
        return nn.Dense(4, name="affine")(w)


class _Style(nn.Module):
    latent_dim: int = 5
    num_styles: int = 2
    num_classes: int | None = None
    text: int | None = None
    dtype: object = jnp.float32

    def setup(self):
        self.layers = [_Affine() for _ in range(2)]
        self.mapped = nn.Dense(6)

    def mapping(self, z, condition=None):
        return self.mapped(z)

    def synthesis(self, ws, noise=None):
        return sum(layer(ws[:, i]) for i, layer in enumerate(self.layers)).reshape(-1, 2, 2, 1)

    def __call__(self, z, labels=None, *, train):
        return self.synthesis(self.mapping(z)[:, None].repeat(2, 1))


@pytest.mark.slow
def test_directions_are_orthonormal_and_those_of_the_first_kernel(model):
    found = model.generators["result"]
    rows = directions(found)
    np.testing.assert_allclose(rows @ rows.T, np.eye(8), atol=1e-5)
    u, values, _ = np.linalg.svd(np.asarray(found.params["Dense_0"]["kernel"]))
    np.testing.assert_allclose(np.abs((rows * u.T).sum(1)), 1, atol=1e-3)
    assert values[0] > values[-1]
    images = model.directions([1, 3], 2.0, 5, num=3)
    assert images.shape == (2, 3, 5, 16, 16, 3)
    assert (images[:, :, 2] == model.sample(3)).all()


@pytest.mark.slow
def test_a_generator_with_a_mapping_is_edited_in_w():
    import jax

    module = _Style()
    variables = module.init(jax.random.key(0), jnp.zeros((1, 5)), train=False)
    network = Network(variables["params"], {}, (), module, None)
    space = latent_space(network)
    assert (space.name, space.shape) == ("w", (2, 6)) and directions(network).shape == (6, 6)
    assert images_of(network, jnp.zeros((3, 2, 6))).shape == (3, 2, 2, 1)


@pytest.mark.slow
def test_a_projection_finds_a_latent_that_it_drew(model):
    drawn = model.sample(2, seed=7)
    found = model.project(drawn, steps=60)
    again = model.project(drawn, steps=60)
    assert (found.latents == again.latents).all() and (
        model.draw(found.latents) == found.images
    ).all()
    others = model.sample(100, seed=8).astype(float)
    errors = np.sqrt(np.square(drawn[:, None] - others[None]).mean((2, 3, 4))) / 255
    assert (found.rms_errors < errors.min(1) / 2).all(), (found.rms_errors, errors.min(1))


@pytest.mark.slow
def test_what_was_found_before_an_interruption_stays(run_dir, model, tmp_path, monkeypatch):
    folder, out, calls = tmp_path / "in", tmp_path / "out", []
    folder.mkdir()
    for i, image in enumerate(model.sample(3, seed=3)):
        Image.fromarray(image).save(folder / f"{i}.png")

    def found(self, images, *rest):
        calls.append(len(images))
        if len(calls) == 2:
            raise KeyboardInterrupt
        none = np.zeros(2, np.float32)
        return Projection("z", np.zeros((2, 8)), None, images, none, none, images[:, None])

    monkeypatch.setattr(type(model), "project", found)
    monkeypatch.setattr("flaxgan.projections.BATCH", 2)
    with pytest.raises(SystemExit, match="130"):
        project([str(run_dir), str(folder), "--output", str(out), "--steps", "2"])
    assert calls == [2, 2], "the third picture's batch is filled up, so that it is no new program"
    assert sorted(path.name for path in out.glob("*.npz")) == ["0.npz", "1.npz"]
    assert len((out / "projections.csv").read_text().splitlines()) == 3


@pytest.mark.slow
def test_the_command_writes_what_sample_draws(run_dir, model, tmp_path, refused, sample_refused):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name, image in zip(("=a,\n'b.png", "-c.d.png"), model.sample(2, seed=3), strict=True):
        Image.fromarray(image).save(folder / name)
    project([str(run_dir), str(folder), "--output", str(out), "--steps", "5"])
    assert len([*out.iterdir()]) == 7
    rows = [*csv.DictReader((out / "projections.csv").read_text().splitlines(keepends=True))]
    assert len(rows) == 2 and float(rows[0]["feature_distance"]) >= 0
    with np.load(out / "-c.d.npz", allow_pickle=False) as content:
        assert content["z"].shape == (1, 8) and int(content["step"]) == 10
    asked = [str(run_dir), str(folder), "--output", str(out)]
    assert "is there already" in refused(*asked, command=project)
    a, b = sorted(out.glob("*.npz"))
    shutil.copy(a, tmp_path / "a.npz")
    shutil.copy(b, tmp_path / "b.npz")
    saved = [run_dir, "--latents", tmp_path / "a.npz", tmp_path / "b.npz"]
    sample([*map(str, saved), "--frames", "4", "--output", str(tmp_path / "x.npy")])
    assert np.load(tmp_path / "x.npy").shape == (5, 16, 16, 3)
    np.savez(tmp_path / "nan.npz", z=np.full((1, 8), np.nan, np.float32))
    np.savez(tmp_path / "size.npz", z=np.zeros((1, 9), np.float32))
    np.savez(tmp_path / "pickled.npz", z=np.array([{}], object))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:60])
    shutil.copy(a, tmp_path / "archive.npy")
    for name, said in (
        ("nan.npz", "no number"),
        ("size.npz", "not this run's"),
        ("pickled.npz", "can't read"),
        ("cut.npz", "can't read"),
        ("archive.npy", "can't read"),
    ):
        assert said in sample_refused(run_dir, "--latents", tmp_path / name)
    assert "no such direction" in sample_refused(run_dir, "--direction", 9)
