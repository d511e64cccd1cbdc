"""Exported generators compute what the run's do, and files of them are read as a stranger's are."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import flaxgan
from flaxgan.config import Config
from flaxgan.export import main as export_main
from flaxgan.formats import onnx, stablehlo
from flaxgan.formats.card import card, text
from flaxgan.formats.exporting import Export
from flaxgan.formats.folder import FORMATS, fill
from flaxgan.formats.graph import Tensor, Unsupported
from flaxgan.formats.networks import function_of, graph_of, inputs_of
from flaxgan.formats.tracing import traced_graph
from flaxgan.main import main
from flaxgan.methods import generator_shapes, translates
from flaxgan.methods.filled import unit_of
from flaxgan.methods.sampling import draw
from flaxgan.runs.trained import TrainedRun
from flaxgan.sample import main as sample_main
from flaxgan.system.errors import UserError
from tests.conftest import TINY, size_of

for module in ("onnx", "onnxruntime", "flatbuffers"):
    pytest.importorskip(module, reason="pip install 'flaxgan[export]'")
safe_open = pytest.importorskip("safetensors").safe_open
save = pytest.importorskip("safetensors.numpy").save
CLASSES = {"rose": 3, "lily": 0, "<script>alert(1)</script>": 2}
KINDS = {
    "dcgan": {},
    "dcgan, classes, attention": {"num_classes": 3, "attention": 8},
    "dcgan, grey, not square": {"channels": 1, "image_size": (16, 40)},
    "dcgan, in bfloat16": {"dtype": "bfloat16"},
    "dense": {"architecture": "dense"},
    "dense, classes, attention": {"architecture": "dense", "num_classes": 3, "attention": 8},
    "resnet": {"architecture": "resnet"},
    "resnet, classes, grey": {"architecture": "resnet", "num_classes": 3, "channels": 1},
    "style": {"architecture": "style"},
    "style, adain": {"architecture": "style", "adain": True},
    "style, classes, grey, not square": {
        "architecture": "style",
        "num_classes": 3,
        "channels": 1,
        "image_size": (16, 40),
    },
    "pix2pix": {"method": "pix2pix", "source": "edges"},
    "pix2pix, resnet": {"method": "pix2pix", "source": "edges", "generator": "resnet", "blocks": 1},
    "cyclegan": {"method": "cyclegan", "target": "x", "blocks": 1},
    "cut": {"method": "cut", "target": "x", "antialias": True, "blocks": 1},
    "srgan": {"method": "srgan", "scale": 2, "blocks": 1},
    "srgan, thrice": {"method": "srgan", "scale": 3, "blocks": 1, "image_size": 48},
}

FAST = ("dcgan, classes, attention", "cut", "srgan")  # that have most operations between them
ALL = [kind if kind in FAST else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]


def untrained(fields):
    """The configuration and the generators of a run, with weights and statistics at random."""
    config = Config.make(**({"image_size": 16, "channels": 3, "features": 4, "ema": 0} | fields))
    rng = np.random.default_rng(0)
    # equalised weights are divided by the root of their inputs when they are used
    size = 1.5 if getattr(config.options, "architecture", "") == "style" else 0.3

    def drawn(tree, *between):
        return jax.tree.map(lambda x: rng.uniform(*between, x.shape).astype("f"), tree)

    networks = {
        name: network.replace(
            params=drawn(network.params, -size, size),
            batch_stats=drawn(network.batch_stats, 0.1, 1),
        )
        for name, network in generator_shapes(config).items()
    }
    return config, networks


def examples(inputs, n, sides=None):
    """Arrays for the inputs of a graph: n rows; of pictures, perhaps of another size."""
    rng, arrays = np.random.default_rng(1), {}
    for name, tensor in inputs.items():
        sizes = tensor.shape[1:]
        if name == "label":
            arrays[name] = np.resize(np.array([2, 0, 1], np.int32), n)
        elif name == "source":
            arrays[name] = rng.uniform(-1, 1, (n, *(sides or sizes[:2]), sizes[2])).astype("f")
        else:
            arrays[name] = rng.standard_normal((n, *sizes)).astype("f")
    return arrays


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL)
def test_onnx_and_jax_files_compute_what_the_network_does(kind, tmp_path):
    """They do for one row and for several, and for pictures of another size than was trained."""
    config, networks = untrained(KINDS[kind])
    for name, network in networks.items():
        function, inputs = function_of(network), inputs_of(config, name)
        graph = graph_of(network, config, name)
        onnx.write(tmp_path / "a.onnx", graph, {})
        stablehlo.write(tmp_path / "a.jax", function, inputs, config)
        wide = [(3 * unit_of(config) * 4, 2 * unit_of(config) * 4)] if translates(config) else []
        for arrays in (examples(inputs, 5), *(examples(inputs, 2, sides) for sides in wide)):
            expected = np.asarray(jax.jit(function)(*arrays.values()))
            assert expected.dtype == np.float32 and expected.std() > 0.01
            one = {name: x[:1] for name, x in arrays.items()}
            for made in (
                onnx.run(tmp_path / "a.onnx", arrays),
                stablehlo.run(tmp_path / "a.jax", arrays),
                onnx.run(tmp_path / "a.onnx", one),
            ):
                assert made.shape == (len(made), *expected.shape[1:])
                assert abs(made - expected[: len(made)]).max() < 1e-4


def test_batch_norm_becomes_part_of_the_weights():
    """So that a DCGAN is its layers, and the functions between them, alone."""
    config, networks = untrained({"image_size": 32})
    graph = graph_of(networks["result"], config)
    rest = ["ConvTranspose", "Relu", "ConvTranspose", "Relu", "ConvTranspose", "Tanh", "Transpose"]
    assert [node.op for node in graph.nodes] == ["Gemm", "Reshape", "Relu", "Transpose", *rest]
    assert graph.outputs["images"].shape == ("N", 32, 32, 3)


def test_a_file_of_translations_says_that_it_takes_any_size():
    config, networks = untrained(KINDS["srgan"])
    graph = graph_of(networks["result"], config)
    assert graph.inputs["source"].shape == ("N", "H", "W", 3)
    assert graph.outputs["images"].shape == ("N", "2*H", "2*W", 3)


def test_a_network_that_no_operator_is_known_for_is_refused():
    with pytest.raises(Unsupported, match="cumsum"):
        traced_graph(lambda z: jnp.cumsum(z, 1), {"z": Tensor("float32", ("N", 4))})


def export_of(fields, folder, uint8=False):
    config, networks = untrained(fields)
    counts = CLASSES if config.num_classes else {}
    run = TrainedRun(folder / "run", config, counts, None, 40)
    (folder / "out").mkdir()
    return Export(networks, run, 7, folder / "out", jax.devices()[0], uint8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL)
def test_a_safetensors_file_is_the_model(kind, tmp_path):
    export = export_of(KINDS[kind], tmp_path)
    files = [*fill(export, ["safetensors"], None)]
    assert [file.path.name for file in files] == ["generator.safetensors", "README.md"]
    assert "within 0 of JAX" in files[0].note
    model = flaxgan.load(files[0].path)
    assert model.step == 7 and model.class_names == [*export.run.class_counts]
    for name, network in model.generators.items():
        for a, b in zip(*(map(jax.tree.leaves, (network, export.generators[name]))), strict=False):
            assert (np.asarray(a) == np.asarray(b)).all()
    if translates(model.config):
        sources = np.zeros((2, 9, 20, 3), np.uint8)
        assert model.translate(sources).shape[0] == 2
    else:
        assert model.sample(3).shape == (3, *model.config.image_size, model.config.channels)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dcgan", "pix2pix"])
def test_uint8_files_make_pictures_as_the_model_does(kind, tmp_path):
    export = export_of(KINDS[kind], tmp_path, uint8=True)
    (file,) = export.onnx()
    assert "uint8; checked on" in file.note
    if kind == "pix2pix":
        source = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1)).astype(np.uint8)
        [*export.safetensors()]
        expected = flaxgan.load(tmp_path / "out" / "generator.safetensors").translate(source)
        made = onnx.run(file.path, {"source": source})
    else:
        z = np.random.default_rng(0).standard_normal((64, 100)).astype("f")
        expected = draw(export.generators["result"], z)
        made = onnx.run(file.path, {"z": z})
    assert made.dtype == np.uint8 and made.shape == expected.shape
    assert abs(made.astype(int) - expected).max() <= 1


@pytest.mark.slow
def test_a_jax_file_runs_where_flaxgan_is_not(tmp_path):
    export = export_of(KINDS["dcgan, classes, attention"], tmp_path)
    [*export.jax()]
    code = """
