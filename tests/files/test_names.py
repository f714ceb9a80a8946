import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface.errors import BlazeFaceError
from blazeface.files.names import listed, printable, without_secrets
from blazeface.sources.inputs import find_input


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://camera.lan:554/live", "rtsp://camera.lan:554/live"),
        ("rtsp://admin:secret@camera.lan/live", "rtsp://***@camera.lan/live"),
        ("rtsp://admin:p@ss/w?rd#1@camera.lan/live", "rtsp://***@camera.lan/live"),
        ("http://camera.lan/video.cgi?user=admin&pwd=secret", "http://camera.lan/video.cgi?***"),
        ("http://camera.lan/video#secret", "http://camera.lan/video?***"),
        ("rtsp:/admin:secret@camera.lan/live", "rtsp://***@camera.lan/live"),  # a slash forgotten
        ("udp://@239.0.0.1:1234", "udp://***@239.0.0.1:1234"),
        ("photos/me@home.jpg", "photos/me@home.jpg"),
        ("admin:secret@camera.lan/live?key=secret", "***@camera.lan/live?***"),  # the scheme forgotten
        ("admin:se/cr@et@camera.lan", "***@camera.lan"),
        ("camera.lan/live?password=secret", "camera.lan/live?***"),
        ("rtsp//admin:secret@camera.lan", "***@camera.lan"),
        ("rtsp://camera.lan/user=admin_password=secret_channel=1.sdp", "rtsp://camera.lan/***"),
        ("rtsp://camera.lan/u6n5AAKVFyE5sG3O", "rtsp://camera.lan/***"),
        ("rtsp://camera.lan/h264Preview_01_main", "rtsp://camera.lan/h264Preview_01_main"),
        ("rtsp://camera.lan/Streaming/Channels/101", "rtsp://camera.lan/Streaming/Channels/101"),
        ("rtmp://server/live/streamkey", "rtmp://server/live/***"),
        ("C:\\pictures\\me@home.jpg", "C:\\pictures\\me@home.jpg"),
        ("runs/lr=0.1/me.jpg", "runs/lr=0.1/me.jpg"),
        ("what?.jpg", "what?.jpg"),
    ],
)
def test_secrets_are_left_out(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


@given(st.text(min_size=1), st.sampled_from(["rtsp", "http"]))
def test_no_password_passes(secret: str, scheme: str) -> None:
    assert without_secrets(f"{scheme}://user:{secret}@host/live") == f"{scheme}://***@host/live"


def test_control_characters_and_stray_bytes_are_escaped() -> None:
    assert printable("a\nb\x1b[31m\udcff é.jpg") == "a\\nb\\x1b[31m\\udcff é.jpg"


def test_a_list_of_names_ends_with_how_many_more_there_are() -> None:
    assert listed([], 2) == "" and listed(["a", "b\n"], 2) == "a, b\\n"
    assert listed([f"{number}.jpg" for number in range(1, 1237)], 2) == "1.jpg, 2.jpg and 1,234 more"


@pytest.mark.parametrize("text", ["admin:secret@camera.lan/live", "'rtsp://admin:secret@camera.lan/live'", '"rtsp://admin:secret@camera.lan', "admin:se/secret@cam"])  # fmt: skip
def test_a_mistyped_address_does_not_show_its_password(text: str) -> None:
    with pytest.raises(BlazeFaceError, match="an address must begin with") as caught:
        find_input(text)
    assert "secret" not in str(caught.value)
