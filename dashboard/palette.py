"""Colours of the chart, dark and light. Up and down differ in hue (teal, orange) and in filling (a wash, a solid), so that they
can be told apart with any colour vision and in print."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    background: str
    text: str
    muted: str
    grid: str
    session_line: str
    accent_wash: str
    up: str
    up_fill: str
    up_wash: str
    down: str
    down_fill: str
    down_wash: str
    on_price: str
    sma_5: str
    sma_20: str
    sma_50: str
    sma_200: str
    rsi: str
    rsi_band: str
    macd: str
    macd_signal: str
    watermark: str


DARK = Palette(
    background="#0f141b",
    text="#d5dbe3",
    muted="#8793a3",
    grid="rgba(135,147,163,0.11)",
    session_line="rgba(135,147,163,0.38)",
    accent_wash="rgba(110,168,254,0.09)",
    up="#2fc3ae",
    up_fill="rgba(47,195,174,0.22)",
    up_wash="rgba(47,195,174,0.45)",
    down="#f58b4c",
    down_fill="#f58b4c",
    down_wash="rgba(245,139,76,0.55)",
    on_price="#0b0f14",
    sma_5="#e9d26a",
    sma_20="#6ea8fe",
    sma_50="#c792ea",
    sma_200="#c9d1d9",
    rsi="#c792ea",
    rsi_band="rgba(199,146,234,0.06)",
    macd="#6ea8fe",
    macd_signal="#e9d26a",
    watermark="rgba(213,219,227,0.055)",
)

LIGHT = Palette(
    background="#ffffff",
    text="#1d2733",
    muted="#5d6b7b",
    grid="rgba(93,107,123,0.12)",
    session_line="rgba(93,107,123,0.42)",
    accent_wash="rgba(31,111,235,0.07)",
    up="#0a8f7f",
    up_fill="rgba(10,143,127,0.18)",
    up_wash="rgba(10,143,127,0.40)",
    down="#d9591c",
    down_fill="#d9591c",
    down_wash="rgba(217,89,28,0.50)",
    on_price="#ffffff",
    sma_5="#b38600",
    sma_20="#1f6feb",
    sma_50="#8e44c4",
    sma_200="#4b5563",
    rsi="#8e44c4",
    rsi_band="rgba(142,68,196,0.05)",
    macd="#1f6feb",
    macd_signal="#b38600",
    watermark="rgba(29,39,51,0.055)",
)


def palette(theme: str | None) -> Palette:
    return LIGHT if theme == "light" else DARK