import sys
sys.modules["flaxgan"] = None  # importing it fails
import jax.export, numpy
generator = jax.export.deserialize(bytearray(open("out/generator.jax", "rb").read()))
z, label = numpy.ones((3, 100), "f"), numpy.array([2, 0, 1], "i4")
numpy.save("made.npy", generator.call(z, label))
assert generator.platforms == ("cpu", "cuda", "tpu")
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    function = function_of(export.generators["result"])
    expected = function(jnp.ones((3, 100)), jnp.array([2, 0, 1]))
    assert abs(np.load(tmp_path / "made.npy") - expected).max() < 1e-4


def test_a_file_that_computes_something_else_is_not_written(tmp_path, monkeypatch):
    """What was there before stays."""
    export = export_of({}, tmp_path)
    (export.folder / "generator.onnx").write_text("before")
    monkeypatch.setattr(onnx, "run", lambda *_: np.zeros((64, 16, 16, 3), np.float32))
    with pytest.raises(UserError, match="would differ from the run's own pictures by up to"):
        [*fill(export, FORMATS, None)]
    assert (export.folder / "generator.onnx").read_text() == "before"
    assert [path.name for path in export.folder.iterdir()] == ["generator.onnx"]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, pictures):
    """A finished run with two classes, and checkpoints of two steps."""
    run_dir = tmp_path_factory.mktemp("export") / "my run"
    main(
        ["--dataset", str(pictures), "--run-dir", str(run_dir), "--max-steps", "4", "--conditional"]
        + ["--checkpoint-every", "2 steps", *TINY]
    )
    return run_dir


