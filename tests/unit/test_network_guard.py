"""The network guard denies every call to an external host, names the provider behind it, and restores `socket`."""

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

EXTERNAL_HOST = "192.0.2.7"  # RFC 5737: reserved for documentation
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


NETWORK_CALLS: dict[str, Callable[[], Any]] = {
    "connect": with_socket(lambda sock: sock.connect((EXTERNAL_HOST, 443))),
    "connect_ex": with_socket(lambda sock: sock.connect_ex((EXTERNAL_HOST, 443))),
    "sendto": with_socket(lambda sock: sock.sendto(b"?", (EXTERNAL_HOST, 53)), socket.SOCK_DGRAM),
    "sendto with flags": with_socket(lambda sock: sock.sendto(b"?", 0, (EXTERNAL_HOST, 53)), socket.SOCK_DGRAM),
    "sendmsg": with_socket(lambda sock: sock.sendmsg([b"?"], [], 0, (EXTERNAL_HOST, 53)), socket.SOCK_DGRAM),
    "create_connection": lambda: socket.create_connection((EXTERNAL_HOST, 443)),
    "create_connection by name": lambda: socket.create_connection(("api.openai.com", 443)),
    "getaddrinfo": lambda: socket.getaddrinfo("api.openai.com", 443),
    "getaddrinfo by keyword": lambda: socket.getaddrinfo(host="api.openai.com", port=443),
    "getaddrinfo of bytes": lambda: socket.getaddrinfo(b"api.openai.com", 443),
    "gethostbyname": lambda: socket.gethostbyname("api.openai.com"),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex("api.openai.com"),
    "gethostbyaddr": lambda: socket.gethostbyaddr(EXTERNAL_HOST),
    "getnameinfo": lambda: socket.getnameinfo((EXTERNAL_HOST, 443), 0),
    "urllib": lambda: urllib.request.urlopen(f"http://{EXTERNAL_HOST}/"),
    "httpx": lambda: httpx.get(f"http://{EXTERNAL_HOST}/", trust_env=False),
}


@pytest.mark.parametrize("call", NETWORK_CALLS.values(), ids=NETWORK_CALLS)
def test_guard_denies_blocking_network_calls(guard: NetworkGuard, call: Callable[[], Any]) -> None:
    with pytest.raises(NetworkDeniedError, match=r"would have reached (192\.0\.2\.7|openai \(api\.openai\.com\))"):
        call()
    assert len(guard.denied) == 1


async def connect_socket() -> None:
    with closing(socket.socket()) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (EXTERNAL_HOST, 443))


async def connect_transport() -> None:
    await asyncio.get_running_loop().create_connection(asyncio.Protocol, EXTERNAL_HOST, 443)


async def look_up() -> None:
    await asyncio.get_running_loop().getaddrinfo("api.groq.com", 443)


async def get_with_httpx() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get("https://api.groq.com/")


async def call_provider() -> None:
    async with open_container({"GROQ_API_KEY": "k", "COHERE_API_KEY": "k"}) as container:
        await container.llm().generate("ping")


async def call_with_hedging() -> None:
    async with open_container({"GROQ_API_KEY": "k", "COHERE_API_KEY": "k"}) as container:
        await container.llm().generate("ping", hedge_after=0.001)


async def stream_from_provider() -> None:
    async with open_container({"GROQ_API_KEY": "k"}) as container, container.llm().stream("ping"):
        pass


@pytest.mark.parametrize(
    "call",
    [
        connect_socket,
        connect_transport,
        look_up,
        get_with_httpx,
        call_provider,
        call_with_hedging,
        stream_from_provider,
    ],
)
async def test_guard_denies_asyncio_network_calls(guard: NetworkGuard, call: Callable[[], Any]) -> None:
    with pytest.raises(NetworkDeniedError):
        await call()
    assert guard.denied


async def test_denied_call_does_not_fall_back(guard: NetworkGuard) -> None:
    with pytest.raises(NetworkDeniedError, match="reached"):
        await call_provider()
    assert len(guard.denied) == 1


