"""Downloading, against a server on this machine that can misbehave in every known way."""

import contextlib
import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tellapart.data.sets.download import download
from tellapart.errors import DataError

CONTENT = bytes(range(256)) * 4096  # 1 MiB
HALF = len(CONTENT) // 2


@dataclass
class Site:
    """What the server does, and what it was asked for."""

    content: bytes = CONTENT
    ranges: bool = True
    status: int = 200
    break_off_after: list[int] = field(default_factory=list)  # one a request, then no more
    wrong_content_range: bool = False
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def log_message(self, format, *arguments):
        pass

    def do_GET(self):
        site, wanted = self.site, self.headers["Range"]
        site.asked.append(wanted)
        if site.status != 200:
            self.send_error(site.status)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if not (site.ranges and wanted):
            start = 0
            self.send_response(200)
        elif start >= len(site.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(site.content)}")
            self.end_headers()
            return
        else:
            self.send_response(206)
            printed = start + 1 if site.wrong_content_range else start
            total = len(site.content)
            self.send_header("Content-Range", f"bytes {printed}-{total - 1}/{total}")
        body = site.content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if site.break_off_after:
            body = body[: site.break_off_after.pop(0)]
        with contextlib.suppress(OSError):  # the client may hang up
            self.wfile.write(body)


@contextlib.contextmanager
def serve(site: Site) -> Iterator[Site]:
    handler = type("BoundHandler", (Handler,), {"site": site})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/file"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def check(path):
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != hashlib.sha256(CONTENT).hexdigest():
        raise DataError(f"digest is {found}")


def fetch(target, *urls, **options):
    options = {"check": check, "max_bytes": 2 * len(CONTENT), "timeout_seconds": 5.0} | options
    download(urls, target, **options)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "folder" / "file.gz"


def part_of(target):
    return target.with_name(target.name + ".part")


def leave_part(target, content):
    target.parent.mkdir(parents=True)
    part_of(target).write_bytes(content)


def assert_complete(target):
    assert target.read_bytes() == CONTENT
    assert not part_of(target).exists()


def test_downloads_whole_and_reports_progress(target):
    seen = []
    with serve(Site()) as site:
        fetch(target, site.url, progress=lambda done, total: seen.append((done, total)))
    assert_complete(target)
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


def test_resumes_what_an_earlier_run_left(target):
    leave_part(target, CONTENT[:HALF])
    seen = []
    with serve(Site()) as site:
        fetch(target, site.url, progress=lambda done, total: seen.append((done, total)))
    assert_complete(target)
    assert site.asked == [f"bytes={HALF}-"]
    assert seen[0] == (HALF, len(CONTENT))


def test_starts_over_where_the_server_ignores_range(target):
    leave_part(target, b"something else")
    with serve(Site(ranges=False)) as site:
        fetch(target, site.url)
    assert_complete(target)
    assert site.asked == ["bytes=14-"]


def test_a_complete_part_is_checked_and_used(target):
    leave_part(target, CONTENT)
    with serve(Site()) as site:
        fetch(target, site.url)
    assert_complete(target)
    assert len(site.asked) == 1


@pytest.mark.parametrize("left", [b"x" * HALF, b"x" * 2 * len(CONTENT)], ids=["short", "long"])
def test_a_part_with_wrong_bytes_is_thrown_away_and_fetched_anew(target, left):
    leave_part(target, left)
    with serve(Site()) as site:
        fetch(target, site.url)
    assert_complete(target)
    assert site.asked == [f"bytes={len(left)}-", None]


def test_a_connection_that_breaks_off_is_resumed(target):
    with serve(Site(break_off_after=[HALF, 1000])) as site:
        fetch(target, site.url)
    assert_complete(target)
    assert site.asked == [None, f"bytes={HALF}-", f"bytes={HALF + 1000}-"]


def test_what_one_mirror_left_is_completed_by_the_next(target):
    with serve(Site(break_off_after=[HALF, 0])) as first, serve(Site()) as second:
        fetch(target, first.url, second.url)
    assert_complete(target)
    assert second.asked == [f"bytes={HALF}-"]


def test_a_download_that_never_completes_keeps_its_part_for_the_next_run(target):
    with (
        serve(Site(break_off_after=[1000, 0])) as site,
        pytest.raises(DataError, match=f"broke off after 1000 of {len(CONTENT)} bytes"),
    ):
        fetch(target, site.url)
    assert part_of(target).read_bytes() == CONTENT[:1000]
    assert not target.exists()


def test_wrong_bytes_are_refused_and_leave_nothing(target):
    with (
        serve(Site(content=b"wrong")) as site,
        pytest.raises(DataError, match=r"file\.gz: no mirror.*it sent a wrong file: digest is"),
    ):
        fetch(target, site.url)
    assert list(target.parent.iterdir()) == []


def test_wrong_bytes_from_one_mirror_do_not_spoil_the_next(target):
    with serve(Site(content=b"wrong")) as first, serve(Site()) as second:
        fetch(target, first.url, second.url)
    assert_complete(target)
    assert second.asked == [None]


def test_a_dead_mirror_and_a_missing_file_are_passed_over(target):
    with serve(Site()) as site:
        dead = site.url
    with serve(Site(status=404)) as missing, serve(Site()) as alive:
        fetch(target, dead, missing.url, alive.url)
    assert_complete(target)


def test_the_error_names_what_each_mirror_did(target):
    with (
        serve(Site(status=404)) as missing,
        serve(Site(status=503)) as busy,
        pytest.raises(DataError) as error,
    ):
        fetch(target, missing.url, busy.url, "ftp://127.0.0.1/file", "no address")
    text = str(error.value)
    assert text.startswith("file.gz: no mirror delivered it: ")
    assert f"{missing.url}: HTTP 404 Not Found" in text
    assert f"{busy.url}: HTTP 503 Service Unavailable" in text
    assert "ftp://127.0.0.1/file: only http and https are fetched" in text
    assert "no address: unknown url type" in text
    assert list(target.parent.iterdir()) == []


def test_a_server_that_resumes_elsewhere_is_not_believed(target):
    leave_part(target, CONTENT[:HALF])
    with (
        serve(Site(wrong_content_range=True)) as site,
        pytest.raises(DataError, match=f"asked for bytes from {HALF} on, it sent bytes {HALF + 1}"),
    ):
        fetch(target, site.url)
    assert part_of(target).read_bytes() == CONTENT[:HALF]


def test_a_server_that_sends_too_much_is_stopped(target):
    with (
        serve(Site()) as site,
        pytest.raises(DataError, match="it sent more than 1000 bytes"),
    ):
        fetch(target, site.url, max_bytes=1000)
    assert list(target.parent.iterdir()) == []


def test_a_silent_server_is_left(target):
    with socket.create_server(("127.0.0.1", 0)) as silent, serve(Site()) as site:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        fetch(target, url, site.url, timeout_seconds=0.2)
    assert_complete(target)


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(DataError, match=r"cannot be written: .*--data-dir"):
        fetch(tmp_path / "taken" / "file.gz", "http://127.0.0.1:9/file")


def test_two_at_once_fetch_it_once(target):
    failures = []

    def run():
        try:
            fetch(target, site.url)
        except DataError as error:
            failures.append(error)

    with serve(Site()) as site:
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    assert_complete(target)
    assert len(site.asked) == 1


def test_a_file_that_is_there_is_left_alone(target):
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    fetch(target, "http://127.0.0.1:9/file")
    assert [path.name for path in target.parent.iterdir()] == ["file.gz"]
    assert target.read_bytes() == b"mine"
