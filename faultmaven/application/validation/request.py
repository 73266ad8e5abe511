"""Validation of a caller's arguments: one `ChatRequest`, or an `InvalidRequestError` that names the fault."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from ...domain.attachments import Attachment
from ...domain.errors import InvalidRequestError
from ...domain.messages import Message, MessageSummary, Prompt, Role
from ...domain.names import did_you_mean
from ...domain.requests import EMPTY_MAPPING, ChatRequest
from ...ports.llm import Options
from .attachments import checked_attachment
from .options import MAX_NUMBER, check_commit, check_format, check_reasoning, check_results, check_text, check_tools

MESSAGE_ROLES = get_args(Role)
OPTION_NAMES = frozenset(Options.__annotations__)
ARGUMENT_NAMES = OPTION_NAMES | {"model", "max_tokens", "temperature"}


def build_chat_request(
    prompt: Prompt,
    model: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    options: Mapping[str, Any] = EMPTY_MAPPING,
) -> ChatRequest:
    """Return the request for these arguments.

    Raises:
        InvalidRequestError: a blank prompt, no user or tool message, a limit below 1, a temperature or deadline out of
            range, an unknown option (with the nearest name).
    """
    for name in options:
        if name not in OPTION_NAMES:
            raise InvalidRequestError(f"unknown option {name!r}{did_you_mean(name, ARGUMENT_NAMES)}")
    _check_model(model)
    _check_count("max_tokens", max_tokens)
    _check_number("temperature", temperature, minimum=0.0)
    checked = _checked_options({name: value for name, value in options.items() if value is not None}) if options else {}
    return ChatRequest(
        messages=_checked_messages(prompt),
        model=model or None,
        max_tokens=max_tokens,
        temperature=temperature,
        **checked,
    )


def _checked_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are set, in the form that requests have."""
    _check_count("min_output_tokens", options.get("min_output_tokens"))
    _check_seed(options.get("seed"))
    _check_number("deadline", options.get("deadline"), above=0.0)
    _check_number("hedge_after", options.get("hedge_after"), above=0.0)
    for flag in ("cache", "deduplicate", "repair", "cache_prompt"):
        _check_flag(flag, options.get(flag))
    check_reasoning(options.get("reasoning"))
    check_commit(options.get("commit"))
    check_format(options.get("response_format"))
    if "stop" in options:
        options["stop"] = _stop_texts(options["stop"])
    if "tools" in options:
        options["tools"] = _as_tuple("tools", options["tools"])
    check_tools(options.get("tools", ()), options.get("tool_choice"))
    for name in ("extra", "metadata"):
        _check_mapping(name, options.get(name))
    for provider, fields in options.get("extra", EMPTY_MAPPING).items():
        _check_mapping(f"extra[{provider!r}]", fields)
    return options


def _checked_messages(prompt: Any) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        check_text("prompt[0]", prompt)
        if not prompt.strip():
            raise _blank_error()
        return (Message.user(prompt),)
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes | bytearray):
        raise InvalidRequestError(f"the prompt is a {type(prompt).__name__}, not a string or a list of Message")
    for position, message in enumerate(prompt):
        if not isinstance(message, Message):
            raise InvalidRequestError(
                f"prompt[{position}] is a {type(message).__name__}, not a Message",
                advice="Build turns with Message.system, Message.user and Message.assistant.",
            )
        text = message.text
        if not text.isascii():
            check_text(f"prompt[{position}]", text)
        _check_message(position, message)
    summary = MessageSummary.of(prompt)
    if summary.has_calls:
        check_results(prompt)
    _check_question(prompt)
    if not summary.attachments:
        return tuple(prompt)
    return tuple(_with_checked_attachments(position, message) for position, message in enumerate(prompt))


def _check_question(prompt: Sequence[Message]) -> None:
    """Refuse a prompt without any user or tool message that holds text, an image or a file."""
    has_user_message = False
    for message in reversed(prompt):
        if message.role == "tool" or (message.role == "user" and _has_content(message)):
            return
        has_user_message = has_user_message or message.role == "user"
    raise _blank_error() if has_user_message else InvalidRequestError("the prompt has no user or tool turn")


def _has_content(message: Message) -> bool:
    return bool(message.text.strip() or message.images or message.files)


def _blank_error() -> InvalidRequestError:
    return InvalidRequestError("the prompt is blank", advice="Send some text.")


def _with_checked_attachments(position: int, message: Message) -> Message:
    """Return the message with its images and files checked and their media types filled in."""
    for part in message.parts:
        if not isinstance(part, str):
            break
    else:
        return message
    where = f"prompt[{position}]"
    if message.role in ("system", "assistant"):
        raise InvalidRequestError(f"{where} has the role {message.role!r} and holds an image or a file")
    parts = tuple(part if isinstance(part, str) else checked_attachment(part, where) for part in message.parts)
    return message if parts == message.parts else replace(message, parts=parts)


def _check_message(position: int, message: Message) -> None:
    """Refuse an unknown role, and a part that is neither text nor an attachment."""
    if message.role not in MESSAGE_ROLES:
        raise InvalidRequestError(
            f"prompt[{position}] has the role {message.role!r}{did_you_mean(str(message.role), MESSAGE_ROLES)}"
        )
    for part in message.parts:
        if not isinstance(part, str) and not isinstance(part, Attachment):
            raise InvalidRequestError(
                f"prompt[{position}] holds a {type(part).__name__}, which is neither text nor an Image nor a File",
                advice="Make an image with Image.from_path, Image.from_bytes or Image.from_url.",
            )


def _check_model(model: Any) -> None:
    if model is not None and not isinstance(model, str):
        raise InvalidRequestError(f"model is a {type(model).__name__}, not a string")
    check_text("model", model or "")


def _check_count(name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(f"{name} is a {type(value).__name__}, not a whole number of tokens")
    if value < 1:
        raise InvalidRequestError(f"{name} is {value}, below 1")


def _check_seed(value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise InvalidRequestError(f"seed is a {type(value).__name__}, not a whole number")


def _check_flag(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        raise InvalidRequestError(f"{name} is a {type(value).__name__}, not True or False")


def _check_number(name: str, value: Any, *, minimum: float = -math.inf, above: float = -math.inf) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequestError(f"{name} is a {type(value).__name__}, not a number")
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        # The number is not printed: an int may be too large for a float, or too long to print.
        raise InvalidRequestError(f"{name} is out of range")
    if not math.isfinite(value) or value < minimum or value <= above:
        raise InvalidRequestError(f"{name} is {value}, out of range")


def _check_mapping(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, Mapping):
        raise InvalidRequestError(f"{name} is a {type(value).__name__}, not a mapping")


def _as_tuple(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, Iterable):
        raise InvalidRequestError(f"{name} is a {type(value).__name__}, not a list")
    return tuple(value)


def _stop_texts(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else _as_tuple("stop", value)
    if not all(isinstance(text, str) and text for text in texts):
        raise InvalidRequestError("stop holds a value that is not a non-empty string")
    for position, text in enumerate(texts):
        check_text(f"stop[{position}]", text)
    return texts
