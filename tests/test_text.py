"""Words: captions in files, sentences about the built-in flowers, and runs that learn them."""

import csv
import hashlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import flaxgan
from flaxgan.config import Config
from flaxgan.data import Dataset, indices, open_source, prepare
from flaxgan.data.captions import prompts_of, with_captions
from flaxgan.data.described import (
    ATTRIBUTES,
    WHOLE,
    attributes,
    held,
    held_out,
    open_synthetic_flowers,
    sentences,
)
from flaxgan.data.synthetic import draw, flower
from flaxgan.export import main as export
from flaxgan.methods import latent_space
from flaxgan.methods.gan import create_state, discriminator_step, train_step
from flaxgan.methods.losses import LOSSES, matching_loss
from flaxgan.methods.penalties import matching_penalty
from flaxgan.metrics import words
from flaxgan.metrics.comparison import Comparison
from flaxgan.metrics.image_sets import ImageSet
from flaxgan.metrics.reference import Reference
from flaxgan.page import main as page
from flaxgan.plots import name_rows
from flaxgan.pretrained import minilm
from flaxgan.project import main as project
from flaxgan.rng import Rng
from flaxgan.runs.loading import load
from flaxgan.runs.provenance import fields_of_file
from flaxgan.runs.trained import load_run, parsed_config
from flaxgan.sample import main as sample
from flaxgan.system.errors import UserError
from flaxgan.video import main as video
from tests.conftest import TINY, use_devices, vector_of

STRANGE = {
    "00": 'a "quoted" flower, l\'été',
    "01": "🌸🌻 blossoms",
    "02": "красный цветок",
    "03": "一朵红花",
    "04": "زهرة حمراء",
    "05": "word " * 500,
}
OF_CLASSES = "a photo of {class} | an image with many {class}"
CONFIG = Config.make(
    image_size=16,
    channels=3,
    features=4,
    latent_dim=8,
    batch_size=8,
    condition="text",
    ema=0,
    flip=False,
    d_norm="none",
)
RNG = Rng(jax.random.key(6))


pytestmark = pytest.mark.usefixtures("encoder")


@pytest.fixture
def captioned(pictures, tmp_path):
    """The discs, each with a caption of STRANGE or its number."""
    folder = tmp_path / "captioned"
    folder.mkdir()
    for file in (pictures / "discs").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
        text = STRANGE.get(file.stem, f"disc {file.stem}\n\n  the same\tdisc {file.stem} \n")
        (folder / f"{file.stem}.txt").write_text(text, encoding="utf-8")
    return folder


def texts(source, i):
    return [*source.captions(i)]


def test_captions_beside_pictures_are_read_as_they_are(captioned):
    source = open_source(str(captioned))
    assert len(source) == 20, "their files are no pictures that can't be read"
    names = [source.item_name(i) for i in range(20)]
    for stem, text in STRANGE.items():
        assert texts(source, names.index(f"{stem}.png")) == [" ".join(text.split())]
    assert texts(source, 19) == ["disc 19", "the same disc 19"]


@pytest.mark.parametrize("kind", ["metadata.jsonl", "captions.csv"])
def test_captions_in_a_table_several_of_a_picture(captioned, kind):
    for file in captioned.glob("*.txt"):
        file.unlink()
    rows = [
        (f"{i:02d}.png", f'"{k}",\u2028a disc {i} 🌸') for i in range(20) for k in range(1 + i % 2)
    ]
    if kind == "captions.csv":
        with (captioned / kind).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("file_name", "text"), *rows])
    else:
        lines = [
            json.dumps({"file_name": name, "text": text}, ensure_ascii=False) for name, text in rows
        ]
        (captioned / kind).write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = open_source(str(captioned))
    assert texts(source, 0) == ['"0", a disc 0 🌸']
    assert texts(source, 3) == ['"0", a disc 3 🌸', '"1", a disc 3 🌸']


