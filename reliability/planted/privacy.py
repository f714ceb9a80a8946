"""Faults that leave a face open, a file half-written, or a user's file lost."""

from __future__ import annotations

from reliability.planted.fault import Fault, faults

PRIVACY: tuple[Fault, ...] = (
    *faults(
        "blazeface/privacy/cover.py",
        "privacy/test_cover.py",
        ("faces are covered without a margin", "margin = MARGIN + (", "margin = 0 * MARGIN + ("),
        ("a face that may have moved gets no more", "float(reach[n]))", "0.0)"),
        (
            "the cover goes inwards to whole pixels",
            "(np.floor(x1 - across), np.ceil(x2 + across))",
            "(np.ceil(x1 - across), np.floor(x2 + across))",
        ),
        (
            "a mosaic keeps the detail",
            "cell = max(height, width) / CELLS",
            "cell = max(height, width) / (8 * CELLS)",
        ),
        (
            "a mosaic picks pixels in place of means",
            "cells = cv2.resize(part, few, interpolation=cv2.INTER_AREA)",
            "cells = cv2.resize(part, few, interpolation=cv2.INTER_NEAREST)",
        ),
        ("the picture itself is painted over", "hidden = image.copy()", "hidden = image"),
    ),
    *faults(
        "blazeface/pipeline.py",
        "test_pipeline.py",
        (
            "a frame that could not be searched is written open",
            "            return cover_all(image, self.cover)  # nobody knows where they are",
            "            return image",
        ),
        ("a held face does not get a wider cover", "None if tracker is None else tracker.reach)", "None)"),
        (
            "boxes are drawn over covers",
            "if faces is None or self.cover is not None or self.background is not None:",
            "if faces is None:",
        ),
        (
            "tracks go on though the size changed",
            "                        tracker.forget()\n",
            "                        pass\n",
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
        ("a careful tracker holds no single sight", "        if not self._careful:", "        if True:"),
        (
            "a held face is where it was, for sure",
            "self.reach = (time - given.seen) * (speed + DRIFT)",
            "self.reach = 0 * (time - given.seen) * (speed + DRIFT)",
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
            '    part = target.with_name(f".{target.stem[:40]}-{os.getpid()}-{next(_numbers)}.part{target.suffix}")',
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
        "blazeface/web/page/js/hold.js",
        "web/test_page_covers.py",
        ("the page holds for no time", "const SECONDS = 0.5;", "const SECONDS = 0;"),
        ("the page never lets go", "time - seen < SECONDS && ", ""),
        ("the page covers a face twice", " && !found.some(({ box }) => boxIou(box, face.box) > 0.3)", ""),
    ),
    *faults(
        "blazeface/web/page/js/draw.js",
        "web/test_page_covers.py",
        ("the page covers without a margin", "const MARGIN = 0.2;", "const MARGIN = 0;"),
        ("the page's mosaic keeps the detail", "const CELLS = 6;", "const CELLS = 60;"),
        (
            "the page covers in a mirror what is not mirrored",
            "context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? pixels.width : 0, 0);",
            "",
        ),
    ),
)