@pytest.fixture(scope="module")
def exported(run_dir, tmp_path_factory):
    """A folder that the command filled with all formats, and what it printed."""
    folder = tmp_path_factory.mktemp("exported") / "out"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        export_main([str(run_dir), "--output", str(folder)])
    return folder, printed.getvalue()


@pytest.mark.slow
def test_the_command_says_what_it_wrote_and_how_to_publish_it(exported):
    folder, printed = exported
    names = ["generator.onnx", "generator.safetensors", "generator.jax", "samples.png", "README.md"]
    lines = printed.splitlines()
    assert [Path(line.partition(" (")[0]).name for line in lines[:-1]] == names
    assert {path.name for path in folder.iterdir()} == {*names}
    assert all("checked on 64 z" in line for line in lines[:3])
    assert lines[-1].endswith(f"hf upload YOUR_NAME/my-run {folder}")


@pytest.mark.slow
def test_the_file_samples_as_the_run_does(exported, run_dir, tmp_path):
    model, run = flaxgan.load(exported[0] / "generator.safetensors"), flaxgan.load(run_dir)
    assert (model.sample(5, seed=3) == run.sample(5, seed=3)).all()
    assert (model.sample(2, labels="squares") == run.sample(2, labels="squares")).all()
    sample_main([str(exported[0] / "generator.safetensors"), "--output", f"{tmp_path}/a.png"])
    assert size_of(tmp_path / "a.png") == size_of(exported[0] / "samples.png")


def test_a_file_has_no_discriminator(exported):
    model = flaxgan.load(exported[0] / "generator.safetensors")
    with pytest.raises(UserError, match="holds the generator alone"):
        flaxgan.discriminator_accuracy(model, (model.sample(2), [0, 1]), (model.sample(2), [0, 1]))


def test_what_is_shared_says_nothing_of_this_machine(exported, pictures):
    with safe_open(exported[0] / "generator.safetensors", "numpy") as file:
        config = json.loads(file.metadata()["config"])
    assert config["dataset"] == pictures.name
    assert config["data"]["class_names"] == ["discs", "squares"]
    assert not {"starts", "changes", "run_dir"} & {*config}
    for file in exported[0].iterdir():
        assert str(pictures.parent).encode() not in file.read_bytes(), file


def test_the_card_has_the_head_that_the_hub_reads(exported):
    _, head, body = (exported[0] / "README.md").read_text().split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    assert fields["library_name"] == "flaxgan"
    assert fields["pipeline_tag"] == "unconditional-image-generation"
    assert json.loads(fields["tags"]) == ["gan", "jax", "dcgan", "onnx"]
    for part in ("# my run", "samples.png", "flaxgan.load(", "onnxruntime", "0 discs, 1 squares"):
        assert part in body