def test_what_is_wrong_with_captions_is_a_line(captioned, pictures, refused, tmp_path):
    run = ["--run-dir", tmp_path / "run", "--condition", "text", *TINY]
    (captioned / "07.txt").write_text(" \n", encoding="utf-8")
    (captioned / "08.txt").unlink()
    error = refused("--dataset", captioned, *run)
    assert "07.png" in error and "and 1 more have none" in error
    (captioned / "08.txt").write_bytes("Gänseblümchen".encode("latin-1"))
    assert "08.txt are no text in UTF-8" in refused("--dataset", captioned, *run)
    (captioned / "metadata.jsonl").write_text('{"file_name": "00.png"}\n')
    assert "line 1 of" in refused("--dataset", captioned, *run)
    (captioned / "metadata.jsonl").unlink()
    (captioned / "captions.csv").write_text("name,text\n")
    assert "no columns file_name and text" in refused("--dataset", captioned, *run)
    assert "has none; write NAME.txt" in refused("--dataset", pictures, *run)
    wrong = [*run, "--caption", "a photo"]
    assert "where the class goes" in refused("--dataset", pictures, *wrong)
    assert "has none" in refused("--dataset", pictures / "discs", *run, "--caption", OF_CLASSES)
    for argv in (["--caption", OF_CLASSES], ["--matching", 0.2], ["--matching-penalty", 2]):
        error = refused("--dataset", pictures, *argv)
        assert f"{argv[0]} is for --condition text" in error
    assert not (tmp_path / "run" / "config.json").exists()


def test_classes_become_sentences_and_one_is_drawn_for_each_picture_and_step(pictures):
    source = open_source(str(pictures))
    dataset = with_captions(source, prepare(source, (16, 16), 3), OF_CLASSES)
    assert {*dataset.captions.texts} == {
        f"{words} {name}"
        for words in ("a photo of", "an image with many")
        for name in ("discs", "squares")
    }
    drawn = [indices(dataset, 0, step, 8) for step in range(40)]
    again = indices(dataset, 0, 7, 8)
    assert all((again[name] == drawn[7][name]).all() for name in again)
    counts = np.zeros(4, int)
    for rows in drawn:
        for image, text in zip(rows["image"], rows["text"], strict=True):
            assert dataset.class_names[dataset.labels[image]] in dataset.captions.texts[text]
        counts += np.bincount(rows["text"], minlength=4)
    assert counts.min() > 40, "each is drawn often"
    assert np.allclose(
        dataset.all_arrays["text"][rows["text"][0]],
        vector_of(dataset.captions.texts[rows["text"][0]]),
    )


def test_sentences_about_the_flowers_say_what_is_drawn():
    seen = {name: set() for name in ATTRIBUTES}
    for i in range(300):
        shown = attributes(flower(i)[0])
        for k, text in enumerate(sentences(i)):
            for name, value in shown.items():
                seen[name].add(value)
                others = {*ATTRIBUTES[name]} - {value, "white"}
                spoken = text.replace("heart", "").split(" around ")[0]
                if k < WHOLE:
                    assert value in text
                if name in ("number", "shape"):
                    assert not others & {*spoken.replace(",", "").split()}, text
    assert seen == {name: {*values} for name, values in ATTRIBUTES.items()}
    assert len({text for i in range(300) for text in sentences(i)}) > 600


@pytest.mark.slow
def test_the_flowers_are_drawn_as_before_and_some_combinations_are_held_out():
    digests = [hashlib.sha256(draw(i)[0].tobytes()).hexdigest()[:12] for i in (0, 6, 13, 4095)]
    assert digests == ["c98fefc092c0", "c6d61b8798c3", "29c6954898c9", "4238548d1c6e"]

    def combinations(numbers):
        return {(i % 10, flower(i)[0].background.kind) for i in numbers}

    rest = combinations(i for i in range(1000) if not held(i))
    assert not combinations(held_out()) & rest and len(combinations(held_out())) == 10
    assert {kind for _, kind in rest} == {*range(5)}, "each background is seen"


def test_what_is_held_out_is_shown_in_the_grids_and_never_trained():
    images = np.zeros((200, 16, 16, 3), np.uint8)
    dataset = Dataset.of(images, items=np.arange(200))
    dataset = with_captions(open_synthetic_flowers(), dataset, None)
    out = {i for i in range(200) if held(i)}
    assert len(dataset) == 200 - len(out) and len(dataset.held_out) == len(out)
    trained = {int(i) for step in range(30) for i in indices(dataset, 0, step, 8)["image"]}
    assert not trained & out
    prompts = prompts_of(dataset)
    assert {*prompts.texts[: prompts.shown]} <= {text for i in out for text in sentences(i)}
    assert {*prompts.texts[prompts.shown :]} <= {
        text for i in {*range(200)} - out for text in sentences(i)
    }


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_the_matching_loss_is_the_published_formula(share):
    real, fake, other = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)

    def log(x):
        return np.log(1 / (1 + np.exp(-x)))

    want = -(log(real) + share * log(-other) + (1 - share) * log(-fake)).mean()
    got = matching_loss(LOSSES["bce"].discriminator, real, fake, other, share)
    np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.slow
