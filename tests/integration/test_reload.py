"""Reloading while calls are in flight, and watching the files: nothing fails, nothing stays open, nothing is missed."""

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
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, ProviderRegistry, get_registry
from faultmaven.infrastructure.watching import _directories
from faultmaven.testing import FakeProvider, FaultLab
from faultmaven.testing.lab.loopback import stop_accepting

BODY = b"""{"id":"c1","object":"chat.completion","created":1,"model":"gpt-6.2-sol","choices":[{"index":0,"message":
{"role":"assistant","content":"Out of memory."},"finish_reason":"stop"}],
"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"""
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY


class Vendor(asyncio.Protocol):
    """One connection to a vendor that answers when it may; the connections of one vendor share its books."""

    def __init__(self, books: "Books") -> None:
        self._books = books
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._books.connections.add(self)
        self._books.most = max(self._books.most, len(self._books.connections))
        self._books.note()

    def connection_lost(self, exc: Exception | None) -> None:
        self._books.connections.discard(self)
        self._books.note()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        if blank and len(body) >= int(fields.get(b"content-length", b"0")):
            self._received = b""
            self._books.keys.append(fields[b"authorization"].decode().removeprefix("bearer "))
            self._books.waiting.append(self)
            self._books.note()

    def answer(self) -> None:
        self._transport.write(ANSWER)


class Books:
    """What a vendor has seen: the keys of its requests in order, who waits for an answer, and its open connections."""

    def __init__(self) -> None:
        self.address = ""
        self.keys: list[str] = []
        self.waiting: list[Vendor] = []
        self.connections: set[Vendor] = set()
        self.most = 0
        self.at_once = False
        self._changed = asyncio.Event()

    def note(self) -> None:
        self._changed.set()
        if self.at_once:
            self.answer_all()

    def answer_all(self) -> None:
        while self.waiting:
            self.waiting.pop().answer()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while not true():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def vendor() -> AsyncIterator[Books]:
    books = Books()
    server = await asyncio.get_running_loop().create_server(lambda: Vendor(books), "127.0.0.1", 0, backlog=2000)
    books.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield books
    finally:
        await stop_accepting(server)
        for connection in list(books.connections):
            connection._transport.abort()
        await server.wait_closed()


class Events(list[Event]):
    """An observer that can be waited for."""

    def __init__(self) -> None:
        self._come = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, ConfigurationReloaded | ReloadRefused):
            self.append(event)
            self._loop.call_soon_threadsafe(self._come.set)

    async def next(self) -> Event:
        """Return the oldest event that was not asked for yet."""
        async with asyncio.timeout(30):
            while not self:
                self._come.clear()
                await self._come.wait()
        return self.pop(0)


async def comes_true(holds: Callable[[], bool]) -> None:
    """Wait until `holds()`, for what tells no event."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


def put(name: str, text: str) -> None:
    """Write a file of the working directory as it stands."""
    Path(name).write_text(text)


def remove(name: str) -> None:
    Path(name).unlink()


def write(address: str, key: str = "old", **variables: str) -> None:
    """Write `.env` as an operator's tool does: beside it, and then over it."""
    lines = {"OPENAI_API_KEY": key, "OPENAI_API_BASE": address} | variables
    Path(".env.new").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    Path(".env.new").replace(".env")


