"""Reload during calls in flight, and the file watcher: no call fails, no connection leaks, no change is missed."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from faultmaven import ConfigurationError, Container, create_container, open_container
from faultmaven.domain.events import ConfigurationReloaded, Event, ReloadRefused
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.configuration.file_watcher import _directories
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, ProviderRegistry, get_registry
from faultmaven.testing import FakeProvider, FaultLab
from faultmaven.testing.lab.loopback import stop_accepting

BODY = b"""{"id":"c1","object":"chat.completion","created":1,"model":"gpt-6.2-sol","choices":[{"index":0,"message":
{"role":"assistant","content":"Out of memory."},"finish_reason":"stop"}],
"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"""
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY


class VendorConnection(asyncio.Protocol):
    """One connection to a `FakeVendor`. The vendor decides when a request is answered."""

    def __init__(self, vendor: "FakeVendor") -> None:
        self._vendor = vendor
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._vendor.connections.add(self)
        self._vendor.max_connections = max(self._vendor.max_connections, len(self._vendor.connections))
        self._vendor.notify()

    def connection_lost(self, exc: Exception | None) -> None:
        self._vendor.connections.discard(self)
        self._vendor.notify()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        if blank and len(body) >= int(fields.get(b"content-length", b"0")):
            self._received = b""
            self._vendor.keys.append(fields[b"authorization"].decode().removeprefix("bearer "))
            self._vendor.waiting.append(self)
            self._vendor.notify()

    def answer(self) -> None:
        self._transport.write(ANSWER)


class FakeVendor:
    """A vendor that records the keys of the requests in order, the unanswered requests and the open connections."""

    def __init__(self) -> None:
        self.address = ""
        self.keys: list[str] = []
        self.waiting: list[VendorConnection] = []
        self.connections: set[VendorConnection] = set()
        self.max_connections = 0
        self.answers_immediately = False
        self._changed = asyncio.Event()

    def notify(self) -> None:
        self._changed.set()
        if self.answers_immediately:
            self.answer_all()

    def answer_all(self) -> None:
        while self.waiting:
            self.waiting.pop().answer()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def serve_vendor() -> AsyncIterator[FakeVendor]:
    vendor = FakeVendor()
    server = await asyncio.get_running_loop().create_server(
        lambda: VendorConnection(vendor), "127.0.0.1", 0, backlog=2000
    )
    vendor.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield vendor
    finally:
        await stop_accepting(server)
        for connection in list(vendor.connections):
            connection._transport.abort()
        await server.wait_closed()


class Events(list[Event]):
    """An observer that records reload events; a test can wait for the next event."""

    def __init__(self) -> None:
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, ConfigurationReloaded | ReloadRefused):
            self.append(event)
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def next(self) -> Event:
        """Wait for the oldest unread event and return the event."""
        async with asyncio.timeout(30):
            while not self:
                self._arrived.clear()
                await self._arrived.wait()
        return self.pop(0)


async def poll_until(condition: Callable[[], bool]) -> None:
    """Poll until `condition()` is true; for conditions without an event."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - no event exists
            await asyncio.sleep(0.005)


def write_file(name: str, text: str) -> None:
    """Write a file in the working directory in place."""
    Path(name).write_text(text)


def remove_file(name: str) -> None:
    Path(name).unlink()


def replace_env(address: str, key: str = "old", **variables: str) -> None:
    """Replace `.env` atomically, as tools of operators do: write a new file and rename the file."""
    lines = {"OPENAI_API_KEY": key, "OPENAI_API_BASE": address} | variables
    Path(".env.new").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    Path(".env.new").replace(".env")


class Transports:
    """Every transport that the registry of a container has used."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self.seen: list[Any] = [container.transport()]

    def reload(self) -> None:
        self._container.registry().reload()
        self.seen.append(self._container.transport())


# --- reloading -------------------------------------------------------------------------------------------------------


