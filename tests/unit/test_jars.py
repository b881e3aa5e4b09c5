"""The jars' cache, against a registry on loopback and one that is not there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stream.errors import BrokerFailed
from stream.kafka import jars
from stream.kafka.jars import Jar, cache_folder, class_path, locked_jars


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Jar]:
    """Two small jars instead of Kafka's 45 MB."""
    file = tmp_path / "kafka.lock.toml"
    lines = [
        f'"org.example:{name}:1.0" = "{jars.hashlib.sha256(name.encode()).hexdigest()}"' for name in ("one", "two")
    ]
    file.write_text("[jars]\n" + "\n".join(lines) + "\n")
    monkeypatch.setattr(jars, "LOCK_FILE", file)
    return locked_jars()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def use_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int) -> None:
    config = tmp_path / "jgo.conf"
    config.write_text(f"[repositories]\ncentral = http://127.0.0.1:{port}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(config))


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: list[Jar]) -> Iterator[Path]:
    """A folder that is served as a Maven registry, holding the locked jars."""
    root = tmp_path / "registry"
    for jar in lock:
        folder = root / "org" / "example" / jar.artifact / jar.version
        folder.mkdir(parents=True)
        (folder / jar.name).write_text(jar.artifact)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=root)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        use_registry(monkeypatch, tmp_path, server.server_port)
        yield root
        server.shutdown()
        thread.join()


@pytest.fixture
def no_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port: int = closed.getsockname()[1]
    use_registry(monkeypatch, tmp_path, port)


def fill(cache: Path, lock: list[Jar]) -> None:
    for jar in lock:
        jar.path(cache).parent.mkdir(parents=True, exist_ok=True)
        jar.path(cache).write_text(jar.artifact)


def test_missing_jars_are_fetched_with_progress_and_only_those(
    tmp_path: Path, lock: list[Jar], registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, int, int]] = []
    cache = tmp_path / "cache"
    found = class_path(cache, lambda *step: steps.append(step))
    assert [file.read_text() for file in found] == ["one", "two"]
    assert steps == [("jars", 1, 2), ("jars", 2, 2)]
    assert not (cache / "fetching").exists()

    found[1].unlink()
    steps.clear()
    assert class_path(cache, lambda *step: steps.append(step)) == found
    assert steps == [("jars", 1, 1)]


def test_half_a_jar_of_a_killed_fetch_is_never_used(tmp_path: Path, lock: list[Jar], registry: Path) -> None:
    cache = tmp_path / "cache"
    half = cache / "fetching" / "org" / "example" / "one" / "1.0" / "one-1.0.jar"
    half.parent.mkdir(parents=True)
    half.write_text("on")
    assert [file.read_text() for file in class_path(cache)] == ["one", "two"]


def test_full_cache_needs_no_registry(tmp_path: Path, lock: list[Jar], no_registry: None) -> None:
    fill(tmp_path, lock)
    assert class_path(tmp_path) == [jar.path(tmp_path) for jar in lock]


def test_missing_jar_without_a_registry_is_a_sentence_that_names_it(
    tmp_path: Path, lock: list[Jar], no_registry: None
) -> None:
    fill(tmp_path, lock)
    lock[0].path(tmp_path).unlink()
    with pytest.raises(BrokerFailed, match=r"one-1\.0\.jar cannot be fetched because the Maven registry cannot be"):
        class_path(tmp_path)


def test_registry_without_the_jar_is_told_apart_from_no_registry(
    tmp_path: Path, lock: list[Jar], registry: Path
) -> None:
    (registry / "org" / "example" / "two" / "1.0" / "two-1.0.jar").unlink()
    with pytest.raises(BrokerFailed, match=r"did not give two-1\.0\.jar"):
        class_path(tmp_path / "cache")


def test_altered_jar_is_refused_by_name_and_the_next_start_mends_it(
    tmp_path: Path, lock: list[Jar], registry: Path
) -> None:
    cache = tmp_path / "cache"
    class_path(cache)[1].write_text("changed")
    with pytest.raises(BrokerFailed, match=r"two-1\.0\.jar had been altered.*rosterbook kafka --prepare"):
        class_path(cache)
    assert [file.read_text() for file in class_path(cache)] == ["one", "two"]


def test_wrong_jar_from_the_registry_gets_nowhere(tmp_path: Path, lock: list[Jar], registry: Path) -> None:
    (registry / "org" / "example" / "two" / "1.0" / "two-1.0.jar").write_text("planted")
    cache = tmp_path / "cache"
    with pytest.raises(BrokerFailed, match=r"gave a two-1\.0\.jar that is not the locked one"):
        class_path(cache)
    assert not lock[1].path(cache).exists()
    assert not (cache / "fetching").exists()


def test_fetch_that_is_no_longer_wanted_ends(tmp_path: Path, lock: list[Jar], registry: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(BrokerFailed, match="was stopped"):
        class_path(tmp_path / "cache", stop=stop)


def test_cache_that_cannot_be_made_is_a_sentence(tmp_path: Path, lock: list[Jar]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerFailed, match="cannot be used"):
        class_path(tmp_path / "file" / "cache")


def test_cache_folder_follows_the_environment(tmp_path: Path) -> None:
    assert cache_folder({"ROSTERBOOK_CACHE": str(tmp_path), "XDG_CACHE_HOME": "/x"}) == tmp_path
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "rosterbook"
    assert cache_folder({}) == Path.home() / ".cache" / "rosterbook"


def test_lock_names_every_jar_by_a_full_hash() -> None:
    found = locked_jars()
    assert {jar.version for jar in found if jar.group == "org.apache.kafka"} == {"4.3.1"}
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in found)
    assert len({jar.name for jar in found}) == len(found) == 46
