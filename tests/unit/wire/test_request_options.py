"""What the caller sets, by each dialect's own names; what a model refuses is left out and noted."""

import json
from dataclasses import replace
from typing import Any

import pytest

from faultmaven.domain.errors import InvalidRequestError
from faultmaven.infrastructure.llm.dialects.registry import wire_for

from .asking import ASKED, MODELS, body_for, config_of, sent_for
from .samples import DIALECTS

LIMITS = {
    "openai-chat": ("max_tokens",),
    "openai-responses": ("max_output_tokens",),
    "anthropic-messages": ("max_tokens",),
    "gemini-generate-content": ("generationConfig", "maxOutputTokens"),
    "cohere-v2-chat": ("max_tokens",),
    "ollama-native": ("options", "num_predict"),
    "llamacpp-completion": ("n_predict",),
    "tgi-generate": ("parameters", "max_new_tokens"),
}
STOPS = {
    "openai-chat": ("stop",),
    "anthropic-messages": ("stop_sequences",),
    "gemini-generate-content": ("generationConfig", "stopSequences"),
    "cohere-v2-chat": ("stop_sequences",),
    "ollama-native": ("options", "stop"),
    "llamacpp-completion": ("stop",),
    "tgi-generate": ("parameters", "stop"),
}
SEEDS = {
    "openai-chat": ("seed",),
    "gemini-generate-content": ("generationConfig", "seed"),
    "cohere-v2-chat": ("seed",),
    "ollama-native": ("options", "seed"),
    "llamacpp-completion": ("seed",),
    "tgi-generate": ("parameters", "seed"),
}
TEMPERATURES = {
    "openai-chat": ("temperature",),
    "openai-responses": ("temperature",),
    "anthropic-messages": ("temperature",),
    "gemini-generate-content": ("generationConfig", "temperature"),
    "cohere-v2-chat": ("temperature",),
    "ollama-native": ("options", "temperature"),
    "llamacpp-completion": ("temperature",),
    "tgi-generate": ("parameters", "temperature"),
}
TAKES_TEMPERATURE = MODELS | {
    "openai-chat": "some-open-model",
    "openai-responses": "gpt-4o",
    "anthropic-messages": "claude-haiku-4-5",
}