class Transports:
    """Every transport that a container's registry has had."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self.seen: list[Any] = [container.transport()]

    def reload(self) -> None:
        self._container.registry().reload()
        self.seen.append(self._container.transport())


# --- reloading -------------------------------------------------------------------------------------------------------


async def test_a_thousand_calls_in_flight_survive_twenty_reloads_and_leave_no_socket() -> None:
    calls: list[asyncio.Task[Any]] = []
    async with vendor() as books:
        write(books.address)
        async with open_container(observer=lambda event: None) as container:
            llm, transports = container.llm(), Transports(container)
            for number in range(20):
                calls += [asyncio.create_task(llm.generate("ping")) for _ in range(50)]
                expected = len(calls)
                await books.until(lambda expected=expected: len(books.keys) == expected)  # type: ignore[misc]
                write(books.address, f"key{number}")
                transports.reload()
            assert len(books.waiting) == 1000
            assert len({id(transport) for transport in transports.seen}) == 21
            assert all(transport.is_open for transport in transports.seen[:-1])
            books.answer_all()
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert {getattr(answer, "content", answer) for answer in answers} == {"Out of memory."}
            # Before the container closes, everything but the transport in force, which had no call, is gone.
            await books.until(lambda: not books.connections)
            # What closed the last connections ends a little after them.
            await comes_true(lambda: not any(transport.is_open for transport in transports.seen))
        assert books.most == 1000
        assert books.keys.count("old") == 50


async def test_calls_that_come_and_go_during_reloads_all_get_an_answer() -> None:
    async with vendor() as books:
        books.at_once = True
        write(books.address)
        async with open_container(observer=lambda event: None) as container:
            llm, transports = container.llm(), Transports(container)

            async def ask() -> None:
                for _ in range(20):
                    await llm.generate("ping")

            async def reload() -> None:
                for _ in range(20):
                    await asyncio.to_thread(transports.reload)

            await asyncio.gather(reload(), *(ask() for _ in range(20)))
            await books.until(lambda: len(books.connections) <= 20)
        await books.until(lambda: not books.connections)
        assert not any(transport.is_open for transport in transports.seen)
        assert len(books.keys) == 400


async def test_a_rotated_key_counts_from_the_next_call_and_calls_in_flight_keep_the_old_one() -> None:
    async with vendor() as books:
        write(books.address, "old")
        async with open_container() as container:
            first = asyncio.create_task(container.llm().generate("ping"))
            await books.until(lambda: len(books.keys) == 1)
            write(books.address, "new")
            container.registry().reload()
            second = asyncio.create_task(container.llm().generate("ping"))
            await books.until(lambda: len(books.keys) == 2)
            books.answer_all()
            await asyncio.gather(first, second)
        assert books.keys == ["old", "new"]


async def test_a_bad_configuration_is_refused_with_its_reason_and_the_old_one_serves() -> None:
    async with vendor() as books:
        books.at_once = True
        write(books.address)
        events = Events()
        async with open_container(observer=events) as container:
            before = container.transport()
            for wrong, told in (
                ({"CHAT_PROVIDER": "opnai"}, "did you mean 'openai'"),
                ({"HTTPS_PROXY": "socks5://proxy:1"}, "HTTPS_PROXY"),
                ({"SSL_CERT_FILE": ".env"}, "no certificates could be read"),
            ):
                write(books.address, **wrong)
                with pytest.raises(ConfigurationError, match=told):
                    container.registry().reload()
                refused = events.pop()
                assert isinstance(refused, ReloadRefused)
                assert told in refused.reason
                assert container.transport() is before
                assert (await container.llm().generate("ping")).content == "Out of memory."
            write(books.address)
            container.registry().reload()
            assert events == [ConfigurationReloaded(("openai",))]


async def test_proxies_and_certificates_reload_too(tmp_path: Path) -> None:
    write("https://vendor.invalid/v1")
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    container = create_container()
    write("https://vendor.invalid/v1", SSL_CERT_FILE=str(tmp_path / "authority.pem"), HTTPS_PROXY="http://127.0.0.1:9")
    container.registry().reload()
    transport: Any = container.transport()
    assert transport._network.certificates == str(tmp_path / "authority.pem")
    with pytest.raises(Exception, match="the proxy cannot be reached"):
        await container.llm().generate("ping")
    await container.aclose()


async def test_a_row_of_run_time_keeps_the_transport_in_force() -> None:
    container = create_container({"OPENAI_API_KEY": "k"})
    before = container.transport()
    own = {"api_key_var": "ACME_API_KEY", "model_var": "ACME_MODEL", "base_url_var": "ACME_API_BASE"}
    row = dict(PROVIDER_SCHEMA["openai"], **own)
    container.registry().register_provider("acme", row)
    assert container.transport() is before


@pytest.mark.parametrize("part", ["http_client", "transport"])
async def test_what_the_host_passed_in_serves_every_configuration_and_is_not_retired(part: str) -> None:
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


# A file that no program would write, or a path that no file can have, by the variable that is to blame.
ODDITIES = {
    "LLM_PROVIDERS_FILE": ["deep.toml", "long.toml", "a\0b", "x" * 5000],
    "OPENAI_API_KEY_FILE": ["a\0b", "x" * 5000],
    "SSL_CERT_FILE": ["a\0b", "x" * 5000],
    "SSL_CERT_DIR": ["a\0b", "x" * 5000],
}


@pytest.mark.parametrize(("variable", "path"), [(name, path) for name, paths in ODDITIES.items() for path in paths])
async def test_whatever_cannot_be_read_is_refused_by_the_name_of_its_variable(variable: str, path: str) -> None:
    put("deep.toml", "a=" + "[" * 5000)
    put("long.toml", "a=" + "9" * 5000)
    env, events = {"GROQ_API_KEY": "k"}, Events()
    container = create_container(env, observer=events)
    env[variable] = path
    with pytest.raises(ConfigurationError, match=variable):
        container.registry().reload()
    refused = events.pop()
    assert isinstance(refused, ReloadRefused)
    assert variable in refused.reason


@pytest.mark.parametrize(
    ("name", "told"), [("ca.pem", "SSL_CERT_FILE names a path"), (".env", r"\.env cannot be looked for")]
)
async def test_a_directory_that_may_not_be_entered_is_told(
    name: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(".env", "GROQ_API_KEY=k\nSSL_CERT_FILE=ca.pem\n")
    put("ca.pem", "")

    def closed(asked: Callable[..., bool]) -> Callable[..., bool]:
        def ask(path: Path, **options: Any) -> bool:
            if path.name == name:
                raise PermissionError(13, "Permission denied")
            return asked(path, **options)

        return ask

    # Root, who runs some tests, may enter every directory.
    monkeypatch.setattr(Path, "exists", closed(Path.exists))
    monkeypatch.setattr(Path, "is_file", closed(Path.is_file))
    with pytest.raises(ConfigurationError, match=f"{told}.*PermissionError"):
        create_container()


async def test_whatever_a_reload_raises_is_refused_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events()
    container = create_container({"GROQ_API_KEY": "k"}, observer=events)
    monkeypatch.setattr("faultmaven.infrastructure.llm.providers.assembly.rows_of_packages", lambda: [1 / 0])
    with pytest.raises(ConfigurationError) as caught:
        container.registry().reload()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert events == [ReloadRefused("the configuration cannot be read (ZeroDivisionError).")]
    assert container.registry().get_available_providers() == ["groq"]


@pytest.mark.parametrize("opened", ["container", "process-wide registry", "argument"])
async def test_a_reload_reads_where_the_opening_read_wherever_the_process_is_now(
    opened: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The `.env`, and the relative paths in it: rows, keys, certificates."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "rows.toml").write_text("")
    (tmp_path / "key").write_text("old")
    named = {"LLM_PROVIDERS_FILE": "rows.toml", "OPENAI_API_KEY_FILE": "key", "SSL_CERT_FILE": "ca.pem"}
    put(".env", "".join(f"{name}={value}\n" for name, value in named.items()))
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


async def test_a_working_directory_that_was_removed_is_an_empty_one(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert create_container().registry().get_available_providers() == []


async def test_a_change_of_what_counts_at_the_opening_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    env = {"GROQ_API_KEY": "k", "LLM_CACHE_SECONDS": "60"}
    container = create_container(env)
    cache = container.cache()
    for _ in range(2):
        env["LLM_CACHE_SECONDS"] = "0"
        container.registry().reload()
    (told,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "configuration_warning warning=LLM_CACHE_SECONDS counts when a container opens" in told.message
    assert container.cache() is cache
    env["LLM_CACHE_SECONDS"] = "60"
    container.registry().reload()
    assert container.registry().warnings == ()


async def test_given_providers_survive_a_reload() -> None:
    fake = FakeProvider("It ran out of memory.")
    async with open_container(providers={"fake": fake}) as container:
        container.registry().reload()
        assert (await container.llm().generate("ping")).provider == "fake"


async def test_an_observer_that_raises_undoes_no_reload() -> None:
    def observer(event: Event) -> None:
        raise KeyError("the host's own")

    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reported.append(context))
    put(".env", "OPENAI_API_KEY=k\n")
    container = create_container(observer=observer)
    put(".env", "GROQ_API_KEY=k\n")
    container.registry().reload()
    assert container.registry().get_available_providers() == ["groq"]
    put(".env", "CHAT_PROVIDER=nobody\n")
    with pytest.raises(ConfigurationError, match="nobody"):
        container.registry().reload()
    assert [type(context["exception"]) for context in reported] == [KeyError, KeyError]


def test_without_a_loop_the_observers_error_goes_to_the_hook_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    def observer(event: Event) -> None:
        raise KeyError("the host's own")

    reported: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: reported.append(kind))
    create_container({"OPENAI_API_KEY": "k"}, observer=observer).registry().reload()
    assert reported == [KeyError]


async def test_a_registry_that_was_passed_in_is_not_closed() -> None:
    async with vendor() as books:
        books.at_once = True
        write(books.address)
        first = create_container()
        await first.llm().generate("ping")
        async with open_container({}, registry=first.registry()):
            pass
        assert len(books.connections) == 1
        await first.aclose()
        await books.until(lambda: not books.connections)


async def test_closing_a_container_that_was_never_opened_asks_for_no_configuration() -> None:
    put(".env", "CHAT_PROVIDER=nobody\n")
    await Container().aclose()


# --- watching --------------------------------------------------------------------------------------------------------

WATCHED = {"LLM_WATCH_FILES": "true"}


@pytest.fixture(autouse=True)
def events_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the look away that comes without an event, so that only events are relied upon."""
    monkeypatch.setattr("faultmaven.infrastructure.watching.LOOK_MILLISECONDS", 600_000)


