"""Images and files on their way: read, fetched, refused before they are sent; no address and no path in an error."""

import os
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven import File, Image, InvalidRequestError, LLMError, Message, ProviderUnavailableError, ToolCall
from faultmaven.application.validation.attachments import IMAGE_TYPES, MAX_IMAGE_BYTES, media_type
from faultmaven.application.validation.request import build_chat_request
from faultmaven.domain.attachments import Attachment
from faultmaven.domain.requests import ChatRequest
from faultmaven.infrastructure.http.types import ReplyStream, WireReply, WireRequest
from faultmaven.infrastructure.llm.attachments import load_attachments
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.providers.openai_provider import OpenAIProvider
from faultmaven.testing import FakeClock

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
JPEG = b"\xff\xd8\xff\xe0" + bytes(16)
PDF = b"%PDF-1.7\n"
ADDRESS = "https://pictures.example/secret-place.png"


def asking(*parts: Any) -> ChatRequest:
    return build_chat_request([Message.user("see", *parts)])


async def no_fetch(address: str) -> bytes:
    raise AssertionError("nothing is to be fetched")


async def refused(request: ChatRequest, fetch: Any = no_fetch) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        await load_attachments(request, fetch)
    return caught.value


# --- read from this machine -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [(), (Image.from_bytes(PNG),), (Image.from_url(ADDRESS),)])
async def test_where_nothing_is_to_be_read_the_request_is_the_same(parts: tuple[Any, ...]) -> None:
    request = asking(*parts)
    assert await load_attachments(request, no_fetch) is request


async def test_files_are_read_in_their_places_and_nothing_of_their_path_goes_on(tmp_path: Path) -> None:
    for name, data in (("a.png", PNG), ("b.pdf", PDF)):
        (tmp_path / name).write_bytes(data)
    before = Image.from_bytes(JPEG)
    request = asking(before, Image.from_path(str(tmp_path / "a.png")), "and", File.from_path(str(tmp_path / "b.pdf")))
    found = await load_attachments(request, no_fetch)
    assert found.messages[0].parts == (
        "see",
        Image.from_bytes(JPEG, "image/jpeg"),
        Image.from_bytes(PNG, "image/png"),
        "and",
        File.from_bytes(PDF, "application/pdf"),
    )


async def test_a_tools_result_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    turns = [
        Message.user("see"),
        Message.assistant(tool_calls=[ToolCall("c1", "look")]),
        Message.tool("c1", Image.from_path(str(tmp_path / "a.png"))),
    ]
    found = await load_attachments(build_chat_request(turns), no_fetch)
    assert [message.images for message in found.messages] == [(), (), (Image.from_bytes(PNG, "image/png"),)]
    assert found.messages[2].tool_call_id == "c1"


async def test_files_are_read_in_a_thread_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    readers = set()
    stat = Path.stat

    def noted(path: Path, **options: Any) -> os.stat_result:
        readers.add(threading.get_ident())
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", noted)
    await load_attachments(asking(*[Image.from_path(str(tmp_path / "a.png"))] * 3), no_fetch)
    assert len(readers) == 1
    assert threading.get_ident() not in readers


@pytest.mark.parametrize("name", ["absent.png", "", "a\0b.png"])
async def test_a_file_that_cannot_be_read_is_refused_without_its_path(name: str, tmp_path: Path) -> None:
    error = await refused(asking(Image.from_path(f"{tmp_path}/{name}")))
    assert "prompt[0] names " in str(error)
    assert str(tmp_path) not in "".join(traceback.format_exception(error))
    assert (error.retryable, error.elsewhere) == (False, False)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
async def test_a_device_is_never_opened(path: str) -> None:
    assert "something that is no file" in str(await refused(asking(Image.from_path(path))))


async def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "something that is no file" in str(await refused(asking(Image.from_path(str(tmp_path / "pipe")))))


async def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    monkeypatch.setattr(Path, "open", None)
    error = await refused(asking(Image.from_path(str(tmp_path / "a.png"))))
    assert f"a file of more than {MAX_IMAGE_BYTES} bytes" in str(error)


