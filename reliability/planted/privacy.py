"""Faults that leave a face open, a file half-written, or a user's file lost."""

from __future__ import annotations

from reliability.planted.fault import Fault, faults

PRIVACY: tuple[Fault, ...] = (
    *faults(
        "blazeface/privacy/cover.py",
        "privacy/test_cover.py",
        ("faces of a picture are covered without a margin", "with_margin(box, RULES)", "box"),
        ("the cover goes inwards to whole pixels", "(np.floor(x1), np.ceil(x2))", "(np.ceil(x1), np.floor(x2))"),
        (
            "a mosaic keeps the detail",
            "cell = max(height, width) / RULES.cells",
            "cell = max(height, width) / (8 * RULES.cells)",
        ),
        (
            "a mosaic picks pixels in place of means",
            "cells = cv2.resize(part, few, interpolation=cv2.INTER_AREA)",
            "cells = cv2.resize(part, few, interpolation=cv2.INTER_NEAREST)",
        ),
        ("the picture itself is painted over", "covered = image.copy()", "covered = image"),
    ),
    *faults(
        "blazeface/privacy/rules.py",
        (
            "privacy/test_covers.py",
            "privacy/test_cover.py",
            "web/test_page_search.py::test_the_numbers_are_python_s",
        ),
        ("the rules know no margin above and below", "margin_down: float = 0.2", "margin_down: float = 0.0"),
        ("the rules know no margin at the sides", "margin_across: float = 0.1", "margin_across: float = 0.0"),
        ("a lost face is held for no time", "hold: float = 1.0", "hold: float = 0.0"),
        ("a gap is not bridged", "bridge: float = 2.0", "bridge: float = 0.0"),
        ("covers do not grow", "growth: float = 0.6", "growth: float = 0.0"),
    ),
    *faults(
        "blazeface/privacy/covers.py",
        "privacy/test_covers.py",
        (
            "a track is covered before it is sure of nothing else",
            "        if not track.confirmed:\n            continue\n        cover = _of_track",
            "        cover = _of_track",
        ),
        (
            "a gap is covered without a margin",
            "return _grown(with_margin(box, tracks.rules), box, min(",
            "return _grown(box, box, min(",
        ),
        ("a gap grows from its one end only", "min(time - start, end - time), tracks)", "0.0, tracks)"),
        (
            "a face is covered where it was and not where it goes",
            "_grown(_union(with_margin(box, rules), ahead), box, away",
            "_grown(with_margin(box, rules), box, away",
        ),
        (
            "a face is covered where it goes and not where it was",
            "_grown(_union(with_margin(box, rules), ahead), box, away",
            "_grown(ahead, box, away",
        ),
        (
            "a face before its first sight is looked for the wrong way",
            "velocity = -velocity[0], -velocity[1]",
            "velocity = velocity[0], velocity[1]",
        ),
        (
            "the way to where a face reappears is open",
            "        cover = _of_link(track, time, tracks)\n        if cover is not None:\n            found.append(cover)\n",
            "",
        ),
    ),
    *faults(
        "blazeface/privacy/tracks.py",
        "privacy/test_covers.py",
        (
            "faint traces do not continue a track",
            "chosen = faces[faces.scores >= rules.faint]",
            "chosen = faces[faces.scores >= rules.score]",
        ),
        (
            "whatever is large is covered",
            "return max(rules.score, rules.large_score) if large else rules.score",
            "return rules.score",
        ),
        (
            "a fainter answer on the same face is another",
            "if scores[n] >= rules.sure or all(share < rules.inside for share in covered):",
            "if True:",
        ),
    ),
    *faults(
        "blazeface/privacy/coverer.py",
        ("privacy/test_covers.py", "test_pipeline.py"),
        (
            "a frame that could not be searched is written open",
            "cover_all(image, self.how) if boxes is None else",
            "image if boxes is None else",
        ),
        (
            "a frame that could not be searched passes for one without a face",
            "            self._unknown.add(index)\n",
            "",
        ),
        (
            "tracks go on though the size changed",
            "if not self._parts or not self._parts[-1].fits(width, height):",
            "if not self._parts:",
        ),
    ),
    *faults(
        "blazeface/pipeline.py",
        "test_pipeline.py",
        (
            "boxes are drawn over covers",
            "if faces is None or self.cover is not None or self.background is not None:",
            "if faces is None:",
        ),
        (
            "a record that cannot be written is passed over",
            "            raise RecordFault(str(fault)) from fault",
            "            pass",
        ),
    ),
    *faults(
        "blazeface/tracking/tracker.py",
        "tracking/test_tracker.py",
        (
            "a missed face is not held",
            "held = absent[time - absent.seen <= self._hold]",
            "held = absent[time - absent.seen < 0]",
        ),
        ("a number is given twice", "self._next_id += count", "self._next_id += 0 * count"),
        (
            "a face that is gone is never let go",
            "return self._tracks[time - self._tracks.seen <= self._remember]",
            "return self._tracks",
        ),
    ),
    *faults(
        "blazeface/files/staged.py",
        "files/test_staged.py",
        (
            "a staged file is written in place",
            "    part = target.with_name(name + target.suffix)",
            "    part = target",
            "files/test_staged.py::test_a_file_that_stood_there_stays_until_the_block_ends",
        ),
        (
            "what was half written stays",
            "        part.unlink(missing_ok=True)\n",
            "",
            "files/test_staged.py::test_a_block_that_raises_leaves_what_stood_there",
        ),
        (
            "a link is replaced by a file",
            "target = Path(os.path.realpath(path))",
            "target = Path(path)",
            "files/test_staged.py::test_a_link_keeps_pointing_where_it_did",
        ),
    ),
    *faults(
        "blazeface/web/page/blazeface/rules.js",
        ("web/test_page_covers.py",),
        ("the page holds for no time", "  hold: 1.0,", "  hold: 0.0,"),
        ("the page covers without a margin", "  margin_down: 0.2,", "  margin_down: 0.0,"),
        ("the page's mosaic keeps the detail", "  cells: 5,", "  cells: 50,"),
    ),
    *faults(
        "blazeface/web/page/blazeface/covers.js",
        ("web/test_page_covers.py",),
        (
            "the page covers what it sees without a margin",
            "const own = withMargin(box, rules);",
            "const own = box;",
        ),
        (
            "the page lets go at once",
            "if (away > (weak ? Math.min(rules.hold, rules.brief) : rules.hold)) return [];",
            "return [];",
        ),
        (
            "the page's covers do not grow",
            "const sides = Math.min(rules.slack + rules.growth * away, rules.largest_growth);",
            "const sides = 0;",
        ),
        ("the page forgets a track after a frame", "(track.confirmed ? rules.bridge : rules.brief)", "0"),
    ),
    *faults(
        "blazeface/web/page/js/draw.js",
        ("web/test_page_covers.py",),
        (
            "the page covers in a mirror what is not mirrored",
            "context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? pixels.width : 0, 0);",
            "",
        ),
    ),
)