@asynccontextmanager
async def watched(**variables: str) -> AsyncIterator[tuple[Container, Events]]:
    """Open a container that watches `.env`; leave when it does so."""
    if variables:
        write("http://lab.invalid/v1", **variables | WATCHED)
    events = Events()
    async with open_container(observer=events) as container:
        await begin_to_watch()
        yield container, events


async def begin_to_watch() -> None:
    """Give the watching time to set itself up, so that the next change is seen through an event and not at once."""
    await asyncio.sleep(0.05)


def key_of(container: Container) -> str:
    provider: Any = container.registry().get_provider("openai")
    return str.__str__(provider.config.api_key)


async def test_a_plain_write_is_seen() -> None:
    async with watched(OPENAI_API_KEY="old") as (container, events):
        put(".env", "OPENAI_API_KEY=written\n")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert key_of(container) == "written"


async def test_every_atomic_replacement_is_seen() -> None:
    async with watched(OPENAI_API_KEY="old") as (container, events):
        for key in ("first", "second", "third"):
            write("http://lab.invalid/v1", key)
            assert await events.next() == ConfigurationReloaded(("openai",))
            assert key_of(container) == key
            await begin_to_watch()


async def test_a_swap_of_a_config_map_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    for place in ("the mount itself", "a link to it"):
        home = mounted
        if place == "a link to it":
            home = tmp_path / "home"
            home.mkdir()
            (home / ".env").symlink_to(mounted / ".env")
        monkeypatch.chdir(home)
        async with watched() as (container, events):
            number = int(key_of(container).removeprefix("key"))
            for later in (number + 1, number + 2):
                mount(later)
                assert await events.next() == ConfigurationReloaded(("openai",))
                assert key_of(container) == f"key{later}"
                await begin_to_watch()


