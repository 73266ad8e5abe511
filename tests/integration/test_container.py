"""The container: imports without side effects, sources of configuration, replaceable parts, closing and reload."""

import asyncio
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from dependency_injector import containers
from dependency_injector import providers as di

import faultmaven
from faultmaven import ConfigurationError, Container, LLMResponse, create_container, open_container
from faultmaven.domain.events import CallAnswered, Event
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.configuration.settings import VARIABLES, Settings
from faultmaven.infrastructure.http.carrier import Carrier
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.parts import Parts
from faultmaven.testing import FakeClock, FakeProvider, FaultLab

ROOT = str(Path(faultmaven.__file__).parents[1])


def run(script: str, *options: str) -> str:
    """Return the output of a script in a new interpreter without variables; check the exit code and standard error."""
    command = [sys.executable, *options, "-c", textwrap.dedent(script)]
    completed = subprocess.run(command, env={"PYTHONPATH": ROOT}, capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stderr) == (0, "")
    return completed.stdout


class PoisonedEnviron(Mapping[str, str]):
    """An `os.environ` that raises `AssertionError` on every access."""

    def __getitem__(self, name: str) -> str:
        raise AssertionError(f"{name} was read from the process environment")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the process environment was listed")

    def __len__(self) -> int:
        raise AssertionError("the process environment was counted")


# --- imports ---------------------------------------------------------------------------------------------------------

RECORDING_ENVIRON = """
    import os, sys
    from collections.abc import Mapping

    class Recorded(Mapping):
        read = set()
        def __getitem__(self, name):
            self.read.add(name)
            raise KeyError(name)
        def __iter__(self):
            self.read.add("all names")
            return iter(())
        def __len__(self):
            return 0
"""


def test_package_import_reads_no_environment() -> None:
    script = f"""{RECORDING_ENVIRON}
    os.environ = Recorded()
    standard = sys.stdlib_module_names
    before = set(sys.modules)
    import faultmaven
    assert not Recorded.read, Recorded.read
    print(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} - standard))
    """
    assert run(script) == "['faultmaven']\n"


def test_import_of_parts_has_no_side_effects() -> None:
    # Other libraries read variables of their own, such as HOME and PYDANTIC_*.
    read_by_package = {"all names", *VARIABLES, *(row["api_key_var"] for row in PROVIDER_SCHEMA.values())}
    script = f"""{RECORDING_ENVIRON}
    import asyncio, threading
    import dependency_injector.containers, dependency_injector.providers, dotenv, httpx, pydantic, ssl, structlog
    os.environ = Recorded()
    httpx.AsyncClient.__init__ = ssl.create_default_context = None
    import faultmaven.container, faultmaven.infrastructure.llm.providers, faultmaven.testing
    print(Recorded.read & {read_by_package!r})
    assert threading.active_count() == 1
    from faultmaven.infrastructure.llm.providers import get_registry
    print(get_registry.cache_info().currsize)
    """
    assert run(script) == "set()\n0\n"


def test_package_exports_exactly_public_names() -> None:
    assert {name for name in faultmaven.__all__ if getattr(faultmaven, name) is None} == set()
    assert set(faultmaven.__all__) <= set(dir(faultmaven))
    with pytest.raises(AttributeError, match="opencontainer"):
        getattr(faultmaven, "opencontainer")  # noqa: B009 - a misspelt name is an error of types as well