@pytest.mark.slow
def test_the_python_in_the_card_runs(exported):
    blocks = (exported[0] / "README.md").read_text().split("```python\n")[1:]
    assert len(blocks) == 3
    for block in blocks:
        code = block.split("```")[0] + "\nassert pictures.shape == (8, 16, 16, 3)"
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        subprocess.run([sys.executable, "-c", code], cwd=exported[0], env=environment, check=True)


def test_a_card_that_somebody_filled_in_stays(exported, run_dir, printed, tmp_path):
    shutil.copytree(exported[0], tmp_path / "out")
    (tmp_path / "out" / "README.md").write_text("mine")
    before = (tmp_path / "out" / "generator.safetensors").stat().st_mtime_ns
    said = printed(
        export_main,
        run_dir,
        "--format",
        "safetensors",
        "--output",
        tmp_path / "out",
        "--checkpoint",
        2,
    )
    assert "README.md (0.0 MB): was there and stays" in said
    assert (tmp_path / "out" / "README.md").read_text() == "mine"
    assert (tmp_path / "out" / "generator.safetensors").stat().st_mtime_ns > before
    assert flaxgan.load(tmp_path / "out" / "generator.safetensors").step == 2


def test_python_exports_beside_the_run_or_where_it_is_told(exported, tmp_path):
    shutil.copy(exported[0] / "generator.safetensors", tmp_path)
    model = flaxgan.load(tmp_path / "generator.safetensors")
    files = model.export(format=["jax", "onnx"])
    assert {file.parent for file in files} == {tmp_path / "export"}
    assert [file.name for file in files][:2] == ["generator.onnx", "generator.jax"]
    with pytest.raises(UserError, match="--format tflite is not known"):
        model.export(tmp_path / "other", "tflite")
    assert not (tmp_path / "other").exists()


def test_names_appear_in_a_card_as_text():
    hostile = '<script>alert(1)</script>"\n---\n[x](javascript:1) `a` \u202e' + "x" * 10_000
    shown = text(hostile)
    assert "<" not in shown and "\n" not in shown and "\u202e" not in shown and len(shown) < 300
    config = Config.make(image_size=16, channels=3, num_classes=2, dataset=hostile)
    run = TrainedRun(Path(hostile[:100].replace("/", "")), config, {hostile: 3, "b|c": 3}, None, 6)
    written = card(run, 5, ["generator.onnx"], True)
    assert "<script" not in written and "[x](javascript" not in written
    assert written.count("\n---\n") == 1


def test_metrics_of_this_very_checkpoint_are_in_the_card(tmp_path):
    config = Config.make(image_size=16, channels=3)
    run = TrainedRun(tmp_path, config, {}, None, 6)
    evaluation = {
        "protocol": {"extractor": "inception", "seed": 3},
        "real": {"source": f"{tmp_path}/pictures", "images": 5},
        "generated": {"step": 5, "images": 4},
        "metrics": {"fid_inception": {"value": 12.5, "reference": 3.25}},
    }
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    written = card(run, 5, [], False)
    assert "| fid\\_inception | 12.5 | 3.25 | lower is better |" in written
    assert "extractor: inception" in written and "real source: pictures;" in written
    assert "fid" not in card(run, 6, [], False), "they are of another step"
    row = {"step": 6, "epoch": 1, "images_seen": 60, "fd_efficientnet_lite0": 81.25}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    assert "| fd\\_efficientnet\\_lite0 | 81.25 |" in card(run, 6, [], False)


