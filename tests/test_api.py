"""import flaxgan: training, sampling and measuring from a program."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
from PIL import Image

import flaxgan
from flaxgan.__main__ import main as flaxgan_command
from flaxgan.data.array import checked, open_array, read_arrays
from flaxgan.evaluate import main as evaluate
from flaxgan.methods import state_shape
from flaxgan.runs.checkpoint import Checkpoints
from flaxgan.sample import main as sample
from flaxgan.starting import base_fields
from flaxgan.system.bars import in_notebook, progress_bar
from tests.conftest import ROOT, TINY, start, succeed

SMALL = {"preset": "plain", "image_size": 16, "features": 4, "latent_dim": 8, "batch_size": 8}
PLUGIN = """
import jax.numpy as jnp
import flaxgan

flaxgan.LOSSES["mine"] = flaxgan.Loss(
    discriminator=lambda real, fake, target: jnp.exp(-real).mean() + jnp.exp(fake).mean(),
    generator=lambda real, fake: jnp.exp(-fake).mean(),
)
"""


@pytest.fixture(scope="module")
def images():
    """Bright discs and dark squares in turns, as an array."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:20, :20]
    discs = (y - 10) ** 2 + (x - 10) ** 2 < 36
    squares = np.maximum(abs(y - 10), abs(x - 10)) < 6
    noise = rng.integers(0, 60, (40, 20, 20, 3))
    shapes = np.stack([discs if i % 2 == 0 else ~squares for i in range(40)])[..., None]
    return (195 * shapes + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def labels():
    return np.arange(40) % 2


@pytest.fixture(scope="module")
def told():
    """What a training called back with: rows, and shapes and steps of snapshots."""
    return [], []


@pytest.fixture(scope="module")
def run(tmp_path_factory, images, labels, told):
    """A run of two epochs on an array with classes."""
    rows, snapshots = told
    return flaxgan.train(
        images,
        labels,
        ["discs", "squares"],
        conditional=True,
        epochs=2,
        log_every=2,
        run_dir=tmp_path_factory.mktemp("api") / "run",
        on_log=rows.append,
        on_snapshot=lambda images, step: snapshots.append(
            (images.shape, images.dtype, step, threading.current_thread())
        ),
        **SMALL,
    )


@pytest.fixture(scope="module")
def model(run):
    return run.load()


def test_importing_takes_no_time_and_nothing_with_it():
    code = (
        "import sys, time; began = time.perf_counter(); import flaxgan; took = time.perf_counter()"
        " - began; print(took < 0.2, 'train' in dir(flaxgan), {'jax', 'numpy', 'PIL'} &"
        " {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True True set()"


def test_a_module_of_the_same_name_does_not_hide_a_function():
    assert isinstance(sys.modules["flaxgan.evaluate"], types.ModuleType)
    assert callable(flaxgan.evaluate) and flaxgan.evaluate.__module__ == "flaxgan.api"
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        flaxgan.trian  # noqa: B018
    assert issubclass(flaxgan.UserError, ValueError)
    assert all(getattr(flaxgan, name) is not None for name in flaxgan.__all__)


@pytest.mark.slow
def test_a_run_is_finished_and_tells_what_it_did(run, told):
    rows, snapshots = told
    assert (
        run.finished and (run.step, run.total_steps) == (10, 10) and run.config.condition == "class"
    )
    assert rows == run.history.rows and [row["step"] for row in rows] == [1, 2, 4, 6, 8, 10]
    here = threading.current_thread()
    assert snapshots == [((64, 16, 16, 3), np.uint8, step, here) for step in (5, 10)]
    assert "step 10 of 10" in repr(run)
    assert flaxgan.Run(str(run.folder)).finished
    with pytest.raises(flaxgan.UserError, match="no run of flaxgan"):
        flaxgan.Run(run.folder.parent)


@pytest.mark.slow
def test_the_history_is_columns(run):
    history = run.history
    assert history["step"].dtype == np.int64 and history["step"].tolist() == [1, 2, 4, 6, 8, 10]
    assert history["d_loss"].dtype == np.float64 and np.isfinite(history["d_loss"]).all()
    assert (
        history["time"].dtype == "datetime64[s]"
        and (np.diff(history["time"]).astype(int) >= 0).all()
    )
    mixed = type(history)(
        [*history.rows, {"step": 10, "time": "2026-01-02T03:04:05Z", "recall": 0.25}]
    )
    assert (
        np.isnan(mixed["recall"][:-1]).all()
        and mixed["recall"][-1] == 0.25
        and np.isnan(mixed["g_loss"][-1])
    )
    assert len(mixed.evaluations.rows) == 1 and mixed.training.rows == history.rows
    with pytest.raises(KeyError, match=r"'loss'; there are step, time"):
        history["loss"]


def test_a_figure_shows_itself(run):
    figure = run.plot()
    assert figure._repr_png_().startswith(b"\x89PNG") and len(figure.axes) >= 2


def test_the_configuration_says_how_the_run_was_started(run):
    saved = json.loads((run.folder / "config.json").read_text())
    (began,) = saved["starts"]
    assert (
        began["step"] == 0
        and began["device"] == "cpu"
        and began["command"].startswith("flaxgan.train(")
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", began["date"])
    assert (
        began["jax_version"]
        and began["flax_version"]
        and saved["flaxgan_version"] == flaxgan.__version__
    )


def test_a_run_of_another_minor_version_is_refused_in_one_line(run, tmp_path, refused):
    saved = json.loads((run.folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(saved | {"flaxgan_version": "0.1.0"}))
    with pytest.raises(
        flaxgan.UserError, match=r"flaxgan 0\.1, .*use flaxgan 0\.1 for that run, or train anew"
    ):
        flaxgan.load(tmp_path)
    assert "use flaxgan 0.1" in refused("--run-dir", tmp_path)


@pytest.mark.slow
def test_the_same_array_resumes_and_another_does_not(run, images, labels, tmp_path):
    copy = _copied(run, tmp_path)
    again = flaxgan.train(images.copy(), labels, ["discs", "squares"], run_dir=copy, epochs=3)
    assert again.finished and again.step == 15
    assert [
        start["step"] for start in json.loads((copy / "config.json").read_text())["starts"]
    ] == [0, 10]
    with pytest.raises(flaxgan.UserError, match=r"the pictures in .* are not those"):
        flaxgan.train(255 - images, labels, ["discs", "squares"], run_dir=copy, epochs=4)


def _copied(run, folder):
    import shutil

    return shutil.copytree(run.folder, folder / "run")


def test_unknown_keywords_are_answered_with_the_nearest(tmp_path):
    with pytest.raises(flaxgan.UserError, match="train has no epoch; did you mean epochs"):
        flaxgan.train(epoch=3, run_dir=tmp_path / "run")
    with pytest.raises(flaxgan.UserError, match="--image-size 17x17 can't be built"):
        flaxgan.train(image_size=17, run_dir=tmp_path / "run")
    with pytest.raises(flaxgan.UserError, match="belong to a dataset that is an array"):
        flaxgan.train(labels=[1], run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_interrupting_saves_and_returns_and_the_same_call_goes_on(images, tmp_path, capsys):
    asked = {
        "dataset": images,
        "max_steps": 60,
        "log_every": 1,
        "run_dir": tmp_path / "run",
    } | SMALL
    asked |= {"checkpoint_every": "30 steps"}
    run = flaxgan.train(
        on_log=lambda row: row["step"] == 1 and signal.raise_signal(signal.SIGINT), **asked
    )
    assert not run.finished and 1 <= run.step < 60
    assert f"to resume:\nflaxgan.train(run_dir='{run.folder}')" in capsys.readouterr().out
    assert flaxgan.train(**asked).finished and [row["step"] for row in run.history.rows] == [
        *range(1, 61)
    ]


@pytest.mark.slow
def test_it_trains_in_another_thread(images, tmp_path):
    runs = []
    thread = threading.Thread(
        target=lambda: runs.append(
            flaxgan.train(images[..., 0], max_steps=1, run_dir=tmp_path / "run", **SMALL)
        )
    )
    thread.start()
    thread.join()
    assert runs[0].finished and runs[0].config.channels == 1 and runs[0].config.flip is False


@pytest.mark.slow
def test_samples_are_those_of_the_command(model, run, tmp_path):
    def command(*argv):
        sample([str(run.folder), "--output", str(tmp_path / "a.npy"), *map(str, argv)])
        return np.load(tmp_path / "a.npy")

    assert (model.sample(5, seed=1) == command("--num", 5, "--seed", 1)).all()
    assert len(model.sample()) == 64 and model.sample().dtype == np.uint8
    assert (model.sample(3, labels="squares") == command("--num", 3, "--class", "squares")).all()
    assert (
        model.sample(3, labels=["squares", 0]) == command("--num", 3, "--class", "squares,0")
    ).all()
    assert (model.sample(labels="all") == command("--class", "all")).all()
    assert (model.sample(2, truncation=0.5) == command("--num", 2, "--truncation", 0.5)).all()
    assert (
        model.sample(interpolate=[3, 4], frames=5) == command("--interpolate", "3,4", "--frames", 5)
    ).all()
    each = model.sample(labels=np.array([1, 0, 1]))
    assert (each[[0, 2]] == model.sample(3, labels=1)[[0, 2]]).all() and (
        each[1] == model.sample(3, labels=0)[1]
    ).all()


@pytest.mark.slow
def test_a_checkpoint_by_its_step_or_epoch(run, model):
    assert (
        flaxgan.load(run.folder, 5).sample(2) == flaxgan.load(run.folder, "epoch:1").sample(2)
    ).all()
    assert flaxgan.load(run.folder, "step:5").step == 5 and model.step == 10
    for name in ("best", "newest", 7):
        with pytest.raises(flaxgan.UserError, match="checkpoint"):
            flaxgan.load(run.folder, name)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"labels": "disc"}, "did you mean discs"),
        ({"num": 2, "labels": np.array([0, 1, 1])}, "give one for each"),
        ({"interpolate": [3]}, "two or more seeds"),
        ({"interpolate": [3, 4], "num": 2}, "leave --seed and --num out"),
        ({"frames": 2}, "--frames is for --interpolate"),
        ({"truncation": 0}, "at least 0.01"),
        ({"num": 0}, "from 1 up"),
        ({"seed": -1}, "from 0 up"),
    ],
)
def test_bad_requests(model, asked, said):
    with pytest.raises(flaxgan.UserError, match=said):
        model.sample(**asked)


def test_sampling_reads_the_averaged_generator_and_nothing_else(run, monkeypatch):
    read = []
    from flaxgan.runs import checkpoint

    monkeypatch.setattr(checkpoint, "nested", lambda tree: read.append(tree) or nested(tree))
    from flaxgan.runs.trees import nested

    flaxgan.load(run.folder)
    (part,) = read
    assert (
        part.discriminator is None
        and part.generator.params is None
        and part.generator.opt_state == ()
    )
    assert part.ema_params and part.generator.batch_stats and part.augment_probability is None
    whole = state_shape(run.config)
    with Checkpoints(run.folder) as checkpoints:
        state, part = (
            checkpoints.restore(whole),
            checkpoints.restore(whole, part=lambda state: {"step": state.step}),
        )
    assert part.keys() == {"step"} and int(part["step"]) == int(state.step) == 10


def test_a_grid_is_a_picture(model):
    images = model.sample(6)
    assert flaxgan.grid(images, columns=3).size == (3 * 18 + 2, 2 * 18 + 2)
    assert flaxgan.grid(images[..., 0], scale=2, columns=6).mode == "L"
    with pytest.raises(flaxgan.UserError, match="float32"):
        flaxgan.grid(np.zeros((2, 8, 8, 3), np.float32))


def test_the_discriminator_is_asked(model, images, labels):
    real = np.asarray([np.asarray(Image.fromarray(image).resize((16, 16))) for image in images])
    shares = flaxgan.discriminator_accuracy(
        model, (real, labels), (model.sample(40, labels=0)[:40], np.zeros(40, int))
    )
    assert shares.keys() == {"d_real_accuracy", "d_fake_accuracy"} and all(
        0 <= share <= 1 for share in shares.values()
    )
    with pytest.raises(flaxgan.UserError, match="takes images of 16x16x3"):
        flaxgan.discriminator_accuracy(model, (images, labels), (real, labels))
    with pytest.raises(flaxgan.UserError, match="give the labels"):
        flaxgan.discriminator_accuracy(model, real, real)


@pytest.mark.slow
def test_numbers_are_those_of_the_file_and_the_command(run, tmp_path):
    content = flaxgan.evaluate(
        run.folder, num=20, metrics=["diversity"], output=tmp_path / "a.json"
    )
    assert json.loads((tmp_path / "a.json").read_text()) == content
    assert content["protocol"]["n_generated"] == 20 and content["metrics"]["ms_ssim"]["value"] > 0
    assert run.evaluate(num=20, metrics="diversity")["metrics"] == content["metrics"]
    evaluate(
        [
            str(run.folder),
            "--num",
            "20",
            "--metrics",
            "diversity",
            "--output",
            str(tmp_path / "b.json"),
        ]
    )
    assert json.loads((tmp_path / "b.json").read_text())["metrics"] == content["metrics"]


@pytest.mark.slow
def test_sets_of_any_kind_are_measured_against_each_other(model, images, tmp_path, pictures):
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(40) % 2)
    sets = (images, tmp_path / "a.npy", str(tmp_path / "a.npz"))
    values = [
        flaxgan.evaluate(real=one, generated=sets[0], metrics=["diversity"])["metrics"]
        for one in sets
    ]
    assert values[0] == values[1] == values[2]
    content = flaxgan.evaluate(
        real=pictures, generated=model.sample(40), image_size=16, metrics=["diversity"]
    )
    assert (
        content["real"]["source"] == str(pictures) and content["generated"]["source"] == "an array"
    )
    with pytest.raises(flaxgan.UserError, match="name a RUN_DIR, or both"):
        flaxgan.evaluate(real=images)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((np.zeros((4, 8, 8, 3)),), "is float64"),
        ((np.zeros((4, 8), np.uint8),), r"uint8 \(4, 8\)"),
        ((np.zeros((4, 8, 8, 4), np.uint8),), "write pictures as uint8"),
        ((np.zeros((0, 8, 8, 3), np.uint8),), "write pictures as uint8"),
        ((np.zeros((4, 8, 8), np.uint8), [0, 1]), "a whole number for each"),
        ((np.zeros((4, 8, 8), np.uint8), [0.0, 1, 0, 1]), "a whole number for each"),
        ((np.zeros((4, 8, 8), np.uint8), [0, 1, 2, -1]), "from 0"),
        ((np.zeros((4, 8, 8), np.uint8), [0, 1, 2, 900]), "from 0"),
        ((np.zeros((4, 8, 8), np.uint8), [0, 1, 2, 1], ["a", "b"]), "2 classes from 0 to 1"),
        ((np.zeros((4, 8, 8), np.uint8), None, ["a", "b"]), "no labels"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(given, said):
    with pytest.raises(flaxgan.UserError, match=said):
        checked(*given)


@pytest.mark.parametrize("names", [["images"], ["arr_0"], ["samples"], ["images", "arr_0"]])
def test_pictures_in_a_file_of_arrays_are_found_by_their_name_or_alone(tmp_path, names):
    content = {name: np.full((2, 8, 8, 3), i, np.uint8) for i, name in enumerate(names)}
    np.savez(tmp_path / "a.npz", **content)
    assert (read_arrays(tmp_path / "a.npz").images == 0).all()


def test_files_that_are_no_arrays_are_refused(tmp_path, refused):
    (tmp_path / "text.npz").write_text("not an archive")
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3), more=np.zeros(3))
    np.savez(tmp_path / "pickled.npz", images=np.array([{}]), allow_pickle=True)
    for name, said in {
        "text": "can't read",
        "other": "no array 'images'",
        "pickled": "can't read",
        "none": "no file",
    }.items():
        assert said in refused(
            "--dataset", tmp_path / f"{name}.npz", "--run-dir", tmp_path / "run", *TINY
        )