async def test_where_no_event_comes_a_look_now_and_then_sees_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultmaven.infrastructure.watching.LOOK_MILLISECONDS", 20)
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "true")
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "600000")
    async with watched(OPENAI_API_KEY="old") as (container, events):
        write("http://lab.invalid/v1", "new")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert key_of(container) == "new"


def test_a_link_that_leads_to_itself_is_watched_where_it_lies() -> None:
    Path("circle").symlink_to("circle")
    Path("growing").symlink_to("growing/deeper")
    here = Path.cwd()
    assert _directories([here / "circle"]) == {here}
    assert here in _directories([here / "growing" / "key"])


async def test_a_file_that_appears_and_one_that_vanishes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_WATCH_FILES", "true")
    async with watched() as (container, events):
        put(".env", "GROQ_API_KEY=k\n")
        assert await events.next() == ConfigurationReloaded(("groq",))
        await begin_to_watch()
        remove(".env")
        assert await events.next() == ConfigurationReloaded(())
        assert container.registry().get_available_providers() == []


async def test_a_rotated_key_file_is_seen_in_a_directory_that_comes_later(tmp_path: Path) -> None:
    secret = tmp_path / "run" / "secrets" / "key"
    write("http://lab.invalid/v1", OPENAI_API_KEY="old", **WATCHED)
    events = Events()
    async with open_container(observer=events) as container:
        put(".env", f"OPENAI_API_KEY_FILE={secret}\n")
        refused = await events.next()
        assert isinstance(refused, ReloadRefused)
        assert "OPENAI_API_KEY_FILE" in refused.reason
        assert key_of(container) == "old"
        await begin_to_watch()
        secret.parent.mkdir(parents=True)
        secret.with_name("new").write_text("from-the-file")
        secret.with_name("new").replace(secret)
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert key_of(container) == "from-the-file"


