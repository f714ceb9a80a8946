import cv2
import numpy as np
import pytest

from blazeface.detections import Detections
from blazeface.detections.draw import BOX, KEYPOINTS, draw_faces, draw_note, line_width


def one_face(box: list[float], points: list[list[float]] | None = None) -> Detections:
    x1, y1, x2, y2 = box
    middle = [[(x1 + x2) / 2, (y1 + y2) / 2]] * 6
    return Detections(
        np.array([box], np.float32), np.array([0.9], np.float32), np.array([points or middle], np.float32)
    )


def test_the_box_lies_where_it_should_and_the_rest_stays() -> None:
    image = np.full((400, 600, 3), 128, np.uint8)
    drawn = draw_faces(image, one_face([100, 150, 300, 350]))
    assert (image == 128).all()  # a copy
    for y, x in ((250, 100), (250, 299), (150, 250), (349, 200)):
        assert tuple(drawn[y, x]) == BOX
    assert (drawn[:, 310:] == 128).all()
    assert (drawn[358:] == 128).all()
    assert (drawn[160:240, 110:190] == 128).all()


def test_keypoints_have_their_colours() -> None:
    points = [[150.5, 200.5], [250.5, 200.5], [200.5, 240.5], [200.5, 280.5], [110.5, 220.5], [290.5, 220.5]]
    drawn = draw_faces(np.zeros((400, 600, 3), np.uint8), one_face([100, 150, 300, 350], points))
    assert [tuple(drawn[int(y), int(x)]) for x, y in points] == list(KEYPOINTS)


def test_lines_grow_with_the_picture() -> None:
    sizes = {(128, 128): 1, (480, 640): 2, (720, 1280): 4, (1080, 1920): 5, (3000, 4000): 15}
    assert {size: line_width(np.zeros((*size, 3), np.uint8)) for size in sizes} == sizes


def test_a_small_face_has_thin_lines_and_no_label_that_would_hide_its_neighbours() -> None:
    grey = np.full((800, 800, 3), 128, np.uint8)
    small = draw_faces(grey, one_face([400, 400, 412, 412]))
    ys, xs = np.nonzero((small != 128).any(axis=2))
    # A line of one pixel with an edge of one on either side, rounded by OpenCV.
    assert xs.min() >= 398 and ys.min() >= 398 and xs.max() <= 413 and ys.max() <= 413
    ys, xs = np.nonzero((draw_faces(grey, one_face([400, 400, 424, 424])) != 128).any(axis=2))
    assert ys.min() < 390 and xs.max() < 448  # the score stands above it, at most twice as wide


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (20, 20), (48, 64)])
@pytest.mark.parametrize("box", [[0, 0, 1, 1], [-1e9, -1e9, 1e9, 1e9], [5, 5, 5, 5], [1e30, 0, 2e30, 4]])
def test_any_picture_and_any_box(shape: tuple[int, int], box: list[float]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    drawn = draw_faces(image, one_face(box))
    assert drawn.shape == image.shape
    draw_note(drawn, "25.0 FPS")


def test_no_face_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    np.testing.assert_array_equal(draw_faces(image, Detections.empty()), image)


def test_the_label_stays_inside_and_off_the_face() -> None:
    def dark_field(box: list[float]) -> tuple[int, int, int, int]:
        drawn = draw_faces(np.full((200, 300, 3), 128, np.uint8), one_face(box))
        ys, xs = np.nonzero(cv2.erode((drawn == 25).all(axis=2).astype(np.uint8), np.ones((4, 4))))
        return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())

    x1, y1, x2, y2 = dark_field([100, 100, 160, 160])
    assert [x1 - 100, y2] == pytest.approx([0, 99], abs=3)  # above
    x1, y1, x2, y2 = dark_field([290, 5, 330, 60])
    assert [x2, y1] == pytest.approx([299, 61], abs=3)  # below, pushed in from the right
