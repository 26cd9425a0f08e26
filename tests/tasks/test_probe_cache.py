import os
import time

import pytest

from tasks.probe_cache import CACHE_NAME, ProbeCache
from tasks.probing import probe_video
from tasks.recordings import SessionVideo

NAME = "sub-1/beh/sub-1_task-a_video.mp4"


def make_video(folder, media):
    """A video that is old enough to be kept; waited for, because only the system sets the time of the inode's change."""
    path = media.write_video(folder / NAME, n=12)
    time.sleep(max(0.0, path.stat().st_ctime + 2.1 - time.time()))
    return SessionVideo("1", "", "a", path, file=NAME)


@pytest.fixture(scope="module")
def video(tmp_path_factory, media):
    """Shared by the tests that do not touch it."""
    return make_video(tmp_path_factory.mktemp("study"), media)


@pytest.fixture
def own_video(tmp_path, media):
    return make_video(tmp_path, media)


class Counted:
    def __init__(self):
        self.calls = 0

    def __call__(self, path):
        self.calls += 1
        return probe_video(path)


def second_run(folder, video):
    """The cache as a first run leaves it, and what a second run probes."""
    first = ProbeCache()
    first.probe(video, probe_video)
    first.write(folder, study_folder=folder)
    return ProbeCache.read(folder)


def test_an_untouched_video_is_not_looked_at_again(tmp_path, video):
    cache, counted = second_run(tmp_path, video), Counted()
    assert cache.probe(video, counted) == probe_video(video.path)
    assert counted.calls == 0


def test_a_changed_byte_with_the_old_size_and_date_is_seen(tmp_path, own_video):
    cache, counted = second_run(tmp_path, own_video), Counted()
    before = own_video.path.stat()
    data = bytearray(own_video.path.read_bytes())
    data[-1] ^= 1
    own_video.path.write_bytes(data)
    os.utime(own_video.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert own_video.path.stat().st_mtime_ns == before.st_mtime_ns
    found = cache.probe(own_video, counted)
    assert counted.calls == 1
    assert found.sha256 == probe_video(own_video.path).sha256


def test_a_file_that_changed_a_moment_ago_is_not_kept(tmp_path, media):
    path = media.write_video(tmp_path / NAME, n=12)
    second_run(tmp_path, SessionVideo("1", "", "a", path, file=NAME))
    assert not (tmp_path / CACHE_NAME).exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 0, "av": "1", "videos": {}}'])
def test_a_damaged_or_foreign_cache_counts_as_none(tmp_path, video, content):
    (tmp_path / CACHE_NAME).write_text(content)
    counted = Counted()
    ProbeCache.read(tmp_path).probe(video, counted)
    assert counted.calls == 1


def test_a_damaged_entry_is_probed_anew(tmp_path, video):
    cache, counted = second_run(tmp_path, video), Counted()
    cache._entries[video.file]["probe"].pop("codec")
    assert cache.probe(video, counted) == probe_video(video.path)
    assert counted.calls == 1


def test_runs_on_some_participants_keep_what_is_known_of_the_others(tmp_path, own_video):
    cache = second_run(tmp_path, own_video)
    cache.write(tmp_path, study_folder=tmp_path)
    assert list(ProbeCache.read(tmp_path)._entries) == [own_video.file]
    own_video.path.unlink()
    cache.write(tmp_path, study_folder=tmp_path)
    assert ProbeCache.read(tmp_path)._entries == {}
