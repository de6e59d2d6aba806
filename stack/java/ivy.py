"""Runs the Ivy inside pyspark, which brings jars by their coordinates (from Maven Central unless told otherwise)."""

import importlib.util
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stack.errors import Exit, StackError
from stack.files import write_atomic
from stack.java.runtime import Java
from stack.java.truststore import make_truststore

RETRIEVE = "[artifact]-[revision].[ext]"
FAILURES = ("ERROR", "UnknownHost", "refused", "timed out", "FAILED", "No space left")
UNTRUSTED = ("PKIX path", "SSLHandshakeException", "unable to find valid certification path")


def pyspark_folder() -> Path:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or not spec.submodule_search_locations:
        raise StackError(Exit.JARS_UNREACHABLE, "pyspark is not installed: run ./candlestream again")
    return Path(spec.submodule_search_locations[0])


def retrieve(java: Java, ivy_file: Path, conf: str, into: Path, work: Path, *options: str) -> str:
    """Brings the jars of a configuration into a folder; returns what Ivy printed. Raises `StackError` when it cannot.

    The runtime's own trust store is tried first, then one made from the machine's certificates (a runtime from PyPI, which
    knows no company CA, the other way round).
    """
    ivy_jar = next((pyspark_folder() / "jars").glob("ivy-*.jar"))
    proxy = argument_file(work / "proxy.options", proxy_options(os.environ))
    said = ""
    for is_made in (True, False) if java.is_bundled else (False, True):
        trust = make_truststore(work / "truststore.p12") if is_made else []
        command = [java.program, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *trust, proxy]
        command += ["-cp", str(ivy_jar), "org.apache.ivy.Main", "-cache", str(work / "cache"), "-ivy", str(ivy_file)]
        command += ["-confs", conf, "-types", "jar", "bundle", "-retrieve", str(into / RETRIEVE), *options]
        done = subprocess.run(command, capture_output=True, check=False, text=True, stdin=subprocess.DEVNULL)
        said = done.stdout + done.stderr
        if done.returncode == 0:
            return said
        if not any(sign in said for sign in UNTRUSTED):
            break
    raise StackError(Exit.JARS_UNREACHABLE, f"the jars of {conf} could not be downloaded: {reason(said)}")


def reason(said: str) -> str:
    """The line of Ivy's output that tells most, and what to do about it."""
    if any(sign in said for sign in UNTRUSTED):
        return "the repository's certificate is not trusted; set SSL_CERT_FILE to a PEM bundle with your company's CA"
    lines = [line.strip() for line in said.splitlines() if any(word in line for word in FAILURES)]
    told = lines[0][:200] if lines else "no answer"
    return f"{told}; check the connection, set HTTPS_PROXY, or name an ivysettings.xml with CANDLESTREAM_IVY_SETTINGS"


def argument_file(path: Path, options: list[str]) -> str:
    """Java's word for a file of options: what stands on a command line is everybody's to read, a proxy's password too."""
    quoted = ('"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"\n' for option in options)
    write_atomic(path, "".join(quoted), 0o600)
    return f"@{path}"


def proxy_options(variables: Mapping[str, str]) -> list[str]:
    """Java's words for HTTPS_PROXY and NO_PROXY, which it does not read."""
    proxy = variables.get("HTTPS_PROXY") or variables.get("https_proxy") or variables.get("ALL_PROXY") or ""
    parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    if not parts.hostname:
        return []
    options = []
    for scheme in ("http", "https"):
        options += [f"-D{scheme}.proxyHost={parts.hostname}", f"-D{scheme}.proxyPort={parts.port or 8080}"]
        if parts.username:
            user, password = unquote(parts.username), unquote(parts.password or "")
            options += [f"-D{scheme}.proxyUser={user}", f"-D{scheme}.proxyPassword={password}"]
    if parts.username:
        options.append("-Djdk.http.auth.tunneling.disabledSchemes=")
    skipped = variables.get("NO_PROXY") or variables.get("no_proxy") or ""
    hosts = [f"*{host}" if host.startswith(".") else host for host in skipped.replace(" ", "").split(",") if host]
    if hosts:
        options.append(f"-Dhttp.nonProxyHosts={'|'.join(hosts)}")
    return options
