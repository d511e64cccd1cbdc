"""Reading PyTorch's weight files without PyTorch: both formats, spelt out by hand, and what is
refused.
"""

import hashlib
import io
import pickle
import zipfile

import numpy as np
import pytest

from flaxgan.pretrained.weights import LEGACY_MAGIC, published_weights, read_tensors, read_weights
from flaxgan.system.errors import UserError

NUMBERS = np.arange(12, dtype=np.float32)
RAW = NUMBERS.tobytes()


def integers(values):
    return b"(" + b"".join(b"I%d\n" % value for value in values) + b"t"


def tensor(offset, shape, strides, dtype=b"FloatStorage"):
    """The opcodes of _rebuild_tensor_v2(storage 0, offset, shape, strides, False,
    OrderedDict()).
    """
    storage = b"(S'storage'\nctorch\n" + dtype + b"\nS'0'\nS'cpu'\nI12\ntQ"
    arguments = (
        storage
        + b"I%d\n" % offset
        + integers(shape)
        + integers(strides)
        + b"I00\nccollections\nOrderedDict\n)R"
    )
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"


def state_dict(**tensors):
    """The opcodes of an OrderedDict with PyTorch's attribute _metadata."""
    items = b"".join(b"S'%s'\n" % name.encode() + opcodes for name, opcodes in tensors.items())
    return b"ccollections\nOrderedDict\n)R(" + items + b"u}S'_metadata'\n}sb."


def legacy(content, raw=RAW):
    head = pickle.dumps(LEGACY_MAGIC) + pickle.dumps(1001) + pickle.dumps({"little_endian": True})
    return head + content + pickle.dumps(["0"]) + (12).to_bytes(8, "little") + raw


def zipped(content, raw=RAW):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/data/0", raw)
    return file.getvalue()


either_format = pytest.mark.parametrize("packed", [legacy, zipped])


@either_format
def test_tensors_are_views_of_their_storage(packed):
    content = state_dict(
        whole=tensor(0, (3, 4), (4, 1)), turned=tensor(4, (4, 2), (1, 4)), single=tensor(7, (), ())
    )
    tensors = read_tensors(packed(content))
    assert list(tensors) == ["whole", "turned", "single"]
    np.testing.assert_array_equal(tensors["whole"], NUMBERS.reshape(3, 4))
    np.testing.assert_array_equal(tensors["turned"], NUMBERS.reshape(3, 4)[1:].T)
    assert tensors["single"] == 7 and tensors["single"].shape == ()
    assert {value.dtype for value in tensors.values()} == {np.dtype(np.float32)}


@either_format
def test_integers(packed):
    content = state_dict(count=tensor(11, (1,), (1,), b"LongStorage"))
    assert read_tensors(packed(content, np.arange(12).tobytes()))["count"].tolist() == [11]


@either_format
@pytest.mark.parametrize(
    "opcodes",
    [
        b"cos\nsystem\n(S'touch ran'\ntR.",
        b'cbuiltins\nexec\n(S\'open("ran", "w")\'\ntR.',
        b"cbuiltins\ngetattr\n(ctorch._utils\n_rebuild_tensor_v2\nS'__globals__'\ntR.",
        b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\ttouch ran\x85R.",
        b"(S'touch ran'\nios\nsystem\n.",
    ],
)
def test_nothing_that_a_file_names_is_run(packed, opcodes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match="is not allowed"):
        read_tensors(packed(opcodes))
    assert not (tmp_path / "ran").exists()


@either_format
@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (3, 5), (5, 1)),
        (12, (), ()),
        (10, (3,), (1,)),
        (-1, (2,), (1,)),
        (11, (2,), (-1,)),
        (0, (-1,), (1,)),
    ],
)
def test_a_tensor_outside_of_its_storage(packed, offset, shape, strides):
    with pytest.raises(ValueError, match="outside of its storage"):
        read_tensors(packed(state_dict(w=tensor(offset, shape, strides))))


@either_format
@pytest.mark.parametrize(
    "opcodes", [b"I5\n.", b"(lI5\na.", b"}S'w'\nI5\ns.", b"}S'w'\nctorch\nFloatStorage\ns."]
)
def test_anything_but_tensors(packed, opcodes):
    with pytest.raises(ValueError, match="not a dictionary of tensors alone"):
        read_tensors(packed(opcodes))


def test_files_cut_short():
    content = state_dict(w=tensor(0, (12,), (1,)))
    for length in (0, 10, 60, len(legacy(content)) - 8, len(legacy(content)) - 1):
        with pytest.raises((ValueError, EOFError, pickle.UnpicklingError)):
            read_tensors(legacy(content)[:length])
    with pytest.raises(zipfile.BadZipFile):
        read_tensors(zipped(content)[:-30])
    with pytest.raises(ValueError, match="outside of its storage"):
        read_tensors(zipped(content, RAW[:-4]))
    with pytest.raises(ValueError, match=r"not a file of torch.save"):
        read_tensors(pickle.dumps(5))


@pytest.fixture
def published(tmp_path):
    """A published file (its folder, URL and SHA-256)."""
    path = tmp_path / "server" / "published.pth"
    path.parent.mkdir()
    path.write_bytes(legacy(state_dict(w=tensor(0, (12,), (1,)))))
    return path, path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest()


def test_only_the_published_file_is_read(published):
    path, _, sha256 = published
    np.testing.assert_array_equal(read_weights(path, sha256)["w"], NUMBERS)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(
        UserError, match=f"published.pth is not the published weight file.*not {sha256}"
    ):
        read_weights(path, sha256)
    path.unlink()
    with pytest.raises(UserError, match="can't read the weights .*No such file"):
        read_weights(path, sha256)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def test_weights_are_downloaded_once(published, own_cache, capsys):
    source, url, sha256 = published
    path = published_weights(url, sha256, "--weights")
    assert path == own_cache / "published.pth" and path.read_bytes() == source.read_bytes()
    assert capsys.readouterr().out == f"downloading {url} (once)\n"
    source.unlink()
    assert published_weights(url, sha256, "--weights") == path
    assert capsys.readouterr().out == ""


def test_a_wrong_answer_is_not_kept(published, own_cache):
    source, url, sha256 = published
    source.write_bytes(b"<html>log in to this network</html>")
    with pytest.raises(UserError, match="not the published weight file.*give --weights FILE"):
        published_weights(url, sha256, "--weights")
    assert not own_cache.exists()


def test_no_network(published, own_cache):
    source, url, sha256 = published
    source.unlink()
    with pytest.raises(UserError, match=r"can't download file:.*give --weights FILE"):
        published_weights(url, sha256, "--weights")
    with pytest.raises(UserError, match=r"can't download http://127.0.0.1:9/.*give --weights FILE"):
        published_weights("http://127.0.0.1:9/published.pth", sha256, "--weights")
    assert not own_cache.exists()


def test_a_cache_that_can_not_be_written(published, own_cache):
    _, url, sha256 = published
    own_cache.parent.write_text("a file where the folder should be")
    with pytest.raises(UserError, match="can't keep the weights .*set FLAXGAN_CACHE"):
        published_weights(url, sha256, "--weights")
