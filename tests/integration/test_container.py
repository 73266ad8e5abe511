"""The container: what it reads, what may be swapped, what it closes, and what an import does not do."""

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
    """Return what a script prints in a fresh interpreter without variables; it must end well and say nothing else."""
    command = [sys.executable, *options, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, env={"PYTHONPATH": ROOT}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


class PoisonedEnviron(Mapping[str, str]):
    """An `os.environ` that nobody may look at."""

    def __getitem__(self, name: str) -> str:
        raise AssertionError(f"{name} was read from the process environment")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the process environment was listed")

    def __len__(self) -> int:
        raise AssertionError("the process environment was counted")


# --- imports ---------------------------------------------------------------------------------------------------------

RECORDED_ENVIRON = """
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


def test_importing_the_package_reads_no_environment_and_loads_no_third_party_module() -> None:
    script = f"""{RECORDED_ENVIRON}
    os.environ = Recorded()
    standard = sys.stdlib_module_names
    before = set(sys.modules)
    import faultmaven
    assert not Recorded.read, Recorded.read
    print(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} - standard))
    """
    assert run(script) == "['faultmaven']\n"


def test_importing_every_part_reads_no_environment_and_builds_nothing() -> None:
    # Other libraries ask for names of their own, such as HOME and PYDANTIC_*.
    ours = {"all names", *VARIABLES, *(row["api_key_var"] for row in PROVIDER_SCHEMA.values())}
    script = f"""{RECORDED_ENVIRON}
    import asyncio, threading
    import dependency_injector.containers, dependency_injector.providers, dotenv, httpx, pydantic, ssl, structlog
    os.environ = Recorded()
    httpx.AsyncClient.__init__ = ssl.create_default_context = None
    import faultmaven.container, faultmaven.infrastructure.llm.providers, faultmaven.testing
    print(Recorded.read & {ours!r})
    assert threading.active_count() == 1
    from faultmaven.infrastructure.llm.providers import get_registry
    print(get_registry.cache_info().currsize)
    """
    assert run(script) == "set()\n0\n"


def test_every_public_name_is_there_and_others_are_not() -> None:
    assert {name for name in faultmaven.__all__ if getattr(faultmaven, name) is None} == set()
    assert set(faultmaven.__all__) <= set(dir(faultmaven))
    with pytest.raises(AttributeError, match="opencontainer"):
        getattr(faultmaven, "opencontainer")  # noqa: B009 - a misspelt name is an error of types as well


def test_every_error_type_is_public() -> None:
    from faultmaven.domain import errors

    kinds = {name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")}
    assert kinds <= set(faultmaven.__all__)


# --- what is read ----------------------------------------------------------------------------------------------------


async def test_providers_alone_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_bytes(b"\xff unreadable")  # noqa: ASYNC240 - a test may block
    with monkeypatch.context() as poisoned:
        poisoned.setattr(os, "environ", PoisonedEnviron())
        poisoned.setattr(os, "getenv", PoisonedEnviron().__getitem__)
        async with open_container(providers={"mine": FakeProvider("pong")}) as container:
            response = await container.llm().generate("ping")
            names = container.registry().get_all_provider_names()
            container.registry().reload()
    assert (response.content, response.provider, names) == ("pong", "mine", ["mine"])


async def test_a_mapping_is_read_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_bytes(b"\xff unreadable")  # noqa: ASYNC240 - a test may block
    lab = FaultLab()
    with monkeypatch.context() as poisoned:
        poisoned.setattr(os, "environ", PoisonedEnviron())
        async with open_container(lab.env("groq"), http_client=lab.client()) as container:
            assert (await container.llm().generate("ping")).provider == "groq"


def test_without_arguments_process_and_files_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    Path(".env").write_text("OPENAI_API_KEY=k\n")
    assert create_container().registry().get_available_providers() == ["openai", "groq"]


async def test_with_an_environment_given_providers_replace_and_add_rows() -> None:
    lab, fake, mine = FaultLab(), FakeProvider("fake"), FakeProvider("mine")
    env = lab.env("groq", "cohere") | {"CHAT_PROVIDER": "cohere"}
    given = {"groq": fake, "mine": mine, "openai": FakeProvider("no key needed")}
    async with open_container(env, providers=given, http_client=lab.client()) as container:
        registry = container.registry()
        assert registry.get_all_provider_names() == [*PROVIDER_SCHEMA, "mine"]
        assert registry.get_available_providers() == ["openai", "cohere", "groq", "mine"]
        assert registry.get_fallback_chain() == [
            "cohere",
            "mine",
            "openai",
            "groq",
        ]  # a new name weighs 1, a row its own
        assert registry.get_provider("groq") is fake
        replaced = await container.llm(provider="groq").generate("ping")
        assert (replaced.content, replaced.provider, lab.requests) == ("fake", "groq", [])
        assert (await container.llm().generate("ping")).provider == "cohere"


async def test_the_mappings_key_is_the_providers_name_everywhere() -> None:
    events: list[Event] = []
    limited = FakeProvider(faultmaven.RateLimitError("busy", provider="itself"), name="itself")
    async with open_container(
        providers={"first": limited, "second": FakeProvider("pong", name="itself")}, observer=events.append
    ) as container:
        response = await container.llm().generate("ping")
        assert list(container.registry().get_provider_status()) == ["first", "second"]
    assert response.provider == "second"
    assert [line.provider for line in response.attempts] == ["first", "second"]
    assert {event.provider for event in events if hasattr(event, "provider")} == {"first", "second"}
    async with open_container(providers={"first": limited}) as container:
        with pytest.raises(faultmaven.RateLimitError) as caught:
            await container.llm().generate("ping")
    assert caught.value.provider == "first"


async def test_no_provider_at_all_opens_and_says_so_when_asked() -> None:
    async with open_container(providers={}) as container:
        with pytest.raises(ConfigurationError, match=r"^no provider is configured\. Pass a provider\."):
            await container.llm().generate("ping")


# --- parts -----------------------------------------------------------------------------------------------------------


async def test_a_client_that_is_not_async_is_told_at_the_door(library: Any) -> None:
    with library.Client() as client, pytest.raises(ConfigurationError, match="'http_client' is a Client, not a AsyncC"):
        async with open_container({}, http_client=client):
            pass


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"htp_client": None}, "unknown part 'htp_client'; did you mean 'http_client'?"),
        ({"clocks": None}, "unknown part 'clocks'; did you mean 'clock'?"),
        ({"zzz": None}, "unknown part 'zzz'; known: acceptance, cache, chance, clock, "),
        ({"http_client": object()}, "the part 'http_client' is a object, not a AsyncClient"),
        ({"http_client": httpx.Client}, "the part 'http_client' is a type, not a AsyncClient"),
        ({"settings": {}}, "the part 'settings' is a dict, not a Settings"),
        ({"transport": 5}, "the part 'transport' is a int: it has no send, aclose"),
        ({"registry": None}, "the part 'registry' is a NoneType, not a ProviderRegistry"),
        ({"configure_logging": "yes"}, "the part 'configure_logging' is a str, not a bool"),
        ({"clock": object()}, "the part 'clock' is a object: it has no monotonic, sleep, timeout"),
        ({"clock": FakeClock}, "the part 'clock' is a type: it is a class; pass an object of it"),
        ({"observer": 5}, "the part 'observer' is a int: it has no __call__"),
        ({"providers": []}, "providers is a list, not a mapping"),
        ({"env": "OPENAI_API_KEY=k"}, "env is a str, not a mapping"),
        ({"env": {"OPENAI_API_KEY": None}}, "OPENAI_API_KEY (argument) is a NoneType, not a string"),
        ({"providers": {"x": FakeProvider}}, "providers['x'] is the class FakeProvider; pass an object of it"),
        (
            {"providers": {"x": object()}},
            "providers['x'] is a object, not an LLMProvider: it has no provider_name, is_",
        ),
    ],
)
async def test_a_part_that_does_not_fit_is_refused_at_the_door(parts: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create_container(**parts)
    assert str(caught.value).startswith(told)
    with pytest.raises(ConfigurationError):
        async with open_container(**parts):
            pass


def test_every_part_has_an_entry_of_its_name() -> None:
    assert set(Parts.__annotations__) - {"configure_logging"} <= set(Container.providers)


async def test_each_part_is_used() -> None:
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


async def test_a_registry_may_be_shared() -> None:
    first = create_container(providers={"mine": FakeProvider("pong")})
    second = create_container({}, registry=first.registry())
    assert (await second.llm().generate("ping")).content == "pong"


def test_a_reload_logs_only_what_is_new(caplog: pytest.LogCaptureFixture) -> None:
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


def test_warnings_of_the_configuration_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="faultmaven"):
        create_container({"OPENAI_KEY": "sk-secret"})
    (record,) = caplog.records
    assert "OPENAI_KEY (argument) is not read; did you mean OPENAI_API_KEY?" in record.getMessage()
    assert "sk-secret" not in record.getMessage()


def test_the_hosts_logging_is_left_alone_unless_asked() -> None:
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


class Recorded:
    """A carrier of which is known whether it was closed."""

    def __init__(self, carrier: Carrier) -> None:
        self.open = carrier.open
        self.is_closed = False
        self._carrier = carrier

    async def aclose(self) -> None:
        await self._carrier.aclose()
        self.is_closed = True


def recorded_clients(set_attribute: Callable[[Any, str, Any], object]) -> list[Recorded]:
    """Return the list in which every carrier will be that a transport of ours makes."""
    made: list[Recorded] = []
    make = HTTPTransport._make_carrier

    def record(self: HTTPTransport) -> Recorded:
        made.append(Recorded(make(self)))
        return made[-1]

    set_attribute(HTTPTransport, "_make_carrier", record)
    return made


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    """Every carrier that was made."""
    return recorded_clients(monkeypatch.setattr)


async def test_one_client_serves_all_providers_and_is_closed_with_the_container(
    clients: list[Recorded],
) -> None:
    lab = FaultLab()
    async with lab.serve() as address:
        env = lab.env("openai", "anthropic", "ollama", address=address)
        async with open_container(env) as container:
            for name in ("openai", "anthropic", "ollama"):
                await asyncio.gather(*(container.llm(provider=name).generate("ping") for _ in range(3)))
            closed_inside = [client.is_closed for client in clients]
    assert closed_inside == [False]
    assert clients[0].is_closed
    assert len(lab.asked("anthropic")) == 3


async def test_the_container_closes_when_its_body_raises(clients: list[Recorded]) -> None:
    lab = FaultLab()

    async def fail_inside(address: str) -> None:
        async with open_container(lab.env("openai", address=address)) as container:
            await container.llm().generate("ping")
            raise KeyError("the host's own error")

    async with lab.serve() as address:
        with pytest.raises(KeyError, match="the host's own error"):
            await fail_inside(address)
    assert [client.is_closed for client in clients] == [True]


async def test_opening_and_closing_without_a_call_makes_no_client(clients: list[Recorded]) -> None:
    async with open_container({"OPENAI_API_KEY": "k"}):
        pass
    assert clients == []


async def test_a_hosts_own_transport_is_used_and_stays_open(clients: list[Recorded]) -> None:
    lab, transport = FaultLab(), HTTPTransport(SystemClock())
    async with lab.serve() as address:
        for _ in range(2):
            async with open_container(lab.env("openai", address=address), transport=transport) as container:
                await container.llm().generate("ping")
                container.registry().reload()
            assert [client.is_closed for client in clients] == [False]
        await transport.aclose()
    assert len(lab.requests) == 2
    assert clients[0].is_closed


async def test_a_hosts_own_client_is_used_and_stays_open() -> None:
    lab = FaultLab()
    async with lab.client() as client:
        async with open_container(lab.env("openai"), http_client=client) as container:
            await container.llm().generate("ping")
        assert not client.is_closed
        assert len(lab.requests) == 1


THREE_RUNS = """
    import asyncio, gc, threading
    from faultmaven import create_container
    from faultmaven.testing import FaultLab
    from test_container import recorded_clients

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
    clients = recorded_clients(setattr)
    container = create_container(lab.env("openai", "ollama", address=server.address))
    llm = container.llm()

    async def ask(close):
        await llm.generate("ping")
        await asyncio.gather(*(llm.generate("ping") for _ in range(4)), container.llm(provider="ollama").generate("x"))
        if close:
            await container.aclose()
            assert clients[-1].is_closed

    for number in range(3):
        asyncio.run(ask(close=number == 2))
        assert len(clients) == number + 1, clients
        assert all(client.is_closed for client in clients)
        gc.collect()
    server.loop.call_soon_threadsafe(server.stop.set)
    server.join()
    print(len(lab.asked("openai")), {dict(request.headers).get("connection") for request in lab.requests})
