"""The environment as layers of variables, and the typed settings in it. No other module reads the environment."""

import contextlib
import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import dotenv.parser
import dotenv.variables
import pydantic
import pydantic_core

from ...application.configuration import ROLES
from ...domain.errors import ConfigurationError
from ...domain.hidden import HiddenMapping
from ...domain.names import did_you_mean, nearest
from .file_state import FileState, file_state

CarrierName = Literal["auto", "aiohttp", "httpx", "httpx2"]
"""The HTTP carrier; "auto" is the fastest, see `HTTPTransport`."""

ARGUMENT = "argument"
PROCESS = "process environment"
DEFAULT = "default"

# Second accepted names of variables. Within one layer the first name wins; a higher layer still wins over a lower one.
SECOND_NAMES = MappingProxyType(
    {
        "LOCAL_LLM_BASE_URL": "LOCAL_LLM_URL",
        "HTTPS_PROXY": "https_proxy",
        "HTTP_PROXY": "http_proxy",
        "ALL_PROXY": "all_proxy",
        "NO_PROXY": "no_proxy",
    }
)


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """A variable's value, its source, and the sources that it overrides."""

    value: str = field(repr=False)
    source: str
    overrode: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """Variables of one source."""

    source: str
    values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Environment:
    """Layers of variables, the highest first. A blank value counts as unset, so the next lower layer applies.

    Attributes:
        name: The environment's name, `FAULTMAVEN_ENV`, "" for none.
        notes: Sentences for the operator about ignored lines and a missing file.
        files: The `.env` paths that were tried, each with its state before reading, None for a missing file.
        directory: Base of the relative paths among the values.
    """

    layers: tuple[Layer, ...] = ()
    name: str = ""
    notes: tuple[str, ...] = ()
    files: Mapping[Path, FileState | None] = field(default_factory=dict)
    directory: Path = Path()

    def find(self, variable: str) -> ConfigValue | None:
        """Return the effective value of `variable` with its sources, None when no layer sets it."""
        names = [name for name in (variable, SECOND_NAMES.get(variable)) if name]
        matches = [
            (value, layer.source if name == variable else f"{layer.source} as {name}")
            for layer in self.layers
            for name in names
            if (value := layer.values.get(name, "").strip())
        ]
        if not matches:
            return None
        value, source = matches[0]
        return ConfigValue(value, source, tuple(lower for _, lower in matches[1:]))

    def get(self, variable: str) -> str:
        """Return the effective value of `variable`, "" when no layer sets it."""
        match = self.find(variable)
        return match.value if match else ""

    def find_secret(self, variable: str) -> ConfigValue | None:
        """Return the key in `variable`, or in the file that `<variable>_FILE` names; None when neither is set.

        Raises:
            ConfigurationError: both are set, the file cannot be read or is empty, or the key has characters that an
                HTTP header may not contain.
        """
        direct, file_path = self.find(variable), self.find(f"{variable}_FILE")
        if direct and file_path:
            raise ConfigurationError(
                f"{variable} ({direct.source}) and {variable}_FILE ({file_path.source}) are both set",
                advice="Keep one of the two.",
            )
        key = _read_secret(variable, file_path, self.directory) if file_path else direct
        if key and not _is_header_value(key.value):
            raise ConfigurationError(
                f"{variable} ({key.source}) is not a key that an HTTP header can carry",
                advice="Copy the key again, without spaces, line breaks or quotation marks.",
            )
        return key

    def variables(self) -> dict[str, str]:
        """Return every variable that any layer sets, with the source of its effective value."""
        names: dict[str, str] = {}
        for layer in self.layers:
            for name, value in layer.values.items():
                if value.strip():
                    names.setdefault(name, layer.source)
        return names


def _is_header_value(key: str) -> bool:
    """Return whether `key` can be sent in a header and has no quotation marks, which `docker run --env-file` keeps."""
    is_plain = key.isascii() and key.isprintable() and " " not in key
    return is_plain and not (key[0] == key[-1] and key[0] in "\"'")


def _read_secret(variable: str, file_path: ConfigValue, directory: Path) -> ConfigValue:
    try:
        text = (directory / file_path.value).read_text("utf-8-sig").strip()
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path that no file can have
        raise ConfigurationError(
            f"{variable}_FILE ({file_path.source}) names a file that cannot be read: {type(error).__name__}",
            advice="Check the path and its permissions.",
        ) from None
    if not text:
        raise ConfigurationError(f"{variable}_FILE ({file_path.source}) names a file that is empty")
    return ConfigValue(text, f"file named by {variable}_FILE ({file_path.source})", file_path.overrode)