def test_package_exports_every_error_type() -> None:
    from faultmaven.domain import errors

    kinds = {name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")}
    assert kinds <= set(faultmaven.__all__)


# --- configuration sources -------------------------------------------------------------------------------------------


async def test_container_of_providers_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_bytes(b"\xff unreadable")  # noqa: ASYNC240 - a test may block
    with monkeypatch.context() as poisoned:
        poisoned.setattr(os, "environ", PoisonedEnviron())
        poisoned.setattr(os, "getenv", PoisonedEnviron().__getitem__)
        async with open_container(providers={"mine": FakeProvider("pong")}) as container:
            response = await container.llm().generate("ping")
            names = container.registry().get_all_provider_names()
            container.registry().reload()
    assert (response.content, response.provider, names) == ("pong", "mine", ["mine"])


async def test_container_reads_only_the_given_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_bytes(b"\xff unreadable")  # noqa: ASYNC240 - a test may block
    lab = FaultLab()
    with monkeypatch.context() as poisoned:
        poisoned.setattr(os, "environ", PoisonedEnviron())
        async with open_container(lab.env("groq"), http_client=lab.client()) as container:
            assert (await container.llm().generate("ping")).provider == "groq"


def test_default_container_reads_process_and_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    Path(".env").write_text("OPENAI_API_KEY=k\n")
    assert create_container().registry().get_available_providers() == ["openai", "groq"]


async def test_passed_providers_replace_and_add_rows() -> None:
    lab, fake, mine = FaultLab(), FakeProvider("fake"), FakeProvider("mine")
    env = lab.env("groq", "cohere") | {"CHAT_PROVIDER": "cohere"}
    passed = {"groq": fake, "mine": mine, "openai": FakeProvider("no key needed")}
    async with open_container(env, providers=passed, http_client=lab.client()) as container:
        registry = container.registry()
        assert registry.get_all_provider_names() == [*PROVIDER_SCHEMA, "mine"]
        assert registry.get_available_providers() == ["openai", "cohere", "groq", "mine"]
        assert registry.get_fallback_chain() == [
            "cohere",
            "mine",
            "openai",
            "groq",
        ]  # a new provider has the confidence 1, a row has its own
        assert registry.get_provider("groq") is fake
        replaced = await container.llm(provider="groq").generate("ping")
        assert (replaced.content, replaced.provider, lab.requests) == ("fake", "groq", [])
        assert (await container.llm().generate("ping")).provider == "cohere"


async def test_mapping_key_is_provider_name_everywhere() -> None:
    events: list[Event] = []
    limited = FakeProvider(faultmaven.RateLimitError("busy", provider="itself"), name="itself")
    async with open_container(
        providers={"first": limited, "second": FakeProvider("pong", name="itself")}, observer=events.append
    ) as container:
        response = await container.llm().generate("ping")
        assert list(container.registry().get_provider_status()) == ["first", "second"]
    assert response.provider == "second"
    assert [attempt.provider for attempt in response.attempts] == ["first", "second"]
    assert {event.provider for event in events if hasattr(event, "provider")} == {"first", "second"}
    async with open_container(providers={"first": limited}) as container:
        with pytest.raises(faultmaven.RateLimitError) as caught:
            await container.llm().generate("ping")
    assert caught.value.provider == "first"


async def test_container_without_providers_opens_and_refuses_calls() -> None:
    async with open_container(providers={}) as container:
        with pytest.raises(ConfigurationError, match=r"^no provider is configured\. Pass a provider\."):
            await container.llm().generate("ping")


# --- parts -----------------------------------------------------------------------------------------------------------


async def test_synchronous_client_is_refused_at_opening(library: Any) -> None:
    with library.Client() as client, pytest.raises(ConfigurationError, match="'http_client' is a Client, not a AsyncC"):
        async with open_container({}, http_client=client):
            pass


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"htp_client": None}, "unknown part 'htp_client'; did you mean 'http_client'?"),
        ({"clocks": None}, "unknown part 'clocks'; did you mean 'clock'?"),
        ({"zzz": None}, "unknown part 'zzz'; known: acceptance, cache, chance, clock, "),
        ({"http_client": object()}, "the part 'http_client' is a object, not a AsyncClient"),
        ({"http_client": httpx.Client}, "the part 'http_client' is a type, not a AsyncClient"),
        ({"settings": {}}, "the part 'settings' is a dict, not a Settings"),
        ({"transport": 5}, "the part 'transport' is a int: missing send, aclose"),
        ({"registry": None}, "the part 'registry' is a NoneType, not a ProviderRegistry"),
        ({"configure_logging": "yes"}, "the part 'configure_logging' is a str, not a bool"),
        ({"clock": object()}, "the part 'clock' is a object: missing monotonic, sleep, timeout"),
        ({"clock": FakeClock}, "the part 'clock' is a type: pass an instance, not the class"),
        ({"observer": 5}, "the part 'observer' is a int: missing __call__"),
        ({"providers": []}, "providers is a list, not a mapping"),
        ({"env": "OPENAI_API_KEY=k"}, "env is a str, not a mapping"),
        ({"env": {"OPENAI_API_KEY": None}}, "OPENAI_API_KEY (argument) is a NoneType, not a string"),
        ({"providers": {"x": FakeProvider}}, "providers['x'] is the class FakeProvider; pass an instance"),
        (
            {"providers": {"x": object()}},
            "providers['x'] is a object, not an LLMProvider: missing provider_name, is_",
        ),
    ],
)
async def test_invalid_part_is_refused_at_opening(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create_container(**parts)
    assert str(caught.value).startswith(message)
    with pytest.raises(ConfigurationError):
        async with open_container(**parts):
            pass


def test_container_has_entry_for_every_part() -> None:
    assert set(Parts.__annotations__) - {"configure_logging"} <= set(Container.providers)


async def test_container_uses_each_passed_part() -> None:
    events: list[Event] = []
    clock, lab = FakeClock(), FaultLab()
    settings = Settings(chat_provider="groq", deadline=7.0)
    async with lab.client() as client:
        transport = HTTPTransport(SystemClock(), client=client)
        container = create_container(
            lab.env("openai", "groq"), settings=settings, transport=transport, clock=clock, observer=events.append
        )
        response = await container.llm().generate("ping")
    assert response.provider == "groq"
    assert container.settings() is settings
    assert (container.transport(), container.clock()) == (transport, clock)
    assert isinstance(events[-1], CallAnswered)


async def test_two_containers_can_share_a_registry() -> None:
    first = create_container(providers={"mine": FakeProvider("pong")})
    second = create_container({}, registry=first.registry())
    assert (await second.llm().generate("ping")).content == "pong"


def test_reload_logs_only_new_warnings(caplog: pytest.LogCaptureFixture) -> None:
    env = {"LLM_DEADLINES": "5"}
    container = create_container(env, observer=list[Event]().append)
    assert [record.getMessage() for record in caplog.records] == [
        "configuration_warning warning=LLM_DEADLINES (argument) is unknown; did you mean 'LLM_DEADLINE'?"
    ]
    env["LLM_MAX_TOKNS"] = "5"
    container.registry().reload()
    assert [record.getMessage().partition("=")[2] for record in caplog.records[1:]] == [
        "LLM_MAX_TOKNS (argument) is unknown; did you mean 'LLM_MAX_TOKENS'?"
    ]


def test_configuration_warnings_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="faultmaven"):
        create_container({"OPENAI_KEY": "sk-secret"})
    (record,) = caplog.records
    assert "OPENAI_KEY (argument) is not read; did you mean OPENAI_API_KEY?" in record.getMessage()
    assert "sk-secret" not in record.getMessage()


