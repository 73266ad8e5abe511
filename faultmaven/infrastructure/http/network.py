"""How to reach the network: certificates, proxies and connections, from settings and never from the environment."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from ...domain.addresses import names_a_server
from ...domain.errors import ConfigurationError
from ..configuration.settings import Settings

KEEP_ALIVE_SECONDS = 30.0
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Proxy addresses by scheme, "" for none, and the hosts that are reached directly."""

    http: str = ""
    https: str = ""
    all: str = ""
    bypass: tuple[str, ...] = ()

    def mounts(self) -> dict[str, str]:
        """Return httpx mount patterns and their proxy; "" means a direct connection.

        A server on the loopback interface is always reached directly: no proxy can reach it for us.
        """
        if not (self.http or self.https or self.all):
            return {}
        proxied = {"http://": self.http or self.all, "https://": self.https or self.all}
        routes = {pattern: _with_scheme(proxy) for pattern, proxy in proxied.items() if proxy}
        if "*" in self.bypass:
            return {}
        return routes | {pattern: "" for host in (*LOOPBACK, *self.bypass) for pattern in _patterns(host)}

    def variable_for(self, url: str) -> str:
        """Return the variable whose proxy a request to `url` goes through, "" when it goes there directly."""
        parts = urlsplit(url)
        own, name = (self.https, "HTTPS_PROXY") if parts.scheme == "https" else (self.http, "HTTP_PROXY")
        if not (own or self.all) or self._is_direct(parts):
            return ""
        return name if own else "ALL_PROXY"

    def address_for(self, url: str) -> str:
        """Return the address of the proxy that a request to `url` goes through, "" when it goes there directly."""
        addresses = {"HTTPS_PROXY": self.https, "HTTP_PROXY": self.http, "ALL_PROXY": self.all}
        name = self.variable_for(url)
        return _with_scheme(addresses[name]) if name else ""

    def _is_direct(self, parts: SplitResult) -> bool:
        patterns = (pattern for host in (*LOOPBACK, *self.bypass) for pattern in _patterns(host))
        return "*" in self.bypass or any(_matches(pattern, parts) for pattern in patterns)


def _matches(pattern: str, parts: SplitResult) -> bool:
    """Return whether an httpx mount pattern, scheme, host and perhaps port, is one for an address."""
    wanted = urlsplit(pattern)
    host, wanted_host = parts.hostname or "", wanted.hostname or ""
    same_host = host.endswith(wanted_host[1:]) if wanted_host.startswith("*.") else host == wanted_host
    return same_host and wanted.scheme in ("all", parts.scheme) and wanted.port in (None, parts.port)


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"


def _patterns(host: str) -> tuple[str, ...]:
    """Return the patterns for a NO_PROXY entry: `example.com` and `.example.com` cover their subdomains too."""
    if "://" in host:
        return (host,)
    bare = host.lstrip("*").lstrip(".")
    if bare.count(":") > 1 and not bare.startswith("["):
        bare = f"[{bare}]"
    if bare in LOOPBACK or bare.replace(".", "").replace(":", "").isdigit() or bare.startswith("["):
        return (f"all://{bare}",)
    return (f"all://{bare}", f"all://*.{bare}")


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How the network is reached.

    Attributes:
        certificates: A file or folder of them, "" for the bundle of certifi.
        connections_per_host: How many may be in use at once, None for no limit.
        keep_alive: Seconds for which a connection is kept after its last use.
        http2: Whether to offer HTTP/2.
    """

    certificates: str = ""
    proxies: ProxySettings = ProxySettings()
    connections_per_host: int | None = None
    keep_alive: float = KEEP_ALIVE_SECONDS
    http2: bool = False


def network_settings(settings: Settings) -> NetworkSettings:
    """Return what `settings` say of the network.

    Raises:
        ConfigurationError: a certificate path that does not exist or may not be looked at, a proxy that is none.
    """
    for variable, path in (("SSL_CERT_FILE", settings.ssl_cert_file), ("SSL_CERT_DIR", settings.ssl_cert_dir)):
        if path and not _exists(variable, path):
            raise ConfigurationError(f"{variable} names {path!r}, which does not exist", advice="Correct or unset it.")
    for variable, proxy in (
        ("HTTP_PROXY", settings.http_proxy),
        ("HTTPS_PROXY", settings.https_proxy),
        ("ALL_PROXY", settings.all_proxy),
    ):
        if proxy and not names_a_server(_with_scheme(proxy)):
            raise ConfigurationError(
                f"{variable} is no address of a proxy that can be spoken to",
                advice="Write it like http://proxy.example:3128; socks proxies are not spoken to.",
            )
    proxies = ProxySettings(settings.http_proxy, settings.https_proxy, settings.all_proxy, settings.no_proxy)
    return NetworkSettings(
        settings.ssl_cert_file or settings.ssl_cert_dir,
        proxies,
        connections_per_host=settings.http_connections_per_host,
        keep_alive=settings.http_keep_alive,
        http2=settings.http2,
    )


def _exists(variable: str, path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{variable} names a path that cannot be looked at: {type(error).__name__}",
            advice="Check it and the permissions of its folders.",
        ) from None