@pytest.mark.parametrize(
    ("data", "declared", "told"),
    [
        (b"", "", "0 bytes"),
        (b"<svg/>", "", "none of image/png"),
        (PNG, "image/gif", "called image/gif and is image/png"),
    ],
)
async def test_what_a_file_holds_is_checked_as_the_door_does(
    data: bytes, declared: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(data)
    assert told in str(await refused(asking(Image.from_path(str(tmp_path / "a.png"), declared))))


# --- fetched ----------------------------------------------------------------------------------------------------------


class Net:
    """A transport that answers what it is told, and keeps what it was asked."""

    def __init__(self, status: int = 200, body: bytes = PNG, error: LLMError | None = None) -> None:
        self.status, self.body, self.error = status, body, error
        self.sent: list[WireRequest] = []
        self.timeouts: list[float | None] = []
        self.clock = FakeClock()

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        self.sent.append(sent)
        self.timeouts.append(timeout)
        if sent.method == "POST":
            answer = b'{"model": "m", "choices": [{"message": {"content": "a pod"}, "finish_reason": "stop"}]}'
            return WireReply(sent, 200, {"content-type": "application/json"}, answer)
        self.clock.advance(4.0)
        if self.error is not None:
            raise self.error
        return WireReply(sent, self.status, {}, self.body)

    async def open(self, sent: WireRequest, timeout: float | None) -> ReplyStream:
        raise AssertionError

    async def aclose(self) -> None: ...


CONFIG = ProviderConfig(
    "openai",
    api_key="sk-secret",
    base_url="https://api.example/v1",
    models=["m"],
    dialect="openai-chat",
    headers={"x-team": "secret-team"},
    timeout=30.0,
)


async def ask(net: Net, *parts: Attachment) -> Any:
    provider = OpenAIProvider.create(CONFIG, net, net.clock)
    return await provider.answer(asking(*parts))


async def test_an_address_is_fetched_without_the_providers_key_and_headers() -> None:
    net = Net()
    await ask(net, Image.from_url(ADDRESS, fetch=True))
    fetch, question = net.sent
    assert (fetch.method, fetch.url, dict(fetch.headers), fetch.body, fetch.secret) == ("GET", ADDRESS, {}, b"", "")
    assert b"data:image/png;base64,iVBORw0KGgo" in question.body
    assert ADDRESS.encode() not in question.body


async def test_the_time_for_the_fetch_is_part_of_the_attempts() -> None:
    net = Net()
    await ask(net, Image.from_url(ADDRESS, fetch=True), Image.from_url(ADDRESS, fetch=True))
    assert net.timeouts == [30.0, 26.0, 22.0]


async def test_an_address_that_is_the_vendors_to_fetch_is_not_fetched() -> None:
    net = Net()
    await ask(net, Image.from_url(ADDRESS))
    assert [sent.method for sent in net.sent] == ["POST"]
    assert ADDRESS.encode() in net.sent[0].body


@pytest.mark.parametrize(
    ("net", "told"),
    [
        (Net(404), "answers with status 404"),
        (Net(302), "answers with status 302"),
        (Net(204, b""), "answers with status 204"),
        (Net(body=b"<html>"), "none of image/png"),
        (Net(body=b""), "0 bytes"),
        (Net(body=PNG + bytes(MAX_IMAGE_BYTES)), f"1 to {MAX_IMAGE_BYTES} can be sent"),
        (Net(error=ProviderUnavailableError("refused", provider="openai")), "(ProviderUnavailableError)"),
    ],
)
async def test_an_address_that_gives_no_image_is_nobodys_fault_but_the_requests(net: Net, told: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await ask(net, Image.from_url(ADDRESS, fetch=True))
    assert told in str(caught.value)
    assert "secret" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__context__ is None
    assert (caught.value.retryable, caught.value.elsewhere) == (False, False)
    assert [sent.method for sent in net.sent] == ["GET"]


# --- at the door ------------------------------------------------------------------------------------------------------

ODD: list[Any] = [
    Image.from_bytes("text"),  # type: ignore[arg-type]
    Image.from_bytes(bytearray(PNG)),  # type: ignore[arg-type]
    Image.from_url(5),  # type: ignore[arg-type]
    Image(path=Path("a.png")),  # type: ignore[arg-type]
    Image.from_bytes(PNG, None),  # type: ignore[arg-type]
    Image(data=PNG, fetch=True),
    Image.from_url(ADDRESS, "text/html"),
    File.from_path("a.pdf", "image/png"),
    Image.from_url("https://"),
    Image.from_url("https://a.example:0/b.png"),
    Image.from_url("https://[a.example/b.png"),
    Image.from_url("https://a.example/b.png\r\nx: y"),
    Image.from_url("https://a.example/\ud800.png"),
    Image.from_url("data:image/png;base64,iVBORw0KGgo="),
    Image.from_url("ftp://a.example/b.png"),
]


@pytest.mark.parametrize("part", ODD)
def test_an_odd_part_is_refused_with_its_place(part: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"prompt\[0\] holds an? (image|file) "):
        asking(part)


@pytest.mark.parametrize("address", [ADDRESS, "HTTPS://A.example/b.png", "http://10.0.0.1:8080/ü?x=1#f"])
def test_an_address_stays_as_it_is_written(address: str) -> None:
    assert asking(Image.from_url(address)).messages[0].images[0].url == address


def test_a_media_type_is_told_in_small_letters() -> None:
    assert asking(Image.from_bytes(PNG, "IMAGE/PNG")).messages[0].images[0].media_type == "image/png"


@given(st.binary(max_size=24))
def test_bytes_are_of_one_type_or_refused(data: bytes) -> None:
    kind = media_type(data)
    for make, known in ((Image.from_bytes, IMAGE_TYPES), (File.from_bytes, ("application/pdf",))):
        try:
            [_, part] = asking(make(data)).messages[0].parts
        except InvalidRequestError:
            assert kind not in known
        else:
            assert isinstance(part, Attachment)
            assert part.media_type == kind in known


async def test_a_file_is_read_once_for_all_attempts_of_a_call(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    net, request = Net(), asking(Image.from_path(str(path)), Image.from_url(ADDRESS, fetch=True))
    provider = OpenAIProvider.create(CONFIG, net, net.clock)
    await provider.answer(request.for_attempt(None, 30.0, 30.0))
    path.unlink()
    await provider.answer(request.for_attempt(None, 30.0, 30.0))
    assert [sent.method for sent in net.sent] == ["GET", "POST", "POST"]
    assert net.sent[1].body == net.sent[2].body
    with pytest.raises(InvalidRequestError):  # another call reads anew
        await provider.answer(asking(Image.from_path(str(path))))
