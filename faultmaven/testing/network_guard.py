"""No way out of the machine: what would leave it fails at once, names whom it would have reached, and is remembered."""

import functools
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import urlsplit

# Where each takes its address; look-ups take a name, or an address as a pair.
METHODS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "connect": lambda given: given[0],
    "connect_ex": lambda given: given[0],
    "sendto": lambda given: given[-1],
    "sendmsg": lambda given: given[3] if len(given) > 3 else None,
}
LOOK_UPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")

# Providers whose customers have a host each.
HOSTS_BY_ENDING = {".openai.azure.com": "azure"}


class NetworkDeniedError(BaseException):
    """A test would have left the machine. It is no `Exception`, so that nothing on its way takes it for an answer."""


class NetworkGuard:
    """Lets only the loopback interface and Unix sockets be reached while it is on; whatever else raises.

    It replaces what `socket` offers, and so holds for asyncio, httpx, aiohttp and all else that uses that module, in
    every thread. Names that end in ".invalid" are not known, as the standard has it, without anybody being asked.
    """

    def __init__(self, *allowed: str, error: Callable[[str], BaseException] = NetworkDeniedError) -> None:
        """Keep who may be reached; nothing is denied yet.

        Args:
            allowed: Names and addresses that may be reached all the same.
            error: Makes what is raised of its message.
        """
        self.denied: list[BaseException] = []
        self._error = error
        self.is_on = False
        self._allowed = {host.lower() for host in allowed}
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def __enter__(self) -> Self:
        """Turn it on."""
        self.turn_on()
        return self

    def __exit__(self, *_: object) -> None:
        """Turn it off and take it away."""
        self.take_away()

    def turn_on(self) -> None:
        """Deny from here on; what `socket` offers is replaced at the first time."""
        self.is_on = True
        if self._replaced:
            return
        for name, address_of in METHODS.items():
            if hasattr(socket.socket, name):
                self._replace(socket.socket, name, self._guarded_method(getattr(socket.socket, name), address_of))
        for name in LOOK_UPS:
            self._replace(socket, name, self._guarded_look_up(getattr(socket, name)))

    def turn_off(self) -> None:
        """Let everything through, with the replacements in their places."""
        self.is_on = False

    def take_away(self) -> None:
        """Put back what was there. A replacement that somebody has replaced meanwhile stays, and lets all through."""
        self.is_on = False
        while self._replaced:
            owner, name, replacement, own = self._replaced.pop()
            if vars(owner).get(name) is not replacement:
                continue
            if own is None:
                delattr(owner, name)  # it is inherited
            else:
                setattr(owner, name, own)

    def take(self) -> BaseException | None:
        """Return the first denial since the last time, whatever became of it, and forget all."""
        first = next(iter(self.denied), None)
        self.denied.clear()
        return first

    def _replace(self, owner: Any, name: str, replacement: Any) -> None:
        self._replaced.append((owner, name, replacement, vars(owner).get(name)))
        setattr(owner, name, replacement)

    def _guarded_method(self, original: Any, address_of: Callable[[tuple[Any, ...]], Any]) -> Any:
        @functools.wraps(original)
        def guarded(sock: socket.socket, *given: Any) -> Any:
            __tracebackhide__ = True
            if self.is_on and sock.family in (socket.AF_INET, socket.AF_INET6):
                self._check(address_of(given))
            return original(sock, *given)

        return guarded

    def _guarded_look_up(self, original: Any) -> Any:
        @functools.wraps(original)
        def guarded(*given: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            if not self.is_on:
                return original(*given, **options)
            asked = given[0] if given else options.get("host")
            if _host_of(asked).endswith(".invalid"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            self._check(asked)
            found = original(*given, **options)
            if _host_of(asked) in self._allowed:
                self._allowed.update(_addresses_in(found))
            return found

        return guarded

    def _check(self, address: Any) -> None:
        __tracebackhide__ = True
        host = _host_of(address)
        if _is_here(host) or host in self._allowed:
            return
        denied = self._error(_told(host))
        self.denied.append(denied)
        raise denied


def provider_at(host: str) -> str | None:
    """Return the name of the shipped row whose vendor is at `host`, None for a stranger."""
    from ..infrastructure.llm.providers.registry import PROVIDER_SCHEMA  # only a denial needs it

    for name, row in PROVIDER_SCHEMA.items():
        if host == urlsplit(row.get("default_base_url", "")).hostname:
            return name
    return next((name for ending, name in HOSTS_BY_ENDING.items() if host.endswith(ending)), None)


def _told(host: str) -> str:
    name = provider_at(host)
    if name is None:
        return (
            f"this test would have reached {host}, which is not on this machine.\n"
            f'Let it answer from 127.0.0.1, or let the test through: @pytest.mark.llm_network("{host}"). '
            "See docs/testing.md, Network guard."
        )
    return (
        f"this test would have reached {name} ({host}).\n"
        f"Fake it: the fixture llm_container asks nobody but fake_llm; with @pytest.mark.llm_lab({name!r}) fault_lab "
        f"answers as {name}; without fixtures, open_container(providers={{{name!r}: FakeProvider('...')}}).\n"
        "A test that may ask the vendor says @pytest.mark.llm_network. See docs/testing.md, Network guard."
    )


def _host_of(address: Any) -> str:
    host = address[0] if isinstance(address, tuple) and address else address
    text = host.decode("latin-1") if isinstance(host, bytes | bytearray) else str(host or "")
    return text.rstrip(".").lower()


def _is_here(host: str) -> bool:
    # Servers look up their machine's own name when they start.
    if host in ("", "localhost", socket.gethostname().lower()) or host.endswith(".localhost"):
        return True
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_unspecified


def _addresses_in(found: Any) -> Iterator[str]:
    """Give every text in what a look-up returned; the addresses are among them."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, tuple | list):
        for part in found:
            yield from _addresses_in(part)