"""


def test_one_container_serves_three_event_loops_in_a_row_and_leaves_nothing_open() -> None:
    script = f"    import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n{THREE_RUNS}"
    # what is left to the garbage collector warns on standard error, and anything there fails
    assert run(script, "-W", "error") == "15 {None}\n"  # HTTP/1.1 keeps connections alive unless told otherwise


# --- inside a host's container ---------------------------------------------------------------------------------------


def host_of(lab: FaultLab, client: httpx.AsyncClient) -> Any:
    """Return a host's container with ours inside."""

    class Host(containers.DeclarativeContainer):
        config = di.Object(lab.env("openai", "groq") | {"CODE_PROVIDER": "groq"})
        client_of_host = di.Object(client)
        fm = di.Container(Container, env=config, http_client=client_of_host)
        service: di.Provider[Any] = di.Factory(dict, llm=fm.llm)

    return Host()


async def test_it_lives_inside_a_hosts_container() -> None:
    lab = FaultLab()
    async with lab.client() as client:
        host = host_of(lab, client)
        assert (await host.fm.llm(role="code").generate("ping")).provider == "groq"
        assert (await host.fm.llm().generate("ping")).provider == "openai"
        assert (await host.service()["llm"].generate("ping")).provider == "openai"
        assert host.fm.registry() is host.fm.registry()
        await host.fm.aclose()
        assert not client.is_closed


