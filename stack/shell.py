"""`env`: what a person's shell needs so that spark-submit, airflow and psql speak to this platform."""

import os
import shlex

from stack.home import Home
from stack.passwords import FERNET_KEY
from stack.platform import open_platform
from stack.ports import HOST

# Airflow reads these from a command, so that no key is printed.
KEY_FILES = {
    "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
    "AIRFLOW__API__SECRET_KEY": "airflow_secret_key",
    "AIRFLOW__API_AUTH__JWT_SECRET": "airflow_jwt_secret",
}


def exports(home: Home) -> str:
    """Lines for `eval`. Raises `StackError` where nothing was started yet."""
    platform = open_platform(home)
    variables = platform.variables()
    for name, file in KEY_FILES.items():
        del variables[name]
        variables[f"{name}_CMD"] = f"cat {shlex.quote(str(home.secrets / file))}"
    variables["PATH"] = platform.path(os.environ.get("PATH", os.defpath))
    skipped = os.environ.get("NO_PROXY", "").split(",")
    variables["NO_PROXY"] = ",".join(dict.fromkeys([*filter(None, skipped), HOST, "localhost"]))
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
