"""The file in which a user names indicators (`market.choices`): what the stream computes and the platform's command checks."""

from pathlib import Path

from market.choices import BadChoice, Choices, parse

# Beside pyproject.toml. CANDLESTREAM_INDICATORS names another.
DEFAULT_FILE = Path(__file__).parents[1] / "indicators.toml"


def read(path: Path) -> Choices:
    """What a file asks for; nothing where the default one is not there. Raises `BadChoice`, whose sentence names the file."""
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        if path == DEFAULT_FILE:
            return Choices()
        raise BadChoice(f"{path}: there is no such file; CANDLESTREAM_INDICATORS names it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadChoice(f"{path}: cannot be read: {error}") from error
    try:
        return parse(text)
    except BadChoice as error:
        raise BadChoice(f"{path}: {error}") from error