def test_container_configures_logging_only_on_request() -> None:
    logger = logging.getLogger("faultmaven")
    before = (logger.handlers[:], logger.level, logger.propagate)
    create_container({"LOG_LEVEL": "DEBUG"})
    assert (logger.handlers, logger.level, logger.propagate) == before
    try:
        create_container({"LOG_LEVEL": "DEBUG"}, configure_logging=True)
        assert (len(logger.handlers), logger.level) == (len(before[0]) + 1, logging.DEBUG)
        create_container({"LOG_LEVEL": "ERROR"}, configure_logging=True)
        assert (len(logger.handlers), logger.level) == (len(before[0]) + 1, logging.ERROR)
    finally:
        logger.handlers[:], logger.level, logger.propagate = before


# --- closing ---------------------------------------------------------------------------------------------------------


class RecordedCarrier:
    """A carrier that records whether `aclose` was called."""

    def __init__(self, carrier: Carrier) -> None:
        self.open = carrier.open
        self.is_closed = False
        self._carrier = carrier

    async def aclose(self) -> None:
        await self._carrier.aclose()
        self.is_closed = True


def record_carriers(set_attribute: Callable[[Any, str, Any], object]) -> list[RecordedCarrier]:
    """Return a list to which every carrier is appended that a built-in transport creates."""
    carriers: list[RecordedCarrier] = []
    make = HTTPTransport._make_carrier

    def record(self: HTTPTransport) -> RecordedCarrier:
        carriers.append(RecordedCarrier(make(self)))
        return carriers[-1]

    set_attribute(HTTPTransport, "_make_carrier", record)
    return carriers


