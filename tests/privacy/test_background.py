"""What stays sharp and what does not, with a segmenter whose answer is known; and `detect --background-blur`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from blazeface.cli.main import main
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from blazeface.privacy.background import KEY, BackgroundBlur, blurred, keep

onnx = pytest.importorskip("onnx", reason="the train extra is not installed")

ROOT = Path(__file__).parents[2]
ASTRONAUT = ROOT / "data" / "pictures" / "astronaut.png"


def bright_is_face(path: Path, size: int = 32, key: str = KEY, factor: float = 40.0) -> Path:
    """A segmenter that takes every bright pixel for a face: the mean of the channels decides."""
    weights = np.zeros((2, 3, 1, 1), np.float32)
    weights[1] = factor / 3
    node = onnx.helper.make_node("Conv", ["pictures", "weights"], ["logits"])
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "bright",
        [tensor("pictures", onnx.TensorProto.FLOAT, ["batch", 3, size, size])],
        [tensor("logits", onnx.TensorProto.FLOAT, ["batch", 2, size, size])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.helper.set_model_props(model, {key: "made"})
    onnx.save(model, path)
    return path


def checkered(height: int = 60, width: int = 120) -> np.ndarray:
    """Stripes of a pixel in two greys, light on the left half and dark on the right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, ::2], image[:, 1::2] = 250, 170
    image[:, width // 2 :] //= 4
    return image


def test_the_mask_lies_where_the_picture_lies_in_the_square(tmp_path: Path) -> None:
    blur = BackgroundBlur(bright_is_face(tmp_path / "x.onnx"))
    for image in (checkered(), np.rot90(checkered()).copy()):
        mask = blur.mask(image)
        assert mask.shape == image.shape[:2]
        upright = mask if mask.shape[1] > mask.shape[0] else np.rot90(mask, -1)
        assert (upright[:, :50] > 0.99).all() and (upright[:, 70:] < 0.01).all()
    assert blur.mask(np.full((1, 1, 3), 255, np.uint8)).tolist() == [[pytest.approx(1)]]


def test_faces_stay_and_the_rest_is_blurred(tmp_path: Path) -> None:
    image = checkered()
    given = image.copy()
    answer = BackgroundBlur(bright_is_face(tmp_path / "x.onnx"))(image)
    assert answer.dtype == np.uint8 and np.array_equal(image, given)
    assert np.array_equal(answer[:, :50], image[:, :50])
    # The stripes on the right, 62 and 42, are gone: one grey is left.
    assert np.ptp(image[:, 80:]) == 20 and np.ptp(answer[:, 80:110]) <= 2
    assert abs(float(answer[:, 80:110].mean()) - 52) < 1.5


def test_a_mask_between_mixes() -> None:
    image, background = np.full((1, 3, 3), 200, np.uint8), np.full((1, 3, 3), 100, np.uint8)
    assert keep(image, background, np.array([[0, 0.25, 1]], np.float32))[0, :, 0].tolist() == [100, 125, 200]


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (37, 53)])
def test_any_shape_can_be_blurred(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 77, np.uint8)
    assert np.array_equal(blurred(image), image)


def test_files_that_are_no_segmenter(tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match="no such model file"):
        BackgroundBlur(tmp_path / "none.onnx")
    with pytest.raises(BlazeFaceError, match=r"other\.onnx: it has no blazeface\.segment metadata"):
        BackgroundBlur(bright_is_face(tmp_path / "other.onnx", key="other"))
    with pytest.raises(BlazeFaceError, match="expected square pictures and logits"):
        BackgroundBlur(bright_is_face(tmp_path / "small.onnx", size=4))


def test_detect_writes_a_copy_with_nothing_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, copy = bright_is_face(tmp_path / "x.onnx"), tmp_path / "copy.png"
    command = ["detect", str(ASTRONAUT), "--background-blur", str(model), "--output", str(copy), "--quiet"]
    assert main(command) == 0
    assert np.array_equal(read_picture(str(copy)), BackgroundBlur(model)(read_picture(str(ASTRONAUT))))
    capsys.readouterr()
    assert main(["detect", str(ASTRONAUT), "--background-blur", str(tmp_path / "none.onnx")]) == 1
    assert "none.onnx: no such model file" in capsys.readouterr().err
    jobs = ["--jobs", "2", "--jsonl", str(tmp_path / "x.jsonl")]
    assert main(["detect", str(ASTRONAUT), "--background-blur", str(model), *jobs]) == 2
    assert "--background-blur does not go with --jobs" in capsys.readouterr().err
