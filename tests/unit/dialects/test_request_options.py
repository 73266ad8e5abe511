"""Generation options under each dialect's field names. Options that a model refuses are left out and noted."""

import json
from dataclasses import replace
from typing import Any

import pytest

from faultmaven.domain.errors import InvalidRequestError
from faultmaven.infrastructure.llm.dialects.registry import dialect_for

from .request_building import MODELS, REQUEST, body_for, config_of, http_request_for
from .samples import DIALECTS

LIMIT_PATHS = {
    "openai-chat": ("max_tokens",),
    "openai-responses": ("max_output_tokens",),
    "anthropic-messages": ("max_tokens",),
    "gemini-generate-content": ("generationConfig", "maxOutputTokens"),
    "cohere-v2-chat": ("max_tokens",),
    "ollama-native": ("options", "num_predict"),
    "llamacpp-completion": ("n_predict",),
    "tgi-generate": ("parameters", "max_new_tokens"),
}
STOP_PATHS = {
    "openai-chat": ("stop",),
    "anthropic-messages": ("stop_sequences",),
    "gemini-generate-content": ("generationConfig", "stopSequences"),
    "cohere-v2-chat": ("stop_sequences",),
    "ollama-native": ("options", "stop"),
    "llamacpp-completion": ("stop",),
    "tgi-generate": ("parameters", "stop"),
}
SEED_PATHS = {
    "openai-chat": ("seed",),
    "gemini-generate-content": ("generationConfig", "seed"),
    "cohere-v2-chat": ("seed",),
    "ollama-native": ("options", "seed"),
    "llamacpp-completion": ("seed",),
    "tgi-generate": ("parameters", "seed"),
}
TEMPERATURE_PATHS = {
    "openai-chat": ("temperature",),
    "openai-responses": ("temperature",),
    "anthropic-messages": ("temperature",),
    "gemini-generate-content": ("generationConfig", "temperature"),
    "cohere-v2-chat": ("temperature",),
    "ollama-native": ("options", "temperature"),
    "llamacpp-completion": ("temperature",),
    "tgi-generate": ("parameters", "temperature"),
}
MODELS_WITH_TEMPERATURE = MODELS | {
    "openai-chat": "some-open-model",
    "openai-responses": "gpt-4o",
    "anthropic-messages": "claude-haiku-4-5",
}


