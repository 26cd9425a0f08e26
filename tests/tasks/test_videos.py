"""Frames keep their index and time, whichever decoder reads them and whatever happened to the file.

Every frame of the test videos carries its number in its pixels, so the mapping index -> pixels is read back, not
assumed. Times are those given to the encoder; for real recordings, those that PyAV's decoder reports for each frame.
"""

from __future__ import annotations

import shutil
import struct
import threading
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pytest

import tasks.videos
from tasks.errors import InvalidInputError
from tasks.videos import VideoReader, read_clock

READERS = ("auto", "decord", "pyav")


def read_all(path, *, n=7, **options):
    """All batches joined: indices, times, pixels, decoded; and the reader."""
    with VideoReader(path, **options) as reader:
        batches = list(reader.batches(n))
    joined = [np.concatenate([getattr(b, name) for b in batches]) for name in ("index", "time_s", "pixels", "decoded")]
    return (*joined, reader)


def numbers(media, pixels, decoded):
    return [media.read_index(picture) if good else None for picture, good in zip(pixels, decoded, strict=True)]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("n", [1, 7, 60, 100])
def test_every_frame_has_its_own_pixels_and_time(numbered_video, media, reader, n):
    index, time_s, pixels, decoded, used = read_all(numbered_video, n=n, reader=reader)
    assert index.dtype == np.int32
    assert index.tolist() == list(range(60))
    assert decoded.all()
    assert numbers(media, pixels, decoded) == list(range(60))
    np.testing.assert_allclose(time_s, np.arange(60) / 30, atol=1e-4)
    assert pixels.shape == (60, 120, 160, 3)
    assert used.reader_used == ("pyav" if reader == "pyav" else "decord")
    assert used.notes == ()


def test_pixels_are_rgb(numbered_video):
    *_, pixels, _, _ = read_all(numbered_video)
    for block, channel in ((1, 0), (2, 1), (3, 2)):
        colour = pixels[0, 100, 20 + 40 * block].astype(int)
        assert colour.argmax() == channel
        assert colour.max() > 2.5 * np.median(colour)


def test_both_decoders_give_the_same_pixels(numbered_video):
    by_decord = read_all(numbered_video, reader="decord")[2]
    by_pyav = read_all(numbered_video, reader="pyav")[2]
    # Both convert with swscale; H.264 decoding is bit-exact by its standard.
    np.testing.assert_array_equal(by_decord, by_pyav)


@pytest.mark.parametrize("reader", READERS)
def test_variable_rate_keeps_real_times(tmp_path, media, reader):
    times = np.concatenate([[0], np.cumsum(np.random.default_rng(0).choice([1 / 60, 1 / 30, 1 / 24, 0.2], 59))])
    path = media.write_video(tmp_path / "variable.mov", times=times)
    _, time_s, pixels, decoded, _ = read_all(path, reader=reader)
    np.testing.assert_allclose(time_s, times, atol=1e-3)
    assert numbers(media, pixels, decoded) == list(range(60))


CONTAINERS = {
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "b_frames": 0},
    "mpeg4_reordered.avi": {"codec": "mpeg4", "codec_options": {"b": "4000k"}},
    "h264_reordered.avi": {},
    "h264.mkv": {},
    "hevc.mp4": {"codec": "libx265", "codec_options": {"x265-params": "log-level=none"}},
    "vp9.webm": {"codec": "libvpx-vp9", "codec_options": {"deadline": "realtime", "cpu-used": "8", "b": "2M"}},
    "transport.ts": {},
    "ten_bit.mp4": {"pixel_format": "yuv420p10le"},
    "grey.mkv": {"codec": "ffv1", "pixel_format": "gray", "b_frames": 0},
    "odd_size.mp4": {"width": 161, "height": 121, "pixel_format": "yuv444p"},
    "fragmented.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}, "b_frames": 0},
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_and_codecs(tmp_path, media, name):
    path = media.write_video(tmp_path / name, n=40, **CONTAINERS[name])
    index, time_s, pixels, decoded, _ = read_all(path)
    assert index.tolist() == list(range(40))
    assert numbers(media, pixels, decoded) == list(range(40))
    # Matroska rounds to milliseconds; the others are exact.
    np.testing.assert_allclose(time_s, np.arange(40) / 30, atol=6e-4)


def test_raw_stream_falls_back_to_the_rate_and_says_so(tmp_path, media):
    path = media.write_video(tmp_path / "raw.h264", n=20)
    _, time_s, pixels, decoded, reader = read_all(path)
    assert numbers(media, pixels, decoded) == list(range(20))
    # FFmpeg assumes 25 frames/s for a stream that says nothing.
    np.testing.assert_allclose(time_s, np.arange(20) / 25, atol=1e-9)
    assert reader.clock.source == "rate"
    assert "no timestamps" in reader.notes[0]


