"""The guard lets nobody out by any door, names whom it kept from being reached, and leaves no trace."""

import asyncio
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import httpx
import pytest

from faultmaven import open_container
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.testing.network_guard import LOOK_UPS, METHODS, NetworkDeniedError, NetworkGuard, provider_at

STRANGER = "192.0.2.7"  # RFC 5737: nobody's
VENDORS = [name for name, row in PROVIDER_SCHEMA.items() if "https:" in row.get("default_base_url", "")]


@pytest.fixture
def guard() -> Iterator[NetworkGuard]:
    with NetworkGuard() as guard:
        yield guard


def with_socket(use: Callable[[socket.socket], Any], kind: int = socket.SOCK_STREAM) -> Callable[[], Any]:
    def attempt() -> Any:
        with closing(socket.socket(socket.AF_INET, kind)) as sock:
            return use(sock)

    return attempt


DOORS: dict[str, Callable[[], Any]] = {
    "connect": with_socket(lambda sock: sock.connect((STRANGER, 443))),
    "connect_ex": with_socket(lambda sock: sock.connect_ex((STRANGER, 443))),
    "sendto": with_socket(lambda sock: sock.sendto(b"?", (STRANGER, 53)), socket.SOCK_DGRAM),
    "sendto with flags": with_socket(lambda sock: sock.sendto(b"?", 0, (STRANGER, 53)), socket.SOCK_DGRAM),
    "sendmsg": with_socket(lambda sock: sock.sendmsg([b"?"], [], 0, (STRANGER, 53)), socket.SOCK_DGRAM),
    "create_connection": lambda: socket.create_connection((STRANGER, 443)),
    "create_connection by name": lambda: socket.create_connection(("api.openai.com", 443)),
    "getaddrinfo": lambda: socket.getaddrinfo("api.openai.com", 443),
    "getaddrinfo by keyword": lambda: socket.getaddrinfo(host="api.openai.com", port=443),
    "getaddrinfo of bytes": lambda: socket.getaddrinfo(b"api.openai.com", 443),
    "gethostbyname": lambda: socket.gethostbyname("api.openai.com"),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex("api.openai.com"),
    "gethostbyaddr": lambda: socket.gethostbyaddr(STRANGER),
    "getnameinfo": lambda: socket.getnameinfo((STRANGER, 443), 0),
    "urllib": lambda: urllib.request.urlopen(f"http://{STRANGER}/"),
    "httpx": lambda: httpx.get(f"http://{STRANGER}/", trust_env=False),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_no_door_leads_out(guard: NetworkGuard, door: Callable[[], Any]) -> None:
    with pytest.raises(NetworkDeniedError, match=r"would have reached (192\.0\.2\.7|openai \(api\.openai\.com\))"):
        door()
    assert len(guard.denied) == 1


async def connect_a_socket() -> None:
    with closing(socket.socket()) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (STRANGER, 443))


async def connect_a_transport() -> None:
    await asyncio.get_running_loop().create_connection(asyncio.Protocol, STRANGER, 443)


async def look_up() -> None:
    await asyncio.get_running_loop().getaddrinfo("api.groq.com", 443)


async def ask_with_httpx() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get("https://api.groq.com/")


async def ask_a_provider() -> None:
    async with open_container({"GROQ_API_KEY": "k", "COHERE_API_KEY": "k"}) as container:
        await container.llm().generate("ping")


async def ask_with_a_hedge() -> None:
    async with open_container({"GROQ_API_KEY": "k", "COHERE_API_KEY": "k"}) as container:
        await container.llm().generate("ping", hedge_after=0.001)


async def stream_from_a_provider() -> None:
    async with open_container({"GROQ_API_KEY": "k"}) as container, container.llm().stream("ping"):
        pass


@pytest.mark.parametrize(
    "door",
    [
        connect_a_socket,
        connect_a_transport,
        look_up,
        ask_with_httpx,
        ask_a_provider,
        ask_with_a_hedge,
        stream_from_a_provider,
    ],
)
async def test_no_door_of_asyncio_leads_out(guard: NetworkGuard, door: Callable[[], Any]) -> None:
    with pytest.raises(NetworkDeniedError):
        await door()
    assert guard.denied