def _value_at(body: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        body = body.get(name, {})
    return body or (body if body == 0 else None)


@pytest.mark.parametrize("dialect", LIMIT_PATHS)
def test_token_limit_uses_dialect_field_name(dialect: str) -> None:
    """The caller's limit replaces every default."""
    assert _value_at(body_for(dialect, replace(REQUEST, max_tokens=17)), LIMIT_PATHS[dialect]) == 17


@pytest.mark.parametrize("dialect", ["anthropic-messages", "llamacpp-completion"])
def test_required_token_limit_defaults_to_configuration(dialect: str) -> None:
    """LLM_MAX_TOKENS is sent only where a vendor requires a limit."""
    assert _value_at(body_for(dialect, REQUEST, default_max_tokens=321), LIMIT_PATHS[dialect]) == 321


@pytest.mark.parametrize(
    "dialect",
    ["openai-chat", "openai-responses", "gemini-generate-content", "cohere-v2-chat", "ollama-native", "tgi-generate"],
)
def test_optional_token_limit_unset_is_omitted(dialect: str) -> None:
    """None means the vendor's default."""
    assert _value_at(body_for(dialect, REQUEST, default_max_tokens=321), LIMIT_PATHS[dialect]) is None


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
def test_chat_vendor_receives_own_token_limit_name(vendor: str, name: str) -> None:
    """One of the two names, never both."""
    body = body_for(f"openai-chat/{vendor}", replace(REQUEST, max_tokens=17))
    assert {"max_tokens", "max_completion_tokens"} & set(body) == {name}
    assert body[name] == 17


@pytest.mark.parametrize("dialect", TEMPERATURE_PATHS)
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_temperature_uses_dialect_field_name(dialect: str, temperature: float) -> None:
    """A model that accepts a temperature receives the caller's value."""
    request = replace(REQUEST, temperature=temperature)
    assert (
        _value_at(body_for(dialect, request, MODELS_WITH_TEMPERATURE[dialect]), TEMPERATURE_PATHS[dialect])
        == temperature
    )


@pytest.mark.parametrize("dialect", [name for name in TEMPERATURE_PATHS if name != "tgi-generate"])
def test_temperature_zero_is_sent(dialect: str) -> None:
    """0.0 is a value. Only None means unset."""
    body = body_for(dialect, replace(REQUEST, temperature=0.0), MODELS_WITH_TEMPERATURE[dialect])
    assert _value_at(body, TEMPERATURE_PATHS[dialect]) == 0.0
    assert _value_at(body, TEMPERATURE_PATHS[dialect]) is not None


def test_tgi_temperature_zero_disables_sampling() -> None:
    """huggingface.md section 4 has `do_sample`: false is the meaning of a temperature of 0."""
    parameters = body_for("tgi-generate", replace(REQUEST, temperature=0.0))["parameters"]
    assert parameters["do_sample"] is False
    assert "temperature" not in parameters


@pytest.mark.parametrize("dialect", TEMPERATURE_PATHS)
def test_unset_temperature_is_not_sent(dialect: str) -> None:
    """None means the vendor's default."""
    assert _value_at(body_for(dialect, REQUEST, MODELS_WITH_TEMPERATURE[dialect]), TEMPERATURE_PATHS[dialect]) is None


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
def test_refused_temperature_is_omitted_with_note(dialect: str, model: str) -> None:
    """openai-chat.md section 8, anthropic-messages.md section 1: a 400 otherwise. The note names the source."""
    sent = http_request_for(dialect, replace(REQUEST, temperature=0.0), model)
    assert "temperature" not in json.loads(sent.body)
    assert len(sent.notes) == 1
    assert sent.notes[0].startswith(f"temperature left out: {model} refuses temperatures (")


def test_responses_request_follows_chat_model_rules() -> None:
    """The OpenAI provider sends some requests of a chat row over Responses. The rules for the model still apply."""
    config = config_of("openai-chat/openai")
    sent = dialect_for("openai-responses").build_request(replace(REQUEST, temperature=0.5), config, "gpt-6.2-sol")
    assert "temperature" not in json.loads(sent.body)
    assert sent.origin.dialect == "openai-responses"


@pytest.mark.parametrize("dialect", STOP_PATHS)
def test_stop_sequences_use_dialect_field_name(dialect: str) -> None:
    """All stop sequences are sent in order, as a list."""
    sent = http_request_for(dialect, replace(REQUEST, stop=("\n\n", "END")))
    assert _value_at(json.loads(sent.body), STOP_PATHS[dialect]) == ["\n\n", "END"]
    assert sent.notes == ()


@pytest.mark.parametrize(
    ("dialect", "model"),
    [("openai-responses", "gpt-4o"), ("openai-chat/openai", "o3"), ("openai-chat/xai", "grok-4.7")],
)
def test_unsupported_stop_sequences_are_noted(dialect: str, model: str) -> None:
    """openai-responses.md section 2: no `stop`; openai-chat.md sections 8 and 9.2: o3 and xAI's reasoning models."""
    sent = http_request_for(dialect, replace(REQUEST, stop=("END",)), model)
    assert b"END" not in sent.body
    assert [note.partition(":")[0] for note in sent.notes] == ["stop left out"]


@pytest.mark.parametrize("dialect", SEED_PATHS)
@pytest.mark.parametrize("seed", [0, 42])
def test_seed_uses_dialect_field_name(dialect: str, seed: int) -> None:
    """0 is a seed."""
    assert _value_at(body_for(dialect, replace(REQUEST, seed=seed)), SEED_PATHS[dialect]) == seed


def test_mistral_seed_is_sent_as_random_seed() -> None:
    """openai-chat.md 9.2 Mistral: `random_seed` not `seed`."""
    body = body_for("openai-chat/mistral", replace(REQUEST, seed=42))
    assert body["random_seed"] == 42
    assert "seed" not in body


@pytest.mark.parametrize("dialect", ["openai-responses", "anthropic-messages"])
def test_seed_without_dialect_field_is_omitted(dialect: str) -> None:
    """The dialect does not claim the feature, so that the plan notes the loss."""
    assert body_for(dialect, replace(REQUEST, seed=42)) == body_for(dialect, REQUEST)
    assert "seed" not in dialect_for(dialect).FEATURES


@pytest.mark.parametrize("dialect", DIALECTS)
def test_extra_fields_merge_into_body(dialect: str) -> None:
    """A vendor field of this provider is added or replaces the standard one; objects merge. Fields of other
    providers are not sent."""
    extra: dict[str, dict[str, Any]] = {
        "acme": {"options": {"num_ctx": 16384}, "user": "u-1"},
        "other": {"no": True},
    }
    request = replace(REQUEST, max_tokens=17, extra=extra)
    plain, body = body_for(dialect, replace(REQUEST, max_tokens=17)), body_for(dialect, request)
    assert body == {**plain, "user": "u-1", "options": {**plain.get("options", {}), "num_ctx": 16384}}


def test_extra_fields_override_standard_fields() -> None:
    """A caller who names a vendor field takes precedence."""
    extra = {"acme": {"store": True, "max_output_tokens": 5}}
    body = body_for("openai-responses", replace(REQUEST, max_tokens=17, extra=extra))
    assert (body["store"], body["max_output_tokens"]) == (True, 5)


def test_extra_merges_deeply_without_mutating_argument() -> None:
    """A nested thinking option keeps the token limit in the same object."""
    extra = {"acme": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}}
    before = json.dumps(extra)
    body = body_for("gemini-generate-content", replace(REQUEST, max_tokens=17, extra=extra))
    assert body["generationConfig"] == {"maxOutputTokens": 17, "thinkingConfig": {"thinkingLevel": "LOW"}}
    assert json.dumps(extra) == before


@pytest.mark.parametrize("dialect", DIALECTS)
def test_extra_without_json_form_is_refused(dialect: str) -> None:
    """A Python object without a JSON form raises InvalidRequestError before sending."""
    with pytest.raises(InvalidRequestError) as caught:
        http_request_for(dialect, replace(REQUEST, extra={"acme": {"x": object()}}))
    assert caught.value.__context__ is None