async def test_thousand_calls_in_flight_survive_twenty_reloads() -> None:
    calls: list[asyncio.Task[Any]] = []
    async with serve_vendor() as vendor:
        replace_env(vendor.address)
        async with open_container(observer=lambda event: None) as container:
            llm, transports = container.llm(), Transports(container)
            for number in range(20):
                calls += [asyncio.create_task(llm.generate("ping")) for _ in range(50)]
                expected = len(calls)
                await vendor.wait_until(lambda expected=expected: len(vendor.keys) == expected)  # type: ignore[misc]
                replace_env(vendor.address, f"key{number}")
                transports.reload()
            assert len(vendor.waiting) == 1000
            assert len({id(transport) for transport in transports.seen}) == 21
            assert all(transport.is_open for transport in transports.seen[:-1])
            vendor.answer_all()
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert {getattr(answer, "content", answer) for answer in answers} == {"Out of memory."}
            # No transport is open now: the old ones are retired, and the current one has carried no call.
            await vendor.wait_until(lambda: not vendor.connections)
            # The tasks that closed the last connections need some more loop iterations.
            await poll_until(lambda: not any(transport.is_open for transport in transports.seen))
        assert vendor.max_connections == 1000
        assert vendor.keys.count("old") == 50


async def test_all_calls_during_reloads_succeed() -> None:
    async with serve_vendor() as vendor:
        vendor.answers_immediately = True
        replace_env(vendor.address)
        async with open_container(observer=lambda event: None) as container:
            llm, transports = container.llm(), Transports(container)

            async def call() -> None:
                for _ in range(20):
                    await llm.generate("ping")

            async def reload() -> None:
                for _ in range(20):
                    await asyncio.to_thread(transports.reload)

            await asyncio.gather(reload(), *(call() for _ in range(20)))
            await vendor.wait_until(lambda: len(vendor.connections) <= 20)
        await vendor.wait_until(lambda: not vendor.connections)
        assert not any(transport.is_open for transport in transports.seen)
        assert len(vendor.keys) == 400


async def test_rotated_key_applies_from_next_call() -> None:
    async with serve_vendor() as vendor:
        replace_env(vendor.address, "old")
        async with open_container() as container:
            first = asyncio.create_task(container.llm().generate("ping"))
            await vendor.wait_until(lambda: len(vendor.keys) == 1)
            replace_env(vendor.address, "new")
            container.registry().reload()
            second = asyncio.create_task(container.llm().generate("ping"))
            await vendor.wait_until(lambda: len(vendor.keys) == 2)
            vendor.answer_all()
            await asyncio.gather(first, second)
        assert vendor.keys == ["old", "new"]


async def test_refused_reload_keeps_current_configuration() -> None:
    async with serve_vendor() as vendor:
        vendor.answers_immediately = True
        replace_env(vendor.address)
        events = Events()
        async with open_container(observer=events) as container:
            before = container.transport()
            for faulty, message in (
                ({"CHAT_PROVIDER": "opnai"}, "did you mean 'openai'"),
                ({"HTTPS_PROXY": "socks5://proxy:1"}, "HTTPS_PROXY"),
                ({"SSL_CERT_FILE": ".env"}, "no certificates could be read"),
            ):
                replace_env(vendor.address, **faulty)
                with pytest.raises(ConfigurationError, match=message):
                    container.registry().reload()
                refused = events.pop()
                assert isinstance(refused, ReloadRefused)
                assert message in refused.reason
                assert container.transport() is before
                assert (await container.llm().generate("ping")).content == "Out of memory."
            replace_env(vendor.address)
            container.registry().reload()
            assert events == [ConfigurationReloaded(("openai",))]


async def test_reload_applies_proxies_and_certificates(tmp_path: Path) -> None:
    replace_env("https://vendor.invalid/v1")
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    container = create_container()
    replace_env(
        "https://vendor.invalid/v1", SSL_CERT_FILE=str(tmp_path / "authority.pem"), HTTPS_PROXY="http://127.0.0.1:9"
    )
    container.registry().reload()
    transport: Any = container.transport()
    assert transport._network.certificates == str(tmp_path / "authority.pem")
    with pytest.raises(Exception, match="the proxy cannot be reached"):
        await container.llm().generate("ping")
    await container.aclose()


async def test_registered_row_keeps_current_transport() -> None:
    container = create_container({"OPENAI_API_KEY": "k"})
    before = container.transport()
    variables = {"api_key_var": "ACME_API_KEY", "model_var": "ACME_MODEL", "base_url_var": "ACME_API_BASE"}
    row = dict(PROVIDER_SCHEMA["openai"], **variables)
    container.registry().register_provider("acme", row)
    assert container.transport() is before