def test_the_matching_penalty_is_the_published_formula():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 4, 3)) * 0.2, rng.standard_normal(5) * 0.2

    def logits(x, text):
        return (x * a[None]).sum((1, 2, 3)) + (text * b[None]).sum(1)

    x, text = jnp.ones((3, 4, 4, 3)), jnp.ones((3, 5))
    want = (np.sqrt((a**2).sum()) + np.sqrt((b**2).mean())) ** 6
    np.testing.assert_allclose(matching_penalty(logits, x, text), want, rtol=1e-5)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    text = rng.standard_normal((8, minilm.DIM)).astype(np.float32)
    return {
        "image": rng.uniform(-1, 1, (8, 16, 16, 3)).astype(np.float32),
        "z": rng.standard_normal((8, 8)).astype(np.float32),
        "text": text / np.linalg.norm(text, axis=1, keepdims=True),
    }


@pytest.mark.slow
@pytest.mark.parametrize(("weight", "share"), [(0.0, 0.5), (2.0, 0.2)])
def test_a_real_picture_with_anothers_sentence_counts_as_generated(batch, weight, share):
    config = CONFIG.replace(matching_penalty=weight, matching=share)
    state = jax.jit(lambda: create_state(config))()
    others = np.roll(batch["text"], -1, 0)
    others[0] = batch["text"][0]  # of the same sentence: no wrong pair
    batch = batch | {"other": others}
    d = state.discriminator

    def judged(images, text):
        return jax.jit(lambda: d.train_mode(images, text)[0])()

    fakes = jax.jit(lambda: state.generator.train_mode(batch["z"], batch["text"])[0])()
    real, other = (judged(batch["image"], batch[name]) for name in ("text", "other"))
    fake = judged(fakes, batch["text"])
    softplus = jax.nn.softplus
    wrong = softplus(other).at[0].set(softplus(fake)[0])
    generated = (1 - share) * softplus(fake).mean() + share * wrong.mean()
    want = softplus(-real).mean() + generated
    _, metrics = jax.jit(lambda s, b: discriminator_step(s, b, RNG, config))(state, batch)
    np.testing.assert_allclose(metrics["d_loss"], want, rtol=1e-5)
    assert ("d_penalty" in metrics) == bool(weight)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["dcgan", "dense", "resnet"])
def test_the_sentence_reaches_both_networks(batch, architecture):
    state = jax.jit(lambda: create_state(CONFIG.replace(architecture=architecture, d_norm=None)))()
    for network, x in ((state.generator, batch["z"]), (state.discriminator, batch["image"])):
        run = jax.jit(lambda n, x, text: n.train_mode(x, text)[0])
        rng = np.random.default_rng(0)  # the last kernels begin at 0
        params = jax.tree.map(
            lambda p, r=rng: p + 0.05 * r.standard_normal(p.shape), network.params
        )
        one, other = (
            run(network.replace(params=params), x, text)
            for text in (batch["text"], np.roll(batch["text"], 1, 0))
        )
        assert (jnp.abs(one - other).reshape(len(x), -1).max(1) > 1e-6).all()


@pytest.mark.slow
def test_without_words_the_step_is_as_it_was():
    """Neither the options of words nor a condition are in an unconditional step's program."""
    images = {"image": np.zeros((8, 16, 16, 3), np.uint8)}
    words = images | {"text": np.zeros((8, minilm.DIM), np.float32)}

    def program(batch, **fields):
        config = CONFIG.replace(**fields)
        state = jax.eval_shape(lambda: create_state(config))
        step = jax.jit(lambda s, b: train_step(s, b, config=config))
        return step.lower(state, batch).as_text()

    plain = program(images, condition="none")
    assert program(images, condition="none", matching=0.0) == plain
    of_words = f"tensor<8x{minilm.DIM}xf32>"
    assert of_words not in plain and of_words in program(words)
    assert program(words, matching=0.0) != program(words)


@pytest.mark.parametrize(("saved", "share"), [(True, 0.5), (False, 0.0), (0.2, 0.2)])
def test_whether_captions_had_to_match_is_now_a_share(saved, share):
    assert Config.from_dict(CONFIG.to_dict() | {"matching": saved}) == CONFIG.replace(
        matching=share
    )