def working_directory() -> Path:
    """Return the working directory; a relative path that leads nowhere when the directory was removed."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


def read_environment(
    env: Mapping[str, str] | None = None,
    directory: Path | None = None,
    *,
    name: str | None = None,
    files_only: bool = False,
) -> Environment:
    """Return the layers of variables.

    Args:
        env: The only variables; neither the process's environment nor any `.env` is read then.
        directory: Holds `.env` and `.env.<FAULTMAVEN_ENV>`, and is the base of relative paths; None is the working
            directory.
        name: Overrides the process's `FAULTMAVEN_ENV`.
        files_only: Ignore the process's variables except the `FAULTMAVEN_ENV` that selects a file.

    Raises:
        ConfigurationError: `FAULTMAVEN_ENV` is no plain name, a file cannot be read, there is no `.env.<name>`.
    """
    directory = directory or working_directory()
    if env is not None:
        return _environment_of(HiddenMapping(env), directory)
    process = HiddenMapping(dict(os.environ))
    selected = process.get("FAULTMAVEN_ENV", "").strip() if name is None else name
    _check_name(selected, name, directory)
    layers, notes = _layers_above_files(process, name, files_only), _missing_file_notes(directory, selected)
    # Values for ${NAME} in a file besides the file's own variables; the highest layer comes last.
    visible = HiddenMapping({name: layer.values[name] for layer in reversed(layers) for name in layer.values})
    files: dict[Path, FileState | None] = {}
    for file in [directory / f".env.{selected}", directory / ".env"] if selected else [directory / ".env"]:
        files[file] = file_state(file)  # taken before reading, so that a change during the reading is noticed later
        if _is_file(file):
            layers.append(Layer(file.name, _read_dotenv(file, notes, visible)))
    return Environment(tuple(layers), selected, tuple(notes), files, directory)


def _check_name(selected: str, requested: str | None, directory: Path) -> None:
    """Raise unless the `selected` environment is a plain name or "".

    Args:
        requested: The name that the caller passed, None for none. A requested environment must have a file.
    """
    if (selected or requested is not None) and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}", selected):
        subject = "FAULTMAVEN_ENV" if requested is None else "the environment's name"
        raise ConfigurationError(f"{subject} is not a plain name", advice="Use a name such as staging.")
    if requested is not None and not _is_file(directory / f".env.{selected}"):
        hint = did_you_mean(selected, _environment_names(directory))
        raise ConfigurationError(f"there is no .env.{selected} for the environment {selected!r}{hint}")


def _layers_above_files(process: Mapping[str, str], name: str | None, files_only: bool) -> list[Layer]:
    """Return the layer of the process's variables, below a layer with the requested `name`."""
    above = [] if name is None else [Layer(ARGUMENT, {"FAULTMAVEN_ENV": name})]
    if not files_only:
        return [*above, Layer(PROCESS, process)]
    selecting = {variable: process[variable] for variable in ("FAULTMAVEN_ENV",) if variable in process}
    return above or [Layer(PROCESS, HiddenMapping(selecting))]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise ConfigurationError(
            f"{path.name} cannot be searched for: {type(error).__name__}",
            advice="Check the permissions of the working directory.",
        ) from None


def _environment_of(env: Mapping[str, str], directory: Path) -> Environment:
    for name in env:
        if not isinstance(env[name], str):
            raise ConfigurationError(f"{name} ({ARGUMENT}) is a {type(env[name]).__name__}, not a string")
    return Environment((Layer(ARGUMENT, dict(env)),), env.get("FAULTMAVEN_ENV", "").strip(), directory=directory)


def _read_dotenv(path: Path, notes: list[str], visible: Mapping[str, str]) -> dict[str, str]:
    """Return a file's variables as python-dotenv parses them; add a sentence to `notes` for each line left out.

    Args:
        visible: Values for `${NAME}`, below the variables that the file itself sets earlier.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {type(error).__name__}") from None
    bindings = list(dotenv.parser.parse_stream(io.StringIO(text)))
    broken = [binding.original for binding in bindings if binding.error]
    notes += [f"{path.name}, line {_line_number(part)}: not NAME=value, left out" for part in broken]
    values: dict[str, str | None] = {}
    for binding in bindings:
        if binding.key is not None:
            values[binding.key] = _expand(binding.value, {**visible, **values})
    if values.pop("FAULTMAVEN_ENV", None):
        notes.append(f"FAULTMAVEN_ENV in {path.name} is not read; set it in the process environment")
    return {name: value for name, value in values.items() if value is not None}


def _expand(value: str | None, visible: Mapping[str, str | None]) -> str | None:
    """Return a file's value with each `${NAME}` replaced; None, for a name without `=`, stays None."""
    if value is None:
        return None
    return "".join(atom.resolve(visible) for atom in dotenv.variables.parse_variables(value))