def test_one_frame(tmp_path, media):
    index, time_s, pixels, decoded, _ = read_all(media.write_video(tmp_path / "one.mp4", n=1))
    assert (index.tolist(), time_s.tolist(), decoded.tolist()) == ([0], [0.0], [True])
    assert media.read_index(pixels[0]) == 0


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_recordings_stand_upright(tmp_path, media, reader, turns):
    path = media.write_video(tmp_path / "turned.mp4", n=12, turns=turns)
    *_, pixels, decoded, used = read_all(path, reader=reader)
    assert (used.width, used.height) == (160, 120)
    assert numbers(media, pixels, decoded) == list(range(12))
    # Stored pixels were turned clockwise; the player turns them back counter-clockwise.
    assert used.rotation_deg == 360 - 90 * turns
    assert used.reader_used == ("pyav" if reader == "pyav" else "decord")


def test_turned_matroska_stands_upright(tmp_path, media):
    *_, pixels, decoded, _ = read_all(media.write_video(tmp_path / "turned.mkv", n=12, turns=1))
    assert numbers(media, pixels, decoded) == list(range(12))


@pytest.mark.parametrize("turns", range(4))
def test_mirrored_recordings_are_mirrored_back(tmp_path, media, turns):
    path = media.write_video(tmp_path / "mirrored.mp4", n=4, turns=turns, mirror=True)
    *_, pixels, decoded, used = read_all(path)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        matrix = np.frombuffer(bytes(frame.side_data["DISPLAYMATRIX"]), dtype=np.int32).reshape(3, 3)
        stored = frame.to_ndarray(format="rgb24")
    assert np.linalg.det(matrix[:2, :2] / 65536) == pytest.approx(-1)
    # Carry each stored pixel to where the matrix puts it, as ISO/IEC 14496-12 says, and compare.
    height, width = stored.shape[:2]
    y, x = np.mgrid[:height, :width]
    shown_x, shown_y = np.tensordot((matrix[:2, :2] // 65536).T, np.stack([x, y]), axes=1)
    expected = np.empty_like(pixels[0])
    expected[shown_y - shown_y.min(), shown_x - shown_x.min()] = stored
    np.testing.assert_array_equal(pixels[0], expected)
    assert used.reader_used == "pyav"
    assert decoded.all()


def test_edit_list_hides_frames(tmp_path, media):
    """The first 9 frames are cut by moving the start of the edit list: a player never shows them."""
    path = media.write_video(tmp_path / "cut.mp4")
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 4 + 8
    ticks_per_frame = 512
    start = struct.unpack_from(">i", data, entry + 4)[0]
    struct.pack_into(">i", data, entry + 4, start + 9 * ticks_per_frame)
    path.write_bytes(data)
    _, time_s, pixels, decoded, reader = read_all(path)
    assert numbers(media, pixels, decoded) == list(range(9, 60))
    np.testing.assert_allclose(time_s, np.arange(51) / 30, atol=1e-4)
    assert reader.reader_used == "pyav"
    assert any("edit list" in note for note in reader.notes)
    assert any("decord counts 60" in note for note in reader.notes)


def test_repeated_timestamps_keep_their_rows(tmp_path, media):
    times = [k / 30 for k in range(10)]
    path = media.write_video(
        tmp_path / "repeated.mkv", n=10, times=times, b_frames=0, codec="ffv1", pixel_format="bgr0"
    )
    doubled = tmp_path / "doubled.mkv"
    with av.open(str(path)) as source, av.open(str(doubled), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for k, packet in enumerate(p for p in source.demux(video=0) if p.size):
            packet.stream = stream
            if k == 5:
                packet.pts = packet.dts = round(4000 / 30)
            target.mux(packet)
    _, time_s, pixels, decoded, reader = read_all(doubled)
    assert numbers(media, pixels, decoded) == list(range(10))
    assert (np.diff(time_s) >= 0).all()
    assert "1 frames bear the timestamp of the frame before" in reader.notes


@pytest.fixture(scope="module")
def noisy_video(media, tmp_path_factory):
    """Frames with noise, so that packets are large and damage stays within one."""
    noise = np.random.default_rng(0).integers(-12, 13, (64, 120, 160, 1))

    def picture(index):
        clean = media.paint_index(index, width=160, height=120).astype(int)
        return np.clip(clean + noise[index % 64], 0, 255).astype(np.uint8)

    return media.write_video(tmp_path_factory.mktemp("noisy") / "noisy.mp4", picture=picture, b_frames=0)


class TestDamage:
    @pytest.mark.parametrize("reader", READERS)
    @pytest.mark.parametrize("offset", [0, 300])
    def test_only_damaged_frames_are_lost(self, tmp_path, media, noisy_video, reader, offset):
        """400 bytes of packet 30: at its head it cannot be decoded; further on, decoders hide the hole with guessed
        pixels."""
        hit = media.packet_places(noisy_video)[30]
        assert hit["size"] > 800
        data = bytearray(noisy_video.read_bytes())
        data[hit["pos"] + offset : hit["pos"] + offset + 400] = bytes(range(1, 201)) * 2
        damaged = tmp_path / "damaged.mp4"
        damaged.write_bytes(data)
        index, time_s, pixels, decoded, used = read_all(damaged, reader=reader)
        clean_index, clean_time, clean, *_ = read_all(noisy_video)
        np.testing.assert_array_equal(index, clean_index)
        np.testing.assert_array_equal(time_s, clean_time)
        assert np.flatnonzero(~decoded).tolist() == [30]
        assert not pixels[30].any()
        # Up to the damage, and from the next key frame (every 12) on, nothing differs.
        untouched = np.r_[0:30, 36:60]
        np.testing.assert_array_equal(pixels[untouched], clean[untouched])
        assert used.reader_used == "pyav"
        assert any(note.startswith("1 of 60 frames could not be decoded") for note in used.notes)

    def test_truncated_file_keeps_rows_of_its_packets(self, tmp_path, media):
        whole = media.write_video(tmp_path / "whole.mp4", container_options={"movflags": "faststart"})
        packets = media.packet_places(whole)
        end = packets[40]["pos"] + packets[40]["size"] // 2
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(whole.read_bytes()[:end])
        index, time_s, pixels, decoded, reader = read_all(cut)
        shown = sorted(round(p["pts"] / 512) for p in packets[:41])
        np.testing.assert_allclose(time_s, np.array(shown) / 30, atol=1e-4)
        assert index.tolist() == list(range(41))
        found = numbers(media, pixels, decoded)
        assert not decoded.all()
        assert decoded[:36].all()
        assert all(number in {None, expected} for number, expected in zip(found, shown, strict=True))
        assert any("header announces 60 frames, the packets hold 41" in note for note in reader.notes)

    def test_pyav_takes_over_where_decord_stops(self, monkeypatch, numbered_video, media):
        genuine = tasks.videos.read_with_decord

        def stops_at_25(*args, **options):
            for index, picture in genuine(*args, **options):
                if index == 25:
                    return
                yield index, picture

        monkeypatch.setattr(tasks.videos, "read_with_decord", stops_at_25)
        *_, pixels, decoded, reader = read_all(numbered_video)
        assert numbers(media, pixels, decoded) == list(range(60))
        assert reader.reader_used == "pyav"
        assert reader.notes == ("decord failed at frame 25; from there read with PyAV",)


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def write_text(path: Path) -> None:
    path.write_text("participant_id,session\n" * 200)


def write_headerless(path: Path, numbered: Path) -> None:
    path.write_bytes(numbered.read_bytes()[: numbered.stat().st_size // 2])


def write_audio(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (write_nothing, "0 bytes"),
        (write_text, "cannot be opened as one"),
        (write_audio, "got audio only"),
        (write_headerless, "cannot be opened as one"),
        (write_playlist, "cannot be opened as one"),
        (None, "no such file"),
    ],
)
def test_unreadable_files_say_what_was_expected(tmp_path, numbered_video, write, expected):
    path = tmp_path / "sub-01_task-cat_video.mp4"
    if write is write_headerless:
        write(path, numbered_video)
    elif write:
        write(path)
    with pytest.raises(InvalidInputError, match=expected) as caught, VideoReader(path):
        pass
    assert str(caught.value).startswith("Expected ")
    assert path.name in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.exit_code == 3


def test_reduction_while_decoding(numbered_video, media):
    for reader in ("decord", "pyav"):
        *_, pixels, decoded, used = read_all(numbered_video, reader=reader, max_height=60)
        assert pixels.shape[1:] == (60, 80, 3)
        assert used.source_size == (160, 120)
        assert numbers(media, pixels, decoded) == list(range(60))
    with VideoReader(numbered_video, max_width=1000) as used:
        assert (used.width, used.height) == (160, 120)


def test_recordings_that_decord_could_not_hold_go_to_pyav(monkeypatch, numbered_video):
    monkeypatch.setattr(tasks.videos, "DECORD_MAX_BYTES", 60 * 160 * 120 * 3 - 1)
    assert read_all(numbered_video)[-1].reader_used == "pyav"
    assert read_all(numbered_video, reader="decord")[-1].reader_used == "decord"
    assert read_all(numbered_video, max_height=60)[-1].reader_used == "decord"


def test_batches_do_not_share_memory_and_can_be_read_twice(numbered_video):
    with VideoReader(numbered_video) as reader:
        first, second = list(reader.batches(30))
        again = next(reader.batches(60))
    assert not np.shares_memory(first.pixels, second.pixels)
    np.testing.assert_array_equal(np.concatenate([first.pixels, second.pixels]), again.pixels)


def test_another_thread_may_read(numbered_video, media):
    found = []
    with VideoReader(numbered_video) as reader:
        worker = threading.Thread(
            target=lambda: found.extend(media.read_index(p) for b in reader.batches(8) for p in b.pixels)
        )
        worker.start()
        worker.join()
    assert found == list(range(60))


def test_misuse_is_named(numbered_video):
    with pytest.raises(ValueError, match="with 'with'"):
        next(VideoReader(numbered_video).batches(4))
    with VideoReader(numbered_video) as reader, pytest.raises(ValueError, match="at least 1"):
        next(reader.batches(0))


@pytest.mark.real_media
class TestRealRecordings:
    COUNTS: ClassVar = {
        "WolfgangLanger_Pexels.mp4": 472,
        "single_face.mp4": 72,
        "no_face.mp4": 95,
        "face_noface.mov": 169,
        "noface_face.mov": 169,
    }

    @pytest.mark.parametrize(("name", "reader"), [*((name, "auto") for name in COUNTS), ("single_face.mp4", "pyav")])
    def test_rows_and_times(self, real_media, name, reader):
        path = real_media / "video" / name
        n_rows, n_decoded, times = 0, 0, []
        with VideoReader(path, reader=reader, max_width=320) as video:
            for batch in video.batches(16):
                n_rows += len(batch)
                n_decoded += int(batch.decoded.sum())
                times.append(batch.time_s)
        assert n_rows == n_decoded == self.COUNTS[name]
        with av.open(str(path)) as container:
            expected = [frame.time for frame in container.decode(video=0)]
        np.testing.assert_allclose(np.concatenate(times), expected, atol=1e-3)

    def test_last_times_of_variable_rate(self, real_media):
        """Figures of the recordings' own description."""
        assert read_clock(real_media / "video/face_noface.mov").times_s[-1] == pytest.approx(6.360352, abs=1e-6)
        assert read_clock(real_media / "video/noface_face.mov").times_s[-1] == pytest.approx(6.345296, abs=1e-6)

    @pytest.mark.parametrize("reader", ["auto", "pyav"])
    def test_turned_copy_looks_the_same(self, real_media, media, tmp_path, reader):
        with VideoReader(real_media / "video/single_face.mp4") as video:
            original = next(video.batches(8)).pixels
        path = media.write_video(
            tmp_path / "turned.mp4",
            n=8,
            width=640,
            height=360,
            turns=1,
            picture=lambda index: original[index],
            codec_options={"crf": "8", "preset": "ultrafast"},
        )
        *_, pixels, decoded, _ = read_all(path, reader=reader)
        assert decoded.all()
        difference = np.abs(pixels.astype(int) - original).mean(axis=(1, 2, 3))
        # Encoding at crf 8 costs about one grey level; a turned or mirrored copy differs by more than 30.
        assert difference.max() < 3
        assert np.abs(original[0].astype(int) - original[0][::-1, ::-1]).mean() > 30

    def test_damaged_bytes_lose_one_frame(self, real_media, media, tmp_path):
        source = real_media / "video/WolfgangLanger_Pexels.mp4"
        path = tmp_path / "damaged.mp4"
        shutil.copy(source, path)
        path.chmod(0o600)
        hit = next(p for p in media.packet_places(source)[200:] if p["size"] > 1500 and not p["key"])
        with path.open("r+b") as file:
            file.seek(hit["pos"] + 100)
            file.write(bytes(range(1, 201)) * 2)
        with VideoReader(path) as video:
            lost = np.concatenate([batch.index[~batch.decoded] for batch in video.batches(32)])
            expected = int(np.searchsorted(video.clock.ticks, hit["pts"]))
        assert lost.tolist() == [expected]
        assert len(read_clock(path)) == 472
        np.testing.assert_array_equal(read_clock(path).times_s, read_clock(source).times_s)