@pytest.fixture
def carriers(monkeypatch: pytest.MonkeyPatch) -> list[RecordedCarrier]:
    """Every carrier that the test creates."""
    return record_carriers(monkeypatch.setattr)


async def test_container_closes_one_shared_carrier(
    carriers: list[RecordedCarrier],
) -> None:
    lab = FaultLab()
    async with lab.serve() as address:
        env = lab.env("openai", "anthropic", "ollama", address=address)
        async with open_container(env) as container:
            for name in ("openai", "anthropic", "ollama"):
                await asyncio.gather(*(container.llm(provider=name).generate("ping") for _ in range(3)))
            closed_inside = [carrier.is_closed for carrier in carriers]
    assert closed_inside == [False]
    assert carriers[0].is_closed
    assert len(lab.asked("anthropic")) == 3


async def test_container_closes_carrier_after_exception(carriers: list[RecordedCarrier]) -> None:
    lab = FaultLab()

    async def fail_inside(address: str) -> None:
        async with open_container(lab.env("openai", address=address)) as container:
            await container.llm().generate("ping")
            raise KeyError("the host's own error")

    async with lab.serve() as address:
        with pytest.raises(KeyError, match="the host's own error"):
            await fail_inside(address)
    assert [carrier.is_closed for carrier in carriers] == [True]


async def test_unused_container_creates_no_carrier(carriers: list[RecordedCarrier]) -> None:
    async with open_container({"OPENAI_API_KEY": "k"}):
        pass
    assert carriers == []


async def test_passed_transport_is_used_and_stays_open(carriers: list[RecordedCarrier]) -> None:
    lab, transport = FaultLab(), HTTPTransport(SystemClock())
    async with lab.serve() as address:
        for _ in range(2):
            async with open_container(lab.env("openai", address=address), transport=transport) as container:
                await container.llm().generate("ping")
                container.registry().reload()
            assert [carrier.is_closed for carrier in carriers] == [False]
        await transport.aclose()
    assert len(lab.requests) == 2
    assert carriers[0].is_closed


async def test_passed_client_is_used_and_stays_open() -> None:
    lab = FaultLab()
    async with lab.client() as client:
        async with open_container(lab.env("openai"), http_client=client) as container:
            await container.llm().generate("ping")
        assert not client.is_closed
        assert len(lab.requests) == 1


THREE_EVENT_LOOPS = """
    import asyncio, gc, threading
    from faultmaven import create_container
    from faultmaven.testing import FaultLab
    from test_container import record_carriers

    class Server(threading.Thread):
        def run(self):
            asyncio.run(self.serve())
        async def serve(self):
            self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
            async with lab.serve() as self.address:
                ready.set()
                await self.stop.wait()

    lab, ready = FaultLab(), threading.Event()
    server = Server()
    server.start()
    ready.wait()
    carriers = record_carriers(setattr)
    container = create_container(lab.env("openai", "ollama", address=server.address))
    llm = container.llm()

    async def call(close):
        await llm.generate("ping")
        await asyncio.gather(*(llm.generate("ping") for _ in range(4)), container.llm(provider="ollama").generate("x"))
        if close:
            await container.aclose()
            assert carriers[-1].is_closed

    for number in range(3):
        asyncio.run(call(close=number == 2))
        assert len(carriers) == number + 1, carriers
        assert all(carrier.is_closed for carrier in carriers)
        gc.collect()
    server.loop.call_soon_threadsafe(server.stop.set)
    server.join()
    print(len(lab.asked("openai")), {dict(request.headers).get("connection") for request in lab.requests})
"""