def _line_number(broken: dotenv.parser.Original) -> int:
    """Return the number of a line that python-dotenv could not parse; its own number is that of the first of the blank
    lines above."""
    return broken.line + broken.string[: -len(broken.string.lstrip())].count("\n")


def _missing_file_notes(directory: Path, name: str) -> list[str]:
    if not name or _is_file(directory / f".env.{name}"):
        return []
    others = _environment_names(directory)
    return [f"FAULTMAVEN_ENV={name}, but there is no .env.{name}{did_you_mean(name, others)}"] if others else []


def _environment_names(directory: Path) -> list[str]:
    """Return the names of the environments that have a file."""
    others: list[str] = []
    with contextlib.suppress(OSError):  # the process may enter a directory that it may not list
        others = sorted(path.name.removeprefix(".env.") for path in directory.glob(".env.*"))
    return [other for other in others if other not in ("example", "local", "sample")]


def _split_list(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


_SECONDS_BY_ROLE_RULE = (
    "must be a number of seconds above 0, or a list such as chat=5,classifier=1.5 with each role once"
)


def _parse_seconds_by_role(value: Any) -> Any:
    """Parse "5", for every role, or "chat=5, code=20", for the named roles, to seconds by role."""
    if not isinstance(value, str):
        return value
    if "=" not in value:
        value = ",".join(f"{role}={value}" for role in ROLES)
    seconds: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        role, _, text = (word.strip() for word in part.partition("="))
        number = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else 0.0
        if role not in ROLES or role in seconds or not number:
            raise pydantic_core.PydanticCustomError("seconds_by_role", _SECONDS_BY_ROLE_RULE)
        seconds[role] = number
    return seconds


class Settings(pydantic.BaseModel):
    """Typed values of every variable that belongs to no provider row. Times are in seconds."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_by_name=True, validate_by_alias=True
    )

    chat_provider: str | None = pydantic.Field(default=None, validation_alias="CHAT_PROVIDER")
    multimodal_provider: str | None = pydantic.Field(default=None, validation_alias="MULTIMODAL_PROVIDER")
    synthesis_provider: str | None = pydantic.Field(default=None, validation_alias="SYNTHESIS_PROVIDER")
    classifier_provider: str | None = pydantic.Field(default=None, validation_alias="CLASSIFIER_PROVIDER")
    code_provider: str | None = pydantic.Field(default=None, validation_alias="CODE_PROVIDER")
    fallback_chain: tuple[str, ...] = pydantic.Field(default=(), validation_alias="LLM_FALLBACK_CHAIN")
    strict_provider_mode: bool = pydantic.Field(default=False, validation_alias="STRICT_PROVIDER_MODE")
    request_timeout: float | None = pydantic.Field(
        default=None, validation_alias="LLM_REQUEST_TIMEOUT", gt=0, allow_inf_nan=False
    )
    deadline: float = pydantic.Field(default=120.0, validation_alias="LLM_DEADLINE", gt=0, allow_inf_nan=False)
    max_retries: int | None = pydantic.Field(default=None, validation_alias="LLM_MAX_RETRIES", ge=0)
    max_tokens: int | None = pydantic.Field(default=None, validation_alias="LLM_MAX_TOKENS", ge=1)
    confidence_threshold: float = pydantic.Field(default=0.0, validation_alias="LLM_CONFIDENCE_THRESHOLD", ge=0, le=1)
    breaker_window: float = pydantic.Field(
        default=60.0, validation_alias="LLM_BREAKER_WINDOW", ge=0, allow_inf_nan=False
    )
    breaker_min_calls: int = pydantic.Field(default=10, validation_alias="LLM_BREAKER_MIN_CALLS", ge=1)
    breaker_rate: float = pydantic.Field(default=0.5, validation_alias="LLM_BREAKER_RATE", gt=0, le=1)
    breaker_open_seconds: float = pydantic.Field(
        default=30.0, validation_alias="LLM_BREAKER_OPEN_SECONDS", gt=0, allow_inf_nan=False
    )
    hedge_after: dict[str, float] = pydantic.Field(default_factory=dict, validation_alias="LLM_HEDGE_AFTER")
    deduplicate: bool = pydantic.Field(default=False, validation_alias="LLM_DEDUPLICATE")
    cache_seconds: float = pydantic.Field(default=0.0, validation_alias="LLM_CACHE_SECONDS", ge=0, allow_inf_nan=False)
    cache_entries: int = pydantic.Field(default=1000, validation_alias="LLM_CACHE_ENTRIES", ge=1)
    http_carrier: CarrierName = pydantic.Field(default="auto", validation_alias="LLM_HTTP_CARRIER")
    http_connections_per_host: int | None = pydantic.Field(
        default=None, validation_alias="LLM_HTTP_CONNECTIONS_PER_HOST", ge=1
    )
    http_keep_alive: float = pydantic.Field(
        default=30.0, validation_alias="LLM_HTTP_KEEP_ALIVE", gt=0, allow_inf_nan=False
    )
    http2: bool = pydantic.Field(default=False, validation_alias="LLM_HTTP2")
    providers_file: str | None = pydantic.Field(default=None, validation_alias="LLM_PROVIDERS_FILE")
    watch_files: bool = pydantic.Field(default=False, validation_alias="LLM_WATCH_FILES")
    faultmaven_env: str | None = pydantic.Field(default=None, validation_alias="FAULTMAVEN_ENV")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = pydantic.Field(
        default="INFO", validation_alias="LOG_LEVEL"
    )
    log_format: Literal["json", "console"] | None = pydantic.Field(default=None, validation_alias="LOG_FORMAT")
    https_proxy: str = pydantic.Field(default="", validation_alias="HTTPS_PROXY", repr=False)
    http_proxy: str = pydantic.Field(default="", validation_alias="HTTP_PROXY", repr=False)
    all_proxy: str = pydantic.Field(default="", validation_alias="ALL_PROXY", repr=False)
    no_proxy: tuple[str, ...] = pydantic.Field(default=(), validation_alias="NO_PROXY")
    ssl_cert_file: str = pydantic.Field(default="", validation_alias="SSL_CERT_FILE")
    ssl_cert_dir: str = pydantic.Field(default="", validation_alias="SSL_CERT_DIR")

    _parse_hedge_after = pydantic.field_validator("hedge_after", mode="before")(_parse_seconds_by_role)
    _split_lists = pydantic.field_validator("fallback_chain", "no_proxy", mode="before")(_split_list)

    @pydantic.field_validator("log_level", mode="before")
    @classmethod
    def _to_upper_case(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @pydantic.field_validator("http_carrier", "log_format", mode="before")
    @classmethod
    def _to_lower_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @property
    def role_providers(self) -> dict[str, str | None]:
        """The primary provider of each role, None where none is set."""
        return {
            "chat": self.chat_provider,
            "multimodal": self.multimodal_provider,
            "synthesis": self.synthesis_provider,
            "classifier": self.classifier_provider,
            "code": self.code_provider,
        }


VARIABLES: dict[str, str] = {str(info.validation_alias): name for name, info in Settings.model_fields.items()}
"""Every variable of `Settings`, with the name of its field."""

_MESSAGES = {
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "int_parsing": "must be a whole number",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than_equal": "must be {le:g} or less",
}
_CHOICES = {
    "LLM_HTTP_CARRIER": get_args(CarrierName),
    "LLM_HTTP2": ("true", "false"),
    "LLM_WATCH_FILES": ("true", "false"),
    "LOG_LEVEL": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "LOG_FORMAT": ("json", "console"),
    "STRICT_PROVIDER_MODE": ("true", "false"),
    "LLM_DEDUPLICATE": ("true", "false"),
}


def load_settings(environment: Environment) -> Settings:
    """Return the typed settings of `environment`.

    Raises:
        ConfigurationError: lists every variable whose value does not parse, with its source and the nearest valid
            value; the value itself is not shown, since a key may have been pasted there.
    """
    settings, faults = check_settings(environment)
    if faults:
        raise faults_error("the environment", faults)
    return settings


def check_settings(environment: Environment) -> tuple[Settings, list[str]]:
    """Return the settings with defaults in place of values that do not parse, and a sentence for each such value."""
    values = {variable: match for variable in VARIABLES if (match := environment.find(variable))}
    faults: dict[str, str] = {}
    try:
        return Settings.model_validate({variable: match.value for variable, match in values.items()}), []
    except pydantic.ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            variable = str(fault["loc"][0])
            faults[variable] = f"{variable} ({values[variable].source}): {_describe_fault(fault, values)}"
    # Outside of the `except`, so that pydantic's error, whose frames hold the values, is no context of later errors.
    valid = {variable: match.value for variable, match in values.items() if variable not in faults}
    return Settings.model_validate(valid), list(faults.values())


def _describe_fault(fault: Any, values: Mapping[str, ConfigValue]) -> str:
    variable = str(fault["loc"][0])
    choices = _CHOICES.get(variable)
    if choices is None:
        message = _MESSAGES.get(fault["type"])
        return message.format(**fault.get("ctx", {})) if message else str(fault["msg"])
    match = nearest(values[variable].value, choices)
    return f"must be one of {', '.join(choices)}" + (f"; did you mean {match!r}?" if match else "")


def faults_error(where: str, faults: list[str]) -> ConfigurationError:
    """Return one error that lists every fault."""
    message = f"{len(faults)} faults in {where}:" + "".join(f"\n- {fault}" for fault in faults)
    error = ConfigurationError(faults[0] if len(faults) == 1 else message)
    error.faults = tuple(faults)
    return error
