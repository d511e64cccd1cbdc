"""What is installed is all there, and is found wherever Python is started."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

import flaxgan
from tests.conftest import ROOT

RECIPES = sorted(path.stem for path in (ROOT / "experiments").glob("[a-z]*.py"))
BUILDS = int(importlib.metadata.version("setuptools").split(".")[0]) >= 77


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A folder in which there is a folder `flaxgan`, a clone as git has it."""
    clone = tmp_path_factory.mktemp("content") / "flaxgan"
    clone.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    for name in ("flaxgan", "experiments", "benchmarks"):
        shutil.copytree(
            ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__", "*.png")
        )
    return clone


def built(clone, kind, folder):
    """Build a wheel, as pip does, and unpack it into `folder`."""
    code = f"from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=clone, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    wheel.unlink()
    return folder


def run(*argv, cwd, environment=None):
    command = [sys.executable, *argv]
    result = subprocess.run(
        command, cwd=cwd, env=os.environ | (environment or {}), capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
@pytest.mark.skipif(not BUILDS, reason="setuptools is too old to build flaxgan")
def test_a_wheel_has_every_package_and_recipe(clone, tmp_path):
    installed = built(clone, "wheel", tmp_path / "installed")
    modules = lambda folder: {str(path.relative_to(folder)) for path in folder.rglob("*.py")}  # noqa: E731
    assert modules(installed / "flaxgan") == modules(ROOT / "flaxgan") | {
        f"recipes/{name}.py" for name in RECIPES
    }
    assert (installed / "flaxgan" / "py.typed").is_file()
    page = "from flaxgan.reports.page import html_of; assert 'class Chart' in html_of('{}', 'a')"
    run("-c", page, cwd=tmp_path, environment={"PYTHONPATH": str(installed)})
    site = {path.name: path.read_bytes() for path in (ROOT / "flaxgan" / "site").iterdir()}
    there = {path.name: path.read_bytes() for path in (installed / "flaxgan" / "site").iterdir()}
    assert there == site and "index.html" in site
    assert {path.name for path in installed.iterdir() if path.suffix != ".dist-info"} == {"flaxgan"}
    where = {"cwd": tmp_path, "environment": {"PYTHONPATH": str(installed)}}
    assert "(default: 600)" in run(
        "-m", "flaxgan.main", "--recipe", "own_images", "--help", **where
    )
    listed = run("-m", "flaxgan", **where)
    assert all(f"\n  {name} " in listed for name in RECIPES)


@pytest.mark.skipif(not BUILDS, reason="setuptools is too old to build flaxgan")
def test_an_editable_install_is_found_beside_the_clone(clone, tmp_path):
    """There the folder `flaxgan`, the clone, is on the path, too, and it is no package."""
    installed = built(clone, "editable", tmp_path / "installed")
    code = (
        "import site, sys; site.addsitedir(sys.argv[1]); import flaxgan; print(flaxgan.__version__,"
        " flaxgan.__file__)"
    )
    nothing_else = {"PYTHONPATH": ""}  # as -S: what this environment has installed
    found = run("-S", "-c", code, str(installed), cwd=clone.parent, environment=nothing_else)
    assert found.split() == [flaxgan.__version__, str(clone / "flaxgan" / "__init__.py")]


def test_recipes_of_a_clone_by_name(tmp_path):
    where = {"cwd": tmp_path, "environment": {"PYTHONPATH": str(ROOT)}}
    text = run("-m", "flaxgan.main", "--recipe", "own_images", "--help", **where)
    assert text.startswith("usage: python -m flaxgan.main --recipe own_images [FLAGS]")
    assert "A folder of your own pictures" in text and "(default: 600)" in text
    listed = run("-m", "flaxgan", **where)
    assert (
        all(f"\n  {name} " in listed for name in RECIPES)
        and "python -m flaxgan.evaluate " in listed
    )


def test_an_unknown_recipe_is_answered_with_the_nearest(refused):
    error = refused("--recipe", "flowrs_best")
    assert "did you mean flowers_best" in error and "abstract_art" in error
    assert "'../main'" in refused("--recipe", "../main")
    assert "expected one argument" in refused("--recipe")


@pytest.mark.slow
def test_a_recipe_by_name_trains_as_its_program_does(tmp_path, pictures, train):
    flags = ["--dataset", pictures, "--run-dir", tmp_path / "run", "--image-size", 16]
    flags += ["--features", 4, "--dry-run"]
    lines = dict(
        line.split(None, 1)
        for line in train("--recipe", "own_images", "--epochs", 7, *flags).splitlines()
        if line
    )
    assert (lines["augment"], lines["epochs"], lines["batch_size"]) == ("translation", "7", "8")
