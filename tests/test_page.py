"""The folder of a page: whole or not there, and nothing of others overwritten."""

import jax
import numpy as np
import pytest

import flaxgan
from flaxgan.formats import webpage
from flaxgan.formats.graph import Graph, Node, Tensor
from flaxgan.main import main
from flaxgan.methods.latent_space import strongest
from flaxgan.page import main as page
from tests.conftest import TINY

pytestmark = pytest.mark.slow  # the runs that they look at are trained first


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, pictures):
    run_dir = tmp_path_factory.mktemp("page") / "run"
    main(["--dataset", str(pictures), "--run-dir", str(run_dir), "--epochs", "1", *TINY])
    return run_dir


def test_a_page_is_a_folder_with_all_its_files(run_dir, tmp_path, printed):
    said = printed(page, run_dir, "--output", tmp_path / "deep" / "site", "--title", "Discs")
    assert said.startswith(f"a page in {tmp_path / 'deep' / 'site'}, ")
    names = {file.name for file in (tmp_path / "deep" / "site").iterdir()}
    own = {file.name for file in webpage.SITE.iterdir()}
    assert names == own | {"model.js"}
    text = (tmp_path / "deep" / "site" / "model.js").read_text()
    assert '"title": "Discs"' in text and '"float16"' in text
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["site"], "nothing is left"


def test_a_folder_with_other_things_in_it_is_refused(run_dir, tmp_path, refused):
    (tmp_path / "notes.txt").write_text("mine")
    for output in (tmp_path, tmp_path / "notes.txt"):
        error = refused(run_dir, "--output", output, command=page)
        assert "is there already; name another" in error
    assert "belongs to the run" in refused(
        run_dir, "--output", run_dir / "config.json", command=page
    )
    assert "no run of flaxgan" in refused(tmp_path, "--output", tmp_path / "site", command=page)
    assert "can't be written" in refused(run_dir, "--output", "/proc/nothing/site", command=page)
    assert "leave it out" in refused(
        run_dir, "--output", tmp_path / "site", "--backwards", command=page
    )
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_the_folder_that_one_is_in_is_taken_if_it_is_empty(run_dir, tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    model = flaxgan.load(run_dir)
    model.page(tmp_path / "link")
    assert (tmp_path / "real" / "index.html").exists() and (tmp_path / "link").is_symlink()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    model.page(".")
    assert (tmp_path / "here" / "index.html").exists()


def test_a_page_that_fails_half_way_is_not_there(run_dir, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    (tmp_path / "site").mkdir()  # an empty folder is taken
    monkeypatch.setattr("pathlib.Path.write_text", full)
    model = flaxgan.load(run_dir)
    with pytest.raises(flaxgan.UserError, match="No space left"):
        model.page(tmp_path / "site")
    assert [*tmp_path.rglob("*")] == [tmp_path / "site"]
    monkeypatch.undo()
    model.page(tmp_path / "site")
    assert (tmp_path / "site" / "index.html").is_file()


def test_an_operator_that_a_page_lacks_is_named():
    node = Node("Erf", ("z",), ("images",))
    shape = {"images": Tensor("float32", ("N", 1))}
    with pytest.raises(flaxgan.UserError, match="it has no Erf"):
        webpage.script(Graph({"z": Tensor("float32", ("N", 1))}, shape, [node], {}), {}, {})


def test_weights_that_float16_can_not_hold_stay_float32(run_dir, tmp_path):
    model = flaxgan.load(run_dir)
    network = model.generators["result"]
    large = network.replace(params=jax.tree.map(lambda x: x * 1e6, network.params))
    for name, generator in (("as it is", network), ("large", large)):
        facts = {"title": "", "facts": ""}
        webpage.write_page(tmp_path / name, generator, model.config, "result", facts)
    sizes = [(tmp_path / name / "model.js").read_text() for name in ("as it is", "large")]
    assert ['"float16"' in text for text in sizes] == [True, False]


def test_the_strongest_directions_are_those_of_the_first_dense_layer():
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    kernel = (turned * np.linspace(5, 1, 20)) @ np.linalg.qr(rng.normal(size=(40, 20)))[0].T
    found = strongest(kernel.astype(np.float32))
    assert found.shape == (20, 20)
    np.testing.assert_allclose(np.abs(found[:16] @ turned[:, :16]), np.eye(16), atol=1e-4)


def test_the_page_forbids_itself_all_of_the_outside():
    texts = {file.name: file.read_text() for file in webpage.SITE.iterdir()}
    assert "default-src 'none'; script-src 'self' file: 'wasm" in texts["index.html"]
    assert [name for name, text in texts.items() if "://" in text or "http:" in text] == []
