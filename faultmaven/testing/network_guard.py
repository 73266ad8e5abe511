"""The network guard: connections to other machines fail at once, name their target, and are recorded."""

import functools
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import urlsplit

# By guarded method of a socket: a function that finds the address in the arguments.
METHODS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "connect": lambda arguments: arguments[0],
    "connect_ex": lambda arguments: arguments[0],
    "sendto": lambda arguments: arguments[-1],
    "sendmsg": lambda arguments: arguments[3] if len(arguments) > 3 else None,
}
# Look-ups take a name, or an address as a pair.
LOOK_UPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")

# Providers with a separate host for each customer, by the end of the host name.
HOSTS_BY_ENDING = {".openai.azure.com": "azure"}


class NetworkDeniedError(BaseException):
    """A test tried to reach another machine.

    No subclass of `Exception`, so that no fallback and no `except Exception` treats this error as a vendor's.
    """


class NetworkGuard:
    """Denies every connection while it is on, except to the loopback interface, Unix sockets and allowed hosts.

    The guard replaces functions of the module `socket`, and so covers asyncio, httpx, aiohttp and all other users of
    that module, in every thread. A name that ends in ".invalid" is unknown without a request, as RFC 6761 defines.

    Attributes:
        denied: The errors raised since the last `take`.
        is_on: Whether connections are denied now.
    """

    def __init__(self, *allowed: str, error: Callable[[str], BaseException] = NetworkDeniedError) -> None:
        """Set the allowed hosts; the guard is off until `turn_on`.

        Args:
            allowed: Host names and addresses that tests may reach.
            error: Builds the raised error from its message.
        """
        self.denied: list[BaseException] = []
        self._error = error
        self.is_on = False
        self._allowed = {host.lower() for host in allowed}
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def __enter__(self) -> Self:
        """Turn the guard on."""
        self.turn_on()
        return self

    def __exit__(self, *_: object) -> None:
        """Turn the guard off and restore the module `socket`."""
        self.take_away()

    def turn_on(self) -> None:
        """Deny connections from now on; the first call replaces the functions of `socket`."""
        self.is_on = True
        if self._replaced:
            return
        for name, address_of in METHODS.items():
            if hasattr(socket.socket, name):
                self._replace(socket.socket, name, self._guarded_method(getattr(socket.socket, name), address_of))
        for name in LOOK_UPS:
            self._replace(socket, name, self._guarded_look_up(getattr(socket, name)))

    def turn_off(self) -> None:
        """Allow all connections, without restoring the module `socket`."""
        self.is_on = False

    def take_away(self) -> None:
        """Restore the module `socket`; a function that other code has replaced meanwhile stays, and denies nothing."""
        self.is_on = False
        while self._replaced:
            owner, name, replacement, original = self._replaced.pop()
            if vars(owner).get(name) is not replacement:
                continue
            if original is None:
                delattr(owner, name)  # the original is inherited
            else:
                setattr(owner, name, original)

    def take(self) -> BaseException | None:
        """Return the first denial since the last call, even if other code caught its error, and clear the list."""
        first = next(iter(self.denied), None)
        self.denied.clear()
        return first

    def _replace(self, owner: Any, name: str, replacement: Any) -> None:
        self._replaced.append((owner, name, replacement, vars(owner).get(name)))
        setattr(owner, name, replacement)

    def _guarded_method(self, original: Any, address_of: Callable[[tuple[Any, ...]], Any]) -> Any:
        @functools.wraps(original)
        def guarded(sock: socket.socket, *arguments: Any) -> Any:
            __tracebackhide__ = True
            if self.is_on and sock.family in (socket.AF_INET, socket.AF_INET6):
                self._check(address_of(arguments))
            return original(sock, *arguments)

        return guarded

    def _guarded_look_up(self, original: Any) -> Any:
        @functools.wraps(original)
        def guarded(*arguments: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            if not self.is_on:
                return original(*arguments, **options)
            host = arguments[0] if arguments else options.get("host")
            if _host_of(host).endswith(".invalid"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            self._check(host)
            result = original(*arguments, **options)
            if _host_of(host) in self._allowed:
                self._allowed.update(_addresses_in(result))
            return result

        return guarded

    def _check(self, address: Any) -> None:
        __tracebackhide__ = True
        host = _host_of(address)
        if _is_local(host) or host in self._allowed:
            return
        error = self._error(_denial_message(host))
        self.denied.append(error)
        raise error


def provider_at(host: str) -> str | None:
    """Return the name of the shipped row whose vendor has the host `host`, None for an unknown host."""
    from ..infrastructure.llm.providers.registry import PROVIDER_SCHEMA  # imported late: only a denial needs the rows

    for name, row in PROVIDER_SCHEMA.items():
        if host == urlsplit(row.get("default_base_url", "")).hostname:
            return name
    return next((name for ending, name in HOSTS_BY_ENDING.items() if host.endswith(ending)), None)


def _denial_message(host: str) -> str:
    name = provider_at(host)
    if name is None:
        return (
            f"this test would have reached {host}, which is not on this machine.\n"
            f'Run the server on 127.0.0.1, or allow the host for this test: @pytest.mark.llm_network("{host}"). '
            "See docs/testing.md, Network guard."
        )
    return (
        f"this test would have reached {name} ({host}).\n"
        f"Use a fake: the fixture llm_container calls fake_llm only; with @pytest.mark.llm_lab({name!r}), fault_lab "
        f"simulates {name}; without fixtures, use open_container(providers={{{name!r}: FakeProvider('...')}}).\n"
        "To allow the vendor, mark the test with @pytest.mark.llm_network. See docs/testing.md, Network guard."
    )


def _host_of(address: Any) -> str:
    host = address[0] if isinstance(address, tuple) and address else address
    text = host.decode("latin-1") if isinstance(host, bytes | bytearray) else str(host or "")
    return text.rstrip(".").lower()


def _is_local(host: str) -> bool:
    # Servers look up their machine's own name when they start.
    if host in ("", "localhost", socket.gethostname().lower()) or host.endswith(".localhost"):
        return True
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_unspecified


def _addresses_in(result: Any) -> Iterator[str]:
    """Yield every text in the result of a look-up; the addresses are among them."""
    if isinstance(result, str):
        yield result
    elif isinstance(result, tuple | list):
        for part in result:
            yield from _addresses_in(part)
