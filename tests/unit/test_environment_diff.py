"""Tests for the comparison of two environment reports."""

from faultmaven.cli.environment_diff import (
    EnvironmentReport,
    ValueDifference,
    compare_reports,
    mask_faulty_values,
    read_hidden_values,
)
from faultmaven.infrastructure.configuration.config_sources import FAULTY, ConfigEntry
from faultmaven.infrastructure.configuration.settings import Environment, Layer

DEADLINE = ConfigEntry("LLM_DEADLINE", "60", ".env")
KEY = ConfigEntry("ACME_API_KEY", "set", ".env.a", (), "acme")


def report_of(name: str, *entries: ConfigEntry, **facts: object) -> EnvironmentReport:
    return EnvironmentReport(name, entries, **facts)  # type: ignore[arg-type]


def test_report_compared_with_itself_is_equal() -> None:
    report = report_of("a", DEADLINE, KEY, hidden={"ACME_API_KEY": "k"}, chains={"chat": ("acme",)}, warnings=("w",))
    comparison = compare_reports(report, report)
    assert comparison.equal
    assert (comparison.values, comparison.chains, comparison.configured) == ((), {}, ((), ()))


def test_different_value_is_shown_with_both_sources() -> None:
    other = ConfigEntry("LLM_DEADLINE", "20", ".env.b")
    comparison = compare_reports(report_of("a", DEADLINE), report_of("b", other))
    assert comparison.values == (ValueDifference("LLM_DEADLINE", DEADLINE, other),)
    assert not comparison.equal


def test_equal_value_from_another_source_is_equal() -> None:
    assert compare_reports(report_of("a", DEADLINE), report_of("b", ConfigEntry("LLM_DEADLINE", "60", "default"))).equal


def test_environment_names_are_not_compared() -> None:
    first, second = (report_of(name, ConfigEntry("FAULTMAVEN_ENV", name, "argument")) for name in "ab")
    assert compare_reports(first, second).equal


def test_different_keys_are_reported_without_values() -> None:
    first, second = (
        report_of("a", KEY, hidden={"ACME_API_KEY": "one"}),
        report_of("b", KEY, hidden={"ACME_API_KEY": "two"}),
    )
    comparison = compare_reports(first, second)
    assert comparison.values == (ValueDifference("ACME_API_KEY", KEY, KEY, hidden=True),)
    assert not comparison.equal
    for text in (repr(comparison), repr(first)):
        assert "one" not in text
        assert "two" not in text


def test_variable_of_one_report_has_one_side() -> None:
    model = ConfigEntry("ACME_MODEL", "m", "default of the row", (), "acme")
    assert compare_reports(report_of("a", DEADLINE, model), report_of("b", DEADLINE)).values == (
        ValueDifference("ACME_MODEL", model, None),
    )
    assert compare_reports(report_of("a", DEADLINE), report_of("b", DEADLINE, model)).values == (
        ValueDifference("ACME_MODEL", None, model),
    )


def test_chains_and_configured_providers_are_compared() -> None:
    first = report_of("a", chains={"chat": ("x", "y"), "code": ("x",)}, configured=("x", "y"))
    second = report_of("b", chains={"chat": ("x",), "code": ("x",)}, configured=("x", "z"))
    comparison = compare_reports(first, second)
    assert comparison.chains == {"chat": (("x", "y"), ("x",))}
    assert comparison.configured == (("y",), ("z",))


def test_warnings_are_compared_without_file_names() -> None:
    first = report_of("a", warnings=("X (.env.a) is unknown", "Y (.env) is unknown"))
    second = report_of("b", warnings=("X (.env.b) is unknown", "Z (.env.b) is unknown"))
    assert compare_reports(first, second).warnings == (("Y (.env) is unknown",), ("Z (.env.b) is unknown",))


def test_faulty_report_still_compares_other_values() -> None:
    faulty = ConfigEntry("LLM_DEADLINE", FAULTY, ".env.a")
    first = report_of("a", faulty, ConfigEntry("LOG_LEVEL", "INFO", "default"), faults=("LLM_DEADLINE (.env.a): no",))
    level = ConfigEntry("LOG_LEVEL", "DEBUG", ".env.b")
    second = report_of("b", DEADLINE, level, KEY, chains={"chat": ("acme",)}, configured=("acme",), warnings=("w",))
    comparison = compare_reports(first, second)
    assert [difference.variable for difference in comparison.values] == ["LOG_LEVEL"]
    assert (comparison.chains, comparison.configured) == (None, None)
    assert comparison.warnings == ((), ("w",))
    assert comparison.faults == (("LLM_DEADLINE (.env.a): no",), ())
    assert not comparison.equal


def test_unreadable_environment_has_no_value_differences() -> None:
    comparison = compare_reports(report_of("a", faults=("there is no .env.a",)), report_of("b", DEADLINE))
    assert comparison.values == ()
    assert not comparison.equal


def test_faulty_value_is_replaced_by_marker() -> None:
    entries = mask_faulty_values(
        [DEADLINE, ConfigEntry("CHAT_PROVIDER", "sk-pasted", ".env")], ["CHAT_PROVIDER (.env) x"]
    )
    assert [entry.value for entry in entries] == ["60", FAULTY]


def test_hidden_values_keep_masked_values_whole() -> None:
    values = {"ACME_API_KEY": "k", "HTTPS_PROXY": "http://me:pä ss@proxy:1", "LLM_DEADLINE": "60"}
    shown = [KEY, DEADLINE, ConfigEntry("HTTPS_PROXY", "http://***@proxy:1", ".env")]
    hidden = read_hidden_values(Environment((Layer(".env", values),)), shown)
    assert dict(hidden) == {name: values[name] for name in ("ACME_API_KEY", "HTTPS_PROXY")}
    assert "proxy" not in repr(hidden)