@pytest.fixture
def run_dir(captioned, train, tmp_path):
    def call(name, *argv):
        folder = tmp_path / name
        train("--dataset", captioned, "--run-dir", folder, "--condition", "text", *TINY, *argv)
        return folder

    return call


def leaves(folder):
    state = load(load_run(folder), None, jax.devices()[0])
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


@pytest.mark.slow
def test_a_run_resumes_to_the_bit_and_not_with_other_captions(run_dir, captioned, refused):
    unbroken = run_dir("unbroken", "--max-steps", 5, "--checkpoint-every", "2 steps")
    broken = run_dir("broken", "--max-steps", 2, "--checkpoint-every", "2 steps")
    run_dir("broken", "--max-steps", 5)
    for a, b in zip(leaves(unbroken), leaves(broken), strict=True):
        np.testing.assert_array_equal(a, b)
    (captioned / "09.txt").write_text("another")
    error = refused("--run-dir", broken, "--max-steps", 7)
    assert "the captions of" in error and "are not those" in error


@pytest.mark.slow
@pytest.mark.parametrize("parallelism", ["jit", "pmap"])
def test_eight_devices_agree_with_one(run_dir, monkeypatch, parallelism):
    use_devices(monkeypatch, 8)
    eight = leaves(run_dir("eight", "--max-steps", 2, "--parallelism", parallelism))
    use_devices(monkeypatch, 1)
    one = leaves(run_dir("one", "--max-steps", 2, "--data-home", "device"))
    for a, b in zip(eight, one, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-4)


@pytest.mark.slow
def test_a_trained_run_draws_what_it_is_asked_for(run_dir, tmp_path, printed, refused, pictures):
    folder = run_dir("run", "--max-steps", 3)
    flags = ("--num", 3, "--prompt", 'a "red" 🌸', "--prompt", "word " * 500)
    printed(sample, folder, *flags, "--output", tmp_path / "a.npy")
    images = np.load(tmp_path / "a.npy")
    assert images.shape == (6, 16, 16, 3)
    model = flaxgan.load(folder)
    np.testing.assert_array_equal(images[:3], model.sample(3, prompt='a "red" 🌸'))
    ends = model.sample(prompt=["one", "two"], interpolate=[4], frames=3)
    assert len(ends) == 4
    for picture, prompt in ((ends[0], "one"), (ends[-1], "two")):
        near = model.sample(1, 4, prompt=prompt)[0].astype(int)
        assert abs(near - picture).max() <= 1
    assert len(model.sample(prompt="one", interpolate=[1, 2], frames=2)) == 3
    printed(sample, folder, *flags, "--output", tmp_path / "a.png")
    assert len(model.sample(5)) == 5, "of its own captions"
    strip = model.directions([1, 2], 2.0, 3, num=2)
    np.testing.assert_array_equal(strip[:, :, 1], np.stack([model.sample(2)] * 2))
    assert np.ptp(strip.astype(int), axis=2).any(), "of z, not of the sentence"
    rows = latent_space.directions(model.generators["result"])
    assert abs(rows - np.eye(8)).max() > 0.1
    film = ("--of", "interpolation", "--seeds", "5", "--frames", 2, "--output", tmp_path / "a.gif")
    printed(video, folder, *film, "--prompt", "a", "--prompt", "b")
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 4, "to b and back to a"
    for wrong in ("", "  \n", "\udcff"):
        with pytest.raises(UserError, match="is empty|is no text"):
            model.sample(prompt=wrong)
    assert "--condition class" in refused(folder, "--class", "all", command=sample)
    assert "leave one of" in refused(folder, "--class", "a", "--prompt", "b", command=sample)
    (folder / "captions.npz").write_bytes(b"PK")
    assert "captions.npz can't be read" in refused(folder, "--prompt", "b", command=sample)


