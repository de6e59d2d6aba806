import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from simulator.certificates import ensure_certificates, server_context

NOW = datetime(2026, 3, 11, tzinfo=UTC)


def test_certificates_are_made_once_and_used_again(tmp_path: Path):
    first = ensure_certificates(tmp_path / "simulator", NOW)
    before = {path: path.read_bytes() for path in (first.ca, first.ca_key, first.server, first.server_key)}
    ensure_certificates(tmp_path / "simulator", NOW + timedelta(days=200))
    assert {path: path.read_bytes() for path in before} == before


def test_keys_are_for_their_owner_alone(tmp_path: Path):
    files = ensure_certificates(tmp_path, NOW)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (files.ca_key, files.server_key))


def test_the_servers_certificate_is_renewed_before_it_expires_and_the_authority_stays(tmp_path: Path):
    files = ensure_certificates(tmp_path, NOW)
    ca, server = files.ca.read_bytes(), files.server.read_bytes()
    ensure_certificates(tmp_path, NOW + timedelta(days=340))
    assert files.ca.read_bytes() == ca
    assert files.server.read_bytes() != server


def test_broken_files_are_replaced(tmp_path: Path):
    files = ensure_certificates(tmp_path, NOW)
    files.ca_key.write_text("half a key")
    files = ensure_certificates(tmp_path, NOW)
    assert isinstance(server_context(files), ssl.SSLContext)
    ca, server = (x509.load_pem_x509_certificate(path.read_bytes()) for path in (files.ca, files.server))
    server.verify_directly_issued_by(ca)


def test_the_authority_can_sign_for_yahoos_names_only(tmp_path: Path):
    ca = x509.load_pem_x509_certificate(ensure_certificates(tmp_path, NOW).ca.read_bytes())
    allowed = ca.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    assert allowed == [x509.DNSName("yahoo.com")]
