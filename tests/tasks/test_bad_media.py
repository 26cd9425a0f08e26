"""Recordings that cameras and accidents make: rows, indices and times are the container's, whatever the pictures are.

The expected clock is computed here from PyAV's packets: sorted presentation timestamps of those without the discard flag. What
`test_videos` holds already (containers, edit lists, turned and mirrored pictures, one damaged packet) is not repeated.
"""

from __future__ import annotations

import struct

import av
import numpy as np
import pytest

from tasks.errors import InvalidInputError
from tasks.videos import VideoReader

N = 40


def clock_of_packets(path) -> np.ndarray:
    """Seconds at which a player shows frames."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        shown = []
        while True:
            try:
                shown += [packet.pts for packet in container.demux(stream) if packet.size and not packet.is_discard]
            except av.error.FFmpegError:
                continue
            break
        return np.sort(np.array(shown, dtype=np.int64)) * float(stream.time_base)


def read(path, **options):
    with VideoReader(path, **options) as reader:
        batches = list(reader.batches(16))
    return (
        *(np.concatenate([getattr(b, name) for b in batches]) for name in ("index", "time_s", "pixels", "decoded")),
        reader,
    )


def read_or_refuse(path):
    try:
        return read(path), ""
    except InvalidInputError as error:
        return None, str(error)


def check_refusal(reason, path):
    assert reason.startswith("Expected ")
    assert path.name in reason
    assert str(path.parent) not in reason


def check_rows(path, media, *, numbers, all_decoded=True, **options):
    """Every frame on the clock has a row, and each decoded picture is the one that was painted for it."""
    index, time_s, pixels, decoded, reader = read(path, **options)
    expected = clock_of_packets(path)
    assert index.tolist() == list(range(len(expected)))
    np.testing.assert_allclose(time_s, expected - min(0.0, expected[0]), atol=1e-6)
    if all_decoded:
        assert decoded.all()
    assert not pixels[~decoded].any()
    found = [media.read_index(picture) for picture in pixels[decoded]]
    assert found == [numbers[k] for k in np.flatnonzero(decoded)]
    return reader


FORMATS = {
    "4k.mp4": {"n": 3, "width": 3840, "height": 2160, "codec_options": {"preset": "ultrafast"}},
    "8_bit_odd.mkv": {"width": 321, "height": 181, "codec": "ffv1", "pixel_format": "yuv444p", "b_frames": 0},
    "odd_4_2_0.mkv": {"width": 321, "height": 181, "codec": "ffv1", "pixel_format": "yuv420p", "b_frames": 0},
    "odd_turned.mkv": {
        "width": 181,
        "height": 321,
        "codec": "ffv1",
        "pixel_format": "yuv444p",
        "b_frames": 0,
        "turns": 1,
    },
    "grey.mp4": {"pixel_format": "gray"},
    "grey_10_bit.mkv": {"codec": "ffv1", "pixel_format": "gray10le", "b_frames": 0},
    "hevc_10_bit.mp4": {
        "codec": "libx265",
        "pixel_format": "yuv420p10le",
        "codec_options": {"x265-params": "log-level=none"},
    },
    "hevc_turned.mp4": {"codec": "libx265", "turns": 3, "codec_options": {"x265-params": "log-level=none"}},
    "vp9_one_frame.webm": {"n": 1, "codec": "libvpx-vp9", "codec_options": {"deadline": "realtime", "cpu-used": "8"}},
    "vp9_variable.webm": {
        "codec": "libvpx-vp9",
        "times": tuple(np.cumsum(np.resize([0.017, 0.05, 0.2], N)).round(3)),
        "codec_options": {"deadline": "realtime", "cpu-used": "8", "b": "2M"},
    },
    "av1.mkv": {"n": 8, "codec": "libsvtav1", "codec_options": {"preset": "12"}},
    "10_bit_turned.mov": {"pixel_format": "yuv420p10le", "turns": 2},
    # With B frames, x265 gives a stream shorter than their delay undefined decoding times, which the muxer mostly refuses.
    "one_frame_hevc.mp4": {
        "n": 1,
        "b_frames": 0,
        "codec": "libx265",
        "codec_options": {"x265-params": "log-level=none"},
    },
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(tmp_path, media, name):
    options = {"n": N, **FORMATS[name]}
    codec = options.get("codec", "libx264")
    if codec not in av.codecs_available:
        pytest.skip(f"this build of PyAV has no {codec}")
    path = media.write_video(tmp_path / name, **options)
    reader = check_rows(path, media, numbers=range(options["n"]))
    assert (reader.width, reader.height) == (options.get("width", 160), options.get("height", 120))


def test_an_edit_list_that_cuts_the_end(tmp_path, media):
    """The segment is made 25 frames long: what comes after it is never shown by a player that minds the list."""
    path = media.write_video(tmp_path / "cut.mp4", n=60)
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 4 + 8
    duration = struct.unpack_from(">I", data, entry)[0]
    struct.pack_into(">I", data, entry, duration * 25 // 60)
    path.write_bytes(data)
    expected = clock_of_packets(path)
    assert len(expected) < 60
    check_rows(path, media, numbers=range(60))


@pytest.fixture(scope="module")
def recordings(media, tmp_path_factory):
    """The same 60 frames with the index at the front, in fragments, and in Matroska."""
    folder = tmp_path_factory.mktemp("whole")
    return [
        media.write_video(folder / "front.mp4", container_options={"movflags": "faststart"}),
        media.write_video(folder / "fragments.mp4", container_options={"movflags": "frag_keyframe+empty_moov"}),
        media.write_video(folder / "matroska.mkv"),
    ]


@pytest.mark.parametrize("tenth", range(10))
def test_recordings_that_were_cut_short(tmp_path, media, recordings, tenth):
    for whole in recordings:
        data = whole.read_bytes()
        # From within the header to nearly the end.
        path = tmp_path / whole.name
        path.write_bytes(data[: int(len(data) * (tenth + 0.5) / 10)])
        found, reason = read_or_refuse(path)
        if found is None:
            check_refusal(reason, path)
            continue
        index, time_s, pixels, decoded, _ = found
        expected = clock_of_packets(path)
        assert index.tolist() == list(range(len(expected)))
        np.testing.assert_allclose(time_s, expected, atol=1e-6)
        # A frame is known by its time, 1/30 s apart (Matroska rounds to milliseconds). Fragments with reordered frames and
        # without an edit list begin two frames late.
        numbers = np.round((time_s - clock_of_packets(whole)[0]) * 30).astype(int)
        assert [media.read_index(picture) for picture in pixels[decoded]] == numbers[decoded].tolist()
        assert decoded.sum() >= len(expected) - 8


@pytest.mark.parametrize("tenth", range(10))
def test_damaged_bytes_change_no_row(tmp_path, media, recordings, tenth):
    """200 bytes are overwritten at ten places of the pictures; the index of MP4 is left alone."""
    for whole in recordings:
        places = media.packet_places(whole)
        hit = places[6 * tenth]
        data = bytearray(whole.read_bytes())
        start = hit["pos"] + min(16, hit["size"] // 2)
        length = min(200, hit["size"] - (start - hit["pos"]))
        data[start : start + length] = bytes(np.random.default_rng(tenth).integers(0, 256, length, dtype=np.uint8))
        path = tmp_path / whole.name
        path.write_bytes(data)
        index, time_s, pixels, decoded, _ = read(path)
        expected = clock_of_packets(path)
        assert index.tolist() == list(range(len(expected)))
        np.testing.assert_allclose(time_s, expected, atol=1e-6)
        assert len(expected) == 60
        # Groups of pictures of 12 frames: all but the one that was hit, and its neighbours, are untouched.
        shown = sorted(place["pts"] for place in places).index(hit["pts"])
        others = [k for k in range(60) if abs(k // 12 - shown // 12) > 1]
        assert decoded[others].all()
        assert [media.read_index(pixels[k]) for k in others] == others


@pytest.mark.parametrize("seed", range(10))
def test_noise_anywhere_in_the_file_ends_in_rows_or_a_reason(tmp_path, recordings, seed):
    """Damage in headers and indices too: nothing hangs, nothing crashes, no error but the one that names the file."""
    draw = np.random.default_rng(seed)
    for whole in recordings:
        data = bytearray(whole.read_bytes())
        for start in draw.integers(0, len(data) - 50, 5):
            data[start : start + 50] = draw.integers(0, 256, 50, dtype=np.uint8).tobytes()
        path = tmp_path / whole.name
        path.write_bytes(data)
        found, reason = read_or_refuse(path)
        if found is None:
            check_refusal(reason, path)
            continue
        index, time_s, pixels, decoded, reader = found
        assert index.tolist() == list(range(len(reader.clock)))
        assert len(time_s) == len(pixels) == len(decoded) == len(index)
        assert (np.diff(time_s) >= 0).all()
        assert time_s[0] >= 0
