"""Two environments side by side, as values."""

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


def of(name: str, *entries: ConfigEntry, **facts: object) -> EnvironmentReport:
    return EnvironmentReport(name, entries, **facts)  # type: ignore[arg-type]


def test_the_same_differs_in_nothing() -> None:
    report = of("a", DEADLINE, KEY, hidden={"ACME_API_KEY": "k"}, chains={"chat": ("acme",)}, warnings=("w",))
    comparison = compare_reports(report, report)
    assert comparison.equal
    assert (comparison.values, comparison.chains, comparison.configured) == ((), {}, ((), ()))


def test_a_value_that_differs_is_shown_with_both_sources() -> None:
    other = ConfigEntry("LLM_DEADLINE", "20", ".env.b")
    comparison = compare_reports(of("a", DEADLINE), of("b", other))
    assert comparison.values == (ValueDifference("LLM_DEADLINE", DEADLINE, other),)
    assert not comparison.equal


def test_the_same_value_from_elsewhere_is_no_difference() -> None:
    assert compare_reports(of("a", DEADLINE), of("b", ConfigEntry("LLM_DEADLINE", "60", "default"))).equal


def test_the_names_of_the_environments_are_no_difference() -> None:
    first, second = (of(name, ConfigEntry("FAULTMAVEN_ENV", name, "argument")) for name in "ab")
    assert compare_reports(first, second).equal


def test_two_keys_differ_without_being_shown() -> None:
    first, second = of("a", KEY, hidden={"ACME_API_KEY": "one"}), of("b", KEY, hidden={"ACME_API_KEY": "two"})
    comparison = compare_reports(first, second)
    assert comparison.values == (ValueDifference("ACME_API_KEY", KEY, KEY, hidden=True),)
    assert not comparison.equal
    for told in (repr(comparison), repr(first)):
        assert "one" not in told
        assert "two" not in told


def test_a_variable_that_one_has_no_row_for_stands_on_one_side() -> None:
    model = ConfigEntry("ACME_MODEL", "m", "default of the row", (), "acme")
    assert compare_reports(of("a", DEADLINE, model), of("b", DEADLINE)).values == (
        ValueDifference("ACME_MODEL", model, None),
    )
    assert compare_reports(of("a", DEADLINE), of("b", DEADLINE, model)).values == (
        ValueDifference("ACME_MODEL", None, model),
    )


def test_chains_and_configured_providers_are_compared() -> None:
    first = of("a", chains={"chat": ("x", "y"), "code": ("x",)}, configured=("x", "y"))
    second = of("b", chains={"chat": ("x",), "code": ("x",)}, configured=("x", "z"))
    comparison = compare_reports(first, second)
    assert comparison.chains == {"chat": (("x", "y"), ("x",))}
    assert comparison.configured == (("y",), ("z",))


def test_a_warning_in_one_only_is_told_and_the_same_in_each_file_is_not() -> None:
    first = of("a", warnings=("X (.env.a) is unknown", "Y (.env) is unknown"))
    second = of("b", warnings=("X (.env.b) is unknown", "Z (.env.b) is unknown"))
    assert compare_reports(first, second).warnings == (("Y (.env) is unknown",), ("Z (.env.b) is unknown",))


def test_a_fault_hides_neither_the_other_environment_nor_the_other_values() -> None:
    faulty = ConfigEntry("LLM_DEADLINE", FAULTY, ".env.a")
    first = of("a", faulty, ConfigEntry("LOG_LEVEL", "INFO", "default"), faults=("LLM_DEADLINE (.env.a): no",))
    level = ConfigEntry("LOG_LEVEL", "DEBUG", ".env.b")
    second = of("b", DEADLINE, level, KEY, chains={"chat": ("acme",)}, configured=("acme",), warnings=("w",))
    comparison = compare_reports(first, second)
    assert [difference.variable for difference in comparison.values] == ["LOG_LEVEL"]
    assert (comparison.chains, comparison.configured) == (None, None)
    assert comparison.warnings == ((), ("w",))
    assert comparison.faults == (("LLM_DEADLINE (.env.a): no",), ())
    assert not comparison.equal


def test_one_that_cannot_be_read_has_no_values_to_differ() -> None:
    comparison = compare_reports(of("a", faults=("there is no .env.a",)), of("b", DEADLINE))
    assert comparison.values == ()
    assert not comparison.equal


def test_what_a_fault_is_about_is_not_shown() -> None:
    entries = mask_faulty_values(
        [DEADLINE, ConfigEntry("CHAT_PROVIDER", "sk-pasted", ".env")], ["CHAT_PROVIDER (.env) x"]
    )
    assert [entry.value for entry in entries] == ["60", FAULTY]


def test_the_whole_value_is_kept_of_what_is_not_shown_whole() -> None:
    values = {"ACME_API_KEY": "k", "HTTPS_PROXY": "http://me:pä ss@proxy:1", "LLM_DEADLINE": "60"}
    shown = [KEY, DEADLINE, ConfigEntry("HTTPS_PROXY", "http://***@proxy:1", ".env")]
    hidden = read_hidden_values(Environment((Layer(".env", values),)), shown)
    assert dict(hidden) == {name: values[name] for name in ("ACME_API_KEY", "HTTPS_PROXY")}
    assert "proxy" not in repr(hidden)
