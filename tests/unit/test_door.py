"""The door: what is let in, and what is refused with which words."""

import math
from pathlib import Path
from typing import Any

import pytest

from faultmaven.application.validation.request import chat_request
from faultmaven.domain.errors import InvalidRequestError
from faultmaven.domain.messages import Message


def test_a_string_becomes_one_user_turn() -> None:
    assert chat_request("ping").messages == (Message.user("ping"),)


def test_zero_is_a_temperature_and_none_is_unset() -> None:
    assert chat_request("ping", temperature=0).temperature == 0
    assert chat_request("ping").temperature is None


def test_one_stop_word_is_a_list_of_one() -> None:
    assert chat_request("ping", options={"stop": "END"}).stop == ("END",)


def test_an_option_of_none_is_unset() -> None:
    assert chat_request("ping", options={"deadline": None, "stop": None, "tools": None}) == chat_request("ping")


@pytest.mark.parametrize("prompt", ["", "  \n", [], [Message.system("Be terse.")], [Message.user(" ")], b"ping", 7])
def test_a_prompt_that_asks_nothing_is_refused(prompt: Any) -> None:
    with pytest.raises(InvalidRequestError):
        chat_request(prompt)


def test_a_turn_that_is_no_message_is_named_by_its_place() -> None:
    with pytest.raises(InvalidRequestError, match=r"prompt\[1\] is a dict"):
        chat_request([Message.user("ping"), {"role": "user"}])  # type: ignore[list-item]


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
def test_a_value_out_of_range_is_refused(arguments: dict[str, Any], options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        chat_request("ping", options=options, **arguments)


def test_an_unknown_option_is_named_with_its_nearest() -> None:
    with pytest.raises(InvalidRequestError, match=r"unknown option 'dead_line'; did you mean 'deadline'\?"):
        chat_request("ping", options={"dead_line": 3})


def test_no_prompt_stands_in_the_repr_of_a_request() -> None:
    assert "secret words" not in repr(chat_request([Message.system("secret words"), Message.user("secret words")]))


def test_a_part_that_is_neither_text_nor_image_is_named_and_not_dropped() -> None:
    with pytest.raises(InvalidRequestError, match=r"prompt\[0\] holds a PosixPath"):
        chat_request([Message.user("Explain this chart", Path("dash.png"))])  # type: ignore[arg-type]


def test_a_role_that_is_none_is_named_with_its_nearest() -> None:
    with pytest.raises(InvalidRequestError, match="has the role 'usr'; did you mean 'user'"):
        chat_request([Message("usr", ("ping",))])  # type: ignore[arg-type]