WRONG = {
    "an empty file": lambda m, a: b"",
    "no safetensors": lambda m, a: b"\x80\x04K\x01." * 100,  # a pickle
    "a header that is too long": lambda m, a: b"\xff" * 8 + b"{}",
    "a file that was cut off": lambda m, a: made(m, a)[:-100],
    "no configuration": lambda m, a: made({"step": "4"}, a),
    "no step": lambda m, a: made(m | {"step": "-1"}, a),
    "no JSON": lambda m, a: made(m | {"config": "{"}, a),
    "nested too deeply": lambda m, a: made(m | {"config": "[" * 100_000}, a),
    "an unknown method": lambda m, a: made(changed(m, method="evil"), a),
    "an unknown architecture": lambda m, a: made(changed(m, architecture="evil"), a),
    "a size that is none": lambda m, a: made(changed(m, image_size=[16, "x"]), a),
    "a size that can't be built": lambda m, a: made(changed(m, image_size=[17, 17]), a),
    "other networks": lambda m, a: made(changed(m, features=2**40), a),
    "so many blocks": lambda m, a: made({"step": "4", "config": json.dumps(STRANGERS_SRGAN)}, a),
    "other classes": lambda m, a: made(changed(m, num_classes=3), a),
    "classes that are none": lambda m, a: made(
        changed(m, data={"class_names": ["a", "a"], "class_counts": [1, 1]}), a
    ),
    "one array too few": lambda m, a: made(m, dict([*a.items()][1:])),
    "one array too many": lambda m, a: made(m, a | {"more": np.zeros(1, "f")}),
    "another dtype": lambda m, a: made(m, {k: x.astype("f8") for k, x in a.items()}),
    "another shape": lambda m, a: made(m, {k: x[None] for k, x in a.items()}),
    "another version": lambda m, a: made(changed(m, flaxgan_version="0.1.0"), a),
}
STRANGERS_SRGAN = {
    "flaxgan_version": flaxgan.__version__,
    **Config.make(method="srgan", image_size=16, channels=3, blocks=2**30).to_dict(),
}


def made(metadata, arrays):
    return save({name: np.ascontiguousarray(x) for name, x in arrays.items()}, metadata)


def changed(metadata, **fields):
    return metadata | {"config": json.dumps(json.loads(metadata["config"]) | fields)}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_strangers_file_with_anything_wrong_is_one_line(wrong, exported, tmp_path, refused):
    with safe_open(exported[0] / "generator.safetensors", "numpy") as file:
        metadata, arrays = file.metadata(), {key: file.get_tensor(key) for key in [*file.keys()]}
    path = tmp_path / "strange\x1b[31m.safetensors"
    path.write_bytes(WRONG[wrong](metadata, arrays))
    error = refused(path, "--output", tmp_path / "a.png", command=sample_main)
    assert "strange\\x1b[31m.safetensors" in error and len(error) < 500
    assert not (tmp_path / "a.png").exists()


def test_what_is_no_file_is_one_line(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe.safetensors")
    assert "it is no file" in refused(tmp_path / "pipe.safetensors", command=export_main)
    assert "leave --checkpoint out" in refused(
        tmp_path / "none.safetensors", "--checkpoint", "best", command=export_main
    )
    assert "there is no file" in refused(tmp_path / "none.safetensors", command=export_main)


def test_a_run_that_cannot_be_exported_is_one_line(run_dir, pictures, tmp_path, refused):
    def fails(*argv):
        return refused(*argv, "--output", tmp_path / "out", command=export_main)

    assert "is no run of flaxgan" in fails(tmp_path)
    assert "no best checkpoint" in fails(run_dir, "--checkpoint", "best")
    assert "has no checkpoint of step 3" in fails(run_dir, "--checkpoint", 3)
    assert "--format" in fails(run_dir, "--format", "tflite")
    assert "--uint8 is for --format onnx" in fails(run_dir, "--format", "jax", "--uint8")
    assert "which belongs to the run" in refused(
        run_dir, "--output", run_dir / "checkpoints", command=export_main
    )
    broken = tmp_path / "broken"
    shutil.copytree(run_dir, broken)
    shutil.rmtree(broken / "checkpoints" / "4")
    (broken / "checkpoints" / "2" / "default").rename(broken / "gone")
    assert "can't be read" in fails(broken)
    shutil.rmtree(broken / "checkpoints")
    assert "no checkpoint" in fails(broken)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("format", "module"), [("onnx", "onnx"), ("safetensors", "safetensors"), ("jax", "flatbuffers")]
)
def test_a_missing_extra_is_one_line(format, module, run_dir, tmp_path, refused, monkeypatch):
    for name in [*sys.modules]:
        if name.partition(".")[0] == module:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)
    error = refused(run_dir, "--format", format, "--output", tmp_path, command=export_main)
    assert f"package {module}: pip install 'flaxgan[export]'" in error
    assert [*tmp_path.iterdir()] == []


def test_without_onnxruntime_a_file_says_that_it_was_not_checked(
    run_dir, tmp_path, printed, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    said = printed(export_main, run_dir, "--format", "onnx", "--output", tmp_path)
    assert "generator.onnx" in said and "not checked" in said.splitlines()[0]
