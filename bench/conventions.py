"""What each indicator of the kernel is, in words: the part of docs/indicators.md that is not measured."""

from typing import NamedTuple

from market.choices import KINDS, Parameter


class Convention(NamedTuple):
    """`warm_at` is the first bar, counted from 1, that has a value; `flat` what the indicator says of prices that never move."""

    names: tuple[str, ...]
    title: str
    formula: str
    seed: str
    warm_at: tuple[int, ...]
    flat: str
    source: str


WILDER = "J. W. Wilder, New Concepts in Technical Trading Systems (1978)"
APPEL = "G. Appel, Technical Analysis: Power Tools for Active Investors (2005)"
PLAIN = "textbook arithmetic"

CONVENTIONS = (
    Convention(
        ("sma_4", "sma_5", "sma_20", "sma_50", "sma_200"),
        "Simple moving average",
        "(C[i] + C[i−1] + … + C[i−n+1]) / n. The sum is of whole units of the instrument's precision, so it is exact",
        "none",
        (4, 5, 20, 50, 200),
        "the price",
        PLAIN,
    ),
    Convention(
        ("ema_12", "ema_26"),
        "Exponential moving average",
        "E[i] = E[i−1] + (C[i] − E[i−1]) · 2 / (n + 1)",
        "the mean of the first n closes",
        (12, 26),
        "the price",
        APPEL,
    ),
    Convention(
        ("rsi_14",),
        "Relative strength index",
        "100 · G / (G + L), where G and L are the averages of the rises and of the falls from close to close: "
        "A[i] = (13 · A[i−1] + x[i]) / 14",
        "the mean of the first 14 rises (falls)",
        (15,),
        "50 without any rise or fall; 100 without any fall, 0 without any rise. TA-Lib says 0 and talipp 100 of flat prices",
        WILDER,
    ),
    Convention(
        ("macd", "macd_signal", "macd_histogram"),
        "Moving average convergence/divergence",
        "macd = ema_12 − ema_26 of the same row; signal = EMA(9) of macd; histogram = macd − signal",
        "each average as an EMA's; the signal's is the mean of the first nine values of macd",
        (26, 34, 34),
        "0",
        APPEL,
    ),
    Convention(
        ("bb_upper", "bb_middle", "bb_lower"),
        "Bollinger bands",
        "middle = sma_20; upper and lower = middle ± 2 · population standard deviation (divisor 20) of the last 20 closes",
        "none",
        (20, 20, 20),
        "all three the price",
        "J. Bollinger, Bollinger on Bollinger Bands (2001)",
    ),
    Convention(
        ("atr_14",),
        "Average true range",
        "A[i] = (13 · A[i−1] + TR[i]) / 14, TR = max(H − L, |H − C[i−1]|, |L − C[i−1]|)",
        "the mean of the first 14 true ranges; the first is the second bar's, for the first bar has no previous close",
        (15,),
        "0",
        WILDER,
    ),
    Convention(
        ("session_vwap",),
        "Session VWAP",
        "Σ (typical price · V) / Σ V over the session's bars so far, typical price = (H + L + C) / 3",
        "begins anew with each session; missing while nothing was traded in it",
        (1,),
        "the price",
        "the mean price of a session's volume; exchanges work it out from trades, here it is worked out from bars",
    ),
    Convention(
        ("obv",),
        "On-balance volume",
        "O[i] = O[i−1] + V[i] where the close rose, − V[i] where it fell, unchanged where it stood",
        "the first bar's volume",
        (1,),
        "the first bar's volume",
        "J. Granville, New Key to Stock Market Profits (1963)",
    ),
    Convention(
        ("volatility_20",),
        "Historical volatility",
        "sample standard deviation (divisor 19) of the last 20 log returns · √(bars in a year). A year has 252 sessions "
        "(365 around the clock, 260 around the working week), 52 weeks, 12 months",
        "none",
        (21,),
        "0",
        "J. Hull, Options, Futures, and Other Derivatives",
    ),
    Convention(
        ("volume_sma_20",),
        "Average volume",
        "mean volume of the last 20 bars; missing while one of them has no volume",
        "none",
        (20,),
        "no price in it",
        PLAIN,
    ),
    Convention(
        ("roc_10",),
        "Rate of change",
        "100 · (C[i] / C[i−10] − 1)",
        "none",
        (11,),
        "0",
        PLAIN,
    ),
    Convention(
        ("change", "change_pct"),
        "Change from bar to bar",
        "C[i] − C[i−1]; 100 · (C[i] / C[i−1] − 1). The change of the day, from the previous regular close, "
        "and that from tick to tick are in `v1.latest`",
        "none",
        (2, 2),
        "0",
        PLAIN,
    ),
)


def described() -> str:
    """The conventions as Markdown."""
    parts = []
    for each in CONVENTIONS:
        warm = ", ".join(f"`{name}` {bar}" for name, bar in zip(each.names, each.warm_at, strict=True))
        parts.append(
            f"### {each.title}\n\n"
            f"{', '.join(f'`{name}`' for name in each.names)}\n\n"
            f"- Formula: {each.formula}.\n"
            f"- Seed: {each.seed}.\n"
            f"- First bar with a value: {warm}.\n"
            f"- Flat prices: {each.flat}.\n"
            f"- Source: {each.source}.\n"
        )
    return "\n".join(parts)


CHOSEN = """\
## Indicators of your own

A line in `indicators.toml` (README.md, Configuration) adds an indicator to a timeframe. Its values stand in
`v1.indicator_values`, a row a bar and name, with the parameters as text. Formulas, seeds and flat prices are those above with
other numbers in them; where the numbers are the same, the values are equal to the last bit. History is computed at the next start
of the stream; what is taken out of the file is deleted then, and what stays is not touched. An edit of the code computes all of
them again.

| kind | parameters | names | first bar with a value |
|---|---|---|---|
"""
CHOSEN_WARM_AT = {
    "sma": "bars",
    "ema": "bars",
    "rsi": "bars + 1",
    "macd": "slow bars; slow bars + signal bars − 1 for signal and histogram",
    "bollinger": "bars",
    "atr": "bars + 1",
    "roc": "bars + 1",
    "volatility": "bars + 1",
    "volume_sma": "bars",
}


def chosen_part() -> str:
    """What may be chosen, as Markdown."""
    lines = [
        f"| `{name}` | {'; '.join(map(_range, kind.parameters))} | {', '.join(f'`{each}`' for each in kind.names)} "
        f"| {CHOSEN_WARM_AT[name]} |"
        for name, kind in KINDS.items()
    ]
    return CHOSEN + "\n".join(lines) + "\n"


def _range(parameter: Parameter) -> str:
    default = "" if parameter.default is None else f", {parameter.default:g} if it is left out"
    return f"{parameter.name} ({parameter.least:g} to {parameter.most:g}{default})"