def test_container_serves_three_consecutive_event_loops() -> None:
    script = f"    import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n{THREE_EVENT_LOOPS}"
    # an unclosed resource warns on standard error at garbage collection, and `run` fails on any output there
    assert run(script, "-W", "error") == "15 {None}\n"  # HTTP/1.1 connections are persistent by default


# --- nested in the container of a host -------------------------------------------------------------------------------


def host_with_container(lab: FaultLab, client: httpx.AsyncClient) -> Any:
    """Return the container of a host with a faultmaven `Container` nested inside."""

    class Host(containers.DeclarativeContainer):
        config = di.Object(lab.env("openai", "groq") | {"CODE_PROVIDER": "groq"})
        client_of_host = di.Object(client)
        fm = di.Container(Container, env=config, http_client=client_of_host)
        service: di.Provider[Any] = di.Factory(dict, llm=fm.llm)

    return Host()


async def test_container_works_inside_host_container() -> None:
    lab = FaultLab()
    async with lab.client() as client:
        host = host_with_container(lab, client)
        assert (await host.fm.llm(role="code").generate("ping")).provider == "groq"
        assert (await host.fm.llm().generate("ping")).provider == "openai"
        assert (await host.service()["llm"].generate("ping")).provider == "openai"
        assert host.fm.registry() is host.fm.registry()
        await host.fm.aclose()
        assert not client.is_closed


async def test_nested_container_reads_environment_on_first_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Host(containers.DeclarativeContainer):
        fm = di.Container(Container)

    with monkeypatch.context() as poisoned:
        poisoned.setattr(os, "environ", PoisonedEnviron())
        host: Any = Host()
    monkeypatch.setenv("GROQ_API_KEY", "k")
    assert host.fm.registry().get_available_providers() == ["groq"]
    await host.fm.aclose()


def test_containers_of_two_hosts_are_independent() -> None:
    lab = FaultLab()
    one, two = host_with_container(lab, lab.client()), host_with_container(lab, lab.client())
    assert one.fm.registry() is not two.fm.registry()
    assert one.fm.transport() is not two.fm.transport()


def test_part_can_be_overridden_before_first_build() -> None:
    container = Container()
    container.env.override(di.Object({"GROQ_API_KEY": "k"}))
    clock = FakeClock()
    container.clock.override(di.Object(clock))
    assert container.registry().get_available_providers() == ["groq"]
    assert container.clock() is clock


def test_part_of_wrong_type_is_refused_early() -> None:
    class Host(containers.DeclarativeContainer):
        fm = di.Container(Container, env={"GROQ_API_KEY": "k"}, clock=5)

    host: Any = Host()
    with pytest.raises(ConfigurationError, match="the part 'clock' is a int: missing monotonic, sleep, timeout"):
        host.fm.llm()
    container = Container()
    container.observer.override(di.Object("print"))
    with pytest.raises(ConfigurationError, match="the part 'observer'"):
        container.registry()


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("env", ["GROQ_API_KEY=k"], "env is a list, not a mapping"),
        ("given", 3, "given is a int, not a mapping"),
    ],
)
def test_override_of_entry_must_be_mapping(entry: str, value: Any, message: str) -> None:
    container = Container()
    container.providers[entry].override(di.Object(value))
    with pytest.raises(ConfigurationError, match=message):
        container.llm()


def test_override_of_llm_must_be_provider() -> None:
    class Host(containers.DeclarativeContainer):
        fm = di.Container(Container, env={"GROQ_API_KEY": "k"})

    host: Any = Host()
    message = "the override of 'llm' is a str, not an LLMProvider: missing provider_name, is_available"
    for wrong in ("a model", di.Object("a model")):
        with pytest.raises(ConfigurationError, match=message):
            host.fm.llm.override(wrong)
    fake = FakeProvider("pong")
    with host.fm.llm.override(di.Object(fake)):
        assert host.fm.llm(role="code") is fake
    with host.fm.llm.override(di.Factory(FakeProvider, "made later")):
        assert host.fm.llm().generate_sync("ping").content == "made later"
    assert host.fm.llm() is not fake


