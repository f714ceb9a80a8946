"""The numbers in the phones' files are those of the Python package."""

from __future__ import annotations

import pytest

from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.spec import FRONT_128
from tools.phone_constants import CPP, LANGUAGES, PHONES, Language, filled, main, numbers


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.file)
def test_the_generated_block_is_up_to_date(language: Language) -> None:
    text = (PHONES / language.file).read_text(encoding="utf-8")
    assert filled(text, language) == text, "run python -m tools.phone_constants"


def test_a_file_without_marks_is_refused() -> None:
    with pytest.raises(BlazeFaceError, match="marks of the generated block are missing"):
        filled("int main() {}", CPP)


def test_literal_lines() -> None:
    assert numbers()["tracker_hold"] == (0.25, "double")
    assert CPP.constant("most_candidates", 2000, "count") == "constexpr int most_candidates = 2000;"
    assert CPP.spec(FRONT_128) == (
        'inline const ModelSpec front_128{\n    "front-128", 128, {{16, 2}, {8, 6}}, 128.0F, 127.5F, 127.5F, 0.5F, 0.5F,'
        " Resampling::supersample};"
    )


def test_the_spec_of_a_model_of_one_s_own_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--model", "back-256"])
    assert CPP.spec(FaceDetector("back-256").spec) in capsys.readouterr().out