async def test_another_provider_does_not_make_up_for_it(guard: NetworkGuard) -> None:
    with pytest.raises(NetworkDeniedError, match="reached"):
        await ask_a_provider()
    assert len(guard.denied) == 1


def test_what_was_denied_in_a_thread_is_remembered(guard: NetworkGuard) -> None:
    def reach_out() -> None:
        with suppress(BaseException):
            DOORS["connect"]()

    thread = threading.Thread(target=reach_out)
    thread.start()
    thread.join()
    denied = guard.take()
    assert denied is not None
    assert STRANGER in str(denied)
    assert guard.take() is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "0.0.0.0"])
def test_loopback_is_let_through(guard: NetworkGuard, host: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        socket.create_connection((host, server.getsockname()[1]), timeout=5).close()
    assert guard.denied == []


@pytest.mark.parametrize("host", ["::1", "::ffff:127.0.0.1", "::", None, b"localhost"])
def test_names_of_this_machine_are_looked_up(guard: NetworkGuard, host: Any) -> None:
    assert socket.getaddrinfo(host, 80)


def test_the_machines_own_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostbyname", lambda name: STRANGER)
    with NetworkGuard():
        assert socket.gethostbyname(socket.gethostname()) == STRANGER


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")
def test_unix_sockets_are_let_through(guard: NetworkGuard) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as server, closing(socket.socket(socket.AF_UNIX)) as client:
        server.bind("here.sock")
        server.listen()
        client.connect("here.sock")
    assert guard.denied == []


def test_a_name_that_cannot_be_is_not_known_and_nobody_is_asked(guard: NetworkGuard) -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("lab.invalid", 80)
    assert guard.denied == []


def test_an_allowed_name_is_let_through_with_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[Any] = []
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (STRANGER, 5432))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    monkeypatch.setattr(socket.socket, "connect", lambda sock, address: reached.append(address))
    with NetworkGuard("Database") as guard:
        socket.create_connection(("database", 5432)).close()
        with pytest.raises(NetworkDeniedError):
            socket.create_connection(("192.0.2.8", 5432))
    assert reached == [(STRANGER, 5432)]
    assert len(guard.denied) == 1


def test_everything_is_put_back() -> None:
    def offered() -> dict[str, Any]:
        return {name: vars(socket.socket).get(name) for name in METHODS} | {n: vars(socket)[n] for n in LOOK_UPS}

    before = offered()
    with NetworkGuard() as guard:
        guard.turn_on()
        assert all(value is not before[name] for name, value in offered().items())
    assert offered() == before


def test_a_replacement_of_somebody_elses_is_left_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with NetworkGuard() as guard:
        below = socket.gethostbyname
        monkeypatch.setattr(socket, "gethostbyname", lambda name: below(name))
        theirs = socket.gethostbyname
    assert socket.gethostbyname is theirs
    assert socket.gethostbyname("localhost")
    monkeypatch.undo()
    assert guard.is_on is False


def test_while_it_is_off_it_lets_all_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostbyname", lambda name: STRANGER)
    with NetworkGuard() as guard:
        guard.turn_off()
        assert socket.gethostbyname("example.com") == STRANGER


@pytest.mark.parametrize("name", VENDORS)
def test_every_vendors_host_is_known_by_the_name_of_its_row(name: str) -> None:
    host = httpx.URL(PROVIDER_SCHEMA[name]["default_base_url"]).host
    assert provider_at(host) == name


def test_hosts_without_a_row() -> None:
    assert provider_at("my-resource.openai.azure.com") == "azure"
    assert provider_at("example.com") is None


def test_the_message_says_how_to_fake_the_provider_or_to_let_a_stranger_through(guard: NetworkGuard) -> None:
    with pytest.raises(NetworkDeniedError) as vendor:
        socket.gethostbyname("api.groq.com")
    for part in ("groq (api.groq.com)", "fake_llm", "llm_lab('groq')", "llm_network", "docs/testing.md"):
        assert part in str(vendor.value)
    with pytest.raises(NetworkDeniedError) as stranger:
        socket.gethostbyname("example.com")
    assert 'llm_network("example.com")' in str(stranger.value)
