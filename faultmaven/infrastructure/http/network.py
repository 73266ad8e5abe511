"""Certificates, proxies and connection limits, from settings and never from the environment."""

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
    """Proxy addresses by scheme, "" for none, and the hosts that bypass them."""

    http: str = ""
    https: str = ""
    all: str = ""
    bypass: tuple[str, ...] = ()

    def mounts(self) -> dict[str, str]:
        """Return httpx mount patterns and their proxy; "" means a direct connection.

        A server on the loopback interface always bypasses the proxy, which could not reach it.
        """
        if not (self.http or self.https or self.all):
            return {}
        proxied = {"http://": self.http or self.all, "https://": self.https or self.all}
        routes = {pattern: _with_scheme(proxy) for pattern, proxy in proxied.items() if proxy}
        if "*" in self.bypass:
            return {}
        return routes | {pattern: "" for host in (*LOOPBACK, *self.bypass) for pattern in _patterns(host)}

    def variable_for(self, url: str) -> str:
        """Return the variable that names the proxy for requests to `url`, "" for a direct connection."""
        parts = urlsplit(url)
        proxy, name = (self.https, "HTTPS_PROXY") if parts.scheme == "https" else (self.http, "HTTP_PROXY")
        if not (proxy or self.all) or self._is_direct(parts):
            return ""
        return name if proxy else "ALL_PROXY"

    def address_for(self, url: str) -> str:
        """Return the address of the proxy for requests to `url`, "" for a direct connection."""
        addresses = {"HTTPS_PROXY": self.https, "HTTP_PROXY": self.http, "ALL_PROXY": self.all}
        name = self.variable_for(url)
        return _with_scheme(addresses[name]) if name else ""

    def _is_direct(self, parts: SplitResult) -> bool:
        patterns = (pattern for host in (*LOOPBACK, *self.bypass) for pattern in _patterns(host))
        return "*" in self.bypass or any(_matches(pattern, parts) for pattern in patterns)


def _matches(pattern: str, parts: SplitResult) -> bool:
    """Return whether an httpx mount pattern, of scheme, host and optional port, matches an address."""
    expected = urlsplit(pattern)
    host, expected_host = parts.hostname or "", expected.hostname or ""
    is_same_host = host.endswith(expected_host[1:]) if expected_host.startswith("*.") else host == expected_host
    return is_same_host and expected.scheme in ("all", parts.scheme) and expected.port in (None, parts.port)


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
    """Settings of all connections.

    Attributes:
        certificates: A file or folder of trusted certificates, "" for the bundle of certifi.
        connections_per_host: Limit of connections in use at once, None for no limit.
        keep_alive: Seconds until an idle connection is closed.
        http2: Whether to offer HTTP/2.
    """

    certificates: str = ""
    proxies: ProxySettings = ProxySettings()
    connections_per_host: int | None = None
    keep_alive: float = KEEP_ALIVE_SECONDS
    http2: bool = False


def network_settings(settings: Settings) -> NetworkSettings:
    """Return the network settings in `settings`.

    Raises:
        ConfigurationError: a certificate path that does not exist or cannot be read, an invalid proxy address.
    """
    for variable, path in (("SSL_CERT_FILE", settings.ssl_cert_file), ("SSL_CERT_DIR", settings.ssl_cert_dir)):
        if path and not _exists(variable, path):
            raise ConfigurationError(
                f"{variable} names {path!r}, which does not exist", advice="Correct or unset the variable."
            )
    for variable, proxy in (
        ("HTTP_PROXY", settings.http_proxy),
        ("HTTPS_PROXY", settings.https_proxy),
        ("ALL_PROXY", settings.all_proxy),
    ):
        if proxy and not names_a_server(_with_scheme(proxy)):
            raise ConfigurationError(
                f"{variable} is not the address of a supported proxy",
                advice="Write the address like http://proxy.example:3128; SOCKS proxies are not supported.",
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
            f"{variable} names a path that cannot be accessed: {type(error).__name__}",
            advice="Check the path and the permissions of its folders.",
        ) from None
