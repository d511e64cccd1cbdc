"""Windows and macOS, as far as Linux can play them: without what they lack, with paths as theirs
are.
"""

import contextlib
import errno
import ntpath
import os
import re
import signal
import subprocess
import sys
import threading
import types

import pytest

from flaxgan.data.open import is_path
from flaxgan.system.errors import UserError, explaining_limits
from flaxgan.system.files import locked, portable
from flaxgan.system.signals import Interrupt, handling
from tests.conftest import ROOT, TINY

LACKING = """
import mmap, os, platform, sys, threading
import jax, orbax.checkpoint, tqdm  # which know other ways themselves
sys.modules |= dict.fromkeys(["fcntl", "array_record", "resource", "pwd"])
for module, gone in (
    (os, ["sched_getaffinity", "posix_fallocate", "posix_fadvise", "getuid", "geteuid", "fork"]),
    (os, ["O_DIRECTORY", "O_CLOEXEC"]),
    (mmap, [name for name in dir(mmap) if name.startswith("MADV_")]),
):
    for name in gone:
        delattr(module, name)
if hasattr(os, "process_cpu_count"):  # from Python 3.13 on it has chosen sched_getaffinity by now
    os.process_cpu_count = os.cpu_count
platform.libc_ver = lambda *_, **__: ("", "")
from flaxgan.evaluate import main as evaluate
from flaxgan.main import main
from flaxgan.sample import main as sample

def all_of_it():
    folder, *flags = sys.argv[1:]
    main(["--run-dir", folder, "--max-steps", "2", *flags])
    main(["--run-dir", folder, "--max-steps", "3"])
    sample([folder, "--output", folder + "/samples.png"])
    evaluate([folder, "--metrics", "diversity"])

thread = threading.Thread(target=all_of_it)
thread.start()
thread.join()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags", [["--data-home", "host"], ["--data-home", "device", "--conditional"]], ids=" ".join
)
def test_a_run_without_what_only_linux_has_and_in_another_thread(tmp_path, pictures, flags):
    run_dir = tmp_path / "run"
    environment = os.environ | {"FLAXGAN_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LACKING, run_dir, "--dataset", pictures, *flags, *TINY]
    result = subprocess.run(
        [*map(str, command)], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert "Traceback" not in result.stderr and "error" not in result.stderr, result.stderr
    assert (
        re.search("(finished|ended after) 3 steps", result.stdout)
        and "diversity" not in result.stderr
    )
    names = {"checkpoints", "samples.png", "evaluation.json", "losses.png", "generated_images"}
    assert names <= {path.name for path in run_dir.iterdir()}


def test_nothing_is_locked_where_nothing_can_be(tmp_path, monkeypatch):
    with locked(tmp_path), pytest.raises(UserError, match="another process"), locked(tmp_path):
        pass
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with locked(tmp_path), locked(tmp_path):
        pass


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        (r"C:\pictures", True),
        ("C:/pictures", True),
        (r"pictures\flowers", True),
        (r"\\server\pictures", True),
        (r".\pictures", True),
        ("/pictures", True),
        ("~/pictures", True),
        ("mnist", False),
        ("imagenet_resized/64x64:0.1.0", False),
        ("synthetic_flowers", False),
    ],
)
def test_paths_of_windows_are_paths(monkeypatch, path, is_one):
    monkeypatch.setattr("flaxgan.data.open.os", types.SimpleNamespace(path=ntpath, sep=ntpath.sep))
    assert is_path(path, "D:\\data") == is_one


def test_a_backslash_is_a_letter_elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert not is_path(r"C:\pictures", None)


def test_names_that_windows_has_are_left_and_others_changed():
    assert portable("synthetic_flowers 1.0 (é)") == "synthetic_flowers 1.0 (é)"
    assert portable('mnist/a=1:3.*.*?"<>|\\[x]\n\udce9') == "mnist-a=1-3.-.--------x---"


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "There is not enough space on the disk"),
        RuntimeError("write: There is not enough space on the disk."),
    ],
)
def test_a_full_disk_of_windows(error):
    with pytest.raises(UserError, match="make room"), explaining_limits():
        raise error


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "raise ulimit -n"),
        (RuntimeError("can't start new thread"), "more memory, or threads"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "more memory, or threads"),
    ],
)
def test_a_limit_of_the_system_is_named_with_its_remedy(error, remedy):
    with pytest.raises(UserError, match=remedy), explaining_limits():
        raise ValueError("what a library made of it") from error


def test_what_is_unknown_to_windows_is_no_full_disk(monkeypatch):
    """It has no words for a quota."""
    monkeypatch.setattr("os.strerror", lambda number: "Unknown error")
    with pytest.raises(RuntimeError), explaining_limits():
        raise RuntimeError("Unknown error")


def test_in_another_thread_signals_are_left_alone():
    raised = []

    def watch():
        before = signal.getsignal(signal.SIGTERM)
        with contextlib.suppress(ZeroDivisionError), Interrupt.watch() as interrupt:
            raised.append((bool(interrupt), signal.getsignal(signal.SIGTERM) is before))
            raise ZeroDivisionError

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert raised == [(False, True)]


def test_a_handler_that_was_not_pythons_is_set_back(monkeypatch):
    known = {signal.SIGTERM: None}
    monkeypatch.setattr(
        "signal.signal", lambda number, handler: [known[number], known.update({number: handler})][0]
    )
    with handling({signal.SIGTERM: print}):
        assert known == {signal.SIGTERM: print}
    assert known == {signal.SIGTERM: signal.SIG_DFL}
