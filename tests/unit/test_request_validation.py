"""Request validation: accepted arguments, and the error for each refused argument."""

import math
from pathlib import Path
from typing import Any

import pytest

from faultmaven.application.validation.request import build_chat_request
from faultmaven.domain.errors import InvalidRequestError
from faultmaven.domain.messages import Message


def test_string_prompt_becomes_one_user_message() -> None:
    assert build_chat_request("ping").messages == (Message.user("ping"),)


def test_zero_temperature_differs_from_unset_temperature() -> None:
    assert build_chat_request("ping", temperature=0).temperature == 0
    assert build_chat_request("ping").temperature is None


def test_single_stop_word_becomes_a_tuple() -> None:
    assert build_chat_request("ping", options={"stop": "END"}).stop == ("END",)


def test_option_of_none_is_unset() -> None:
    assert build_chat_request("ping", options={"deadline": None, "stop": None, "tools": None}) == build_chat_request(
        "ping"
    )


@pytest.mark.parametrize("prompt", ["", "  \n", [], [Message.system("Be terse.")], [Message.user(" ")], b"ping", 7])
def test_prompt_without_user_content_is_refused(prompt: Any) -> None:
    with pytest.raises(InvalidRequestError):
        build_chat_request(prompt)


def test_error_names_position_of_invalid_message() -> None:
    with pytest.raises(InvalidRequestError, match=r"prompt\[1\] is a dict"):
        build_chat_request([Message.user("ping"), {"role": "user"}])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ({"max_tokens": 0}, {}),
        ({"max_tokens": True}, {}),
        ({"max_tokens": 1.5}, {}),
        ({"temperature": -0.1}, {}),
        ({"temperature": math.nan}, {}),
        ({"temperature": math.inf}, {}),
        ({"temperature": "warm"}, {}),
        ({"model": 7}, {}),
        ({}, {"deadline": 0}),
        ({}, {"deadline": -1.0}),
        ({}, {"min_output_tokens": 0}),
        ({}, {"stop": ["END", ""]}),
        ({}, {"seed": 1.5}),
        ({}, {"stop": 5}),
        ({}, {"tools": 5}),
        ({}, {"tools": ["restart"]}),
        ({}, {"extra": "openai"}),
        ({}, {"extra": {"openai": 1}}),
        ({}, {"metadata": 1}),
    ],
)
def test_invalid_option_value_is_refused(arguments: dict[str, Any], options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        build_chat_request("ping", options=options, **arguments)


def test_unknown_option_error_suggests_nearest_name() -> None:
    with pytest.raises(InvalidRequestError, match=r"unknown option 'dead_line'; did you mean 'deadline'\?"):
        build_chat_request("ping", options={"dead_line": 3})


def test_repr_of_request_hides_the_prompt() -> None:
    assert "secret words" not in repr(
        build_chat_request([Message.system("secret words"), Message.user("secret words")])
    )


def test_unsupported_prompt_part_is_refused_by_type() -> None:
    with pytest.raises(InvalidRequestError, match=r"prompt\[0\] holds a PosixPath"):
        build_chat_request([Message.user("Explain this chart", Path("dash.png"))])  # type: ignore[arg-type]


def test_unknown_message_role_error_suggests_nearest_role() -> None:
    with pytest.raises(InvalidRequestError, match="has the role 'usr'; did you mean 'user'"):
        build_chat_request([Message("usr", ("ping",))])  # type: ignore[arg-type]