@pytest.mark.slow
def test_a_file_of_arrays_on_the_command_line(tmp_path, images, labels, train, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", images=images, labels=labels, class_names=["discs", "squares"])
    train("--dataset", "mine.npz", "--run-dir", "run", "--max-steps", 1, *TINY)
    assert "2 classes (discs, squares)" in train("--run-dir", "run", "--max-steps", 2)
    assert open_array(tmp_path / "mine.npz").class_names == ("discs", "squares")
    assert flaxgan.evaluate("run", num=20, metrics=["diversity"])["real"]["images"] == 40


@pytest.mark.slow
def test_a_data_set_of_ones_own_trains_resumes_and_evaluates(images, tmp_path):
    mine = flaxgan.Source(name="mine", length=40, read=lambda i: (Image.fromarray(images[i]), 0))
    assert flaxgan.train(mine, max_steps=1, run_dir=tmp_path / "run", **SMALL).step == 1
    assert flaxgan.train(run_dir=tmp_path / "run", max_steps=2).step == 2
    assert (
        flaxgan.evaluate(tmp_path / "run", num=20, metrics=["diversity"])["real"]["source"]
        == "mine"
    )
    del flaxgan.DATASETS["mine"]
    with pytest.raises(
        flaxgan.UserError, match=r"one of your own has to be added again \(--plugin FILE"
    ):
        flaxgan.train(run_dir=tmp_path / "run", max_steps=3)


@pytest.fixture
def added():
    """Remove what a test adds to the tables."""
    tables = (flaxgan.LOSSES, flaxgan.PENALTIES, flaxgan.AUGMENTATIONS, flaxgan.ARCHITECTURES)
    yield
    for table in tables:
        table.pop("mine", None)


@pytest.mark.slow
def test_a_loss_in_a_file_of_ones_own_by_command(
    tmp_path, pictures, added, train, refused, sample_refused
):
    """The first command has a process of its own: nothing of this one's is needed."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN)
    run_dir = tmp_path / "run"
    succeed(
        start(
            "--dataset",
            pictures,
            "--run-dir",
            run_dir,
            "--loss",
            "mine",
            "--plugin",
            plugin,
            "--max-steps",
            2,
            *TINY,
        )
    )
    error = refused("--run-dir", run_dir, "--max-steps", 3)
    assert "--loss mine is none of bce, hinge" in error and "--plugin FILE" in error
    assert "--plugin FILE" in sample_refused(run_dir, "--output", tmp_path / "a.png")
    assert "3 steps" in train("--run-dir", run_dir, "--max-steps", 3, "--plugin", plugin)
    sample([str(run_dir), "--plugin", str(plugin), "--output", str(tmp_path / "a.png")])
    assert (tmp_path / "a.png").is_file()


@pytest.mark.slow
def test_all_that_can_be_ones_own_at_once(images, tmp_path, added):
    from flaxgan.models import dcgan

    class Generator(dcgan.Generator):
        pass

    calls = []
    flaxgan.PENALTIES["mine"] = lambda logits, real, fake, rng: (
        calls.append("penalty") or (logits(real) ** 2).mean()
    )
    flaxgan.AUGMENTATIONS["mine"] = lambda images, rng: (
        calls.append("augmentation") or images[:, ::-1]
    )
    flaxgan.ARCHITECTURES["mine"] = types.SimpleNamespace(
        Generator=Generator, Discriminator=dcgan.Discriminator
    )
    own = {"penalty": "mine=0.1", "augment": "color,mine", "architecture": "mine"}
    run = flaxgan.train(images, max_steps=2, log_every=1, run_dir=tmp_path / "run", **own, **SMALL)
    assert {*calls} == {"penalty", "augmentation"} and (run.history["d_penalty"] > 0).all()
    assert run.config.options.discriminator_norm == "layer" and run.load().sample(2).shape == (
        2,
        16,
        16,
        3,
    )
    with pytest.raises(flaxgan.UserError, match="flaxgan's own name"):
        flaxgan.LOSSES["bce"] = flaxgan.LOSSES["hinge"]
    with pytest.raises(flaxgan.UserError, match="flaxgan's own name"):
        flaxgan.LOSSES.update(bce=flaxgan.LOSSES["hinge"])
    flaxgan.LOSSES.update(mine=flaxgan.LOSSES["bce"])
    assert flaxgan.Config.make(loss="mine", label_smoothing=0.1).options.loss == "mine"
    with pytest.raises(flaxgan.UserError, match="--penalty other is none of r1, r2"):
        flaxgan.Config.make(penalty="other=1")
    with pytest.raises(flaxgan.UserError, match="NAME=WEIGHT"):
        flaxgan.Config.make(penalty="mine")


def test_a_plugin_that_is_not_there(tmp_path, refused):
    assert "there is no such Python file" in refused("--plugin", tmp_path / "none.py")
    assert "there is no such Python file" in refused(tmp_path, "--plugin", tmp_path, command=sample)


@pytest.mark.slow
def test_a_new_run_from_the_configuration_of_another(run, tmp_path, train, refused):
    file = run.folder / "config.json"
    again = flaxgan.train(config=file, max_steps=1, seed=7, run_dir=tmp_path / "a")
    assert again.config.replace(max_steps=None, seed=0, run_dir=None) == run.config.replace(
        run_dir=None
    )
    dry = train("--config", file, "--epochs", 9, "--run-dir", tmp_path / "b", "--dry-run")
    assert re.search(r"epochs +9\n", dry) and re.search(r"latent_dim +8\n", dry)
    assert "--config" in refused("--config", tmp_path / "none.json")
    assert "leave one of them out" in refused("--config", file, "--recipe", "flowers_best")


def test_a_recipe_by_its_name(tmp_path):
    assert base_fields("own_images", None, {})["augment"] == "translation"
    with pytest.raises(flaxgan.UserError, match="did you mean own_images"):
        flaxgan.train(recipe="own_image", run_dir=tmp_path / "run")


def test_the_program_has_the_commands_as_verbs(run, tmp_path, capsys):
    flaxgan_command(["sample", str(run.folder), "--num", "2", "--output", str(tmp_path / "a.npy")])
    assert len(np.load(tmp_path / "a.npy")) == 2
    with pytest.raises(SystemExit) as ended:
        flaxgan_command(["evaluate", str(tmp_path)])
    assert ended.value.code == 2 and "no run of flaxgan" in capsys.readouterr().err
    flaxgan_command([])
    assert "flaxgan train" in capsys.readouterr().out


def test_a_bar_is_shown_where_somebody_sees_it(monkeypatch):
    # standard error is no terminal here
    assert not in_notebook() and progress_bar(range(2)).disable
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr("flaxgan.system.bars.find_spec", lambda name: None)
    bar = progress_bar(range(2), desc="moving")
    assert in_notebook() and not bar.disable and progress_bar(range(2), hidden=True).disable
    bar.close()


@pytest.mark.parametrize("changed", [b"(", b"\xb2", b"'", b"\x00"])
def test_a_header_of_an_array_that_is_none_is_a_line(tmp_path, changed):
    """NumPy reads it by Python's own parser, whose errors are others than of files."""
    np.save(tmp_path / "a.npy", np.zeros((2, 8, 8, 3), np.uint8))
    content = bytearray((tmp_path / "a.npy").read_bytes())
    for place in range(10, 60):
        broken = content[:place] + changed + content[place + 1 :]
        (tmp_path / "b.npy").write_bytes(broken)
        with contextlib.suppress(flaxgan.UserError):
            read_arrays(tmp_path / "b.npy")