def test_provider_name_must_be_text() -> None:
    with pytest.raises(ConfigurationError, match="providers has the name 3, which is not a string"):
        create_container(providers={3: FakeProvider()})  # type: ignore[dict-item]


def test_part_from_host_factory_is_used() -> None:
    class Host(containers.DeclarativeContainer):
        clock: di.Provider[Any] = di.Singleton(FakeClock)
        fm = di.Container(Container, env={"GROQ_API_KEY": "k"}, clock=clock)

    host: Any = Host()
    assert host.fm.router_parts().clock is host.clock()


# --- reload while running --------------------------------------------------------------------------------------------


async def test_reload_applies_to_existing_llm(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = FaultLab()
    for name, value in lab.env("groq").items():
        monkeypatch.setenv(name, value)
    async with open_container(http_client=lab.client()) as container:
        llm = container.llm()
        assert (await llm.generate("ping")).provider == "groq"
        for name, value in (lab.env("openai") | {"GROQ_API_KEY": "another-key", "LLM_DEADLINE": "9"}).items():
            monkeypatch.setenv(name, value)
        assert (await llm.generate("ping")).provider == "groq"
        container.registry().reload()
        assert (await llm.generate("ping")).provider == "openai"
        await container.llm(provider="groq").generate("ping")
        assert container.settings().deadline == 9
    assert [request.headers["authorization"] for request in lab.asked("groq")] == [
        "Bearer lab-key-groq",
        "Bearer lab-key-groq",
        "Bearer another-key",
    ]


async def test_failed_reload_keeps_old_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = FaultLab()
    for name, value in lab.env("groq").items():
        monkeypatch.setenv(name, value)
    async with open_container(http_client=lab.client()) as container:
        monkeypatch.setenv("CHAT_PROVIDER", "nobody")
        monkeypatch.setenv("GROQ_API_KEY", "new-key")
        with pytest.raises(ConfigurationError, match="CHAT_PROVIDER"):
            container.registry().reload()
        await container.llm().generate("ping")
    assert lab.requests[0].headers["authorization"] == "Bearer lab-key-groq"


class GatedProvider(FakeProvider):
    """A fake provider that answers once `gate` is set."""

    def __init__(self, name: str) -> None:
        super().__init__(name, name=name)
        self.request_received, self.gate = asyncio.Event(), asyncio.Event()

    async def answer(self, request: faultmaven.ChatRequest) -> LLMResponse:
        """Wait for the gate."""
        self.request_received.set()
        await self.gate.wait()
        return await super().answer(request)


async def test_call_in_flight_keeps_old_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, other = GatedProvider("slow"), FakeProvider("other", name="other")
    monkeypatch.setenv("CHAT_PROVIDER", "slow")
    env = os.environ  # the live mapping: a reload sees its changes
    async with open_container(env, providers={"slow": slow, "other": other}) as container:
        llm = container.llm()
        in_flight = asyncio.create_task(llm.generate("ping"))
        await slow.request_received.wait()
        monkeypatch.setenv("CHAT_PROVIDER", "other")
        container.registry().reload()
        assert (await llm.generate("ping")).provider == "other"
        slow.gate.set()
        assert (await in_flight).provider == "slow"


async def test_registered_row_applies_to_next_call() -> None:
    lab = FaultLab()
    row = dict(PROVIDER_SCHEMA["openai"]) | {
        "confidence_score": 1.0,
        "default_base_url": "http://lab.invalid/openai/v1",
    }
    async with open_container(lab.env("openai", "groq"), http_client=lab.client()) as container:
        llm = container.llm()
        assert (await llm.generate("ping")).provider == "openai"
        container.registry().register_provider("openai-eu", row)
        response = await llm.generate("ping")
    assert (response.provider, response.confidence) == ("openai-eu", 1.0)