@pytest.mark.parametrize("part", ["http_client", "transport"])
async def test_host_client_and_transport_survive_reloads(part: str) -> None:
    lab = FaultLab()
    async with lab.client() as client:
        passed = HTTPTransport(SystemClock(), client=client)
        parts: Any = {"http_client": client} if part == "http_client" else {"transport": passed}
        async with open_container(lab.env("openai"), **parts) as container:
            for _ in range(3):
                container.registry().reload()
                await container.llm().generate("ping")
            assert (container.transport() is passed) == (part == "transport")
            assert not passed._retired
        assert not client.is_closed


# By variable: names of malformed files, and paths that no file can have.
UNREADABLE_PATHS = {
    "LLM_PROVIDERS_FILE": ["deep.toml", "long.toml", "a\0b", "x" * 5000],
    "OPENAI_API_KEY_FILE": ["a\0b", "x" * 5000],
    "SSL_CERT_FILE": ["a\0b", "x" * 5000],
    "SSL_CERT_DIR": ["a\0b", "x" * 5000],
}


@pytest.mark.parametrize(
    ("variable", "path"), [(name, path) for name, paths in UNREADABLE_PATHS.items() for path in paths]
)
async def test_unreadable_path_error_names_variable(variable: str, path: str) -> None:
    write_file("deep.toml", "a=" + "[" * 5000)
    write_file("long.toml", "a=" + "9" * 5000)
    env, events = {"GROQ_API_KEY": "k"}, Events()
    container = create_container(env, observer=events)
    env[variable] = path
    with pytest.raises(ConfigurationError, match=variable):
        container.registry().reload()
    refused = events.pop()
    assert isinstance(refused, ReloadRefused)
    assert variable in refused.reason


