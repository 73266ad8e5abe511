"""Attachments are read, fetched or refused before a request is sent; errors show neither the URL nor the path."""

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


def request_with(*parts: Any) -> ChatRequest:
    return build_chat_request([Message.user("see", *parts)])


async def no_fetch(address: str) -> bytes:
    raise AssertionError("nothing is to be fetched")


async def load_error(request: ChatRequest, fetch: Any = no_fetch) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        await load_attachments(request, fetch)
    return caught.value


# --- read from local files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [(), (Image.from_bytes(PNG),), (Image.from_url(ADDRESS),)])
async def test_request_without_paths_is_returned_unchanged(parts: tuple[Any, ...]) -> None:
    request = request_with(*parts)
    assert await load_attachments(request, no_fetch) is request


async def test_loaded_files_keep_positions_and_drop_paths(tmp_path: Path) -> None:
    for name, data in (("a.png", PNG), ("b.pdf", PDF)):
        (tmp_path / name).write_bytes(data)
    before = Image.from_bytes(JPEG)
    request = request_with(
        before, Image.from_path(str(tmp_path / "a.png")), "and", File.from_path(str(tmp_path / "b.pdf"))
    )
    result = await load_attachments(request, no_fetch)
    assert result.messages[0].parts == (
        "see",
        Image.from_bytes(JPEG, "image/jpeg"),
        Image.from_bytes(PNG, "image/png"),
        "and",
        File.from_bytes(PDF, "application/pdf"),
    )


async def test_file_in_a_tool_result_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    turns = [
        Message.user("see"),
        Message.assistant(tool_calls=[ToolCall("c1", "look")]),
        Message.tool("c1", Image.from_path(str(tmp_path / "a.png"))),
    ]
    result = await load_attachments(build_chat_request(turns), no_fetch)
    assert [message.images for message in result.messages] == [(), (), (Image.from_bytes(PNG, "image/png"),)]
    assert result.messages[2].tool_call_id == "c1"


async def test_files_are_read_in_one_worker_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    reader_threads = set()
    stat = Path.stat

    def recording_stat(path: Path, **options: Any) -> os.stat_result:
        reader_threads.add(threading.get_ident())
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", recording_stat)
    await load_attachments(request_with(*[Image.from_path(str(tmp_path / "a.png"))] * 3), no_fetch)
    assert len(reader_threads) == 1
    assert threading.get_ident() not in reader_threads


@pytest.mark.parametrize("name", ["absent.png", "", "a\0b.png"])
async def test_unreadable_file_is_refused_without_showing_path(name: str, tmp_path: Path) -> None:
    error = await load_error(request_with(Image.from_path(f"{tmp_path}/{name}")))
    assert "prompt[0] names " in str(error)
    assert str(tmp_path) not in "".join(traceback.format_exception(error))
    assert (error.retryable, error.elsewhere) == (False, False)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
async def test_device_file_is_never_opened(path: str) -> None:
    assert "a path that is not a file" in str(await load_error(request_with(Image.from_path(path))))


async def test_named_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "a path that is not a file" in str(await load_error(request_with(Image.from_path(str(tmp_path / "pipe")))))


async def test_too_large_file_is_refused_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    monkeypatch.setattr(Path, "open", None)
    error = await load_error(request_with(Image.from_path(str(tmp_path / "a.png"))))
    assert f"a file of more than {MAX_IMAGE_BYTES} bytes" in str(error)