async def test_inside_a_host_it_reads_the_environment_on_first_use_and_not_before(
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


def test_two_hosts_share_nothing() -> None:
    lab = FaultLab()
    one, two = host_of(lab, lab.client()), host_of(lab, lab.client())
    assert one.fm.registry() is not two.fm.registry()
    assert one.fm.transport() is not two.fm.transport()


def test_a_part_may_be_overridden_before_the_first_build() -> None:
    container = Container()
    container.env.override(di.Object({"GROQ_API_KEY": "k"}))
    clock = FakeClock()
    container.clock.override(di.Object(clock))
    assert container.registry().get_available_providers() == ["groq"]
    assert container.clock() is clock


def test_a_part_of_a_wrong_type_is_told_before_anything_is_built() -> None:
    class Host(containers.DeclarativeContainer):
        fm = di.Container(Container, env={"GROQ_API_KEY": "k"}, clock=5)

    host: Any = Host()
    with pytest.raises(ConfigurationError, match="the part 'clock' is a int: it has no monotonic, sleep, timeout"):
        host.fm.llm()
    container = Container()
    container.observer.override(di.Object("print"))
    with pytest.raises(ConfigurationError, match="the part 'observer'"):
        container.registry()


@pytest.mark.parametrize(
    ("entry", "value", "told"),
    [
        ("env", ["GROQ_API_KEY=k"], "env is a list, not a mapping"),
        ("given", 3, "given is a int, not a mapping"),
    ],
)
def test_what_is_no_mapping_is_told_when_an_entry_is_overridden(entry: str, value: Any, told: str) -> None:
    container = Container()
    container.providers[entry].override(di.Object(value))
    with pytest.raises(ConfigurationError, match=told):
        container.llm()


def test_what_answers_no_prompts_cannot_stand_for_what_does() -> None:
    class Host(containers.DeclarativeContainer):
        fm = di.Container(Container, env={"GROQ_API_KEY": "k"})

    host: Any = Host()
    told = "what overrides 'llm' is a str, not an LLMProvider: it has no provider_name, is_available"
    for wrong in ("a model", di.Object("a model")):
        with pytest.raises(ConfigurationError, match=told):
            host.fm.llm.override(wrong)
    fake = FakeProvider("pong")
    with host.fm.llm.override(di.Object(fake)):
        assert host.fm.llm(role="code") is fake
    with host.fm.llm.override(di.Factory(FakeProvider, "made later")):
        assert host.fm.llm().generate_sync("ping").content == "made later"
    assert host.fm.llm() is not fake


def test_a_provider_has_a_name_that_is_text() -> None:
    with pytest.raises(ConfigurationError, match="providers has 3 for a name, which is no text"):
        create_container(providers={3: FakeProvider()})  # type: ignore[dict-item]


def test_a_part_of_a_hosts_own_factory_is_taken() -> None:
    class Host(containers.DeclarativeContainer):
        clock: di.Provider[Any] = di.Singleton(FakeClock)
        fm = di.Container(Container, env={"GROQ_API_KEY": "k"}, clock=clock)

    host: Any = Host()
    assert host.fm.router_parts().clock is host.clock()


# --- reload while running --------------------------------------------------------------------------------------------


async def test_a_reload_counts_from_the_next_call_of_an_old_llm(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_bad_reload_leaves_the_old_configuration_serving(monkeypatch: pytest.MonkeyPatch) -> None:
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
    """Answers when its gate opens."""

    def __init__(self, name: str) -> None:
        super().__init__(name, name=name)
        self.asked, self.gate = asyncio.Event(), asyncio.Event()

    async def answer(self, request: faultmaven.ChatRequest) -> LLMResponse:
        """Wait for the gate."""
        self.asked.set()
        await self.gate.wait()
        return await super().answer(request)


async def test_a_call_in_flight_finishes_on_the_configuration_it_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, other = GatedProvider("slow"), FakeProvider("other", name="other")
    monkeypatch.setenv("CHAT_PROVIDER", "slow")
    env = os.environ  # the live mapping: a reload sees its changes
    async with open_container(env, providers={"slow": slow, "other": other}) as container:
        llm = container.llm()
        in_flight = asyncio.create_task(llm.generate("ping"))
        await slow.asked.wait()
        monkeypatch.setenv("CHAT_PROVIDER", "other")
        container.registry().reload()
        assert (await llm.generate("ping")).provider == "other"
        slow.gate.set()
        assert (await in_flight).provider == "slow"


async def test_a_row_registered_while_running_counts_from_the_next_call() -> None:
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
