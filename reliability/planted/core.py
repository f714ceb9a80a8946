"""Faults in what turns pixels into tensors and tensors into faces."""

from __future__ import annotations

from reliability.planted.fault import Fault, faults

CORE: tuple[Fault, ...] = (
    *faults(
        "blazeface/geometry.py",
        "test_geometry.py",
        (
            "areas of inside-out boxes count",
            "np.maximum(boxes[..., 2:] - boxes[..., :2], 0)",
            "boxes[..., 2:] - boxes[..., :2]",
        ),
        (
            "boxes apart share a negative area",
            "np.maximum(width, 0) * np.maximum(height, 0)",
            "width * np.maximum(height, 0)",
        ),
        ("the union counts what is shared twice", "+ box_area(b)[None, :] - shared", "+ box_area(b)[None, :]"),
        ("the way back forgets the border", "return (points - offset) / scale", "return points / scale"),
        (
            "the way into the input subtracts the border",
            "return points * scale + offset",
            "return points * scale - offset",
        ),
        (
            "the picture is fitted by its short side",
            "return rows / max(height, width) if",
            "return rows / min(height, width) if",
        ),
        (
            "the border is all on one side",
            "left, top = (columns - new_width) // 2, (rows - new_height) // 2",
            "left, top = 0, (rows - new_height) // 2",
        ),
        (
            "one scale stands for both",
            "Letterbox(new_width / width, new_height / height, left, top)",
            "Letterbox(new_width / width, new_width / width, left, top)",
        ),
        ("no averaging when a picture shrinks", "return 1 if scale >= 0.5 else 2", "return 1"),
        ("the middle pixel of a cell is missed by one", "middle = step // 2", "middle = step // 2 - 1"),
        (
            "MediaPipe's warp begins half a pixel off",
            "left, top = (width - across) / 2, (height - down) / 2",
            "left, top = (width - across) / 2 + 0.5, (height - down) / 2",
        ),
    ),
    *faults(
        "blazeface/anchors.py",
        "test_anchors.py",
        ("anchors sit on the cells' corners", "dtype=np.float32) + 0.5)", "dtype=np.float32))"),
        ("x and y of the anchors change places", "np.stack([x, y], axis=-1)", "np.stack([y, x], axis=-1)"),
        (
            "anchors come one size after the other",
            "np.repeat(cells, len(anchor_map.sizes), axis=0)",
            "np.tile(cells, (len(anchor_map.sizes), 1))",
        ),
        (
            "sizes come one cell after the other",
            "np.tile(",
            "np.repeat(",
        ),
    ),
    *faults(
        "blazeface/decode.py",
        "test_decode.py",
        (
            "a box is twice as large",
            "middle, half = points[:, 0], values[:, 1] / 2",
            "middle, half = points[:, 0], values[:, 1]",
        ),
        ("the decode scale is left out", "(regressions / scale).reshape", "(regressions).reshape"),
        ("keypoints are not at their anchor", "return boxes, points[:, 2:]", "return boxes, values[:, 2:]"),
        (
            "large logits overflow",
            "np.minimum(np.maximum(logits, -LOGIT_LIMIT), LOGIT_LIMIT)",
            "np.minimum(logits, LOGIT_LIMIT)",
        ),
        (
            "encoding forgets the anchor",
            "middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - centers",
            "middle = (boxes[:, :2] + boxes[:, 2:]) / 2",
        ),
    ),
    *faults(
        "blazeface/blend.py",
        "test_blend.py",
        ("the worst candidate leads", 'np.argsort(-scores, kind="stable")', 'np.argsort(scores, kind="stable")'),
        (
            "equal scores change their order",
            'order = np.argsort(-scores, kind="stable")',
            'order = np.argsort(-scores[::-1], kind="stable")[::-1].copy()',
        ),
        ("candidates are used twice", "members = overlap[best] & left", "members = overlap[best].copy()"),
        (
            "groups at the threshold itself join",
            "shared / union > iou_threshold",
            "shared / union >= iou_threshold",
        ),
        (
            "candidates count alike whatever their scores",
            "values * weights[:, None], starts, axis=0) / totals[:, None]",
            "values, starts, axis=0) / np.diff([*starts, len(values)])[:, None]",
        ),
        (
            "a face gets the mean score",
            "scores[members[starts]], means[:, 4:]",
            "(totals / np.diff([*starts, len(members)])).astype(scores.dtype), means[:, 4:]",
        ),
        ("suppression keeps the last of a group", "np.array([group[0] for group", "np.array([group[-1] for group"),
    ),
    *faults(
        "blazeface/detections/faces.py",
        "detections/test_detections.py",
        ("scores in any order pass", "(self.scores[1:] <= self.scores[:-1]).all()", "True"),
        ("values that are not finite pass", "if not np.isfinite(value).all():", "if False:"),
        ("scores above one pass", "self.scores[-1] >= 0 and self.scores[0] <= 1", "self.scores[-1] >= 0"),
        (
            "a part loses its track ids",
            "ids = None if self.track_ids is None else self.track_ids[index]",
            "ids = None",
        ),
        (
            "scores are rounded like pixels",
            "round(self.score, digits + 2)",
            "round(self.score, digits)",
        ),
    ),
    *faults(
        "blazeface/spec.py",
        "test_spec.py",
        (
            "mirroring leaves the ears",
            "KEYPOINT_MIRROR = (1, 0, 2, 3, 5, 4)",
            "KEYPOINT_MIRROR = (1, 0, 2, 3, 4, 5)",
        ),
        ("eyes change places", '("right_eye", "left_eye",', '("left_eye", "right_eye",'),
        ("unknown fields pass", "            if unknown:", "            if unknown and False:"),
        (
            "a threshold above one passes",
            "if not (_is_number(value) and 0 <= value <= 1):",
            "if not (_is_number(value) and 0 <= value):",
        ),
        ("True passes for a number", "and not isinstance(value, bool) and", "and"),
        ("an anchor of no size passes", "0 < size <= 4", "0 <= size <= 4"),
        (
            "regressions are counted without the sides",
            "return 4 + 2 * self.num_keypoints",
            "return 2 + 2 * self.num_keypoints",
        ),
    ),
    *faults(
        "blazeface/geometry.py",
        "test_refine.py",
        (
            "a face is turned the wrong way",
            "np.array([[cosine, sine], [-sine, cosine]])",
            "np.array([[cosine, -sine], [sine, cosine]])",
        ),
        ("views are half a pixel off", "fine[:, 2] += fine[:, :2].sum(axis=1) / 2 - 0.5", "pass"),
    ),
    *faults(
        "blazeface/crop.py",
        "test_refine.py",
        ("the context around a face is left out", "side = spec.context * math.sqrt(", "side = math.sqrt("),
        ("the second stage sees BGR", "planes = crops[..., ::-1].transpose", "planes = crops.transpose"),
    ),
)