@pytest.mark.parametrize(
    ("data", "declared", "message"),
    [
        (b"", "", "0 bytes"),
        (b"<svg/>", "", "whose bytes are not image/png"),
        (PNG, "image/gif", "of the media type image/gif whose bytes are image/png"),
    ],
)
async def test_file_content_is_validated_like_request_bytes(
    data: bytes, declared: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(data)
    assert message in str(await load_error(request_with(Image.from_path(str(tmp_path / "a.png"), declared))))


# --- fetched ----------------------------------------------------------------------------------------------------------


class RecordingTransport:
    """Transport that returns a fixed reply to every GET, and records requests and timeouts."""

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


async def answer_with(transport: RecordingTransport, *parts: Attachment) -> Any:
    provider = OpenAIProvider.create(CONFIG, transport, transport.clock)
    return await provider.answer(request_with(*parts))


async def test_image_url_is_fetched_without_provider_credentials() -> None:
    transport = RecordingTransport()
    await answer_with(transport, Image.from_url(ADDRESS, fetch=True))
    fetch, chat_request_sent = transport.sent
    assert (fetch.method, fetch.url, dict(fetch.headers), fetch.body, fetch.secret) == ("GET", ADDRESS, {}, b"", "")
    assert b"data:image/png;base64,iVBORw0KGgo" in chat_request_sent.body
    assert ADDRESS.encode() not in chat_request_sent.body


async def test_fetch_time_counts_against_attempt_timeout() -> None:
    transport = RecordingTransport()
    await answer_with(transport, Image.from_url(ADDRESS, fetch=True), Image.from_url(ADDRESS, fetch=True))
    assert transport.timeouts == [30.0, 26.0, 22.0]


async def test_image_url_without_fetch_is_passed_on() -> None:
    transport = RecordingTransport()
    await answer_with(transport, Image.from_url(ADDRESS))
    assert [sent.method for sent in transport.sent] == ["POST"]
    assert ADDRESS.encode() in transport.sent[0].body


@pytest.mark.parametrize(
    ("transport", "message"),
    [
        (RecordingTransport(404), "answers with status 404"),
        (RecordingTransport(302), "answers with status 302"),
        (RecordingTransport(204, b""), "answers with status 204"),
        (RecordingTransport(body=b"<html>"), "whose bytes are not image/png"),
        (RecordingTransport(body=b""), "0 bytes"),
        (RecordingTransport(body=PNG + bytes(MAX_IMAGE_BYTES)), f"1 to {MAX_IMAGE_BYTES} can be sent"),
        (
            RecordingTransport(error=ProviderUnavailableError("refused", provider="openai")),
            "(ProviderUnavailableError)",
        ),
    ],
)
async def test_failed_fetch_raises_invalid_request_error(transport: RecordingTransport, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await answer_with(transport, Image.from_url(ADDRESS, fetch=True))
    assert message in str(caught.value)
    assert "secret" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__context__ is None
    assert (caught.value.retryable, caught.value.elsewhere) == (False, False)
    assert [sent.method for sent in transport.sent] == ["GET"]


# --- validation -------------------------------------------------------------------------------------------------------

INVALID_PARTS: list[Any] = [
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


@pytest.mark.parametrize("part", INVALID_PARTS)
def test_invalid_attachment_is_refused_with_prompt_index(part: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"prompt\[0\] holds an? (image|file) "):
        request_with(part)


@pytest.mark.parametrize("address", [ADDRESS, "HTTPS://A.example/b.png", "http://10.0.0.1:8080/ü?x=1#f"])
def test_valid_image_url_stays_unchanged(address: str) -> None:
    assert request_with(Image.from_url(address)).messages[0].images[0].url == address


def test_declared_media_type_is_lower_cased() -> None:
    assert request_with(Image.from_bytes(PNG, "IMAGE/PNG")).messages[0].images[0].media_type == "image/png"


@given(st.binary(max_size=24))
def test_attachment_bytes_are_typed_or_refused(data: bytes) -> None:
    detected = media_type(data)
    for make, known in ((Image.from_bytes, IMAGE_TYPES), (File.from_bytes, ("application/pdf",))):
        try:
            [_, part] = request_with(make(data)).messages[0].parts
        except InvalidRequestError:
            assert detected not in known
        else:
            assert isinstance(part, Attachment)
            assert part.media_type == detected in known


async def test_attachment_is_loaded_once_per_call(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    transport = RecordingTransport()
    request = request_with(Image.from_path(str(path)), Image.from_url(ADDRESS, fetch=True))
    provider = OpenAIProvider.create(CONFIG, transport, transport.clock)
    await provider.answer(request.for_attempt(None, 30.0, 30.0))
    path.unlink()
    await provider.answer(request.for_attempt(None, 30.0, 30.0))
    assert [sent.method for sent in transport.sent] == ["GET", "POST", "POST"]
    assert transport.sent[1].body == transport.sent[2].body
    with pytest.raises(InvalidRequestError):  # another call reads the file again
        await provider.answer(request_with(Image.from_path(str(path))))
