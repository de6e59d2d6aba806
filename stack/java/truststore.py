"""A Java trust store made from the certificates that this machine's other programs trust (a company's proxy included)."""

import os
import re
import ssl
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.utils import CryptographyDeprecationWarning

PASSWORD = "changeit"  # noqa: S105 (Java's own default: the store holds public certificates only)
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def system_bundle() -> Path | None:
    """The PEM bundle named by the environment, else OpenSSL's, else the distribution's."""
    named = [os.environ.get("SSL_CERT_FILE"), os.environ.get("REQUESTS_CA_BUNDLE"), os.environ.get("CURL_CA_BUNDLE")]
    for path in (*named, ssl.get_default_verify_paths().cafile, *BUNDLES):
        if path and Path(path).is_file():
            return Path(path)
    return None


def make_truststore(path: Path) -> list[str]:
    """Writes the store and returns the Java options that use it; none where the machine has no bundle."""
    bundle = system_bundle()
    if bundle is None:
        return []
    entries = [
        pkcs12.PKCS12Certificate(certificate, str(n).encode()) for n, certificate in enumerate(load(bundle.read_text()))
    ]
    path.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(PASSWORD.encode())))
    return [
        f"-Djavax.net.ssl.trustStore={path}",
        f"-Djavax.net.ssl.trustStorePassword={PASSWORD}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
    ]


def load(pem: str) -> list[x509.Certificate]:
    """The certificates of a bundle. One that cannot be parsed is left out: it could vouch for nobody anyway."""
    # Old roots with a zero serial number are in every bundle. Filters are the process's: a scoped one would race.
    warnings.filterwarnings("ignore", category=CryptographyDeprecationWarning, message="Parsed a serial number")
    found = []
    for block in re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", pem, re.DOTALL):
        try:
            found.append(x509.load_pem_x509_certificate(block.encode()))
        except ValueError:
            continue
    return found