def test_denial_in_a_thread_is_recorded(guard: NetworkGuard) -> None:
    def connect() -> None:
        with suppress(BaseException):
            NETWORK_CALLS["connect"]()

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    denied = guard.take()
    assert denied is not None
    assert EXTERNAL_HOST in str(denied)
    assert guard.take() is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "0.0.0.0"])
def test_guard_allows_loopback_connections(guard: NetworkGuard, host: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        socket.create_connection((host, server.getsockname()[1]), timeout=5).close()
    assert guard.denied == []


@pytest.mark.parametrize("host", ["::1", "::ffff:127.0.0.1", "::", None, b"localhost"])
def test_guard_resolves_loopback_names(guard: NetworkGuard, host: Any) -> None:
    assert socket.getaddrinfo(host, 80)


def test_guard_resolves_own_host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostbyname", lambda name: EXTERNAL_HOST)
    with NetworkGuard():
        assert socket.gethostbyname(socket.gethostname()) == EXTERNAL_HOST


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")
def test_guard_allows_unix_sockets(guard: NetworkGuard) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as server, closing(socket.socket(socket.AF_UNIX)) as client:
        server.bind("here.sock")
        server.listen()
        client.connect("here.sock")
    assert guard.denied == []


def test_invalid_domain_fails_without_lookup(guard: NetworkGuard) -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("lab.invalid", 80)
    assert guard.denied == []


def test_allowed_name_allows_resolved_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[Any] = []
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (EXTERNAL_HOST, 5432))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    monkeypatch.setattr(socket.socket, "connect", lambda sock, address: reached.append(address))
    with NetworkGuard("Database") as guard:
        socket.create_connection(("database", 5432)).close()
        with pytest.raises(NetworkDeniedError):
            socket.create_connection(("192.0.2.8", 5432))
    assert reached == [(EXTERNAL_HOST, 5432)]
    assert len(guard.denied) == 1


def test_guard_restores_all_socket_functions() -> None:
    def current_functions() -> dict[str, Any]:
        return {name: vars(socket.socket).get(name) for name in METHODS} | {n: vars(socket)[n] for n in LOOK_UPS}

    before = current_functions()
    with NetworkGuard() as guard:
        guard.turn_on()
        assert all(value is not before[name] for name, value in current_functions().items())
    assert current_functions() == before


def test_guard_keeps_third_party_replacement(monkeypatch: pytest.MonkeyPatch) -> None:
    with NetworkGuard() as guard:
        original = socket.gethostbyname
        monkeypatch.setattr(socket, "gethostbyname", lambda name: original(name))
        replacement = socket.gethostbyname
    assert socket.gethostbyname is replacement
    assert socket.gethostbyname("localhost")
    monkeypatch.undo()
    assert guard.is_on is False


def test_disabled_guard_allows_all_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostbyname", lambda name: EXTERNAL_HOST)
    with NetworkGuard() as guard:
        guard.turn_off()
        assert socket.gethostbyname("example.com") == EXTERNAL_HOST


@pytest.mark.parametrize("name", VENDORS)
def test_vendor_host_maps_to_row_name(name: str) -> None:
    host = httpx.URL(PROVIDER_SCHEMA[name]["default_base_url"]).host
    assert provider_at(host) == name


def test_provider_at_without_matching_row() -> None:
    assert provider_at("my-resource.openai.azure.com") == "azure"
    assert provider_at("example.com") is None


def test_denial_message_explains_fakes_and_allowed_hosts(guard: NetworkGuard) -> None:
    with pytest.raises(NetworkDeniedError) as vendor:
        socket.gethostbyname("api.groq.com")
    for part in ("groq (api.groq.com)", "fake_llm", "llm_lab('groq')", "llm_network", "docs/testing.md"):
        assert part in str(vendor.value)
    with pytest.raises(NetworkDeniedError) as external:
        socket.gethostbyname("example.com")
    assert 'llm_network("example.com")' in str(external.value)