@pytest.mark.parametrize(
    ("name", "message"), [("ca.pem", "SSL_CERT_FILE names a path"), (".env", r"\.env cannot be searched for")]
)
async def test_permission_error_names_unreadable_file(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(".env", "GROQ_API_KEY=k\nSSL_CERT_FILE=ca.pem\n")
    write_file("ca.pem", "")

    def denied(check: Callable[..., bool]) -> Callable[..., bool]:
        def checked(path: Path, **options: Any) -> bool:
            if path.name == name:
                raise PermissionError(13, "Permission denied")
            return check(path, **options)

        return checked

    # The error is simulated: the tests may run as root, and root may enter every directory.
    monkeypatch.setattr(Path, "exists", denied(Path.exists))
    monkeypatch.setattr(Path, "is_file", denied(Path.is_file))
    with pytest.raises(ConfigurationError, match=f"{message}.*PermissionError"):
        create_container()


async def test_unexpected_reload_error_is_reported_as_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events()
    container = create_container({"GROQ_API_KEY": "k"}, observer=events)
    monkeypatch.setattr("faultmaven.infrastructure.llm.providers.assembly.builder.read_package_rows", lambda: [1 / 0])
    with pytest.raises(ConfigurationError) as caught:
        container.registry().reload()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert events == [ReloadRefused("the configuration cannot be read (ZeroDivisionError).")]
    assert container.registry().get_available_providers() == ["groq"]


@pytest.mark.parametrize("opened", ["container", "process-wide registry", "argument"])
async def test_reload_keeps_original_working_directory(
    opened: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The `.env` and the relative paths of rows, keys and certificates in `.env` are read in the first directory."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "rows.toml").write_text("")
    (tmp_path / "key").write_text("old")
    named = {"LLM_PROVIDERS_FILE": "rows.toml", "OPENAI_API_KEY_FILE": "key", "SSL_CERT_FILE": "ca.pem"}
    write_file(".env", "".join(f"{name}={value}\n" for name, value in named.items()))
    if opened == "process-wide registry":
        registry = get_registry()
    else:
        registry = create_container(named if opened == "argument" else None).registry()
    away = tmp_path / "away"
    away.mkdir()
    monkeypatch.chdir(away)
    (tmp_path / "key").write_text("rotated")
    registry.reload()
    provider: Any = registry.get_provider("openai")
    assert str.__str__(provider.config.api_key) == "rotated"
    read = {tmp_path / name for name in ([*named.values()] if opened == "argument" else [*named.values(), ".env"])}
    assert set(registry.files()) == read


async def test_removed_working_directory_counts_as_empty(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert create_container().registry().get_available_providers() == []


async def test_opening_only_setting_change_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    env = {"GROQ_API_KEY": "k", "LLM_CACHE_SECONDS": "60"}
    container = create_container(env)
    cache = container.cache()
    for _ in range(2):
        env["LLM_CACHE_SECONDS"] = "0"
        container.registry().reload()
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "configuration_warning warning=LLM_CACHE_SECONDS is read when a container opens" in warning.message
    assert container.cache() is cache
    env["LLM_CACHE_SECONDS"] = "60"
    container.registry().reload()
    assert container.registry().warnings == ()


async def test_host_providers_survive_reload() -> None:
    fake = FakeProvider("It ran out of memory.")
    async with open_container(providers={"fake": fake}) as container:
        container.registry().reload()
        assert (await container.llm().generate("ping")).provider == "fake"


async def test_failing_observer_does_not_undo_reload() -> None:
    def observer(event: Event) -> None:
        raise KeyError("the host's own")

    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reported.append(context))
    write_file(".env", "OPENAI_API_KEY=k\n")
    container = create_container(observer=observer)
    write_file(".env", "GROQ_API_KEY=k\n")
    container.registry().reload()
    assert container.registry().get_available_providers() == ["groq"]
    write_file(".env", "CHAT_PROVIDER=nobody\n")
    with pytest.raises(ConfigurationError, match="nobody"):
        container.registry().reload()
    assert [type(context["exception"]) for context in reported] == [KeyError, KeyError]


def test_observer_error_without_loop_reaches_excepthook(monkeypatch: pytest.MonkeyPatch) -> None:
    def observer(event: Event) -> None:
        raise KeyError("the host's own")

    reported: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: reported.append(kind))
    create_container({"OPENAI_API_KEY": "k"}, observer=observer).registry().reload()
    assert reported == [KeyError]


async def test_host_registry_is_not_closed() -> None:
    async with serve_vendor() as vendor:
        vendor.answers_immediately = True
        replace_env(vendor.address)
        first = create_container()
        await first.llm().generate("ping")
        async with open_container({}, registry=first.registry()):
            pass
        assert len(vendor.connections) == 1
        await first.aclose()
        await vendor.wait_until(lambda: not vendor.connections)


async def test_closing_unopened_container_reads_no_configuration() -> None:
    write_file(".env", "CHAT_PROVIDER=nobody\n")
    await Container().aclose()


# --- file watcher ----------------------------------------------------------------------------------------------------

WATCHED = {"LLM_WATCH_FILES": "true"}


@pytest.fixture(autouse=True)
def events_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the periodic check so rare that only file events can cause a reload."""
    monkeypatch.setattr("faultmaven.infrastructure.configuration.file_watcher.LOOK_MILLISECONDS", 600_000)


@asynccontextmanager
async def watched_container(**variables: str) -> AsyncIterator[tuple[Container, Events]]:
    """Open a container that watches `.env`; yield after the watcher has started."""
    if variables:
        replace_env("http://lab.invalid/v1", **variables | WATCHED)
    events = Events()
    async with open_container(observer=events) as container:
        await wait_for_watcher()
        yield container, events


async def wait_for_watcher() -> None:
    """Give the watcher time to start, so that a file event reports the next change, not the first check."""
    await asyncio.sleep(0.05)


def openai_key(container: Container) -> str:
    provider: Any = container.registry().get_provider("openai")
    return str.__str__(provider.config.api_key)


async def test_plain_write_triggers_reload() -> None:
    async with watched_container(OPENAI_API_KEY="old") as (container, events):
        write_file(".env", "OPENAI_API_KEY=written\n")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert openai_key(container) == "written"


async def test_each_atomic_replacement_triggers_reload() -> None:
    async with watched_container(OPENAI_API_KEY="old") as (container, events):
        for key in ("first", "second", "third"):
            replace_env("http://lab.invalid/v1", key)
            assert await events.next() == ConfigurationReloaded(("openai",))
            assert openai_key(container) == key
            await wait_for_watcher()


async def test_config_map_swap_triggers_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()

    def mount(number: int) -> None:
        data = mounted / f"..2026_{number}"
        data.mkdir()
        (data / ".env").write_text(f"OPENAI_API_KEY=key{number}\nLLM_WATCH_FILES=true\n")
        (mounted / "..data_tmp").symlink_to(data.name)
        (mounted / "..data_tmp").replace(mounted / "..data")

    mount(1)
    (mounted / ".env").symlink_to("..data/.env")
    for location in ("mount", "symlink"):
        home = mounted
        if location == "symlink":
            home = tmp_path / "home"
            home.mkdir()
            (home / ".env").symlink_to(mounted / ".env")
        monkeypatch.chdir(home)
        async with watched_container() as (container, events):
            number = int(openai_key(container).removeprefix("key"))
            for later in (number + 1, number + 2):
                mount(later)
                assert await events.next() == ConfigurationReloaded(("openai",))
                assert openai_key(container) == f"key{later}"
                await wait_for_watcher()


async def test_periodic_check_finds_change_without_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultmaven.infrastructure.configuration.file_watcher.LOOK_MILLISECONDS", 20)
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "true")
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "600000")
    async with watched_container(OPENAI_API_KEY="old") as (container, events):
        replace_env("http://lab.invalid/v1", "new")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert openai_key(container) == "new"


def test_circular_symlink_is_watched_in_place() -> None:
    Path("circle").symlink_to("circle")
    Path("growing").symlink_to("growing/deeper")
    here = Path.cwd()
    assert _directories([here / "circle"]) == {here}
    assert here in _directories([here / "growing" / "key"])


async def test_created_and_deleted_files_trigger_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_WATCH_FILES", "true")
    async with watched_container() as (container, events):
        write_file(".env", "GROQ_API_KEY=k\n")
        assert await events.next() == ConfigurationReloaded(("groq",))
        await wait_for_watcher()
        remove_file(".env")
        assert await events.next() == ConfigurationReloaded(())
        assert container.registry().get_available_providers() == []


async def test_key_file_in_later_directory_triggers_reload(tmp_path: Path) -> None:
    secret = tmp_path / "run" / "secrets" / "key"
    replace_env("http://lab.invalid/v1", OPENAI_API_KEY="old", **WATCHED)
    events = Events()
    async with open_container(observer=events) as container:
        write_file(".env", f"OPENAI_API_KEY_FILE={secret}\n")
        refused = await events.next()
        assert isinstance(refused, ReloadRefused)
        assert "OPENAI_API_KEY_FILE" in refused.reason
        assert openai_key(container) == "old"
        await wait_for_watcher()
        secret.parent.mkdir(parents=True)
        secret.with_name("new").write_text("from-the-file")
        secret.with_name("new").replace(secret)
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert openai_key(container) == "from-the-file"


async def test_later_named_providers_file_is_watched(tmp_path: Path) -> None:
    rows = tmp_path / "elsewhere" / "rows.toml"
    rows.parent.mkdir()
    rows.write_text("no toml")
    async with watched_container(OPENAI_API_KEY="old") as (container, events):
        write_file(".env", f"OPENAI_API_KEY=k\nLLM_PROVIDERS_FILE={rows}\n")
        assert isinstance(await events.next(), ReloadRefused)
        await wait_for_watcher()
        rows.write_text("")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert container.settings().providers_file == str(rows)


async def test_watcher_continues_after_faulty_file() -> None:
    async with watched_container(OPENAI_API_KEY="old") as (container, events):
        replace_env("http://lab.invalid/v1", "k", CHAT_PROVIDER="nobody")
        refused = await events.next()
        assert isinstance(refused, ReloadRefused)
        assert "nobody" in refused.reason
        assert openai_key(container) == "old"
        await wait_for_watcher()
        replace_env("http://lab.invalid/v1", "mended")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert openai_key(container) == "mended"


@pytest.mark.parametrize("file", [".env", "rows.toml"])
async def test_change_during_opening_is_not_missed(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change happens after the file was read and before the container is open."""
    variables = "GROQ_API_KEY=k\nLLM_PROVIDERS_FILE=rows.toml\nLLM_WATCH_FILES=true\n"
    write_file("rows.toml", "")
    write_file(".env", variables)
    changed = {".env": variables + "OPENAI_API_KEY=k\n", "rows.toml": "# changed"}
    pending = [file]

    def no_packages() -> list[Any]:
        if pending:
            write_file(pending.pop(), changed[file])
        return []

    monkeypatch.setattr("faultmaven.infrastructure.llm.providers.assembly.builder.read_package_rows", no_packages)
    async with watched_container() as (_, events):
        configured = ("openai", "groq") if file == ".env" else ("groq",)
        assert await events.next() == ConfigurationReloaded(configured)


async def test_unrelated_files_trigger_no_reload() -> None:
    async with watched_container(OPENAI_API_KEY="old") as (_, events):
        for number in range(50):
            write_file(f"log{number}.txt", "busy")
            remove_file(f"log{number}.txt")
        write_file(".env.example", "CHAT_PROVIDER=nobody")
        await asyncio.sleep(0.3)  # an event arrives within 0.1 s
        assert events == []
        replace_env("http://lab.invalid/v1", "new")
        assert await events.next() == ConfigurationReloaded(("openai",))


async def test_watcher_follows_files_of_env_argument(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("old")
    write_file(".env", "GROQ_API_KEY=k\n")
    events = Events()
    env = WATCHED | {"OPENAI_API_KEY_FILE": str(secret)}
    async with open_container(env, observer=events) as container:
        assert list(container.registry().files()) == [secret]
        await wait_for_watcher()
        secret.write_text("rotated")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert openai_key(container) == "rotated"


async def test_container_watch_reloads_on_change() -> None:
    replace_env("http://lab.invalid/v1", "old")
    events = Events()
    container = create_container(observer=events)
    watching = asyncio.ensure_future(container.watch())
    replace_env("http://lab.invalid/v1", "new")
    assert await events.next() == ConfigurationReloaded(("openai",))
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    assert watching.cancelled()
    await container.aclose()


async def test_watch_without_files_warns_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    async with open_container({"OPENAI_API_KEY": "k"}) as container:
        await container.watch()
    assert [record.levelname for record in caplog.records if "nothing_to_watch" in record.message] == ["WARNING"]


async def test_missing_watch_package_names_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r'pip install "faultmaven\[watch\]"'):
        async with open_container(WATCHED | {"OPENAI_API_KEY": "k"}):
            pass
    async with open_container({"OPENAI_API_KEY": "k"}):
        pass


async def test_failing_file_events_fall_back_to_polling(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """File events fail when no inotify instances are left, or when a directory cannot be listed."""
    starts: list[tuple[Any, ...]] = []

    async def no_events(*paths: Any, **options: Any) -> AsyncIterator[None]:
        starts.append(paths)
        if starts:
            raise OSError(24, "Too many open files")
        yield

    monkeypatch.setattr("faultmaven.infrastructure.configuration.file_watcher.LOOK_MILLISECONDS", 20)
    monkeypatch.setattr("watchfiles.awatch", no_events)
    async with watched_container(OPENAI_API_KEY="old") as (container, events):
        for key in ("first", "second"):
            replace_env("http://lab.invalid/v1", key)
            assert await events.next() == ConfigurationReloaded(("openai",))
            assert openai_key(container) == key
            await wait_for_watcher()
        await poll_until(lambda: len(starts) > 2)
    warnings = [record for record in caplog.records if "no_file_events" in record.message]
    assert [(record.levelname, "reason=OSError" in record.message) for record in warnings] == [("WARNING", True)]


async def test_watcher_continues_after_failing_reload(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop, reload_failed = asyncio.get_running_loop(), asyncio.Event()

    def fail(registry: ProviderRegistry, state: object) -> None:
        loop.call_soon_threadsafe(reload_failed.set)
        raise ZeroDivisionError

    async with watched_container(OPENAI_API_KEY="old") as (container, events):
        with monkeypatch.context() as patched:
            patched.setattr(ProviderRegistry, "_replace_configuration", fail)
            replace_env("http://lab.invalid/v1", "lost")
            await reload_failed.wait()
        await poll_until(lambda: "reload_failed reason=ZeroDivisionError" in caplog.text)
        await wait_for_watcher()
        replace_env("http://lab.invalid/v1", "new")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert openai_key(container) == "new"


async def test_watcher_failure_reaches_exception_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[dict[str, Any]] = []
    was_reported = asyncio.Event()

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        reported.append(context)
        was_reported.set()

    asyncio.get_running_loop().set_exception_handler(report)
    monkeypatch.setattr("faultmaven.infrastructure.configuration.file_watcher.file_states", lambda path: 1 / 0)
    async with watched_container(OPENAI_API_KEY="old"):
        await asyncio.wait_for(was_reported.wait(), 30)
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]