def _at(body: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        body = body.get(name, {})
    return body or (body if body == 0 else None)


@pytest.mark.parametrize("dialect", LIMITS)
def test_limit_goes_by_the_dialects_name(dialect: str) -> None:
    """The caller's limit replaces every default."""
    assert _at(body_for(dialect, replace(ASKED, max_tokens=17)), LIMITS[dialect]) == 17


@pytest.mark.parametrize("dialect", ["anthropic-messages", "llamacpp-completion"])
def test_required_limit_is_the_configured_one_when_the_caller_sets_none(dialect: str) -> None:
    """LLM_MAX_TOKENS is sent where a vendor demands a limit, and nowhere else."""
    assert _at(body_for(dialect, ASKED, default_max_tokens=321), LIMITS[dialect]) == 321


@pytest.mark.parametrize(
    "dialect",
    ["openai-chat", "openai-responses", "gemini-generate-content", "cohere-v2-chat", "ollama-native", "tgi-generate"],
)
def test_optional_limit_is_not_sent_when_the_caller_sets_none(dialect: str) -> None:
    """None means the vendor's default."""
    assert _at(body_for(dialect, ASKED, default_max_tokens=321), LIMITS[dialect]) is None


@pytest.mark.parametrize(
    ("vendor", "name"),
    [
        # openai-chat.md 9.1, column "length param"
        ("openai", "max_completion_tokens"),
        ("azure", "max_completion_tokens"),
        ("fireworks", "max_tokens"),
        ("groq", "max_completion_tokens"),
        ("openrouter", "max_tokens"),
        ("together", "max_tokens"),
        ("mistral", "max_tokens"),
        ("deepseek", "max_tokens"),
        ("xai", "max_completion_tokens"),
        ("cerebras", "max_completion_tokens"),
        ("deepinfra", "max_tokens"),
        ("nvidia", "max_tokens"),
        ("huggingface", "max_tokens"),
        ("vllm", "max_completion_tokens"),
        ("tgi", "max_tokens"),
        ("llamacpp", "max_tokens"),
        ("lmstudio", "max_tokens"),
        ("ollama", "max_tokens"),
    ],
)
def test_chat_vendor_gets_its_own_name_for_the_limit(vendor: str, name: str) -> None:
    """One of the two names, never both."""
    body = body_for(f"openai-chat/{vendor}", replace(ASKED, max_tokens=17))
    assert {"max_tokens", "max_completion_tokens"} & set(body) == {name}
    assert body[name] == 17


@pytest.mark.parametrize("dialect", TEMPERATURES)
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_temperature_goes_by_the_dialects_name(dialect: str, temperature: float) -> None:
    """A model that takes one gets the caller's."""
    request = replace(ASKED, temperature=temperature)
    assert _at(body_for(dialect, request, TAKES_TEMPERATURE[dialect]), TEMPERATURES[dialect]) == temperature


@pytest.mark.parametrize("dialect", [name for name in TEMPERATURES if name != "tgi-generate"])
def test_temperature_zero_is_a_temperature(dialect: str) -> None:
    """0.0 is sent; only None is unset."""
    body = body_for(dialect, replace(ASKED, temperature=0.0), TAKES_TEMPERATURE[dialect])
    assert _at(body, TEMPERATURES[dialect]) == 0.0
    assert _at(body, TEMPERATURES[dialect]) is not None


def test_temperature_zero_is_greedy_decoding_on_tgi() -> None:
    """huggingface.md section 4 has `do_sample`; off is what a temperature of 0 means."""
    parameters = body_for("tgi-generate", replace(ASKED, temperature=0.0))["parameters"]
    assert parameters["do_sample"] is False
    assert "temperature" not in parameters


@pytest.mark.parametrize("dialect", TEMPERATURES)
def test_unset_temperature_is_not_sent(dialect: str) -> None:
    """None means the vendor's default."""
    assert _at(body_for(dialect, ASKED, TAKES_TEMPERATURE[dialect]), TEMPERATURES[dialect]) is None


@pytest.mark.parametrize(
    ("dialect", "model"),
    [
        ("openai-chat/openai", "gpt-6.2-sol"),
        ("openai-chat/openai", "gpt-5-mini"),
        ("openai-chat/openai", "o3"),
        ("openai-chat/azure", "gpt-6-luna"),
        ("openai-responses", "gpt-6.2-sol"),
        ("anthropic-messages", "claude-sonnet-5-5"),
        ("anthropic-messages", "claude-opus-4-7"),
    ],
)
def test_refused_temperature_is_left_out_and_noted(dialect: str, model: str) -> None:
    """openai-chat.md section 8, anthropic-messages.md section 1: a 400 otherwise. The note names the source."""
    sent = sent_for(dialect, replace(ASKED, temperature=0.0), model)
    assert "temperature" not in json.loads(sent.body)
    assert len(sent.notes) == 1
    assert sent.notes[0].startswith(f"temperature left out: {model} refuses it (")


def test_responses_wire_of_a_chat_row_knows_the_models_rules() -> None:
    """The OpenAI class sends some requests of a chat row over Responses; the row's family still holds."""
    config = config_of("openai-chat/openai")
    sent = wire_for("openai-responses").build_request(replace(ASKED, temperature=0.5), config, "gpt-6.2-sol")
    assert "temperature" not in json.loads(sent.body)
    assert sent.origin.dialect == "openai-responses"


@pytest.mark.parametrize("dialect", STOPS)
def test_stop_words_go_by_the_dialects_name(dialect: str) -> None:
    """All of them, in order, as a list."""
    sent = sent_for(dialect, replace(ASKED, stop=("\n\n", "END")))
    assert _at(json.loads(sent.body), STOPS[dialect]) == ["\n\n", "END"]
    assert sent.notes == ()


@pytest.mark.parametrize(
    ("dialect", "model"),
    [("openai-responses", "gpt-4o"), ("openai-chat/openai", "o3"), ("openai-chat/xai", "grok-4.7")],
)
def test_stop_words_that_nobody_takes_are_noted(dialect: str, model: str) -> None:
    """openai-responses.md section 2: no `stop`; openai-chat.md sections 8 and 9.2: o3 and xAI's reasoning models."""
    sent = sent_for(dialect, replace(ASKED, stop=("END",)), model)
    assert b"END" not in sent.body
    assert [note.partition(":")[0] for note in sent.notes] == ["stop left out"]


@pytest.mark.parametrize("dialect", SEEDS)
@pytest.mark.parametrize("seed", [0, 42])
def test_seed_goes_by_the_dialects_name(dialect: str, seed: int) -> None:
    """0 is a seed."""
    assert _at(body_for(dialect, replace(ASKED, seed=seed)), SEEDS[dialect]) == seed


def test_mistral_calls_the_seed_by_another_name() -> None:
    """openai-chat.md 9.2 Mistral: `random_seed` not `seed`."""
    body = body_for("openai-chat/mistral", replace(ASKED, seed=42))
    assert body["random_seed"] == 42
    assert "seed" not in body


@pytest.mark.parametrize("dialect", ["openai-responses", "anthropic-messages"])
def test_seed_is_not_sent_where_there_is_none(dialect: str) -> None:
    """Neither dialect has one, and neither claims the feature, so the plan notes it."""
    assert body_for(dialect, replace(ASKED, seed=42)) == body_for(dialect, ASKED)
    assert "seed" not in wire_for(dialect).FEATURES


@pytest.mark.parametrize("dialect", DIALECTS)
def test_extra_is_laid_over_the_body_key_by_key(dialect: str) -> None:
    """A vendor field of this provider is added or replaces ours; an object merges; other providers' fields stay out."""
    extra: dict[str, dict[str, Any]] = {
        "acme": {"options": {"num_ctx": 16384}, "user": "u-1"},
        "other": {"no": True},
    }
    request = replace(ASKED, max_tokens=17, extra=extra)
    plain, body = body_for(dialect, replace(ASKED, max_tokens=17)), body_for(dialect, request)
    assert body == {**plain, "user": "u-1", "options": {**plain.get("options", {}), "num_ctx": 16384}}


def test_extra_wins_over_what_we_would_send() -> None:
    """Whoever names a vendor field knows why."""
    extra = {"acme": {"store": True, "max_output_tokens": 5}}
    body = body_for("openai-responses", replace(ASKED, max_tokens=17, extra=extra))
    assert (body["store"], body["max_output_tokens"]) == (True, 5)


def test_extra_merges_deeply_and_changes_nothing_of_the_callers() -> None:
    """One thinking option does not erase the limit beside it, on either side."""
    extra = {"acme": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}}
    before = json.dumps(extra)
    body = body_for("gemini-generate-content", replace(ASKED, max_tokens=17, extra=extra))
    assert body["generationConfig"] == {"maxOutputTokens": 17, "thinkingConfig": {"thinkingLevel": "LOW"}}
    assert json.dumps(extra) == before


@pytest.mark.parametrize("dialect", DIALECTS)
def test_extra_that_is_no_json_is_refused_before_anything_is_sent(dialect: str) -> None:
    """An object of Python's own has no form on the wire."""
    with pytest.raises(InvalidRequestError) as caught:
        sent_for(dialect, replace(ASKED, extra={"acme": {"x": object()}}))
    assert caught.value.__context__ is None
