import pytest

from dags.failures import BadConfiguration
from dags.parameters import refuse_strangers

pytestmark = pytest.mark.unit


def test_a_parameter_that_there_is_not_is_refused_by_name_and_not_passed_over() -> None:
    known = ["symbols", "since"]
    refuse_strangers({"symbols": ["AAPL"], "since": None}, known)
    refuse_strangers({}, known)
    with pytest.raises(BadConfiguration, match="there is no parameter symbol: there are symbols, since"):
        refuse_strangers({"symbol": ["AAPL"], "since": None}, known)


@pytest.mark.parametrize("dag_id", ["backfill", "dead_letter_replay"])
def test_a_dag_that_takes_parameters_refuses_others_before_it_runs_anything(
    dag_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import import_module

    monkeypatch.setattr("dags.running.run", lambda _: pytest.fail("it ran"))
    [task] = getattr(import_module(f"dags.{dag_id}"), dag_id)().tasks
    with pytest.raises(BadConfiguration, match="there is no parameter foo"):
        task.python_callable(params={"foo": 1})