async def test_a_providers_file_that_is_named_later_is_watched_from_then_on(tmp_path: Path) -> None:
    rows = tmp_path / "elsewhere" / "rows.toml"
    rows.parent.mkdir()
    rows.write_text("no toml")
    async with watched(OPENAI_API_KEY="old") as (container, events):
        put(".env", f"OPENAI_API_KEY=k\nLLM_PROVIDERS_FILE={rows}\n")
        assert isinstance(await events.next(), ReloadRefused)
        await begin_to_watch()
        rows.write_text("")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert container.settings().providers_file == str(rows)


async def test_a_faulty_file_is_survived() -> None:
    async with watched(OPENAI_API_KEY="old") as (container, events):
        write("http://lab.invalid/v1", "k", CHAT_PROVIDER="nobody")
        refused = await events.next()
        assert isinstance(refused, ReloadRefused)
        assert "nobody" in refused.reason
        assert key_of(container) == "old"
        await begin_to_watch()
        write("http://lab.invalid/v1", "mended")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert key_of(container) == "mended"


@pytest.mark.parametrize("file", [".env", "rows.toml"])
async def test_a_change_while_the_files_are_read_is_not_missed(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes after its file was read, and before the opening is done."""
    variables = "GROQ_API_KEY=k\nLLM_PROVIDERS_FILE=rows.toml\nLLM_WATCH_FILES=true\n"
    put("rows.toml", "")
    put(".env", variables)
    changed = {".env": variables + "OPENAI_API_KEY=k\n", "rows.toml": "# changed"}
    pending = [file]

    def no_packages() -> list[Any]:
        if pending:
            put(pending.pop(), changed[file])
        return []

    monkeypatch.setattr("faultmaven.infrastructure.llm.providers.assembly.rows_of_packages", no_packages)
    async with watched() as (_, events):
        configured = ("openai", "groq") if file == ".env" else ("groq",)
        assert await events.next() == ConfigurationReloaded(configured)


async def test_other_files_in_the_directory_cause_no_reload() -> None:
    async with watched(OPENAI_API_KEY="old") as (_, events):
        for number in range(50):
            put(f"log{number}.txt", "busy")
            remove(f"log{number}.txt")
        put(".env.example", "CHAT_PROVIDER=nobody")
        await asyncio.sleep(0.3)  # events come within 0.1 s
        assert events == []
        write("http://lab.invalid/v1", "new")
        assert await events.next() == ConfigurationReloaded(("openai",))


async def test_the_files_of_an_argument_are_those_it_names(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("old")
    put(".env", "GROQ_API_KEY=k\n")
    events = Events()
    env = WATCHED | {"OPENAI_API_KEY_FILE": str(secret)}
    async with open_container(env, observer=events) as container:
        assert list(container.registry().files()) == [secret]
        await begin_to_watch()
        secret.write_text("rotated")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert key_of(container) == "rotated"


async def test_watch_is_an_entry_for_those_who_create_a_container() -> None:
    write("http://lab.invalid/v1", "old")
    events = Events()
    container = create_container(observer=events)
    watching = asyncio.ensure_future(container.watch())
    write("http://lab.invalid/v1", "new")
    assert await events.next() == ConfigurationReloaded(("openai",))
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    assert watching.cancelled()
    await container.aclose()


async def test_nothing_to_watch_is_said_and_ends_the_watching(caplog: pytest.LogCaptureFixture) -> None:
    async with open_container({"OPENAI_API_KEY": "k"}) as container:
        await container.watch()
    assert [record.levelname for record in caplog.records if "nothing_to_watch" in record.message] == ["WARNING"]


async def test_without_the_package_the_opening_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r'pip install "faultmaven\[watch\]"'):
        async with open_container(WATCHED | {"OPENAI_API_KEY": "k"}):
            pass
    async with open_container({"OPENAI_API_KEY": "k"}):
        pass


async def test_without_events_it_looks_says_so_once_and_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """inotify instances are used up, or a directory may be entered and not listed."""
    tried: list[tuple[Any, ...]] = []

    async def no_events(*paths: Any, **options: Any) -> AsyncIterator[None]:
        tried.append(paths)
        if tried:
            raise OSError(24, "Too many open files")
        yield

    monkeypatch.setattr("faultmaven.infrastructure.watching.LOOK_MILLISECONDS", 20)
    monkeypatch.setattr("watchfiles.awatch", no_events)
    async with watched(OPENAI_API_KEY="old") as (container, events):
        for key in ("first", "second"):
            write("http://lab.invalid/v1", key)
            assert await events.next() == ConfigurationReloaded(("openai",))
            assert key_of(container) == key
            await begin_to_watch()
        await comes_true(lambda: len(tried) > 2)
    told = [record for record in caplog.records if "no_file_events" in record.message]
    assert [(record.levelname, "reason=OSError" in record.message) for record in told] == [("WARNING", True)]


async def test_a_reload_that_breaks_ends_no_watching(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop, reached = asyncio.get_running_loop(), asyncio.Event()

    def fail(registry: ProviderRegistry, state: object) -> None:
        loop.call_soon_threadsafe(reached.set)
        raise ZeroDivisionError

    async with watched(OPENAI_API_KEY="old") as (container, events):
        with monkeypatch.context() as broken:
            broken.setattr(ProviderRegistry, "_swap_in", fail)
            write("http://lab.invalid/v1", "lost")
            await reached.wait()
        await comes_true(lambda: "reload_failed reason=ZeroDivisionError" in caplog.text)
        await begin_to_watch()
        write("http://lab.invalid/v1", "new")
        assert await events.next() == ConfigurationReloaded(("openai",))
        assert key_of(container) == "new"


async def test_watching_that_fails_is_reported_and_stops_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[dict[str, Any]] = []
    told = asyncio.Event()

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        reported.append(context)
        told.set()

    asyncio.get_running_loop().set_exception_handler(report)
    monkeypatch.setattr("faultmaven.infrastructure.watching.file_states", lambda path: 1 / 0)
    async with watched(OPENAI_API_KEY="old"):
        await asyncio.wait_for(told.wait(), 30)
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]