@pytest.mark.slow
def test_what_is_exported_takes_vectors_and_a_page_offers_prompts(
    run_dir, tmp_path, printed, refused
):
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = run_dir("run", "--max-steps", 2)
    assert "within" in printed(export, folder, "--output", tmp_path / "out")
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "generator.onnx"))
    assert [x.name for x in session.get_inputs()] == ["z", "text"]
    assert session.get_inputs()[1].shape[1] == minilm.DIM
    (tmp_path / "p.txt").write_text("a red disc\n\na 'blue' one </script>\n")
    printed(page, folder, "--prompts", tmp_path / "p.txt", "--output", tmp_path / "site")
    script = (tmp_path / "site" / "model.js").read_text()
    assert "a red disc" in script and '"prompts": {"shape": [2, 384]' in script
    (tmp_path / "p.txt").write_text("\n")
    wrong = [folder, "--prompts", tmp_path / "p.txt", "--output", tmp_path / "other"]
    assert "takes 1 to" in refused(*wrong, command=page)
    single = flaxgan.load(tmp_path / "out" / "generator.safetensors")
    assert single.sample(2, prompt="a disc").shape == (2, 16, 16, 3)
    with pytest.raises(UserError, match="say what is shown with --prompt"):
        single.sample(2)


@pytest.mark.slow
def test_pictures_are_projected_and_moved_with_what_they_show(run_dir, tmp_path, printed, refused):
    folder = run_dir("run", "--max-steps", 2)
    model, out = flaxgan.load(folder), tmp_path / "out"
    drawn = model.sample(1, seed=3, prompt="a red disc")
    Image.fromarray(drawn[0]).save(tmp_path / "a.png")
    asked = [folder, tmp_path / "a.png", "--steps", 2, "--output"]
    assert "prompt a red disc" in printed(project, *asked, out, "--prompt", " a  red disc")
    with np.load(out / "a.npz", allow_pickle=False) as content:
        np.testing.assert_allclose(content["text"][0], vector_of("a red disc"), rtol=1e-6)
    found = model.project(drawn, steps=2)
    captions = load_run(folder).prompts
    vector = captions.vectors[captions.texts.index(found.shown[0])]
    np.testing.assert_array_equal(found.labels[0], vector)
    (row,) = csv.DictReader((out / "projections.csv").read_text().splitlines())
    assert row["prompt"] == "a red disc"
    pixels = lambda *flags: _pixels(printed, tmp_path, folder, *flags)  # noqa: E731
    saved = ("--latents", out / "a.npz")
    (picture,) = pixels(*saved)
    again = model.project(drawn, steps=2, prompt="a red disc")
    np.testing.assert_array_equal(again.images[0], picture)
    strip = pixels(*saved, "--direction", 1, "--frames", 3)
    np.testing.assert_array_equal(strip[1], picture)
    np.testing.assert_array_equal(pixels(*saved, "--prompt", "a red disc"), [picture])
    between = pixels(*saved, out / "a.npz", "--frames", 2)
    assert len(between) == 3 and (between == picture).all()
    two = ("--prompt", "a red disc", "--prompt", "b")
    strip = pixels("--direction", 1, "--num", 2, "--frames", 3, *two)
    assert len(strip) == 12
    np.testing.assert_array_equal(strip[1::3], model.sample(2, prompt=["a red disc", "b"]))
    refusals = {
        "take one --class or --prompt": [*saved, *two],
        "leave one of them out": [*saved, "--prompt", "b", "--class", "a"],
        "--condition class": [*saved, "--class", "a"],
    }
    for said, flags in refusals.items():
        assert said in refused(folder, *flags, command=sample)
    np.save(tmp_path / "z.npy", np.zeros((1, 8), np.float32))
    assert "(--prompt)" in refused(folder, "--latents", tmp_path / "z.npy", command=sample)
    with pytest.raises(UserError, match="several classes or sentences"):
        model.draw(np.zeros((2, 8), np.float32), frames=2, prompt=["a", "b"])
    for text in (np.zeros((1, 5), np.float32), np.full((1, minilm.DIM), np.nan, np.float32)):
        np.savez(tmp_path / "wrong.npz", z=np.zeros((1, 8), np.float32), text=text)
        wrong = [folder, "--latents", tmp_path / "wrong.npz"]
        assert "not as this run learnt words" in refused(*wrong, command=sample)


def _pixels(printed, tmp_path, folder, *flags):
    printed(sample, folder, *flags, "--output", tmp_path / "images.npy")
    return np.load(tmp_path / "images.npy")


def test_the_old_name_of_a_condition_is_understood(tmp_path):
    assert Config.make(conditional=True) == Config.make(condition="class")
    assert Config().replace(conditional=True).condition == "class"
    assert Config.make(condition="class").replace(conditional=False).condition == "none"
    assert Config.from_dict({"conditional": True}).condition == "class"
    (tmp_path / "config.json").write_text('{"method": "gan", "conditional": true}')
    assert fields_of_file(tmp_path / "config.json", {})["condition"] == "class"


