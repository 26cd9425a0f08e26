import hashlib
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks import weights as module
from tasks.errors import ExitCode, WeightsError
from tasks.weights import (
    Weights,
    WeightsEntry,
    describe_status,
    fetch,
    load_state_dict,
    locate,
    read_manifest,
    refuse_demo_weights,
)

CONTENT = bytes(range(256)) * 5000


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACETRACE_WEIGHTS", str(tmp_path / "cache"))
    return tmp_path / "cache"


class _Server(BaseHTTPRequestHandler):
    def __init__(self, seen, *args):
        self.seen = seen
        super().__init__(*args)

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.seen.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        body = CONTENT[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def published(cache, monkeypatch):
    """A file on a web server on this machine, and its manifest entry."""
    seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Server, seen))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    entry = WeightsEntry(
        name="net", kind="detector", architecture="retinaface-mobilenet0.25", file="net.pth", licence="MIT", intended_use="",
        citation="", url=f"http://127.0.0.1:{server.server_port}/net.pth", sha256=hashlib.sha256(CONTENT).hexdigest(),
    )  # fmt: skip
    monkeypatch.setattr(module, "read_manifest", lambda: {"net": entry})
    yield entry, seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_manifest_is_sound():
    for entry in read_manifest().values():
        assert entry.licence
        assert entry.citation
        assert entry.intended_use
        assert entry.demo or entry.url.startswith("https://")
        assert len(entry.sha256) == 64 or len(entry.sha256_prefix) >= 8


def test_demo_weights_of_the_manifest_are_the_files_in_the_project():
    demo = [entry for entry in read_manifest().values() if entry.demo]
    assert {entry.kind for entry in demo} == {"detector", "attributes"}
    for entry in demo:
        assert describe_status(entry) == "present"
        assert entry.path.stat().st_size < 5_000_000


def test_missing_weights_say_which_command_fetches_them(cache):
    with pytest.raises(WeightsError, match="facetrace weights fetch retinaface-mobilenet0.25") as error:
        locate("retinaface-mobilenet0.25", "detector")
    assert error.value.exit_code == ExitCode.WEIGHTS == 6
    assert "github.com" in str(error.value)
    assert str(cache) in str(error.value)


def test_a_download_is_verified_and_kept(published):
    entry, _ = published
    steps = []
    path = fetch("net", progress=lambda done, total: steps.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert locate("net", "detector").sha256 == entry.sha256


def test_an_interrupted_download_resumes(published):
    entry, seen = published
    entry.path.parent.mkdir(parents=True)
    entry.path.with_suffix(".pth.part").write_bytes(CONTENT[:1000])
    assert fetch("net").read_bytes() == CONTENT
    assert seen == ["bytes=1000-"]


def test_weights_from_a_folder_are_verified(published, tmp_path):
    (tmp_path / "net.pth").write_bytes(CONTENT + b"x")
    with pytest.raises(WeightsError, match="expected SHA-256"):
        fetch("net", from_dir=tmp_path)
    (tmp_path / "net.pth").write_bytes(CONTENT)
    assert fetch("net", from_dir=tmp_path).read_bytes() == CONTENT


def test_an_unreachable_source_says_what_to_do(published, tmp_path):
    with pytest.raises(WeightsError, match="--from-dir"):
        fetch("net", from_dir=tmp_path / "absent")


def test_altered_weights_are_refused(published):
    fetch("net").write_bytes(b"other")
    with pytest.raises(WeightsError, match="altered"):
        locate("net", "detector")


def test_the_wrong_kind_is_refused(published):
    fetch("net")
    with pytest.raises(WeightsError, match="kind attributes"):
        locate("net", "attributes")


def test_an_unknown_name_lists_the_known():
    with pytest.raises(WeightsError, match="retinaface-resnet50"):
        locate("retinaface", "detector")


def test_a_file_that_is_no_state_dict_is_refused(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(b"text")
    with pytest.raises(WeightsError, match="Expected a PyTorch state dict in w.pth"):
        load_state_dict(Weights("w", path, "", demo=False, architecture=""))


@pytest.mark.parametrize(
    ("demo", "rendered", "allowed", "refused"),
    [(True, False, False, True), (True, True, False, False), (True, False, True, False), (False, False, False, False)],
)
def test_demo_weights_measure_rendered_faces_only(tmp_path, demo, rendered, allowed, refused):
    weights = [Weights("demo-attributes", tmp_path, "", demo=demo, architecture="")]
    if refused:
        with pytest.raises(WeightsError, match="allow_demo_weights"):
            refuse_demo_weights(weights, rendered=rendered, allowed=allowed)
    else:
        refuse_demo_weights(weights, rendered=rendered, allowed=allowed)
