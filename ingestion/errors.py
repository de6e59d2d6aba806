"""Everything that can stop ingestion from doing its work, and the exit code that says which.

IngestionError
├── BadConfiguration   2  a setting is missing or wrong
├── ProviderError
│   ├── Throttled     10  too many requests; `next_try_s` says when to ask again
│   ├── Unauthorised  11  cookie or crumb refused
│   ├── Unavailable   12  no connection, a time-out, a 5xx
│   ├── UnknownSymbol 13  the provider answered that there is no such symbol
│   └── Malformed     14  an answer that is not what the provider's protocol says
├── NotTracked        15  the symbol is not in the tracked list
├── BadFile           16  a file that cannot be imported
├── NotReplayed       17  a dead letter that is not there, or cannot be sent again as it is
├── DatabaseAway      20  PostgreSQL cannot be reached
└── BrokerAway        21  Kafka did not acknowledge
"""

from collections.abc import Sequence

# So many of a list are told in a sentence.
NAMED = 5


class IngestionError(Exception):
    """The root; `str()` is one sentence for a person."""

    exit_code = 1


class BadConfiguration(IngestionError):
    exit_code = 2


class ProviderError(IngestionError):
    """A request to the provider failed. `sentence` says why, `next_try_s` is the word about waiting, where there is one.

    `str()` has both; who knows better when the next try is takes the sentence alone.
    """

    exit_code = 12
    state = "retrying"
    # The word for it in `core.provider_trouble`.
    kind = "unreachable"

    def __init__(self, sentence: str, next_try_s: float | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.next_try_s = next_try_s

    def __str__(self) -> str:
        return trying_again(self.sentence, self.next_try_s) if self.next_try_s else self.sentence


class Throttled(ProviderError):
    exit_code = 10
    state = "throttled"
    kind = "throttled"


class Unauthorised(ProviderError):
    exit_code = 11
    kind = "refused"


class Unavailable(ProviderError):
    exit_code = 12


class UnknownSymbol(ProviderError):
    """`said` is what the provider answered."""

    exit_code = 13
    # Nobody asks again by himself.
    state = "stopped"

    def __init__(self, sentence: str, said: str = "no such symbol") -> None:
        super().__init__(sentence)
        self.said = said


class Malformed(ProviderError):
    """`original` is the answer's body, for the dead letter."""

    exit_code = 14
    kind = "malformed"

    def __init__(self, sentence: str, original: bytes = b"") -> None:
        super().__init__(sentence)
        self.original = original


def trying_again(sentence: str, next_try_s: float) -> str:
    """What went wrong, and when it is tried again."""
    return f"{sentence}, next try in {max(0.0, next_try_s):.0f} s"


def capital(sentence: str) -> str:
    """A sentence that begins with a provider's title: not all of them are names."""
    return sentence[:1].upper() + sentence[1:]


def named(entries: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = f" and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
    return f"{', '.join(entries[:NAMED])}{more}"


# About one symbol or one answer: the next request may well succeed. All other provider errors are about the provider.
ABOUT_ONE_ANSWER = (UnknownSymbol, Malformed)


class NotTracked(IngestionError):
    exit_code = 15


class BadFile(IngestionError):
    exit_code = 16


class NotReplayed(IngestionError):
    exit_code = 17


class DatabaseAway(IngestionError):
    exit_code = 20


class BrokerAway(IngestionError):
    exit_code = 21