@pytest.mark.slow
def test_a_run_without_words_is_asked_for_none(train, pictures, tmp_path, refused):
    folder = tmp_path / "run"
    train(
        "--dataset", pictures, "--run-dir", folder, "--max-steps", 1, "--condition", "class", *TINY
    )
    assert "trained with --condition text" in refused(folder, "--prompt", "a", command=sample)
    wrong = [folder, "--prompts", __file__, "--output", tmp_path / "s"]
    assert "learnt words" in refused(*wrong, command=page)
    saved = json.loads((folder / "config.json").read_text())
    assert saved["condition"] == "class"
    del saved["condition"], saved["caption"], saved["matching"], saved["matching_penalty"]
    saved |= {"conditional": True, "chosen": {"conditional": "classes are there"}}
    _, config = parsed_config(json.dumps(saved), folder)
    assert config.condition == "class" and config == load_run(folder).config
    assert parsed_config(json.dumps(saved), folder)[0]["chosen"] == {
        "condition": "classes are there"
    }
    (folder / "config.json").write_text(json.dumps(saved))
    assert len(flaxgan.load(folder).sample(2, labels="discs")) == 2
    train("--run-dir", folder, "--conditional", "--max-steps", 2)
    error = refused("--run-dir", folder, "--no-conditional", "--max-steps", 3)
    assert "--condition none (the run has --condition class)" in error


def test_long_names_are_written_in_several_lines():
    sheet = np.full((2 * 66 + 2, 66, 3), 255, np.uint8)
    short, long = (name_rows(sheet, [text, "b"]) for text in ("a flower", "five petals " * 9))
    dark = [(x[:66, : x.shape[1] - 66, 0] < 128).any(1) for x in (short, long)]
    assert dark[1].sum() > 2 * dark[0].sum() and long.shape[1] < 66 + 400


class Eye:
    """An extractor whose features are the pixels themselves."""

    class network:
        DIM = 8 * 8 * 3

    def __call__(self, images, title, mirrored=False):
        return np.float32(images[:, ::2, ::2].reshape(len(images), -1)) / 255

    def cached(self, images, sha256, title, mirrored=False):
        return self(images, title)


def _drawn(numbers):
    return np.stack([np.asarray(draw(int(i))[0].resize((16, 16))) for i in numbers])


@pytest.mark.slow
def test_attributes_are_right_of_the_right_pictures_and_by_chance_of_others(monkeypatch):
    monkeypatch.setattr(words, "MOST", 300)
    numbers = np.array([i for i in range(1200) if not held(i)])
    text = np.stack([vector_of(sentences(int(i))[0]) for i in numbers])
    reals = ImageSet(_drawn(numbers), "", {}, text=text.astype(np.float32), items=numbers)

    def measured(order):
        asked = np.random.default_rng(0).permutation(held_out())[:300]

        class Method:
            inputs = staticmethod(lambda *_, **__: {})
            sampler = staticmethod(lambda *_: lambda batch: _drawn(asked[order]))

        monkeypatch.setattr(words, "method_of", lambda _: Method)
        comparison = Comparison(
            Reference(reals, Eye(), False), reals, 0, object(), CONFIG, object()
        )
        return words.attributes_shown(comparison)

    right, wrong = measured(np.arange(300)), measured(np.roll(np.arange(300), 1))
    assert right.keys() == {f"words_{name}{x}" for name in ATTRIBUTES for x in ("", "_pixels")}
    for name, entry in right.items():
        assert entry["value"] > entry["chance"] + 0.2, name
        assert abs(wrong[name]["value"] - wrong[name]["chance"]) < 0.1, name
    assert right["words_colour"]["value"] > 0.7


def test_r_precision_is_one_where_pictures_say_it_and_chance_where_not():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (400, 16, 16, 3), np.uint8)
    features = Eye()(images, "")
    text = features @ rng.standard_normal((features.shape[1], minilm.DIM))
    text = (text / np.linalg.norm(text, axis=1, keepdims=True)).astype(np.float32)
    reals = Reference(ImageSet(images, "", {}, text=text), Eye(), False)

    def value(of):
        return words.r_precision(Comparison(reals, ImageSet(images, "", {}, text=of)))

    right, wrong = (value(of)["r_precision"] for of in (text, np.roll(text, 1, 0)))
    assert right["value"] > 0.95 and right["reference"] > 0.5 and wrong["value"] < 0.1
